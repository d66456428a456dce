"""Layers that look up rows of a table: `Embedding` and `EmbeddingBag`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from numbers import Integral
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend import Array, backend_of, dtype_name, namespace, same_shape
from luxport.backend.dtypes import as_indices, expect_floating, is_floating, single_or_double
from luxport.core.anatomy import Parameters, States
from luxport.core.input_checks import check_axis, check_dtype, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.errors import LayerError, LayerIndexError, LayerTypeError
from luxport.initializers import Initializer, normal
from luxport.ops._segments import reduce_known_segments
from luxport.ops.averages import average, take_mean
from luxport.ops.indices import expect_integers, mark_missing, value_range
from luxport.random import Rng
from luxport.text import kind_of, shown

__all__ = ["Embedding", "EmbeddingBag"]


class Embedding(Layer):
    """The rows of a table at the indices given, from 0.

    ``y[...] = weight[x[...]]``, and of one-hot x ``x @ weight``. The input is an int, or an array of integers of any
    shape; or arrays of bools or floats whose last axis is one-hot (or any weights of the rows). A table of several axes
    takes a tuple of as many arrays of one shape: the i-th entries of all of them are the place of one row.

    Indices out of range, negative ones among them, are an error where their values are at hand; in a compiled or
    transformed program and on an accelerator their rows are NaN: see `luxport.ops.indices`.

    Args:
        in_dims: how many rows the table has, or a tuple of as many sizes as it has axes of rows
        out_dims: the size of a row
        padding_idx: a row that starts as zeros and counts as zeros, with no gradient, whatever it holds; None for none
        init_weight: draws the table, see `luxport.initializers`

    Shapes: x (...) of integers -> y (..., out_dims); one-hot x (..., in_dims) -> y (..., out_dims)
    Params: weight (*in_dims, out_dims)
    State:  none
    Raises: ValueError when built with wrong sizes or a padding_idx out of range; LayerError for indices out of range,
            or inputs of other shapes; LayerTypeError for another dtype
    Source: Lux.jl ``Embedding``; Flux's for one-hot inputs, padding_idx and initial values from N(0, 1)

    >>> import numpy as np, luxport
    >>> model = Embedding(10, 4)
    >>> ps, st = luxport.setup(0, model)
    >>> y, _ = model(np.array([[1, 2, 3], [1, 0, 9]]), ps, st)
    >>> y.shape, bool((y[0, 0] == ps["weight"][1]).all())
    ((2, 3, 4), True)
    """

    in_dims: int | tuple[int, ...]
    out_dims: int
    _: KW_ONLY
    padding_idx: int | None = None
    init_weight: Initializer = normal

    def __post_init__(self) -> None:
        in_dims: Any = self.in_dims
        sizes = tuple(in_dims) if isinstance(in_dims, (tuple, list)) else (in_dims,)
        check_sizes("Embedding", **{f"in_dims[{i}]": n for i, n in enumerate(sizes)}, out_dims=self.out_dims)
        if not sizes:
            raise ValueError("Embedding expects one size or more as in_dims, got none")
        object.__setattr__(self, "in_dims", sizes if isinstance(in_dims, (tuple, list)) else in_dims)
        if self.padding_idx is not None:
            if isinstance(in_dims, (tuple, list)):
                raise ValueError("Embedding expects in_dims as an int where there is a padding_idx")
            if not isinstance(self.padding_idx, Integral) or not 0 <= self.padding_idx < in_dims:
                raise ValueError(
                    f"Embedding expects padding_idx of at least 0 and below {in_dims}, got {self.padding_idx}"
                )

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight."""
        weight = self.init_weight(rng, (*self._sizes, self.out_dims))
        if self.padding_idx is None:
            return {"weight": weight}
        return {"weight": weight * (np.arange(self._sizes[0]) != self.padding_idx).astype(np.float32)[:, None]}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Array, States]:
        """Look up."""
        weight = ps["weight"]
        if isinstance(x, list) and not isinstance(self.in_dims, tuple):
            raise LayerTypeError("expects an array of integers, got list: make one with luxport.asarray")
        if isinstance(x, tuple) or isinstance(self.in_dims, tuple):
            return _gather_rows_of_axes(weight, x, self._sizes), st
        return _gather_rows(weight, x, self._sizes[0], self.padding_idx), st

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.in_dims if isinstance(self.in_dims, tuple) else (self.in_dims,)


