"""`batch` and `unbatch`: stack samples to a batch, and list the samples of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from luxport import tree
from luxport.backend import Array, asarray, find_owner, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.input_checks import shape_of
from luxport.text import name_kind

__all__ = ["batch", "unbatch"]


@explain_call_errors
def batch(samples: Iterable[Any]) -> Any:
    """Stack samples, arrays or trees of arrays, along a new first axis; plain numbers become one array.

    Args:
        samples: arrays, trees of arrays of one structure, or numbers

    Shapes: samples (*a) -> (N, *a)
    Raises: ValueError if there is none, or if their structures differ
    Source: MLUtils.jl ``batch``, axes reversed

    >>> import numpy as np
    >>> batch([np.array([1, 2]), np.array([3, 4])]).shape
    (2, 2)
    """
    listed = list(samples)
    if not listed:
        raise ValueError("batch expects samples, got none")
    return tree.map(_stack, *listed)


@explain_call_errors
def unbatch(batch: Any) -> list[Any]:
    """List the samples of a batch, an array or a tree of them.

    Args:
        batch: an array, or a tree of arrays with one first size

    Shapes: batch (N, *a) -> N times (*a)
    Raises: ValueError if the first axes of the arrays differ in size
    Source: MLUtils.jl ``unbatch``

    >>> import numpy as np
    >>> unbatch({"x": np.ones((2, 3)), "y": np.array([0, 1])})[1]["x"].shape
    (3,)
    """
    return [tree.map(lambda leaf, i=i: leaf[i, ...], batch) for i in range(find_first_size("unbatch", batch))]


def find_first_size(caller: str, batch: tree.Tree) -> int:
    """Return the number of samples in a batch.

    Raises: ValueError if the first axes of the arrays differ in size; TypeError for a leaf that is not an array
    """
    for leaf in tree.leaves(batch):
        if find_owner(type(leaf)) is None:
            raise TypeError(
                f"{caller} expects arrays, or a tree of them, got {name_kind(leaf)}: make them with luxport.asarray"
            )
    sizes = {".".join(path) or "data": shape_of(leaf)[:1] for path, leaf in tree.leaves_with_path(batch)}
    if len(set(sizes.values())) != 1 or () in sizes.values():
        got = ", ".join([f"{size[0] if size else 'no axis'} at {path}" for path, size in sizes.items()])
        raise ValueError(f"{caller} expects arrays with one first size, got {got or 'no array'}")
    return next(iter(sizes.values()))[0]


def _stack(*leaves: Any) -> Array:
    if find_owner(type(leaves[0])) is None:
        return asarray(leaves)
    return namespace(*leaves).stack(leaves, axis=0)
