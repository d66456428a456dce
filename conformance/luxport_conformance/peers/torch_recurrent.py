"""PyTorch's own recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.porting.torch.conventions import recurrent_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.torch_tools import module

__all__ = ["RECURRENT"]


def _nonlinearity(layer: Any) -> dict[str, str]:
    name = layer.activation.__name__ if "activation" in layer.__dataclass_fields__ else ""
    if name and name not in ("tanh", "relu"):
        raise NoCounterpartError("has the activations tanh and relu")
    return {"nonlinearity": name} if name else {}


def _weights(ps: Any, suffix: str, layer: Any) -> dict[str, Any]:
    """Name a cell's parameters as PyTorch does; of its two biases one is 0 where luxport has one."""
    found = {name: recurrent_weight(ps[name]) for name in ("weight_ih", "weight_hh")}
    if layer.use_bias:
        found["bias_ih"] = ps["bias_ih"]
        found["bias_hh"] = ps["bias_hh"] if layer.use_recurrent_bias else ps["bias_ih"] * 0.0
    return {name + suffix: value for name, value in found.items()}


def _differences(layer: Any) -> tuple[str, ...]:
    return ("two biases",) if layer.use_bias and not layer.use_recurrent_bias else ()


def _start(ps: Any, samples: int) -> tuple[Any, ...] | None:
    trained = [ps[name] for name in ("hidden_state", "memory") if name in ps]
    return tuple([value.expand(samples, -1) for value in trained]) or None


def _cell(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        cell = module(name)(layer.in_dims, layer.out_dims, layer.use_bias, **_nonlinearity(layer))

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, _start(ps, x.shape[0]))
            if carry is not None and name != "LSTMCell":
                (carry,) = carry
            carry = torch.func.functional_call(cell, _weights(ps, "", layer), (x, carry))
            carry = carry if isinstance(carry, tuple) else (carry,)
            return carry[0], carry

        return Counterpart(call, differences=_differences(layer))

    return build


def _layer(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        if layer.masked or layer.train_state:
            raise NoCounterpartError("has neither masks nor initial states that are trained")
        run = module(name)(
            *(layer.in_dims, layer.out_dims, layer.num_layers),
            bias=layer.use_bias,
            batch_first=not layer.time_major,
            dropout=layer.dropout,
            bidirectional=layer.bidirectional,
            **_nonlinearity(layer),
        )
        run.eval()

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, None)
            if carry is not None:
                carry = tuple([part[None] for part in carry]) if name == "LSTM" else carry[0][None]
            levels = [ps] if layer.num_layers == 1 else [ps[f"layer_{i + 1}"] for i in range(layer.num_layers)]
            weights: dict[str, Any] = {}
            for position, level in enumerate(levels):
                ways = {"": level}
                if layer.bidirectional:
                    ways = {"": level["forward_rnn"], "_reverse": level["backward_rnn"]["rnn"]}
                for way, part in ways.items():
                    weights |= _weights(part, f"_l{position}{way}", layer)
            y, end = torch.func.functional_call(run, weights, (x, carry))
            end = tuple([part[0] for part in (end if isinstance(end, tuple) else (end,))])
            return (y, end) if layer.return_state else y

        return Counterpart(call, differences=_differences(layer))

    return build


def _none(reason: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        raise NoCounterpartError(reason)

    return build


_RESET = "applies the reset gate after the product"

RECURRENT: dict[str, Callable[..., Counterpart]] = {
    "GRU": _layer("GRU"),
    "GRUCell": _cell("GRUCell"),
    "GRUv3": _none(_RESET),
    "GRUv3Cell": _none(_RESET),
    "LSTM": _layer("LSTM"),
    "LSTMCell": _cell("LSTMCell"),
    "RNN": _layer("RNN"),
    "RNNCell": _cell("RNNCell"),
}
