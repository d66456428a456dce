"""Pooling."""

from __future__ import annotations

from typing import Any

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, count_places
from luxport_onnx.graph import Array, record
from luxport_onnx.ops.conv import _list_pads, _list_unless

__all__ = ["global_max_pool", "global_mean_pool", "lp_pool_nd", "max_pool_nd", "mean_pool_nd"]

_define_max: Any = ops.definition_of(ops.max_pool_nd)
_define_mean: Any = ops.definition_of(ops.mean_pool_nd)
_define_lp: Any = ops.definition_of(ops.lp_pool_nd)
_define_global_max = ops.definition_of(ops.global_max_pool)
_define_global_mean = ops.definition_of(ops.global_mean_pool)


def max_pool_nd(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Array:
    """Record one operator."""
    options = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
    kinds = ("float16", "float32", "float64")
    return (
        _record_pool("MaxPool", x, kinds, **options) if _fits(x, kinds, window, padding) else _define_max(x, **options)
    )


def mean_pool_nd(
    x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, count_include_pad: bool
) -> Array:
    """Record one operator."""
    options: dict[str, Any] = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
    kinds = ("float16", "float32")
    if not _fits(x, kinds, window, padding) or set(dilation) != {1}:
        return _define_mean(x, **options, count_include_pad=count_include_pad)
    return _record_pool("AveragePool", x, kinds, **options, count_include_pad=int(count_include_pad))


def lp_pool_nd(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, p: float) -> Array:
    """Record one operator for an even p: it takes absolute values."""
    options: dict[str, Any] = {"window": window, "stride": stride, "padding": padding, "dilation": dilation}
    if not _fits(x, ("float32",), window, padding) or set(dilation) != {1} or p % 2 != 0:
        return _define_lp(x, **options, p=p)
    return _record_pool("LpPool", x, ("float32",), **options, p=int(p))


def global_max_pool(x: Array) -> Array:
    """Record one operator."""
    return _record_global("GlobalMaxPool", x) if _is_whole(x) else _define_global_max(x)


def global_mean_pool(x: Array) -> Array:
    """Record one operator."""
    return _record_global("GlobalAveragePool", x) if _is_whole(x) else _define_global_mean(x)


def _fits(x: Array, kinds: tuple[str, ...], window: Sizes, padding: Pairs) -> bool:
    narrow = all([max(pair) < k for pair, k in zip(padding, window, strict=True)])
    return x.dtype.name in kinds and narrow and x.ndim <= 5 and x.shape[0] != 0 and not x.is_constant


def _record_pool(
    operator: str,
    x: Array,
    kinds: tuple[str, ...],
    *,
    window: Sizes,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    **more: Any,
) -> Array:
    sizes = {"stride": stride, "padding": padding, "dilation": dilation}
    return record(
        *(operator, x),
        dtype=x.dtype,
        shapes=[(*s[:2], *count_places(s[2:], window, **sizes)) for s in x.shapes],
        kernel_shape=list(window),
        strides=_list_unless(1, stride),
        pads=_list_pads(padding),
        dilations=_list_unless(1, dilation),
        **more,
    )


def _is_whole(x: Array) -> bool:
    return x.dtype.name in ("float16", "float32") and x.ndim > 2 and not x.is_constant and 0 not in x.shape


def _record_global(operator: str, x: Array) -> Array:
    return record(operator, x, dtype=x.dtype, shapes=[(*s[:2], *[1] * (x.ndim - 2)) for s in x.shapes])
