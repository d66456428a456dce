"""PyTorch's convolutions, pools, paddings, and other functions of windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, find_array_device, namespace
from luxport.ops.shapes import read_sizes
from luxport.porting.torch.conventions import PADDING_MODES, find_same_pads

__all__ = ["FUNCTIONS", "repeat_per_axis", "pad"]


def repeat_per_axis(value: Any, rank: int) -> tuple[Any, ...]:
    """Return a tuple with a value for each spatial axis, where one for all may be given."""
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return several * rank if len(several) == 1 else several


def _allow_unbatched(axes: int, function: Callable[..., Array]) -> Callable[..., Array]:
    """Return a function of (N, C, *spatial) that also accepts a single sample (C, *spatial)."""

    def call(x: Array, *args: Any, **options: Any) -> Array:
        if len(x.shape) == axes + 1:
            return function(axes, x[None, ...], *args, **options)[0, ...]
        return function(axes, x, *args, **options)

    return call


def _conv(
    rank: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    if isinstance(padding, str):
        padding = 0 if padding == "valid" else find_same_pads(tuple(weight.shape[2:]), repeat_per_axis(dilation, rank))
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return _convolve(ops.conv, rank, x, weight, bias, groups, options)


def _conv_transpose(
    rank: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Array:
    options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    return _convolve(ops.conv_transpose, rank, x, weight, bias, groups, options)


def _convolve(
    function: Callable[..., Array],
    rank: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    groups: int,
    options: Mapping[str, Any],
) -> Array:
    each = {name: repeat_per_axis(value, rank) for name, value in options.items()}
    y = function(x, weight, **each, groups=groups, flip=False)
    return y if bias is None else ops.bias_activation(y, bias)


def _expand_windows(x: Array, rank: int, window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Return the options of a pool for each axis.

    With `ceil_mode` the number of windows is rounded up: the high side gets more padding, for a last window that begins
    inside the array or its low padding.
    """
    window, dilation, low = (
        repeat_per_axis(window, rank),
        repeat_per_axis(dilation, rank),
        repeat_per_axis(padding, rank),
    )
    stride = window if stride in (None, (), []) else repeat_per_axis(stride, rank)
    high = list(low)
    for i, size in enumerate(tuple(x.shape)[2:]) if ceil_mode else ():
        extent = dilation[i] * (window[i] - 1) + 1
        count = math.ceil((size + 2 * low[i] - extent) / stride[i]) + 1
        if (count - 1) * stride[i] >= size + low[i]:
            count -= 1
        high[i] = max((count - 1) * stride[i] + extent - size - low[i], 0)
    pairs = tuple([(below, above) for below, above in zip(low, high, strict=True)])
    return {"window": window, "stride": stride, "padding": pairs, "dilation": dilation}


