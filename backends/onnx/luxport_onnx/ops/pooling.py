"""Pooling."""

from __future__ import annotations

from typing import Any

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, count_places
from luxport_onnx.graph import Array, record
from luxport_onnx.ops.windows import write_windows

__all__ = ["global_max_pool", "global_mean_pool", "lp_pool_nd", "max_pool_nd", "mean_pool_nd"]

_define_max: Any = ops.definition_of(ops.max_pool_nd)
_define_mean: Any = ops.definition_of(ops.mean_pool_nd)
_define_lp: Any = ops.definition_of(ops.lp_pool_nd)
_define_global_max = ops.definition_of(ops.global_max_pool)
_define_global_mean = ops.definition_of(ops.global_mean_pool)


_SINGLE = ("float16", "float32")


def max_pool_nd(x: Array, **windows: Any) -> Array:
    """Record one operator."""
    if not _fits(x, (*_SINGLE, "float64"), **windows):
        return _define_max(x, **windows)
    return _record_pool("MaxPool", x, **windows)


def mean_pool_nd(x: Array, *, count_include_pad: bool, **windows: Any) -> Array:
    """Record one operator."""
    if not _fits(x, _SINGLE, **windows) or set(windows["dilation"]) != {1}:
        return _define_mean(x, **windows, count_include_pad=count_include_pad)
    return _record_pool("AveragePool", x, **windows, count_include_pad=int(count_include_pad))


def lp_pool_nd(x: Array, *, p: float, **windows: Any) -> Array:
    """Record one operator for an even p: it takes absolute values."""
    if not _fits(x, ("float32",), **windows) or set(windows["dilation"]) != {1} or p % 2 != 0:
        return _define_lp(x, **windows, p=p)
    return _record_pool("LpPool", x, **windows, p=int(p))


def global_max_pool(x: Array) -> Array:
    """Record one operator."""
    return _record_global("GlobalMaxPool", x) if _is_whole(x) else _define_global_max(x)


def global_mean_pool(x: Array) -> Array:
    """Record one operator."""
    return _record_global("GlobalAveragePool", x) if _is_whole(x) else _define_global_mean(x)


def _fits(x: Array, kinds: tuple[str, ...], *, window: Sizes, padding: Pairs, **others: Any) -> bool:
    narrow = all([max(pair) < k for pair, k in zip(padding, window, strict=True)])
    return x.dtype.name in kinds and narrow and x.ndim <= 5 and x.shape[0] != 0 and not x.is_constant


def _record_pool(
    operator: str, x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, **more: Any
) -> Array:
    windows: Any = {"stride": stride, "padding": padding, "dilation": dilation}
    shapes = [(*s[:2], *count_places(s[2:], window, **windows)) for s in x.shapes]
    return record(operator, x, dtype=x.dtype, shapes=shapes, **write_windows(window, **windows), **more)


def _is_whole(x: Array) -> bool:
    return x.dtype.name in _SINGLE and x.ndim > 2 and not x.is_constant and 0 not in x.shape


def _record_global(operator: str, x: Array) -> Array:
    return record(operator, x, dtype=x.dtype, shapes=[(*s[:2], *[1] * (x.ndim - 2)) for s in x.shapes])
