"""Layers that pool inputs of any size to a given size: `GlobalMaxPool`, `AdaptiveMaxPool` and their variants."""

from __future__ import annotations

from dataclasses import KW_ONLY, field

from luxport import ops
from luxport.backend import Array
from luxport.core.input_checks import check_floating, check_ordered, check_positive, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.layers._windows import check_numbers, check_spatial, read_axes
from luxport.ops.windows import Sizes

__all__ = [
    "AdaptiveLPPool",
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "GlobalLPPool",
    "GlobalMaxPool",
    "GlobalMeanPool",
]


class GlobalMaxPool(Layer):
    """Each channel's largest element. The spatial axes stay, with size 1; the gradient goes to the first maximum.

    ``y[n, c, 0, …] = max(x[n, c, …])``

    Shapes: x (N, C, *spatial) -> y (N, C, 1, ...)
    Params: none
    State:  none
    Raises: LayerError if x has no spatial axes; LayerTypeError if its dtype has no order
    Source: Lux.jl ``GlobalMaxPool``

    >>> import luxport
    >>> luxport.output_shape(GlobalMaxPool(), (2, 3, 10, 10))
    (2, 3, 1, 1)
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take maxima."""
        _check_global(x)
        check_ordered(x)
        return ops.global_max_pool(x), st


class GlobalMeanPool(Layer):
    """Each channel's mean. The spatial axes stay, with size 1.

    ``y[n, c, 0, …] = mean(x[n, c, …])``

    Shapes: x (N, C, *spatial) -> y (N, C, 1, ...)
    Params: none
    State:  none
    Raises: LayerError if x has no spatial axes; LayerTypeError if its dtype is not floating
    Source: Lux.jl ``GlobalMeanPool``

    >>> import numpy as np
    >>> GlobalMeanPool()(np.asarray([[[3.0, 7.0, 5.0]]]), {}, {})[0]
    array([[[5.]]])
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take means."""
        _check_global(x)
        check_numbers(x)
        return ops.global_mean_pool(x), st


class GlobalLPPool(Layer):
    """Each channel's ``(sum of x^p)^(1 / p)``, as `LPPool` with one window. The spatial axes stay, with size 1.

    Args:
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> y (N, C, 1, ...)
    Params: none
    State:  none
    Raises: ValueError when built if p is not a positive finite number; LayerError if x has no spatial axes;
            LayerTypeError if its dtype is not floating
    Source: Lux.jl ``GlobalLPPool``

    >>> import numpy as np
    >>> GlobalLPPool()(np.asarray([[[2.0, 6.0, 9.0]]]), {}, {})[0]
    array([[[11.]]])
    """

    _: KW_ONLY
    p: float = 2

    def __post_init__(self) -> None:
        check_positive(type(self).__name__, p=self.p)

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take roots of sums of powers."""
        _check_global(x)
        check_floating(x)
        return ops.global_lp_pool(x, p=self.p), st


class _AdaptivePool(Layer):
    """A layer that pools to a given size."""

    output_size: Sizes
    _: KW_ONLY
    variable_windows: bool = False
    _sizes: Sizes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sizes", read_axes(type(self).__name__, "output_size", self.output_size))


class AdaptiveMaxPool(_AdaptivePool):
    """The largest element of each of `output_size` windows; the gradient goes to the first of equal elements.

    ``y[..., i] = max(x[..., k] for k in window i)``. For n elements and o windows, all windows have ``n - (o - 1) s``
    elements and are ``s = n // o`` apart. Variable windows are those of PyTorch: window i goes from element
    ``floor(i n / o)`` to below ``ceil((i + 1) n / o)``. If o divides n, there is no difference.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch

    Shapes: x (N, C, *spatial) -> y (N, C, *output_size)
    Params: none
    State:  none
    Raises: ValueError when built if a size is not positive; LayerError if x has other axes, or, without
            `variable_windows`, fewer elements than windows; LayerTypeError if its dtype has no order
    Source: Lux.jl ``AdaptiveMaxPool``; variable windows as PyTorch's ``AdaptiveMaxPool2d``

    >>> import numpy as np
    >>> x = np.asarray([[[1.0, 2.0, 5.0, 0.0, 3.0]]])
    >>> AdaptiveMaxPool((3,))(x, {}, {})[0], AdaptiveMaxPool((3,), variable_windows=True)(x, {}, {})[0]
    (array([[[5., 5., 5.]]]), array([[[2., 5., 3.]]]))
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take maxima."""
        check_spatial(x, len(self._sizes))
        check_ordered(x)
        y = ops.adaptive_max_pool(x, output_size=self._sizes, variable_windows=self.variable_windows)
        return y, st


class AdaptiveMeanPool(_AdaptivePool):
    """The mean of each of `output_size` windows, which are those of `AdaptiveMaxPool`.

    ``y[..., i] = mean(x[..., k] for k in window i)``, over the windows of all spatial axes together.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch

    Shapes: x (N, C, *spatial) -> y (N, C, *output_size)
    Params: none
    State:  none
    Raises: as `AdaptiveMaxPool`; LayerTypeError if the dtype is not floating
    Source: Lux.jl ``AdaptiveMeanPool``; variable windows as PyTorch's ``AdaptiveAvgPool2d``

    >>> import luxport
    >>> luxport.output_shape(AdaptiveMeanPool((2, 2)), (2, 3, 10, 7))
    (2, 3, 2, 2)
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take means."""
        check_spatial(x, len(self._sizes))
        check_numbers(x)
        y = ops.adaptive_mean_pool(x, output_size=self._sizes, variable_windows=self.variable_windows)
        return y, st


class AdaptiveLPPool(_AdaptivePool):
    """``(sum of x^p)^(1 / p)`` of each of `output_size` windows, which are those of `AdaptiveMaxPool`.

    Args:
        output_size: the number of windows along each spatial axis: (7, 7) for images
        variable_windows: whether windows may differ in size, as in PyTorch
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> y (N, C, *output_size)
    Params: none
    State:  none
    Raises: as `AdaptiveMaxPool`; ValueError when built if p is not a positive finite number; LayerTypeError if the
            dtype is not floating
    Source: Lux.jl ``AdaptiveLPPool``

    >>> import numpy as np
    >>> AdaptiveLPPool((2,))(np.asarray([[[3.0, 4.0, 6.0, 8.0]]]), {}, {})[0]
    array([[[ 5., 10.]]])
    """

    _: KW_ONLY
    p: float = 2

    def __post_init__(self) -> None:
        check_positive(type(self).__name__, p=self.p)
        super().__post_init__()

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take roots of sums of powers."""
        check_spatial(x, len(self._sizes))
        check_floating(x)
        y = ops.adaptive_lp_pool(x, output_size=self._sizes, variable_windows=self.variable_windows, p=self.p)
        return y, st


def _check_global(x: Array) -> None:
    shape = shape_of(x)
    if len(shape) < 3 or 0 in tuple(shape)[2:]:
        raise LayerError(f"expects (N, C, ...) with at least one element per channel, got {shape_text(x)}")