def _max_pool(
    rank: int,
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array:
    if return_indices:
        raise ValueError("a pool with return_indices has no counterpart")
    return ops.max_pool_nd(x, **_expand_windows(x, rank, kernel_size, stride, padding, dilation, ceil_mode))


def _avg_pool(
    rank: int,
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    windows = _expand_windows(x, rank, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is None and not ceil_mode:
        return ops.mean_pool_nd(x, **windows, count_include_pad=count_include_pad)
    mean = ops.mean_pool_nd(x, **windows, count_include_pad=True)
    count = math.prod(windows["window"])
    if divisor_override is not None:
        return mean * (count / divisor_override)
    # The divisor counts the padding that was asked for, but not the padding that `ceil_mode` added.
    xp = namespace(x)
    counted = xp.ones_like(x[:1, :1, ...])
    low, high = repeat_per_axis(padding, rank), [above for _, above in windows["padding"]]
    if count_include_pad:
        counted = ops.pad_constant(
            counted, padding=tuple([(n, n) for n in low]), value=1.0, axes=tuple(range(2, 2 + rank))
        )
        rest = tuple([(0, max(above - n, 0)) for n, above in zip(low, high, strict=True)])
    else:
        rest = windows["padding"]
    share = ops.mean_pool_nd(counted, **windows | {"padding": rest}, count_include_pad=True)
    return mean / share


def _lp_pool(
    rank: int, x: Array, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Array:
    windows = _expand_windows(x, rank, kernel_size, stride, 0, 1, ceil_mode)
    if not ceil_mode:
        return ops.lp_pool_nd(x, **windows, p=norm_type)
    # PyTorch multiplies the mean of the powers by the full size of a window, also for a window that exceeds the array.
    powers = _avg_pool(rank, x**norm_type, kernel_size, stride, 0, True)
    return (powers * math.prod(windows["window"])) ** (1.0 / norm_type)


def _make_adaptive_pool(function: Callable[..., Array]) -> Callable[..., Array]:
    def pool(rank: int, x: Array, output_size: Any, return_indices: bool = False) -> Array:
        if return_indices:
            raise ValueError("a pool with return_indices has no counterpart")
        sizes = tuple(x.shape)[2:]
        wanted = zip(sizes, repeat_per_axis(output_size, rank), strict=True)
        output_size = tuple([n if size is None else size for n, size in wanted])
        return function(x, output_size=output_size, variable_windows=True)

    return pool


def pad(x: Array, pad: Any, mode: str = "constant", value: float | None = None) -> Array:
    """Pad the last axes; `pad` has pairs (low, high) beginning with the last axis, and negative numbers crop."""
    rank = len(x.shape)
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)][::-1]
    axes = tuple(range(rank - len(pairs), rank))
    for axis, (low, high) in zip(axes, pairs, strict=True):
        if low < 0 or high < 0:
            n = x.shape[axis]
            x = x[(*[slice(None)] * axis, slice(max(-low, 0), n - max(-high, 0)), ...)]
    positive = tuple([(max(low, 0), max(high, 0)) for low, high in pairs])
    if mode == "constant":
        return ops.pad_constant(x, padding=positive, value=0.0 if value is None else value, axes=axes)
    if mode not in PADDING_MODES:
        raise ValueError(f"the padding mode {mode!r} has no counterpart")
    return getattr(ops, f"pad_{PADDING_MODES[mode]}")(x, padding=positive, axes=axes)


def _unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Return the windows of an array as columns (N, C k, windows), with the elements of each channel side by side."""
    xp = namespace(x)
    window, (n, c, *_) = repeat_per_axis(kernel_size, 2), read_sizes(x)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    pieces = xp.reshape(xp.eye(math.prod(window), dtype=x.dtype, device=find_array_device(x)), (-1, 1, *window))
    weight = xp.tile(pieces, (c, 1, 1, 1))
    y = _convolve(ops.conv, 2, x, weight, None, c, options)
    return xp.reshape(y, (n, c * math.prod(window), -1))


def _fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Return the sum of windows, given as columns, at the positions from which `unfold` takes them."""
    xp = namespace(x)
    window, stride, dilation = repeat_per_axis(kernel_size, 2), repeat_per_axis(stride, 2), repeat_per_axis(dilation, 2)
    padding, output_size = repeat_per_axis(padding, 2), repeat_per_axis(output_size, 2)
    n, rows, _ = read_sizes(x)
    c = rows // math.prod(window)
    places = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, p, d, k, s in zip(output_size, padding, dilation, window, stride, strict=True)
    ]
    more = [
        size - ((m - 1) * s + d * (k - 1) + 1 - 2 * p)
        for size, m, p, d, k, s in zip(output_size, places, padding, dilation, window, stride, strict=True)
    ]
    pieces = xp.reshape(xp.eye(math.prod(window), dtype=x.dtype, device=find_array_device(x)), (-1, 1, *window))
    return ops.conv_transpose(
        xp.reshape(x, (n, rows, *places)),
        xp.tile(pieces, (c, 1, 1, 1)),
        groups=c,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=tuple(more),
        flip=False,
    )


def _local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    xp = namespace(x)
    shape = read_sizes(x)
    squares = xp.reshape(x * x, (shape[0], 1, shape[1], -1))
    padded = ops.pad_constant(squares, padding=((size // 2, (size - 1) // 2),), axes=(2,))
    mean = ops.mean_pool_nd(
        padded, window=(size, 1), stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), count_include_pad=True
    )
    return x / (xp.reshape(mean, shape) * alpha + k) ** beta


def _name_by_rank(name: str, function: Callable[..., Array]) -> dict[str, Callable[..., Array]]:
    return {f"{name}{rank}d": _allow_unbatched(rank, function) for rank in (1, 2, 3)}


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **_name_by_rank("adaptive_avg_pool", _make_adaptive_pool(ops.adaptive_mean_pool)),
    **_name_by_rank("adaptive_max_pool", _make_adaptive_pool(ops.adaptive_max_pool)),
    **_name_by_rank("avg_pool", _avg_pool),
    **_name_by_rank("conv", _conv),
    **_name_by_rank("conv_transpose", _conv_transpose),
    **_name_by_rank("lp_pool", _lp_pool),
    **_name_by_rank("max_pool", _max_pool),
    "fold": _fold,
    "local_response_norm": _local_response_norm,
    "pad": pad,
    "unfold": _unfold,
}
