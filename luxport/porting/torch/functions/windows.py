"""Convolutions, pools, paddings and resampling, with PyTorch's options."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, array_device, namespace
from luxport.ops.shapes import sizes_of
from luxport.porting.torch.conventions import PADDING_MODES, same_pads

__all__ = ["FUNCTIONS", "pad"]


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return several * rank if len(several) == 1 else several


def _batched(axes: int, function: Callable[..., Array]) -> Callable[..., Array]:
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
    dilation = _each(dilation, rank)
    if isinstance(padding, str):
        padding = 0 if padding == "valid" else same_pads(tuple(weight.shape[2:]), dilation)
    y = ops.conv(
        x,
        weight,
        stride=_each(stride, rank),
        padding=_each(padding, rank),
        dilation=dilation,
        groups=groups,
        flip=False,
    )
    return y if bias is None else ops.bias_activation(y, bias)


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
    y = ops.conv_transpose(
        x,
        weight,
        stride=_each(stride, rank),
        padding=_each(padding, rank),
        output_padding=_each(output_padding, rank),
        dilation=_each(dilation, rank),
        groups=groups,
        flip=False,
    )
    return y if bias is None else ops.bias_activation(y, bias)


def _windows(x: Array, rank: int, window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Write options out; where places are rounded up, more is padded above, to the last window that begins inside."""
    window, dilation, low = _each(window, rank), _each(dilation, rank), _each(padding, rank)
    stride = window if stride in (None, (), []) else _each(stride, rank)
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
    low, high = _each(padding, rank), [above for _, above in windows["padding"]]
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
        wanted = tuple([n if size is None else size for n, size in zip(sizes, _each(output_size, rank), strict=True)])
        return function(x, output_size=wanted, variable_windows=True)

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


def _interpolate(
    x: Array,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Array:
    if antialias or mode == "area":
        raise ValueError(f"interpolate with {'antialias=True' if antialias else 'mode=area'} has no counterpart")
    sizes = sizes_of(x)[2:]
    rank = len(sizes)
    if size is None:
        scales = tuple(map(float, _each(scale_factor, rank)))
        wanted = tuple([math.floor(n * s) for n, s in zip(sizes, scales, strict=True)])
    else:
        wanted, scales = _each(size, rank), None
    # Places go by the scale that was given, not by that of the sizes, unless it is to be computed anew.
    if scales is None or recompute_scale_factor:
        steps = [n / new for n, new in zip(sizes, wanted, strict=True)]
    else:
        steps = [1.0 / s for s in scales]
    if mode == "nearest" and scales is None:
        return ops.resize_nearest(x, size=wanted)
    if mode in ("linear", "bilinear", "trilinear") and (
        align_corners or all(s * new == n for s, n, new in zip(steps, sizes, wanted, strict=True))
    ):
        return ops.upsample_linear(x, size=wanted, align_corners=bool(align_corners))
    for axis, (n, new, step) in enumerate(zip(sizes, wanted, steps, strict=True), start=2):
        x = _along(x, axis, _weights(n, new, step, mode, bool(align_corners)))
    return x


def _weights(n: int, new: int, step: float, mode: str, align_corners: bool) -> list[list[tuple[int, float]]]:
    """Return of which old elements, and how much of each, every new one is made."""
    if mode in ("nearest", "nearest-exact"):
        shift = 0.0 if mode == "nearest" else 0.5
        return [[(min(int((i + shift) * step), n - 1), 1.0)] for i in range(new)]
    if align_corners:
        step = (n - 1) / (new - 1) if new > 1 else 0.0
        places = [i * step for i in range(new)]
    else:
        places = [(i + 0.5) * step - 0.5 for i in range(new)]
    if mode == "bicubic":
        return [[(min(max(j, 0), n - 1), w) for j, w in _cubic(place)] for place in places]
    if mode not in ("linear", "bilinear", "trilinear"):
        raise ValueError(f"interpolate with mode={mode!r} has no counterpart")
    rows = []
    for place in places:
        at = min(max(place, 0.0), n - 1.0)
        rows.append([(int(at), 1.0 - at % 1.0), (min(int(at) + 1, n - 1), at % 1.0)])
    return rows


def _cubic(place: float) -> list[tuple[int, float]]:
    """Return the four neighbors and their weights: Keys' kernel with a = -3/4, as PyTorch has it."""
    a, below = -0.75, math.floor(place)
    t = place - below

    def near(d: float) -> float:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: float) -> float:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(below - 1 + i, weight) for i, weight in enumerate(weights)]


