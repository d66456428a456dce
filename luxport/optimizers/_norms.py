"""The norm of a whole tree of gradients, and a bound on it: `global_norm`, `clip_by_global_norm`."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from luxport import tree
from luxport.backend import Array, is_inexact, namespace
from luxport.backend.dtypes import is_double, single_or_double, widest
from luxport.call_arguments import says_what_it_takes
from luxport.errors import LayerError
from luxport.text import shown

__all__ = ["clip_by_global_norm", "global_norm"]


@says_what_it_takes
def global_norm(grads: tree.Tree) -> Array:
    """Return the Euclidean norm of all the numbers in a tree, as of one vector.

    Half precision is summed in float32. Where squares would overflow or vanish and the norm does not, it is right:
    the numbers are divided by the largest first.

    Args:
        grads: a tree of gradients

    Shapes: any -> ()
    Raises: LayerError if there is no floating or complex array

    >>> import numpy as np
    >>> print(global_norm({"weight": np.array([3e30, 0.0], np.float32), "bias": np.array([4e30], np.float32)}))
    5e+30
    """
    arrays = [leaf for leaf in tree.leaves(grads) if is_inexact(leaf)]
    if not arrays:
        raise LayerError("global_norm expects a tree with floating arrays, got none")
    xp = namespace(*arrays)
    wide = widest(xp) if any([is_double(x) for x in arrays]) else xp.float32
    sizes = [xp.astype(xp.abs(single_or_double(xp, x)), wide) for x in arrays if math.prod(x.shape)]
    if not sizes:
        return xp.zeros((), dtype=wide)
    largest = xp.max(xp.stack([xp.max(size) for size in sizes]))
    unit = xp.where(xp.logical_and(largest > 0, xp.isfinite(largest)), largest, xp.ones_like(largest))
    return unit * xp.sqrt(xp.sum(xp.stack([xp.sum((size / unit) ** 2) for size in sizes])))


@says_what_it_takes
def clip_by_global_norm(grads: tree.Tree, largest: float | Array) -> tree.Tree:
    """Return the gradients, all scaled down alike if the norm of the whole tree is larger.

    Their direction stays. A norm that is not finite makes every gradient NaN: see `nonfinite` of
    `luxport.training.train_step`. What is no floating array stays as it is. It may be compiled.

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
    given: Any = largest
    number = isinstance(largest, Real) and not isinstance(largest, bool)
    if not (0 < given < 1e300 if number else getattr(given, "shape", None) == ()):
        raise LayerError(f"clip_by_global_norm expects a positive norm, got {shown(largest)}")
    norm = global_norm(grads)
    xp = namespace(norm)
    # NaN is not below 1, and must not become 1; infinity must not become 0.
    scale = largest / xp.where(norm > largest, norm, xp.full_like(norm, 1.0) * largest)
    scale = xp.where(xp.isfinite(norm), scale, xp.full_like(norm, math.nan))

    def scale_leaf(x: Any) -> Any:
        if not is_inexact(x):
            return x
        wide = single_or_double(xp, x)
        return xp.astype(wide * xp.astype(scale, wide.dtype), x.dtype)

    return tree.map(scale_leaf, grads)