class EmbeddingBag(Layer):
    """Rows of a table, looked up in bags, each of which is reduced to its mean, sum or maximum.

    ``y[i] = reduction(weight[j] for j in bag i)``. The bags are one of

    - an array of integers (..., bag), as many in each bag,
    - a list of vectors of integers, one a bag,
    - a tuple (indices, offsets): one vector of them all, and the place in it where each bag starts; the first is 0,
      they rise, and no bag is empty,
    - an array (..., bag, in_dims) of bools or floats whose last axis is one-hot.

    Indices out of range: as in `Embedding`; offsets likewise.

    Args:
        in_dims: how many rows the table has
        out_dims: the size of a row
        reduction: "mean", "sum", "max", or for bags without offsets a function ``f(rows, axis=)``
        init_weight: draws the table, see `luxport.initializers`

    Shapes: see above -> y (..., out_dims), or (bags, out_dims) for a list or offsets
    Params: weight (in_dims, out_dims)
    State:  none
    Raises: ValueError when built with wrong sizes or another reduction; LayerError for indices or offsets out of
            range, or a single index; LayerTypeError for another dtype
    Source: Flux.jl ``EmbeddingBag``

    >>> import numpy as np, luxport
    >>> model = EmbeddingBag(10, 4, "sum")
    >>> ps, st = luxport.setup(0, model)
    >>> indices, offsets = np.array([1, 2, 3, 4, 5]), np.array([0, 3])
    >>> y, _ = model((indices, offsets), ps, st)
    >>> bool(np.allclose(y, model([indices[:3], indices[3:]], ps, st)[0]))
    True
    """

    in_dims: int
    out_dims: int
    reduction: str | Callable[..., Array] = "mean"
    _: KW_ONLY
    init_weight: Initializer = normal

    def __post_init__(self) -> None:
        check_sizes("EmbeddingBag", in_dims=self.in_dims, out_dims=self.out_dims)
        if self.reduction not in ("mean", "sum", "max") and not callable(self.reduction):
            raise ValueError(
                f'EmbeddingBag expects "mean", "sum", "max" or a function as reduction, got {shown(self.reduction)}'
            )

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight."""
        return {"weight": self.init_weight(rng, (self.in_dims, self.out_dims))}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Array, States]:
        """Look up and reduce."""
        weight = ps["weight"]
        if isinstance(x, list):
            if not x:
                raise LayerError("expects one bag or more, got an empty list")
            return namespace(weight).stack([self._reduce_bags(weight, bag, of_one=True) for bag in x]), st
        if not isinstance(x, tuple):
            return self._reduce_bags(weight, x), st
        if len(x) != 2 or any(len(shape_of(part)) != 1 for part in x):
            raise LayerError("expects a tuple of two vectors, indices and offsets; bags of several sizes are a list")
        indices, offsets = x
        _check_integers(indices)
        _check_integers(offsets)
        offsets = as_indices(namespace(offsets), offsets)  # checked before int32 cuts them
        right = _check_offsets(offsets, indices)
        offsets = _as_int32(offsets)
        bags = _reduce_segments(_gather_rows(weight, indices, self.in_dims, None), indices, offsets, self.reduction)
        return bags if right is None else mark_missing(namespace(bags), bags, right), st

    def _reduce_bags(self, weight: Array, x: Any, of_one: bool = False) -> Array:
        if isinstance(x, Integral):
            raise LayerError("expects bags of indices, got an int: look one up with Embedding")
        least = 1 if _is_integer(x) else 2
        if len(shape_of(x)) < least or (of_one and len(x.shape) > least):
            wanted = "a bag as a vector of indices" if of_one else "bags of indices (..., bag)"
            raise LayerError(
                f"expects {wanted}{'' if least == 1 else ', one-hot along a further axis'}, got {shape_text(x)}"
            )
        if x.shape[-least] == 0:
            raise LayerError(f"expects bags of at least one index, got {shape_text(x)}")
        rows = _gather_rows(weight, x, self.in_dims, None)
        if not isinstance(self.reduction, str):
            return self.reduction(rows, axis=-2)
        xp = namespace(rows)
        if self.reduction == "mean":
            expect_floating(rows, "weight")
            return xp.astype(take_mean(xp, single_or_double(xp, rows), -2), rows.dtype)
        return xp.astype(getattr(xp, self.reduction)(single_or_double(xp, rows), axis=-2), rows.dtype)


def _gather_rows(weight: Array, x: Any, size: int, padding_idx: int | None) -> Array:
    """Return the rows at integers, or the weighted sums of rows for one-hot arrays."""
    xp = namespace(weight)
    if isinstance(x, Integral):
        _check_range(int(x), size)
        row = weight[int(x), ...]
        return xp.zeros_like(row) if x == padding_idx else row
    if _is_integer(x):
        rows = ops.embedding(weight, x)
        if padding_idx is None:
            return rows
        return xp.where(xp.expand_dims(x == padding_idx, axis=-1), xp.zeros_like(rows), rows)
    if not is_floating(x) and dtype_name(x) != "bool":
        raise LayerTypeError(f"expects integers, or one-hot booleans or floats, got {dtype_name(x)}")
    check_axis(x, -1, size, "(..., {}), one-hot, or integers")
    if dtype_name(x) == "bool":
        x = xp.astype(x, weight.dtype)
    check_dtype(x, weight)
    if padding_idx is not None:
        before, at, after = x[..., :padding_idx], x[..., padding_idx : padding_idx + 1], x[..., padding_idx + 1 :]
        x = xp.concat([before, xp.zeros_like(at), after], axis=-1)
    return xp.matmul(x, weight)


def _gather_rows_of_axes(weight: Array, x: Any, sizes: tuple[int, ...]) -> Array:
    """Return the rows at places in a table of several axes."""
    if not isinstance(x, (tuple, list)) or len(x) != len(sizes):
        got = f"a tuple of {len(x)}" if isinstance(x, (tuple, list)) else kind_of(x)
        raise LayerError(f"expects a tuple of {len(sizes)} arrays of indices, one per axis of the table, got {got}")
    for part, size in zip(x, sizes, strict=True):
        if isinstance(part, Integral):
            _check_range(int(part), size)
        else:
            _check_integers(part)
    arrays = [part for part in x if not isinstance(part, Integral)]
    if not arrays:
        return weight[(*[int(part) for part in x], ...)]
    for part in arrays[1:]:
        if not same_shape(part.shape, arrays[0].shape):
            raise LayerError(f"expects indices of one shape, got {shape_text(arrays[0])} and {shape_text(part)}")
    xp = namespace(weight, *arrays)
    one = xp.ones_like(arrays[0], dtype=xp.int32)
    return ops.gather(weight, *[one * int(part) if isinstance(part, Integral) else part for part in x])


def _reduce_segments(rows: Array, indices: Array, offsets: Array, reduction: str | Callable[..., Array]) -> Array:
    """Reduce the rows from each offset to the next."""
    if not isinstance(reduction, str):
        raise LayerError("expects a list of bags for a reduction of its own, got offsets")
    bags = offsets.shape[0]
    if bags is None:
        raise LayerError("expects a number of offsets that is known before the program runs")
    xp = namespace(rows, indices, offsets)
    places = xp.astype(xp.cumulative_sum(xp.ones_like(indices, dtype=xp.int32)), xp.int32) - 1
    segments = xp.clip(xp.searchsorted(offsets, places, side="right") - 1, min=0)
    if reduction == "max":
        top = reduce_known_segments(ops.stop_gradient(rows), segments, op="max", size=bags)
        # The gradient goes in equal shares to the rows that are the largest: a row may be in a bag twice.
        largest = xp.astype(rows == xp.take(top, segments, axis=0), rows.dtype)
        count = reduce_known_segments(largest, segments, op="sum", size=bags)
        share = largest / xp.take(count, segments, axis=0)
        return top + reduce_known_segments(share * (rows - ops.stop_gradient(rows)), segments, op="sum", size=bags)
    wide = single_or_double(xp, rows)
    if reduction == "sum":
        return xp.astype(reduce_known_segments(wide, segments, op="sum", size=bags), rows.dtype)
    expect_floating(rows, "weight")
    counts = reduce_known_segments(xp.ones_like(wide), segments, op="sum", size=bags)
    mean = average(wide, mean=lambda rows: reduce_known_segments(rows, segments, op="sum", size=bags) / counts)
    return xp.astype(mean, rows.dtype)


def _check_offsets(offsets: Array, indices: Array) -> Array | None:
    """Return a flag that the running program computes, whether offsets are right; None if they are known to be.

    Raises: LayerError for offsets that are known to be wrong
    """
    count = indices.shape[0]
    if offsets.shape[0] == 0:
        raise LayerError("expects one offset or more, got none")
    first, steps, ends = (value_range(part) for part in (offsets[:1], offsets[1:] - offsets[:-1], offsets))
    if count != 0 and (first is None or ends is None):
        xp = namespace(offsets)
        rising = xp.all(offsets[1:] > offsets[:-1])
        inside = offsets[-1] < xp.sum(xp.ones_like(indices, dtype=xp.int32), dtype=xp.int32)
        return xp.logical_and(xp.logical_and(offsets[0] == 0, rising), inside)
    rising = steps is None or steps[0] > 0
    if count != 0 and first is not None and ends is not None and first[0] == 0 and rising and ends[1] < count:
        return None
    given = "others" if ends is None else shown(backend_of(offsets).to_numpy(offsets).tolist())
    raise LayerError(f"expects offsets that start at 0 and rise, below {count} as there are indices, got {given}")


def _check_range(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise LayerIndexError(f"expects indices of at least 0 and below {size}, got {index}")


def _check_integers(x: Array) -> None:
    shape_of(x)
    expect_integers(x)


def _as_int32(x: Array) -> Array:
    """Return indices in a dtype that holds sums and differences of them."""
    xp = namespace(x)
    return xp.astype(x, xp.int32)


def _is_integer(x: Array) -> bool:
    shape_of(x)
    return dtype_name(x).startswith(("int", "uint"))
