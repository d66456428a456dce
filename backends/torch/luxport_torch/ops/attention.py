"""PyTorch's override of attention."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops._attention import Dropping, attend, check_attention
from luxport.ops._attention_masks import clear_hidden, expand_to_scores
from luxport_torch import xp
from luxport_torch.ops.conv import does_sum_in_half

__all__ = ["scaled_dot_product_attention"]

_definition = ops.definition_of(ops.scaled_dot_product_attention)


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    token_axis: int = -3,
    dropout: Dropping = ops.identity,
    return_scores: bool = True,
) -> Any:
    """Call the fused kernel if the scores need not be returned.

    Inside transforms the definition is used, because the kernel can be differentiated only once; with a bias, too,
    because it may be infinite.
    """
    kernel = not return_scores and dropout is ops.identity and bias is None and query.ndim > 3
    if not kernel or token_axis not in (-2, -3) or torch._C._are_functorch_transforms_active():
        # Except on the CPU, matrix products of half types are several times as fast as float32, and sum in float32.
        half_product = query.dtype.itemsize < 4 and not does_sum_in_half(query)
        options: Any = {"scale": scale, "is_causal": is_causal, "token_axis": token_axis, "dropout": dropout}
        return (attend if half_product else _definition)(
            query, key, value, bias, mask, **options, return_scores=return_scores
        )
    check_attention(query, key, value, mask, is_causal=is_causal, token_axis=token_axis)
    dtype = query.dtype
    if does_sum_in_half(query):
        query, key, value = query.float(), key.float(), value.float()
    if token_axis == -3:
        query, key, value = query.transpose(-2, -3), key.transpose(-2, -3), value.transpose(-2, -3)
    mask = expand_to_scores(xp, mask, query, key)
    query, key, value = clear_hidden(xp, query, key, value, None, mask)
    groups = False
    if query.shape[-3] != key.shape[-3]:  # an `if`, as the kernel rejects a comparison of symbolic sizes
        groups = True
    y = functional.scaled_dot_product_attention(
        *(query, key, value, mask),
        is_causal=is_causal,
        scale=None if scale is None else 1.0 / scale,
        enable_gqa=groups,
    )
    y = y.transpose(-2, -3) if token_axis == -3 else y
    return y if y.dtype is dtype else y.to(dtype)
