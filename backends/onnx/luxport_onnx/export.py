"""Writing models as ONNX's files: `export`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from luxport import tree
from luxport.errors import LayerTypeError
from luxport.porting.files.atomic_files import open_atomic
from luxport.text import name_kind
from luxport_onnx import xp
from luxport_onnx.graph import DEFAULT_OPSET, Array, make_constant, make_placeholder, record_export
from luxport_onnx.model import NEWEST, OLDEST, PAGE, make_graph, make_model, place_beside

__all__ = ["export"]


def export(
    program: Callable[[Any, Any, Any], Any],
    inputs: Any,
    ps: Any,
    st: Any,
    *,
    path: str | None,
    input_names: Sequence[str],
    name_outputs: Callable[[Any], Sequence[str]],
    opset: int | None,
    external_data: bool | None,
) -> Any:
    """Record ``program(x, ps, st)`` as a model, check it, and write it if there is a path.

    `inputs` is a tree of shapes and dtypes (whose sizes are ints, or names of free ones), `ps` and `st` are trees of
    NumPy's arrays. With `external_data` the parameters are in a second file beside it; None: only above 2 GB.

    Raises: ValueError for a version of the operators that is too old or too new
    """
    version = DEFAULT_OPSET if opset is None else opset
    if not OLDEST <= version <= NEWEST:
        raise ValueError(f"to_onnx expects an opset from {OLDEST} to {NEWEST}, got {opset}")
    free = _choose_free_sizes([size for leaf in tree.leaves(inputs) for size in leaf.shape if isinstance(size, str)])
    leaves = [
        make_placeholder(name, _find_dtype(leaf.dtype), _list_samples(leaf.shape, free))
        for name, leaf in zip(input_names, tree.leaves(inputs), strict=True)
    ]
    x = tree.unflatten(tree.structure(inputs), iter(leaves))
    with record_export(version):
        y = program(x, _name_constants(ps), _name_constants(st))
        outputs = tree.map(_make_output, y)
        if not tree.leaves(outputs):
            raise LayerTypeError(f"expects a model whose output is an array, got {name_kind(y)}", culprit="to_onnx")
        named = list(zip(name_outputs(outputs), tree.leaves(outputs), strict=True))
        graph = make_graph(list(zip(input_names, leaves, strict=True)), named)
        size = sum([value.nbytes for value in graph.constants.values()])
        outside = size >= _MOST if external_data is None else external_data
        if path is None and outside:
            raise ValueError(f"to_onnx expects a path for a model of {size} bytes: files of ONNX end at 2 GB")
        if outside and os.path.exists(path or "") and not os.path.isfile(path or ""):
            raise ValueError(f"to_onnx expects a file's path for a model with a file beside it, got {path}")
        beside = place_beside(graph, os.path.basename(f"{path}{_BESIDE}")) if outside else {}
        model = make_model(graph, opset=version, free=free, beside=beside)
    if not outside:
        onnx.checker.check_model(model)
    if path is not None:
        _write(model, path, [graph.constants[name] for name in beside])
    if outside and path is not None:
        onnx.checker.check_model(path)
    return model


_BESIDE = ".data"

_MOST = 2**31 - 2**24
"""Bytes of a file: Protocol Buffers end at 2 GB."""

_UNIT = 5040
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)


def _choose_free_sizes(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return two samples of each free size: larger than usual windows, and divisible by usual strides and groups."""
    distinct = list(dict.fromkeys(names))
    if 2 * len(distinct) > len(_PRIMES):
        raise ValueError(f"to_onnx takes up to {len(_PRIMES) // 2} names of free sizes, got {len(distinct)}")
    return {name: (_PRIMES[2 * i] * _UNIT, _PRIMES[2 * i + 1] * _UNIT) for i, name in enumerate(distinct)}


def _find_dtype(name: str) -> Any:
    found = getattr(xp, name, None)
    if found is None:
        raise LayerTypeError(
            f"has no inputs of {name}, which are those of the parameters' dtype unless another is given: "
            "convert them with luxport.to(ps, dtype='float32')",
            culprit="to_onnx",
        )
    return found


def _list_samples(shape: Sequence[int | str], free: Mapping[str, tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    return tuple([tuple([free[n][i] if isinstance(n, str) else n for n in shape]) for i in range(2)])


def _name_constants(values: Any) -> Any:
    """Name every array by its path."""
    known: dict[int, Array] = {}

    def named(path: tuple[str, ...], leaf: Any) -> Array:
        if id(leaf) not in known:
            if getattr(xp, leaf.dtype.name, None) is None:
                raise LayerTypeError(
                    f"has parameters of {leaf.dtype.name}, which a model for ONNX does not have here: "
                    "convert them with luxport.to(ps, dtype='float32')",
                    culprit="to_onnx",
                )
            known[id(leaf)] = make_constant(leaf, ".".join(path))
        return known[id(leaf)]

    return tree.map_with_path(named, values)


def _make_output(leaf: Any) -> Array:
    if type(leaf) is Array:
        return leaf
    if isinstance(leaf, (bool, int, float)):
        return make_constant(leaf)
    raise LayerTypeError(
        f"expects a model whose output is an array, or a tree of them, got {type(leaf).__name__} in it",
        culprit="to_onnx",
    )


def _write(model: Any, path: str, beside: Sequence[np.ndarray]) -> None:
    """Write the file of external data, if any, and then the model's; each is written whole or not at all."""
    if beside:
        with open_atomic(f"{path}{_BESIDE}") as out:
            for value in beside:
                out.write(b"\0" * (-out.tell() % PAGE))
                out.write(np.ascontiguousarray(value).data)
    with open_atomic(path) as out:
        out.write(model.SerializeToString(deterministic=True))
    if not beside and os.path.exists(f"{path}{_BESIDE}"):
        os.remove(f"{path}{_BESIDE}")  # of a model that was here before
