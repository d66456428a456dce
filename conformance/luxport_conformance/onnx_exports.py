"""The law of exports: the ONNX graph of each public layer gives the same numbers in onnxruntime as the layer on NumPy.

``python -m luxport_conformance.onnx_exports`` checks float32 and float16, free and fixed batch sizes, and every opset.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.errors import LayerTypeError
from luxport_conformance.compare import Violation, compare_trees
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.petab import make_petab_cases

__all__ = ["REFUSED", "Exported", "check_export", "check_petab", "main"]

REFUSED = {"DebugLayer": "calls a function of Python's"}
"""Layers that cannot be exported, and a part of the error message."""

_OPSETS = (18, 20, 21, 22, 23)


class Exported:
    """A model exported to ONNX and loaded in onnxruntime, callable with the model's input."""

    def __init__(self, model: Any, ps: Any, st: Any, inputs: Any, *, opset: int | None = None) -> None:
        import onnxruntime

        self.graph = luxport.to_onnx(None, model, ps, st, inputs, opset=opset)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(self.graph.SerializeToString(), options)

    def __call__(self, x: Any) -> list[Any]:
        """Run the graph and return the arrays of the output, in order."""
        names = [one.name for one in self.graph.graph.input]
        known = {one.name for one in self._session.get_inputs()}
        given = {name: leaf for name, leaf in zip(names, tree.leaves(x), strict=True) if name in known}
        return self._session.run(None, given)


def check_export(name: str, example: Example, dtype: str, *, free: bool = True, opset: int | None = None) -> float:
    """Compare the graph of an example with the layer on NumPy and return the deviation in units of eps.

    With `free` a layer whose samples are independent is exported with a free batch size, and compared at two sizes.

    Raises: Violation if they differ, or a layer of `REFUSED` is exported
    """
    model = example.layer
    x, ps, st = tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, example.draw_values())
    st = luxport.test_mode(st)
    free = free and example.per_sample
    specs = tree.map(lambda leaf: _make_spec(leaf, free), x)
    if name in REFUSED:
        try:
            luxport.to_onnx(None, model, ps, st, specs)
        except LayerTypeError as error:
            if REFUSED[name] in str(error):
                return 0.0
            raise
        raise Violation(f"{name} was exported, and expected to be refused: it {REFUSED[name]}")
    run = Exported(model, ps, st, specs, opset=opset)
    batches = [x, tree.map(lambda leaf: np.concatenate([leaf, leaf[:1]]) if leaf.ndim else leaf, x)] if free else [x]
    return max([_measure_deviation(run, model, batch, ps, st, dtype, example) for batch in batches])


def check_petab(cases: Iterable[Any]) -> int:
    """Compare the graphs of networks of the PEtab SciML test suite, in test mode, with NumPy; return their number.

    Raises: Violation if they differ
    """
    count = 0
    for case in cases:
        values = case.inputs
        x, ps = tree.map(
            lambda leaf: leaf.astype("float32") if leaf.dtype.kind == "f" else leaf, (values["x"], values["ps"])
        )
        st = luxport.test_mode(values["st"])
        model = _find_model(case)
        run = Exported(model, ps, st, tree.map(lambda leaf: _make_spec(leaf, False), x))
        want = tree.leaves(model(x, ps, st)[0])
        try:
            compare_trees(tuple(run(x)), tuple(want), "float32", case.tolerance)
        except Violation as violation:
            raise Violation(f"{case.id}: {violation}") from None
        count += 1
    return count


def _find_model(case: Any) -> Any:
    cells = dict(zip(case.program.__code__.co_freevars, case.program.__closure__, strict=True))
    return cells["model"].cell_contents


def _make_spec(leaf: Any, free: bool) -> luxport.InputSpec:
    sizes = ("N", *leaf.shape[1:]) if free and leaf.ndim else leaf.shape
    return luxport.InputSpec(sizes, leaf.dtype.name)


def _measure_deviation(run: Exported, model: Any, x: Any, ps: Any, st: Any, dtype: str, example: Example) -> float:
    want = tree.leaves(model(x, ps, st)[0])
    got = run(x)
    for one, other in zip(got, want, strict=True):
        if one.dtype != other.dtype:
            raise Violation(f"{other.dtype} expected, got {one.dtype}")
    return compare_trees(tuple(got), tuple(want), dtype, example.tolerance)


def _list_runs() -> Iterator[tuple[str, bool, int | None]]:
    for dtype in ("float32", "float16"):
        yield dtype, True, None
        yield dtype, False, None
    for opset in _OPSETS:
        yield "float32", True, opset


def main(arguments: list[str]) -> int:
    """Check every example in every dtype, batch and opset, and the networks of the folders in `arguments`.

    Return 1 if a check failed, or 2, before any check runs, if the networks of a folder cannot be read.
    """
    failed = 0
    try:
        networks = [(folder, make_petab_cases(Path(folder))) for folder in arguments]
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for dtype, free, opset in _list_runs():
        worst, count = 0.0, 0
        for name, examples in EXAMPLES.items():
            for number, example in enumerate(examples, start=1):
                if dtype not in example.dtypes:
                    continue
                try:
                    worst = max(worst, check_export(name, example, dtype, free=free, opset=opset))
                except Exception as error:
                    failed += 1
                    text = re.sub(r"\s+", " ", str(error))[:300]
                    print(f"FAILED {name}_{number} {dtype}: {type(error).__name__}: {text}")
                count += 1
        how = f"{dtype}, {'free' if free else 'fixed'} batch, opset {opset or 'as by default'}"
        print(f"{count} examples in {how}: at most {worst:.1f} eps off", flush=True)
    for folder, cases in networks:
        try:
            print(f"{check_petab(cases)} inputs of networks in {folder}", flush=True)
        except Violation as violation:
            failed += 1
            print(f"FAILED {violation}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
