"""Convolutions, pools, windows and paddings, with PyTorch's options."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, find_array_device, namespace
from luxport.ops.shapes import read_sizes
from luxport.porting.torch.conventions import PADDING_MODES, find_same_pads

__all__ = ["FUNCTIONS", "each_axis", "pad"]


def each_axis(value: Any, rank: int) -> tuple[Any, ...]:
    """Return what is given once for all spatial axes for each of them."""
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return several * rank if len(several) == 1 else several


def _let_batch(axes: int, function: Callable[..., Array]) -> Callable[..., Array]:
    """Let a function of (N, C, *spatial) take one sample, too."""

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
        padding = 0 if padding == "valid" else find_same_pads(tuple(weight.shape[2:]), each_axis(dilation, rank))
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
    each = {name: each_axis(value, rank) for name, value in options.items()}
    y = function(x, weight, **each, groups=groups, flip=False)
    return y if bias is None else ops.bias_activation(y, bias)


def _windows(x: Array, rank: int, window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Write options out; where places are rounded up, more is padded above, to the last window that begins inside."""
    window, dilation, low = each_axis(window, rank), each_axis(dilation, rank), each_axis(padding, rank)
    stride = window if stride in (None, (), []) else each_axis(stride, rank)
    high = list(low)
    for i, size in enumerate(tuple(x.shape)[2:]) if ceil_mode else ():
        reach = dilation[i] * (window[i] - 1) + 1
        places = math.ceil((size + 2 * low[i] - reach) / stride[i]) + 1
        if (places - 1) * stride[i] >= size + low[i]:
            places -= 1
        high[i] = max((places - 1) * stride[i] + reach - size - low[i], 0)
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
    return ops.max_pool_nd(x, **_windows(x, rank, kernel_size, stride, padding, dilation, ceil_mode))


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
    windows = _windows(x, rank, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is None and not ceil_mode:
        return ops.mean_pool_nd(x, **windows, count_include_pad=count_include_pad)
    mean = ops.mean_pool_nd(x, **windows, count_include_pad=True)
    count = math.prod(windows["window"])
    if divisor_override is not None:
        return mean * (count / divisor_override)
    # What is padded counts in the divisor, what the rounding up added does not.
    xp = namespace(x)
    counted = xp.ones_like(x[:1, :1, ...])
    low, high = each_axis(padding, rank), [above for _, above in windows["padding"]]
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
    windows = _windows(x, rank, kernel_size, stride, 0, 1, ceil_mode)
    if not ceil_mode:
        return ops.lp_pool_nd(x, **windows, p=norm_type)
    # PyTorch takes the mean of the powers times the size of a whole window, also where one reaches over the end.
    powers = _avg_pool(rank, x**norm_type, kernel_size, stride, 0, True)
    return (powers * math.prod(windows["window"])) ** (1.0 / norm_type)


def _adaptive(function: Callable[..., Array]) -> Callable[..., Array]:
    def pool(rank: int, x: Array, output_size: Any, return_indices: bool = False) -> Array:
        if return_indices:
            raise ValueError("a pool with return_indices has no counterpart")
        sizes = tuple(x.shape)[2:]
        wanted = zip(sizes, each_axis(output_size, rank), strict=True)
        output_size = tuple([n if size is None else size for n, size in wanted])
        return function(x, output_size=output_size, variable_windows=True)

    return pool


def pad(x: Array, pad: Any, mode: str = "constant", value: float | None = None) -> Array:
    """Pad the last axes, given from the last one on; what is negative is cut away."""
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
    """Copy windows out as columns (N, C k, places), each channel's elements side by side."""
    xp = namespace(x)
    window, (n, c, *_) = each_axis(kernel_size, 2), read_sizes(x)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    pieces = xp.reshape(xp.eye(math.prod(window), dtype=x.dtype, device=find_array_device(x)), (-1, 1, *window))
    weight = xp.tile(pieces, (c, 1, 1, 1))
    y = _convolve(ops.conv, 2, x, weight, None, c, options)
    return xp.reshape(y, (n, c * math.prod(window), -1))


def _fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Add columns up where `unfold` takes them from."""
    xp = namespace(x)
    window, stride, dilation = each_axis(kernel_size, 2), each_axis(stride, 2), each_axis(dilation, 2)
    padding, output_size = each_axis(padding, 2), each_axis(output_size, 2)
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


def _of_each_rank(name: str, function: Callable[..., Array]) -> dict[str, Callable[..., Array]]:
    return {f"{name}{rank}d": _let_batch(rank, function) for rank in (1, 2, 3)}


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **_of_each_rank("adaptive_avg_pool", _adaptive(ops.adaptive_mean_pool)),
    **_of_each_rank("adaptive_max_pool", _adaptive(ops.adaptive_max_pool)),
    **_of_each_rank("avg_pool", _avg_pool),
    **_of_each_rank("conv", _conv),
    **_of_each_rank("conv_transpose", _conv_transpose),
    **_of_each_rank("lp_pool", _lp_pool),
    **_of_each_rank("max_pool", _max_pool),
    "fold": _fold,
    "local_response_norm": _local_response_norm,
    "pad": pad,
    "unfold": _unfold,
}
