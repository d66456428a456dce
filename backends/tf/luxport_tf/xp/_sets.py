"""Set functions, on the sorted array. Results whose size depends on the data are not for XLA."""

from __future__ import annotations

import tensorflow as tf

from luxport.backend.set_results import UniqueAll, UniqueCounts, UniqueInverse

from ._arrays import Array, ArrayOrScalar, R, flatten, make_ints, make_tensor, promote, read_sizes, reshape_to
from ._dtypes import INDEX, is_complex
from ._float_parts import imag, real
from ._indexing import take
from ._logic import logical_not
from ._searching import searchsorted
from ._sorting import argsort, sort

__all__ = ["isin", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


def _order_stably(flat):
    if not is_complex(flat.dtype):
        return argsort(flat)
    by_imag = argsort(imag(flat))
    return take(by_imag, argsort(real(take(flat, by_imag))))


def unique_all(x: Array, /) -> UniqueAll:
    """Return the distinct values in order, where each occurs first, each element's index in them, and counts.

    Each NaN is distinct; -0. and 0. are not.
    """
    x = make_tensor(x)
    flat = flatten(x)
    order = _order_stably(flat)
    ordered = take(flat, order)
    first = R.ConcatV2(values=[R.OnesLike(x=ordered[:1] == ordered[:1]), ordered[1:] != ordered[:-1]], axis=0)
    starts = flatten(R.Where(condition=first))
    groups = R.Cumsum(x=R.Cast(x=first, DstT=INDEX), axis=0) - 1
    size = R.Size(input=flat, out_type=INDEX)
    inverse = R.ScatterNd(indices=order[:, None], updates=groups, shape=R.ExpandDims(input=size, axis=0))
    counts = (
        R.ConcatV2(values=[starts[1:], R.Reshape(tensor=size, shape=make_ints([1]))[: tf.size(starts)]], axis=0)
        - starts
    )
    return UniqueAll(take(ordered, starts), take(order, starts), reshape_to(inverse, read_sizes(x)), counts)


def unique_counts(x: Array, /) -> UniqueCounts:
    """Return the distinct values in order, and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Array, /) -> UniqueInverse:
    """Return the distinct values in order, and each element's index in them."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Array, /) -> tf.Tensor:
    """Return the distinct values in order."""
    return unique_all(x).values


def isin(x1: ArrayOrScalar, x2: ArrayOrScalar, /, *, invert: bool = False) -> tf.Tensor:
    """Return where the elements of ``x1`` are among those of ``x2`` (or are not, if ``invert``)."""
    x1, x2, dtype = promote(x1, x2)
    pool = flatten(x2)
    if is_complex(dtype):
        found = R.Any(input=R.Equal(x=R.ExpandDims(input=x1, axis=-1), y=pool), axis=-1)
    elif pool.shape[0] == 0:
        found = R.NotEqual(x=R.ZerosLike(x=x1), y=R.ZerosLike(x=x1))
    else:
        pool = sort(pool)
        last = R.Size(input=pool, out_type=INDEX) - 1
        places = R.Minimum(x=searchsorted(pool, x1), y=last)
        found = R.Equal(x=R.GatherV2(params=pool, indices=places, axis=0), y=x1)
    return logical_not(found) if invert else found
