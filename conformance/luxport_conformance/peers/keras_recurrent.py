"""Keras's own recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luxport.porting.keras.conventions import gru_gates, keras_reset_first_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.keras_tools import activation_of, layers, stateless

__all__ = ["RECURRENT"]

_KINDS = {"RNN": "SimpleRNN", "LSTM": "LSTM", "GRU": "GRU", "GRUv3": "GRU"}


def _made(layer: Any, kind: str, suffix: str = "", **options: Any) -> Any:
    given: dict[str, Any] = {"use_bias": layer.use_bias, **options}
    if kind == "RNN":
        given["activation"] = activation_of(layer)
    if kind in ("GRU", "GRUv3"):
        given["reset_after"] = kind == "GRU"
    return getattr(layers(), _KINDS[kind] + suffix)(layer.out_dims, **given)


def _weights(kind: str, layer: Any, ps: Any) -> list[Any]:
    """Return Keras's kernel, recurrent kernel and bias: of the gates only the GRU's are in another order there."""
    import keras

    kernel, recurrent, biases = ps["weight_ih"], ps["weight_hh"], [ps[n] for n in ("bias_ih", "bias_hh") if n in ps]
    if kind == "GRUv3":
        recurrent = keras_reset_first_weight(recurrent, ps["weight_hn"])
    if kind in ("GRU", "GRUv3"):
        kernel, recurrent, *biases = map(gru_gates, (kernel, recurrent, *biases))
    if kind == "GRU" and biases:
        bias = keras.ops.stack([biases[0], biases[1] if len(biases) == 2 else biases[0] * 0.0])
    else:
        bias = sum(biases[1:], start=biases[0]) if biases else None
    return [kernel, recurrent] if bias is None else [kernel, recurrent, bias]


def _differences(kind: str, layer: Any) -> tuple[str, ...]:
    two = layer.use_bias and kind != "GRUv3" and layer.use_recurrent_bias
    order = ("gate order",) if kind.startswith("GRU") else ()
    if kind == "GRU" and layer.use_bias and not two:
        return (*order, "two biases")
    return (*order, "one bias") if two and kind != "GRU" else order


def _start(layer: Any, kind: str, ps: Any, samples: int) -> Sequence[Any]:
    import keras

    found = []
    for name in ("hidden_state", "memory") if kind == "LSTM" else ("hidden_state",):
        start = ps[name] if name in ps else keras.ops.zeros((layer.out_dims,))
        found.append(keras.ops.broadcast_to(start, (samples, layer.out_dims)))
    return found


def _cell(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        cell = _made(layer, kind, "Cell")
        cell.build((None, layer.in_dims))

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, _start(layer, kind, ps, x.shape[0]))
            held = [variable.value for variable in cell.non_trainable_variables]
            (y, carry), _ = stateless(cell, _weights(kind, layer, ps), held, x, list(carry))
            return y, tuple(carry) if isinstance(carry, (list, tuple)) else (carry,)

        return Counterpart(call, differences=_differences(kind, layer))

    return build


def _layer(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import keras

        if layer.masked or layer.train_state or layer.bidirectional:
            raise NoCounterpartError("is asked without masks, two directions and initial states that are trained")
        runs = [_made(layer, kind, return_sequences=True, return_state=True) for _ in range(layer.num_layers)]
        for position, run in enumerate(runs):
            run.build((None, None, layer.out_dims if position else layer.in_dims))

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, None)
            x = keras.ops.moveaxis(x, 0, 1) if layer.time_major else x
            end: Any = None
            levels = [ps] if len(runs) == 1 else [ps[f"layer_{i + 1}"] for i in range(len(runs))]
            for run, level in zip(runs, levels, strict=True):
                held = [variable.value for variable in run.non_trainable_variables]
                start = {} if carry is None else {"initial_state": list(carry)}
                (x, *end), _ = stateless(run, _weights(kind, layer, level), held, x, **start)
            y = keras.ops.moveaxis(x, 0, 1) if layer.time_major else x
            return (y, tuple(end)) if layer.return_state else y

        return Counterpart(call, differences=_differences(kind, layer))

    return build


RECURRENT: dict[str, Build] = {
    **{kind: _layer(kind) for kind in _KINDS},
    **{f"{kind}Cell": _cell(kind) for kind in _KINDS},
}
