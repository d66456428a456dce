"""Attention, one operator from version 23 of the operators on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend.dtypes import run_wide
from luxport.ops._attention import Dropping, check_attention
from luxport_onnx import xp
from luxport_onnx.graph import Array, find_opset, record_all

__all__ = ["scaled_dot_product_attention"]

_definition: Any = ops.definition_of(ops.scaled_dot_product_attention)


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    token_axis: int = -3,
    dropout: Dropping = ops.identity,
    **options: Any,
) -> Any:
    """Record one operator, unless a mask may hide all keys from a query: it would return NaN or a mean there."""
    serves = (
        find_opset() >= 23 and dropout is ops.identity and bias is None and query.ndim == 4 and token_axis in (-2, -3)
    )
    serves = serves and all([_serves(x) for x in (query, key, value)]) and (mask is None or _hides_no_row(mask))
    if not serves:
        return _definition(query, key, value, bias, mask, token_axis=token_axis, dropout=dropout, **options)
    return _attend(query, key, value, mask, token_axis=token_axis, **options)


@run_wide
def _attend(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    *,
    token_axis: int,
    scale: float | None = None,
    is_causal: bool = False,
    return_scores: bool = True,
) -> Any:
    check_attention(query, key, value, mask, is_causal=is_causal, token_axis=token_axis)
    if token_axis == -3:
        query, key, value = [xp.permute_dims(x, (0, 2, 1, 3)) for x in (query, key, value)]
    shapes = [[(*q[:3], v[3]) for q, v in zip(query.shapes, value.shapes, strict=True)], key.shapes, value.shapes]
    shapes.append([(*q[:3], k[2]) for q, k in zip(query.shapes, key.shapes, strict=True)])
    y, *_, scores = record_all(
        "Attention",
        (query, key, value, mask),
        [(query.dtype, one) for one in shapes],
        is_causal=int(is_causal),
        scale=1.0 / (math.sqrt(query.shapes[0][-1]) if scale is None else scale),
        qk_matmul_output_mode=_AFTER_SOFTMAX,
    )
    if token_axis == -3:
        y = xp.permute_dims(y, (0, 2, 1, 3))
    return (y, scores) if return_scores else y


_AFTER_SOFTMAX = 3


def _serves(x: Array) -> bool:
    return x.dtype.name in ("float16", "float32") and x.shape[-1] is not None and 0 not in x.shape


def _hides_no_row(mask: Array) -> bool:
    """Tell whether a mask is known to let each query see a key, and each key be seen by a query."""
    if not mask.is_constant or mask.ndim not in (2, 4) or 1 in mask.shape[-2:]:
        return False
    return bool(np.all(np.any(mask.value, axis=-1)) and np.all(np.any(mask.value, axis=-2)))
