"""PyTorch's overrides of recurrent layers over time."""

from __future__ import annotations

from typing import Any

import torch

from luxport import ops
from luxport.ops import definition_of
from luxport.ops._recurrent import add_biases, clear_masked
from luxport_torch.autocast import leave_autocast
from luxport_torch.ops.lstm_layer import run_lstm_layer, takes_lstm_layer
from luxport_torch.ops.sweeps import is_compiled, sweep_in_one_call

__all__ = ["gru_sweep", "gru_v3_sweep", "lstm_sweep", "rnn_sweep"]

_define_dense: Any = definition_of(ops.dense)
_define_rnn: Any = definition_of(ops.rnn_sweep)
_define_lstm: Any = definition_of(ops.lstm_sweep)
_define_gru: Any = definition_of(ops.gru_sweep)
_define_gru_v3: Any = definition_of(ops.gru_v3_sweep)


@leave_autocast
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
    """Call PyTorch's RNN for tanh and relu, one operator in compiled programs, otherwise the definition."""
    if is_compiled(x, activation):
        return _sweep_compiled("rnn", x, weight_ih, weight_hh, bias_ih, bias_hh, (hidden,), mask, reverse, activation)
    native = torch._VF.rnn_tanh if activation is ops.tanh else torch._VF.rnn_relu if activation is ops.relu else None
    if native is None or not _is_native(x, mask):
        return _define_rnn(
            *(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask), activation=activation, reverse=reverse
        )
    y, last = _sweep(native, x, (weight_ih, weight_hh, bias_ih, bias_hh), (hidden,), reverse)
    return y, last


@leave_autocast
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
    """Call PyTorch's LSTM, three to six times as fast as the definition; one operator in compiled programs."""
    if is_compiled(x):
        return _sweep_compiled("lstm", x, weight_ih, weight_hh, bias_ih, bias_hh, (hidden, memory), mask, reverse)
    if not _is_native(x, mask):
        return _define_lstm(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, memory, mask, reverse=reverse)
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    y, hidden, memory = _sweep(torch._VF.lstm, x, weights, (hidden, memory), reverse)
    return y, hidden, memory


@leave_autocast
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
    """Call PyTorch's GRU, one operator in compiled programs; with a mask the definition."""
    if is_compiled(x):
        return _sweep_compiled("gru", x, weight_ih, weight_hh, bias_ih, bias_hh, (hidden,), mask, reverse)
    if not _is_native(x, mask):
        return _define_gru(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask, reverse=reverse)
    y, last = _sweep(torch._VF.gru, x, (weight_ih, weight_hh, bias_ih, bias_hh), (hidden,), reverse)
    return y, last


@leave_autocast
def gru_v3_sweep(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    weight_hn: torch.Tensor,
    bias_ih: torch.Tensor | None,
    hidden: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Call one operator in compiled programs, otherwise the definition: PyTorch has no such GRU."""
    if is_compiled(x):
        return _sweep_compiled("gru_v3", x, weight_ih, weight_hh, bias_ih, weight_hn, (hidden,), mask, reverse)
    return _define_gru_v3(x, weight_ih, weight_hh, weight_hn, bias_ih, hidden, mask, reverse=reverse)


def _sweep_compiled(
    kind: str,
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias_ih: torch.Tensor | None,
    other: torch.Tensor | None,
    carry: tuple[torch.Tensor, ...],
    mask: torch.Tensor | None,
    reverse: bool,
    activation: Any = ops.tanh,
) -> Any:
    """Compute the product of inputs and weight in the program, and all steps in one operator.

    For an LSTM PyTorch may have a kernel that does both. Half types are computed in float32.
    """
    dtype, wide = x.dtype, torch.float64 if x.dtype is torch.float64 else torch.float32
    if dtype is not wide:
        x, weight_ih, weight_hh = x.to(wide), weight_ih.to(wide), weight_hh.to(wide)
        bias_ih, other = [None if part is None else part.to(wide) for part in (bias_ih, other)]
        carry = tuple([part.to(wide) for part in carry])
    if kind in ("rnn", "lstm"):
        bias_ih, other = add_biases(bias_ih, other), None
    if kind == "lstm" and takes_lstm_layer(x, mask):
        hidden, memory = carry
        results = run_lstm_layer(x, weight_ih, weight_hh, bias_ih, hidden, memory, reverse)
        return results if dtype is wide else tuple([result.to(dtype) for result in results])
    projected = _define_dense(clear_masked(mask, x), weight_ih, bias_ih)
    results = sweep_in_one_call(kind, projected, weight_hh, other, carry, mask, reverse, activation)
    return results if dtype is wide else tuple([result.to(dtype) for result in results])


def _is_native(x: torch.Tensor, mask: torch.Tensor | None) -> bool:
    """Return whether PyTorch's function can be called: without mask, compiler or transform, and with a step."""
    return (
        mask is None
        and x.shape[0] > 0
        and x.dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()  # reached only by `torch.export`
        and not torch._C._are_functorch_transforms_active()
    )


def _sweep(native: Any, x: torch.Tensor, weights: tuple[Any, ...], carry: Any, reverse: bool) -> Any:
    alone = x.ndim == 2
    # PyTorch's function takes a batch, and states with an axis for stacked layers.
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
