"""`scan` as one operator, whose body is recorded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.transforms._loops import unroll_scan
from luxport_onnx.graph import Array, Node, make_placeholder
from luxport_onnx.xp import asarray, astype

__all__ = ["scan"]

_UNROLLED = 4
"""Up to so many steps are written one after the other, which is faster than a loop."""


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool
) -> tuple[Any, Any]:
    """Carry a value along the first axis of xs."""
    slices = tree.leaves(xs)
    if not slices or (length is not None and length <= _UNROLLED):
        return unroll_scan(f, init, xs, length, reverse)
    starts = [asarray(leaf) for leaf in tree.leaves(init)]
    carried = [make_placeholder(None, leaf.dtype, leaf.shapes) for leaf in starts]
    sliced = [make_placeholder(None, leaf.dtype, tuple([shape[1:] for shape in leaf.shapes])) for leaf in slices]
    carry, y = f(tree.unflatten(tree.structure(init), iter(carried)), tree.unflatten(tree.structure(xs), iter(sliced)))
    ends = [astype(asarray(leaf), start.dtype) for leaf, start in zip(tree.leaves(carry), starts, strict=True)]
    if [end.shapes for end in ends] != [start.shapes for start in starts]:
        before, after = ([leaf.shape for leaf in leaves] for leaves in (starts, ends))
        raise TypeError(f"scan expects a carry that keeps its shapes, got {before} and then {after}")
    rows = [asarray(leaf) for leaf in tree.leaves(y)]
    node = Node("Scan", [*starts, *slices], {"num_scan_inputs": len(slices)})
    if reverse:
        node.attributes |= {"scan_input_directions": [1] * len(slices), "scan_output_directions": [1] * len(rows)}
        if not rows:
            del node.attributes["scan_output_directions"]
    node.body = tuple([*carried, *sliced]), tuple([*ends, *rows])
    counts = [shape[0] for shape in slices[0].shapes]
    stacked = [
        Array(row.dtype, tuple([(n, *shape) for n, shape in zip(counts, row.shapes, strict=True)]), node)
        for row in rows
    ]
    last = [Array(end.dtype, end.shapes, node) for end in ends]
    node.outputs = (*last, *stacked)
    return (
        tree.unflatten(tree.structure(carry), iter(last)),
        tree.unflatten(tree.structure(y), iter(stacked)),
    )
