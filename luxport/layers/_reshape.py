"""Layers that change shapes: `FlattenLayer`, `ReshapeLayer`, `ReverseSequence`, `SelectDim`."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from luxport.backend import Array, namespace
from luxport.core.input_checks import shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.ops.shapes import read_sizes, reshape_samples
from luxport.text import show

__all__ = ["FlattenLayer", "ReshapeLayer", "ReverseSequence", "SelectDim"]


class FlattenLayer(Layer):
    """Merge all axes but the batch into one, or only the last ones.

    ``y = reshape(x, (batch, d1 d2 …))``, in C order.

    Args:
        N: how many axes are merged, counted from the last; None for all but the first

    Shapes: x (batch, d1, d2, ...) -> (batch, d1 d2 ...), with N: (batch, ..., product of the last N)
    Params: none
    State:  none
    Raises: ValueError when built if N is not positive; LayerError unless N < the number of axes of x
    Source: Lux.jl ``FlattenLayer``

    >>> import luxport
    >>> luxport.output_shape(FlattenLayer(), (2, 3, 4, 5)), luxport.output_shape(FlattenLayer(2), (2, 3, 4, 5))
    ((2, 60), (2, 3, 20))
    """

    N: int | None = None

    def __post_init__(self) -> None:
        if self.N is not None and self.N < 1:
            raise ValueError(f"FlattenLayer expects N of at least 1, got {self.N}")

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Reshape."""
        shape = tuple(shape_of(x))
        kept = 1 if self.N is None else len(shape) - self.N
        if kept < 1 or not shape:
            least = 1 if self.N is None else self.N + 1
            raise LayerError(f"expects at least {least} {'axis' if least == 1 else 'axes'}, got {shape_text(x)}")
        sizes = read_sizes(x)
        return reshape_samples(x, sizes=(*sizes[1:kept], math.prod(sizes[kept:]))), st


class ReshapeLayer(Layer):
    """Give each sample a new shape.

    ``y = reshape(x, (batch, *dims))``, in C order.

    Args:
        *dims: the sizes of a sample, as ints or one tuple; one may be -1, which is computed from the others

    Shapes: x (batch, ...) -> (batch, *dims)
    Params: none
    State:  none
    Raises: ValueError when built if more than one size is -1; LayerError if a sample has another number of elements
    Source: Lux.jl ``ReshapeLayer``

    >>> import luxport
    >>> luxport.output_shape(ReshapeLayer(2, -1), (5, 4, 3))
    (5, 2, 6)
    """

    dims: tuple[int, ...]

    def __init__(self, *dims: int | tuple[int, ...] | list[int]) -> None:
        sizes: Any = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
        if any(not isinstance(n, Integral) or n < -1 for n in sizes) or sum(n == -1 for n in sizes) > 1:
            raise ValueError(f"ReshapeLayer expects sizes of which at most one is -1, got {show(tuple(sizes))}")
        object.__setattr__(self, "dims", tuple(int(n) for n in sizes))

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Reshape."""
        shape = tuple(shape_of(x))
        if not shape:
            raise LayerError("expects at least 1 axis, got ()")
        known = math.prod([n for n in self.dims if n != -1])
        if None in shape[1:]:  # if the sizes do not fit, the running program raises an error
            sample = math.prod(read_sizes(x)[1:])
            return reshape_samples(x, sizes=tuple(sample // known if n == -1 else n for n in self.dims)), st
        sample = math.prod(shape[1:])
        one_is_free = any([n == -1 for n in self.dims])
        fits = known != 0 and sample % known == 0 if one_is_free else sample == known
        if not fits:
            wanted = f"a multiple of {known}" if one_is_free else f"{known}"
            raise LayerError(f"expects samples of {wanted} elements for {self.dims}, got {shape_text(x)}")
        return reshape_samples(x, sizes=tuple(sample // known if n == -1 else n for n in self.dims)), st


class ReverseSequence(Layer):
    """Reverse an axis, such as time.

    ``y[..., i, ...] = x[..., n - 1 - i, ...]``

    Args:
        axis: the axis; None for the second, which is time in (batch, time, features), or the only one

    Shapes: x (..., n, ...) -> the same
    Params: none
    State:  none
    Raises: LayerError if x has no such axis
    Source: Lux.jl ``ReverseSequence``; the axis is 0-based, and a negative one counts from the end

    >>> import numpy as np
    >>> ReverseSequence()(np.asarray([[1, 2, 3], [4, 5, 6]]), {}, {})[0]
    array([[3, 2, 1],
           [6, 5, 4]])
    """

    axis: int | None = None

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Flip."""
        ndim = len(shape_of(x))
        axis = min(1, ndim - 1) if self.axis is None else self.axis
        if not -ndim <= axis < ndim:
            wanted = "at least 1 axis" if self.axis is None else f"an axis {axis}"
            raise LayerError(f"expects {wanted}, got {shape_text(x)}")
        return namespace(x).flip(x, axis=axis), st


class SelectDim(Layer):
    """Take the slice at an index along an axis, which is dropped.

    ``y[..., ...] = x[..., index, ...]``

    Args:
        axis: the axis
        index: the index along it

    Shapes: x (..., n, ...) -> (..., ...)
    Params: none
    State:  none
    Raises: LayerError if x has no such axis or the axis no such index
    Source: Lux.jl ``SelectDim``; axis and index are 0-based, and negative ones count from the end

    >>> import luxport
    >>> luxport.output_shape(SelectDim(1, -1), (5, 4, 3))
    (5, 3)
    """

    axis: int
    index: int

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Index."""
        ndim = len(shape_of(x))
        if not -ndim <= self.axis < ndim:
            raise LayerError(f"expects an axis {self.axis}, got {shape_text(x)}")
        axis = self.axis % ndim
        n = x.shape[axis]
        if n is not None and not -n <= self.index < n:
            raise LayerError(f"expects an index {self.index} along axis {self.axis}, got {shape_text(x)}")
        return x[(slice(None),) * axis + (self.index, ...)], st
