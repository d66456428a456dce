"""Recurrent sweeps by PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from luxport import ops
from luxport.ops import definition_of
from luxport_torch.casting import casts, in_float32

__all__ = ["gru_sweep", "lstm_sweep", "rnn_sweep"]

_define_rnn: Any = definition_of(ops.rnn_sweep)
_define_lstm: Any = definition_of(ops.lstm_sweep)
_define_gru: Any = definition_of(ops.gru_sweep)


def rnn_sweep(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias_ih: torch.Tensor | None,
    bias_hh: torch.Tensor | None,
    hidden: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    activation: Any = ops.tanh,
    reverse: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One call of the library for tanh and relu."""
    if casts(x, weight_ih):
        arrays = x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask
        return in_float32(rnn_sweep, *arrays, activation=activation, reverse=reverse)
    native = torch._VF.rnn_tanh if activation is ops.tanh else torch._VF.rnn_relu if activation is ops.relu else None
    if native is None or not _is_native(x, mask):
        return _define_rnn(
            *(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask), activation=activation, reverse=reverse
        )
    y, last = _sweep(native, x, (weight_ih, weight_hh, bias_ih, bias_hh), (hidden,), reverse)
    return y, last


def lstm_sweep(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias_ih: torch.Tensor | None,
    bias_hh: torch.Tensor | None,
    hidden: torch.Tensor,
    memory: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One call of the library, three to six times as fast as the steps."""
    if casts(x, weight_ih):
        arrays = x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, memory, mask
        return in_float32(lstm_sweep, *arrays, reverse=reverse)
    if not _is_native(x, mask):
        return _define_lstm(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, memory, mask, reverse=reverse)
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    y, hidden, memory = _sweep(torch._VF.lstm, x, weights, (hidden, memory), reverse)
    return y, hidden, memory


def gru_sweep(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias_ih: torch.Tensor | None,
    bias_hh: torch.Tensor | None,
    hidden: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One call of the library."""
    if casts(x, weight_ih):
        return in_float32(gru_sweep, x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask, reverse=reverse)
    if not _is_native(x, mask):
        return _define_gru(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask, reverse=reverse)
    y, last = _sweep(torch._VF.gru, x, (weight_ih, weight_hh, bias_ih, bias_hh), (hidden,), reverse)
    return y, last


def _is_native(x: torch.Tensor, mask: torch.Tensor | None) -> bool:
    """Tell whether the library's sweep serves: it takes no mask and a step at least, and neither compiles nor nests."""
    return (
        mask is None
        and x.shape[0] > 0
        and x.dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def _sweep(native: Any, x: torch.Tensor, weights: tuple[Any, ...], carry: Any, reverse: bool) -> Any:
    alone = x.ndim == 2
    # The library wants a batch, and an axis for the one level of its states.
    x = x.unsqueeze(1) if alone else x
    carry = tuple([part.reshape(1, -1, part.shape[-1]) for part in carry])
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    zeros = x.new_zeros(weight_ih.shape[-1])
    flat = [weight_ih.mT, weight_hh.mT, *[zeros if bias is None else bias for bias in (bias_ih, bias_hh)]]
    y, *ends = native(
        x.flip(0) if reverse else x,
        carry if len(carry) > 1 else carry[0],
        flat,
        True,  # has biases
        1,  # levels
        0.0,  # dropout between them
        False,  # training
        False,  # bidirectional
        False,  # batch first
    )
    y = y.flip(0) if reverse else y
    return (y.squeeze(1), *[end[0, 0] for end in ends]) if alone else (y, *[end[0] for end in ends])
