"""The norm of a whole tree of gradients, and a bound on it: `global_norm`, `clip_by_global_norm`."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from luxport import tree
from luxport.backend import Array, is_inexact, namespace
from luxport.backend.dtypes import widen_halves
from luxport.call_arguments import explain_call_errors
from luxport.errors import LayerError
from luxport.optimizers._rule_arithmetic import read_number
from luxport.optimizers._scaled_norm import LARGE, compute_norm_of_all, scale_by
from luxport.text import show

__all__ = ["clip_by_global_norm", "global_norm"]


@explain_call_errors
def global_norm(grads: tree.Tree) -> Array:
    """Return the Euclidean norm of all numbers in a tree, taken as one vector.

    Half types are summed in float32. Where squares would overflow or vanish, the numbers are first multiplied by a
    power of 2, so that the norm is right.

    Args:
        grads: a tree of gradients

    Shapes: any -> ()
    Raises: LayerError if there is no floating or complex array

    >>> import numpy as np
    >>> print(global_norm({"weight": np.array([3e30, 0.0], np.float32), "bias": np.array([4e30], np.float32)}))
    5e+30
    """
    return compute_norm_of_all(_list_floating("global_norm", grads))[0]


@explain_call_errors
def clip_by_global_norm(grads: tree.Tree, largest: float | Array) -> tree.Tree:
    """Return the gradients, all scaled down by one factor if the norm of the whole tree is larger than `largest`.

    A norm that is not finite makes every gradient NaN: see `nonfinite` of `luxport.training.train_step`. Leaves that
    are no floating arrays are returned unchanged. The function may be compiled.

    Args:
        grads: a tree of gradients
        largest: the largest norm, above 0: a number, or an array without axes

    Raises: LayerError if there is no floating array, or `largest` is a number that is not positive
    Source: PyTorch ``clip_grad_norm_``; R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training
            recurrent neural networks" (2013)

    >>> import numpy as np
    >>> clip_by_global_norm({"weight": np.array([3.0, 0.0]), "bias": np.array([4.0])}, 1.0)
    {'weight': array([0.6, 0. ]), 'bias': array([0.8])}
    """
    largest = read_number(largest)
    given: Any = largest
    number = isinstance(largest, Real) and not isinstance(largest, bool)
    if not (0 < given < 1e300 if number else getattr(given, "shape", None) == ()):
        raise LayerError(f"clip_by_global_norm expects a positive norm, got {show(largest)}")
    norm, scaled = compute_norm_of_all(_list_floating("clip_by_global_norm", grads))
    xp = namespace(norm)
    within, factor = scaled.is_within(largest), scaled.factor(largest)
    # largest / infinity would be 0, and hide that the norm is infinite.
    factor = xp.where(xp.isfinite(scaled.size), factor, xp.full_like(norm, math.nan))
    is_large = xp.logical_and(norm > LARGE, ~within)

    def scale_leaf(x: Any) -> Any:
        if not is_inexact(x):
            return x
        wide = widen_halves(xp, x)
        return xp.astype(scale_by(wide, is_large, factor), x.dtype)

    return tree.map(scale_leaf, grads)


def _list_floating(caller: str, grads: tree.Tree) -> list[Array]:
    arrays = [leaf for leaf in tree.leaves(grads) if is_inexact(leaf)]
    if not arrays:
        raise LayerError(f"{caller} expects a tree with floating arrays, got none")
    return arrays
