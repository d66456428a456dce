"""Attention by MLX."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx

from luxport import ops
from luxport.ops._attention import Dropping, check_attention
from luxport_mlx.kernels import have_kernels

__all__ = ["scaled_dot_product_attention"]

_definition = ops.definition_of(ops.scaled_dot_product_attention)


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    token_axis: int = -3,
    dropout: Dropping = ops.identity,
    return_scores: bool = True,
) -> Any:
    """Call the fused function if the scores are not needed.

    Masks are left to the definition, as that function returns the mean of all values where one hides every key; so is
    causal attention between sequences of two lengths, which it aligns at their ends.
    """
    kernel = have_kernels() and not return_scores and dropout is ops.identity and bias is None and query.ndim == 4
    kernel = kernel and query.dtype == key.dtype == value.dtype == mx.float32 and mask is None
    if not kernel or token_axis not in (-2, -3) or (is_causal and query.shape[token_axis] != key.shape[token_axis]):
        options: Any = {"scale": scale, "is_causal": is_causal, "token_axis": token_axis, "dropout": dropout}
        return _definition(query, key, value, bias, mask, **options, return_scores=return_scores)
    check_attention(query, key, value, mask, is_causal=is_causal, token_axis=token_axis)
    if token_axis == -3:
        query, key, value = [x.swapaxes(-2, -3) for x in (query, key, value)]
    y = mx.fast.scaled_dot_product_attention(
        *(query, key, value),
        scale=1.0 / (math.sqrt(query.shape[-1]) if scale is None else scale),
        mask="causal" if is_causal else None,
    )
    return y.swapaxes(-2, -3) if token_axis == -3 else y