def _along(x: Array, axis: int, rows: list[list[tuple[int, float]]]) -> Array:
    """Make each new element along an axis of old ones."""
    xp = namespace(x)
    total = None
    for parts in zip(*rows, strict=True):
        indices = xp.asarray([j for j, _ in parts], dtype=xp.int32, device=array_device(x))
        part = xp.take(x, indices, axis=axis)
        if any(w != 1.0 for _, w in parts):
            shares = xp.asarray([w for _, w in parts], dtype=x.dtype, device=array_device(x))
            part = part * xp.reshape(shares, (-1, *[1] * (len(x.shape) - axis - 1)))
        total = part if total is None else total + part
    return total


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Lay blocks of pixels into channels."""
    r, xp = downscale_factor, namespace(x)
    *batch, c, h, w = sizes_of(x)
    x = xp.reshape(x, (-1, c, h // r, r, w // r, r))
    return xp.reshape(xp.permute_dims(x, (0, 1, 3, 5, 2, 4)), (*batch, c * r * r, h // r, w // r))


def _pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    *batch, c, h, w = sizes_of(x)
    r = upscale_factor
    y = ops.pixel_shuffle(namespace(x).reshape(x, (-1, c, h, w)), factor=r)
    return namespace(x).reshape(y, (*batch, c // (r * r), h * r, w * r))


def _unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Copy windows out as columns (N, C k, places), each channel's elements side by side."""
    xp = namespace(x)
    window, (n, c, *_) = _each(kernel_size, 2), sizes_of(x)
    options: dict[str, Any] = dict(stride=_each(stride, 2), padding=_each(padding, 2), dilation=_each(dilation, 2))
    pieces = xp.reshape(xp.eye(math.prod(window), dtype=x.dtype, device=array_device(x)), (-1, 1, *window))
    weight = xp.tile(pieces, (c, 1, 1, 1))
    y = ops.conv(x, weight, groups=c, flip=False, **options)
    return xp.reshape(y, (n, c * math.prod(window), -1))


def _fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Add columns up where `unfold` takes them from."""
    xp = namespace(x)
    window, stride, dilation = _each(kernel_size, 2), _each(stride, 2), _each(dilation, 2)
    padding, output_size = _each(padding, 2), _each(output_size, 2)
    n, rows, _ = sizes_of(x)
    c = rows // math.prod(window)
    places = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, p, d, k, s in zip(output_size, padding, dilation, window, stride, strict=True)
    ]
    more = [
        size - ((m - 1) * s + d * (k - 1) + 1 - 2 * p)
        for size, m, p, d, k, s in zip(output_size, places, padding, dilation, window, stride, strict=True)
    ]
    pieces = xp.reshape(xp.eye(math.prod(window), dtype=x.dtype, device=array_device(x)), (-1, 1, *window))
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
    shape = sizes_of(x)
    squares = xp.reshape(x * x, (shape[0], 1, shape[1], -1))
    padded = ops.pad_constant(squares, padding=((size // 2, (size - 1) // 2),), axes=(2,))
    mean = ops.mean_pool_nd(
        padded, window=(size, 1), stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), count_include_pad=True
    )
    return x / (xp.reshape(mean, shape) * alpha + k) ** beta


def _of_each_rank(name: str, function: Callable[..., Array]) -> dict[str, Callable[..., Array]]:
    return {f"{name}{rank}d": _batched(rank, function) for rank in (1, 2, 3)}


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **_of_each_rank("adaptive_avg_pool", _adaptive(ops.adaptive_mean_pool)),
    **_of_each_rank("adaptive_max_pool", _adaptive(ops.adaptive_max_pool)),
    **_of_each_rank("avg_pool", _avg_pool),
    **_of_each_rank("conv", _conv),
    **_of_each_rank("conv_transpose", _conv_transpose),
    **_of_each_rank("lp_pool", _lp_pool),
    **_of_each_rank("max_pool", _max_pool),
    "fold": _fold,
    "interpolate": _interpolate,
    "local_response_norm": _local_response_norm,
    "pad": pad,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "unfold": _unfold,
    "upsample": _interpolate,
}
