"""An LSTM over time in compiled programs: oneDNN's kernel, which `torch.lstm` calls, as an operator with a gradient.

Dynamo cannot compile `torch.lstm` itself. The kernel computes the input products and all steps in one call, and the
gradient in another.
"""

from __future__ import annotations

from typing import Any

import torch

from luxport.ops import definition_of, lstm_sweep
from luxport.tree.static import drop_oldest
from luxport_torch.ops.opaque_operators import define_operator, differentiate_gradient
from luxport_torch.recorded_calls import record_as_call

__all__ = ["run_lstm_layer", "takes_lstm_layer"]

_Tensors = tuple[torch.Tensor, ...]
_define_lstm: Any = definition_of(lstm_sweep)
_WORKSPACES: dict[Any, int] = {}
"""The size in bytes of the kernel's workspace, by the shapes of input and hidden state."""
_THERE = torch.backends.mkldnn.is_available()
_LSTM = 2
"""The kernel's number for an LSTM cell."""


def takes_lstm_layer(x: torch.Tensor, mask: torch.Tensor | None) -> bool:
    """Return whether the kernel supports these inputs: float32 on the CPU, without a mask."""
    return _THERE and mask is None and x.dtype is torch.float32 and x.is_cpu and x.ndim == 3 and 0 not in x.shape


def run_lstm_layer(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias: torch.Tensor | None,
    hidden: torch.Tensor,
    memory: torch.Tensor,
    reverse: bool,
) -> Any:
    """Return all outputs of an LSTM over time, its last hidden state and its last memory."""
    hidden, memory = [part.expand(x.shape[1], part.shape[-1]) for part in (hidden, memory)]
    bias = x.new_zeros(weight_ih.shape[-1]) if bias is None else bias
    # A function recorded as a call may take only numbers and arrays.
    return _run(int(reverse), x, weight_ih, weight_hh, bias, hidden, memory)


@record_as_call
def _run(reverse: int, *arrays: torch.Tensor) -> _Tensors:
    return _Layer.apply(bool(reverse), *arrays)[:3]  # type: ignore[misc]


