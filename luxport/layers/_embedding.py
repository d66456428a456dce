"""Layers that look up rows of a table: `Embedding` and `EmbeddingBag`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from numbers import Integral
from typing import Any

import numpy as np

from luxport.backend import Array, namespace
from luxport.backend.dtypes import convert_indices, expect_floating, widen_halves
from luxport.core.input_checks import check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError, LayerTypeError
from luxport.initializers import Initializer, normal
from luxport.layers._table_rows import (
    check_integers,
    check_offsets,
    gather_rows,
    gather_rows_of_axes,
    holds_integers,
    reduce_segments,
)
from luxport.ops.averages import take_mean
from luxport.ops.indices import mark_missing
from luxport.random import Rng
from luxport.text import show

__all__ = ["Embedding", "EmbeddingBag"]


class Embedding(Layer):
    """The rows of a table at indices, which count from 0.

    ``y[...] = weight[x[...]]``, or for one-hot x ``x @ weight``. The input is an int, an array of integers, or an array
    of bools or floats whose last axis is one-hot (or holds any weights of the rows). A table with several axes of rows
    takes a tuple of arrays of indices, one for each axis, all of one shape.

    Indices out of range, also negative ones, are an error if their values can be read; in compiled and transformed
    programs, and on an accelerator, their rows are NaN instead: see `luxport.ops.indices`.

    Args:
        in_dims: how many rows the table has, or a tuple of sizes if it has several axes of rows
        out_dims: the size of a row
        padding_idx: a row that always counts as zeros, without a gradient, and starts as zeros; None for none
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
            return gather_rows_of_axes(weight, x, self._sizes), st
        return gather_rows(weight, x, self._sizes[0], self.padding_idx), st

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.in_dims if isinstance(self.in_dims, tuple) else (self.in_dims,)


class EmbeddingBag(Layer):
    """The mean, sum or maximum of rows of a table, for each of several bags of indices.

    ``y[i] = reduction(weight[j] for j in bag i)``. The bags are one of

    - an array of integers (..., bag), for bags of one size,
    - a list of vectors of integers, one for each bag,
    - a tuple (indices, offsets): a vector with the indices of all bags, and the position in it at which each bag
      starts; the first offset is 0, offsets increase, and no bag is empty,
    - an array (..., bag, in_dims) of bools or floats whose last axis is one-hot.

    Indices and offsets out of range are treated as in `Embedding`.

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
                f'EmbeddingBag expects "mean", "sum", "max" or a function as reduction, got {show(self.reduction)}'
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
        check_integers(indices)
        check_integers(offsets)
        offsets = convert_indices(namespace(offsets), offsets)  # checked before the conversion to int32 truncates them
        right = check_offsets(offsets, indices)
        offsets = namespace(offsets).astype(offsets, namespace(offsets).int32)
        bags = reduce_segments(gather_rows(weight, indices, self.in_dims, None), indices, offsets, self.reduction)
        return bags if right is None else mark_missing(namespace(bags), bags, right), st

    def _reduce_bags(self, weight: Array, x: Any, of_one: bool = False) -> Array:
        if isinstance(x, Integral):
            raise LayerError("expects bags of indices, got an int: look one up with Embedding")
        least = 1 if holds_integers(x) else 2
        if len(shape_of(x)) < least or (of_one and len(x.shape) > least):
            wanted = "a bag as a vector of indices" if of_one else "bags of indices (..., bag)"
            raise LayerError(
                f"expects {wanted}{'' if least == 1 else ', one-hot along a further axis'}, got {shape_text(x)}"
            )
        if x.shape[-least] == 0:
            raise LayerError(f"expects bags of at least one index, got {shape_text(x)}")
        rows = gather_rows(weight, x, self.in_dims, None)
        if not isinstance(self.reduction, str):
            return self.reduction(rows, axis=-2)
        xp = namespace(rows)
        if self.reduction == "mean":
            expect_floating(rows, "weight")
            return xp.astype(take_mean(xp, widen_halves(xp, rows), -2), rows.dtype)
        return xp.astype(getattr(xp, self.reduction)(widen_halves(xp, rows), axis=-2), rows.dtype)
