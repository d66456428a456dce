"""Layers that pool windows: `MaxPool`, `MeanPool` and `LPPool`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field

from luxport import ops
from luxport.backend import Array
from luxport.core.input_checks import check_floating, check_ordered, check_positive
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.layers._windows import Padding, PerAxis, Sizes, Windows, check_numbers, check_spatial

__all__ = ["LPPool", "MaxPool", "MeanPool"]


class _Pool(Layer):
    """A layer that pools the elements in a sliding window."""

    window: Sizes
    _: KW_ONLY
    stride: PerAxis | None = None
    padding: Padding = 0
    dilation: PerAxis = 1
    _windows: Windows = field(init=False, compare=False)

    def __post_init__(self) -> None:
        windows = Windows.of(type(self).__name__, self.window, self.stride, self.padding, self.dilation)
        object.__setattr__(self, "_windows", windows)


class MaxPool(_Pool):
    """The largest element in each position of a window; the gradient goes to the first of equal elements.

    ``y[..., i] = max(x[..., stride i + dilation k - low] for k in range(window))`` along each spatial axis. Outside x
    there is -inf. A NaN counts as the largest.

    Args:
        window: the sizes of the window, one for each spatial axis: (2, 2) for images
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each

    Shapes: x (N, C, *spatial) -> y (N, C, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: none
    State:  none
    Raises: ValueError when built if an option is out of range; LayerError if x has other axes or no room for the
            window; LayerTypeError if its dtype has no order
    Source: Lux.jl ``MaxPool``

    >>> import numpy as np
    >>> MaxPool((2, 2))(np.reshape(np.arange(16.0), (1, 1, 4, 4)), {}, {})[0]
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take maxima."""
        check_spatial(x, len(self._windows.window))
        check_ordered(x)
        return ops.max_pool_nd(x, **self._windows.options()), st


class MeanPool(_Pool):
    """The mean in each position of a window.

    ``y[..., i] = mean(x[..., stride i + dilation k - low] for k in range(window))`` along each spatial axis. Outside x
    there are zeros.

    Args:
        window: the sizes of the window, one for each spatial axis: (2, 2) for images
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        count_include_pad: whether the zeros outside x count in the mean

    Shapes: x (N, C, *spatial) -> y (N, C, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: none
    State:  none
    Raises: ValueError when built if an option is out of range; LayerError if x has other axes or no room for the
            window; LayerTypeError if its dtype is not floating
    Source: Lux.jl ``MeanPool``; NNlib ``meanpool`` for count_include_pad

    >>> import numpy as np
    >>> MeanPool((2, 2))(np.reshape(np.arange(16.0), (1, 1, 4, 4)), {}, {})[0]
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    _: KW_ONLY
    count_include_pad: bool = True

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take means."""
        check_spatial(x, len(self._windows.window))
        check_numbers(x)
        return ops.mean_pool_nd(x, **self._windows.options(), count_include_pad=self.count_include_pad), st


class LPPool(_Pool):
    """``(sum of x^p)^(1 / p)`` in each position of a window, without absolute values.

    Outside x there are zeros. With an odd p, a negative sum gives NaN. The gradient of a window of zeros is 0.

    Args:
        window: the sizes of the window, one for each spatial axis: (2, 2) for images
        stride: the distance between windows: an int for all spatial axes, or one for each; None for the window's sizes
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        p: the exponent, above 0

    Shapes: x (N, C, *spatial) -> y (N, C, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: none
    State:  none
    Raises: ValueError when built if an option is out of range; LayerError if x has other axes or no room for the
            window; LayerTypeError if its dtype is not floating
    Source: Lux.jl ``LPPool``; Gulcehre et al. 2014, arXiv:1311.1780

    >>> import numpy as np
    >>> LPPool((2,))(np.asarray([[[3.0, 4.0, 6.0, 8.0]]]), {}, {})[0]
    array([[[ 5., 10.]]])
    """

    _: KW_ONLY
    p: float = 2

    def __post_init__(self) -> None:
        check_positive(type(self).__name__, p=self.p)
        super().__post_init__()

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Take roots of sums of powers."""
        check_spatial(x, len(self._windows.window))
        check_floating(x)
        return ops.lp_pool_nd(x, **self._windows.options(), p=self.p), st