class _Layer(torch.autograd.Function):
    """The layer as an autograd function."""

    @staticmethod
    def forward(reverse: bool, *arrays: torch.Tensor) -> _Tensors:  # type: ignore[override]
        return torch.ops.luxport.lstm_layer(reverse, *arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.reverse, *arrays = inputs
        ctx.mark_non_differentiable(output[3])
        ctx.save_for_backward(*arrays, *output)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return None, *_LayerBack.apply(ctx.reverse, *cotangents[:3], *ctx.saved_tensors)  # type: ignore[misc]


class _LayerBack(torch.autograd.Function):
    """The gradient of `_Layer` as an autograd function; its own gradient is computed from the definition."""

    @staticmethod
    def forward(reverse: bool, *arrays: torch.Tensor) -> _Tensors:  # type: ignore[override]
        of_x, of_weight_ih, of_weight_hh, *rest = torch.ops.luxport.lstm_layer_back(reverse, *arrays)
        return of_x, of_weight_ih.mT, of_weight_hh.mT, *rest

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.reverse, *arrays = inputs
        ctx.save_for_backward(*arrays[:9])

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        of_y, of_hidden, of_memory, *arrays = ctx.saved_tensors

        def define(x: Any, weight_ih: Any, weight_hh: Any, bias: Any, hidden: Any, memory: Any) -> _Tensors:
            return _define_lstm(x, weight_ih, weight_hh, bias, None, hidden, memory, reverse=ctx.reverse)

        of_values, *found = differentiate_gradient(define, arrays, (of_y, of_hidden, of_memory), cotangents)
        return None, *of_values, *found, None, None, None, None


def _place_for_kernel(
    weight_ih: torch.Tensor, weight_hh: torch.Tensor, bias: torch.Tensor, hidden: torch.Tensor, memory: torch.Tensor
) -> _Tensors:
    """Return the arrays in the kernel's layout: gates in rows, two biases, and an axis for stacked layers."""
    return weight_ih.mT, weight_hh.mT, bias, torch.zeros_like(bias), hidden.unsqueeze(0), memory.unsqueeze(0)


def _forward(reverse: bool, x: torch.Tensor, *parameters: torch.Tensor) -> _Tensors:
    hidden = parameters[3]
    with torch.enable_grad():  # otherwise the kernel fills no workspace for the gradient
        y, last, end, workspace = torch.ops.aten.mkldnn_rnn_layer(
            *(x.contiguous(), *_place_for_kernel(*parameters), reverse, [], _LSTM, hidden.shape[-1], 1),
            *(True, False, False, True),  # with biases, one direction, time first, in training
        )
    # The compiler must know the sizes of results beforehand, and the workspace's is not known: the result is a view of
    # its first byte, which keeps the whole memory alive.
    if len(_WORKSPACES) >= 256:
        drop_oldest(_WORKSPACES)
    _WORKSPACES[x.shape, hidden.shape] = workspace.untyped_storage().nbytes()
    return y.contiguous(), last[0].contiguous(), end[0].contiguous(), workspace[:1]


def _make_forward_outputs(reverse: bool, x: torch.Tensor, *arrays: torch.Tensor) -> _Tensors:
    hidden = arrays[-1]
    samples, out = x.shape[1], hidden.shape[-1]
    ends = [x.new_empty(samples, out) for _ in range(2)]
    return x.new_empty(x.shape[0], samples, out), *ends, x.new_empty(1, dtype=torch.uint8)


def _backward(reverse: bool, *arrays: torch.Tensor) -> _Tensors:
    (of_y, of_hidden, of_memory, x), parameters, results = arrays[:4], arrays[4:9], arrays[9:]
    hidden = parameters[3]
    size = results[3].untyped_storage().nbytes()
    if size != _WORKSPACES.get((x.shape, hidden.shape)):  # the compiler copied the first byte alone
        results = _forward(reverse, x, *parameters)
        size = results[3].untyped_storage().nbytes()
    y, last, end, workspace = results
    of_x, of_ih, of_hh, of_bias, _, of_first, of_start = torch.ops.aten.mkldnn_rnn_layer_backward(
        *(x.contiguous(), *_place_for_kernel(*parameters), y, last.unsqueeze(0), end.unsqueeze(0)),
        *(of_y.contiguous(), of_hidden.contiguous().unsqueeze(0), of_memory.contiguous().unsqueeze(0)),
        *(reverse, _LSTM, hidden.shape[-1], 1, True, True, False, [], False),
        workspace.as_strided((size,), (1,), 0),
    )
    found = of_x, of_ih, of_hh, of_bias, of_first[0], of_start[0]
    return tuple([gradient.contiguous() for gradient in found])


def _make_backward_outputs(reverse: bool, *arrays: torch.Tensor) -> _Tensors:
    x, weight_ih, weight_hh, bias, hidden, memory = arrays[3:9]
    weights = [weight.new_empty(weight.shape[1], weight.shape[0]) for weight in (weight_ih, weight_hh)]
    return (
        x.new_empty(x.shape),
        *weights,
        bias.new_empty(bias.shape),
        *[part.new_empty(part.shape) for part in (hidden, memory)],
    )


_ARRAYS = "Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor bias, Tensor hidden, Tensor memory"
define_operator(
    f"lstm_layer(bool reverse, {_ARRAYS}) -> (Tensor, Tensor, Tensor, Tensor)", _forward, _make_forward_outputs
)
define_operator(
    f"lstm_layer_back(bool reverse, Tensor of_y, Tensor of_hidden, Tensor of_memory, {_ARRAYS}, Tensor y, Tensor last, "
    "Tensor end, Tensor workspace) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _backward,
    _make_backward_outputs,
)
