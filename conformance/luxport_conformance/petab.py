"""Cases from folders of the PEtab SciML test suite: networks, with inputs and the outputs that Lux.jl computed.

Each folder has a `solutions.yaml`, which names the network and lists triples of input, parameters and output. The
outputs of networks with dropout are means over many draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.porting import petab
from luxport_conformance.arrays import widen_floats
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_program
from luxport_conformance.compare import EPSILON, Tolerance

__all__ = ["make_petab_cases"]


def make_petab_cases(folder: Path) -> list[Case]:
    """Make a case of every input, in all folders inside `folder` that have a `solutions.yaml`.

    Raises: FileFormatError if a file cannot be read; ValueError if there is no folder with a `solutions.yaml`
    """
    solutions = sorted(folder.glob("**/solutions.yaml"))
    if not solutions:
        raise ValueError(f"no solutions.yaml in {folder}: a folder of the PEtab SciML test suite expected")
    return [case for path in solutions for case in _make_cases(path)]


def _make_cases(path: Path) -> list[Case]:
    import yaml

    solutions = yaml.safe_load(path.read_text())
    if "net_file" not in solutions:
        return []
    folder = path.parent
    model = petab.load_model(folder / solutions["net_file"])
    keys = sorted(key for key in solutions if key.startswith("net_input"))
    cases = []
    for number, output in enumerate(solutions["net_output"]):
        inputs = [petab.load_array(folder / solutions[key][number]) for key in keys]
        initial, st = luxport.setup(0, model, backend="numpy")
        files = solutions.get("net_ps")
        ps = petab.load_parameters(folder / files[number], model)[0] if files else initial
        x = inputs[0] if len(inputs) == 1 else tuple(inputs)
        want = petab.load_array(folder / output)
        case = _make_drawn_case if "dropout" in solutions else _make_computed_case
        name = f"petab.{folder.name}_{number + 1}"
        cases.append(case(name, model, {"x": x, "ps": ps, "st": st}, want, solutions))
    return cases


def _make_computed_case(name: str, model: petab.Network, inputs: dict[str, Any], want: Any, solutions: Any) -> Case:
    def program(x: Any, ps: Any, st: Any) -> Any:
        return model(x, ps, st)[0]

    # Lux.jl's outputs are float32 too, so the reduction counts the terms of both results: for each weight the inputs
    # of an output, and all of x for a mean.
    weights = [leaf for leaf in tree.leaves(inputs["ps"]) if leaf.ndim > 1]
    terms = sum(leaf.size // min(leaf.shape) for leaf in weights) + sum(leaf.size for leaf in tree.leaves(inputs["x"]))
    tolerance = Tolerance(reduction=2 * terms, magnitude=_measure_terms(program, inputs))
    return _make_case(name, "", program, inputs, want, tolerance=tolerance)


def _make_case(name: str, what: str, program: Any, inputs: dict[str, Any], expected: Any, **options: Any) -> Case:
    source = (f"Lux.jl, in the PEtab SciML test suite: {name}{what}",)
    options |= {"subject": "PEtab", "dtypes": ("float32",)}
    return check_program(name, source, program, inputs, expected=expected, **options)


def _measure_terms(program: Callable[..., Any], inputs: Mapping[str, Any]) -> float:
    """Estimate the size of terms that cancel in the output: its change for small relative changes of all inputs."""
    draw = np.random.Generator(np.random.Philox(17))

    def move(leaf: Any) -> Any:
        return leaf * (1 + _STEP * draw.uniform(-1.0, 1.0, leaf.shape)) if leaf.dtype.kind == "f" else leaf

    values = widen_floats(inputs)
    y = program(**values)
    ends = [program(**values | {"x": tree.map(move, values["x"]), "ps": tree.map(move, values["ps"])}) for _ in "12"]
    return max(float(np.max(np.abs(end - y), initial=0.0)) for end in ends) / _STEP


_STEP = 1e-6


def _make_drawn_case(
    name: str, model: petab.Network, inputs: dict[str, Any], want: Any, solutions: Mapping[str, Any]
) -> Case:
    draws = int(solutions["dropout"])

    def program(x: Any, ps: Any, st: Any) -> Any:
        xp = luxport.namespace(x)
        y = model(xp.broadcast_to(x[None, ...], (draws, *x.shape)), ps, st)[0]
        return xp.stack([xp.mean(y, axis=0), xp.std(y, axis=0)])

    def is_close(got: Any) -> bool:
        mean, deviation = got
        # Both means are over the same number of draws: allow six standard deviations of their difference.
        return bool(np.all(np.abs(mean - want) <= 6 * deviation * np.sqrt(2 / draws) + 8 * EPSILON["float32"]))

    wanted = Property(f"a mean over {draws} draws near {want.ravel()[:4]}…", is_close)
    return _make_case(name, f", the mean of {draws} draws", program, inputs, wanted)
