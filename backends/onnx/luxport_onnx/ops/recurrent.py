"""Recurrent sweeps, one operator each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from luxport import ops
from luxport_onnx import xp
from luxport_onnx.graph import Array, make_constant, record_all

__all__ = ["gru_sweep", "gru_v3_sweep", "lstm_sweep", "rnn_sweep"]

_define_rnn: Any = ops.definition_of(ops.rnn_sweep)
_define_gru_v3: Any = ops.definition_of(ops.gru_v3_sweep)


def rnn_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    hidden: Array,
    mask: Array | None = None,
    *,
    activation: Any = ops.tanh,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Record one operator for the activations that it has."""
    name = {ops.tanh: "Tanh", ops.relu: "Relu", ops.sigmoid: "Sigmoid", ops.softsign: "Softsign"}.get(activation)
    if name is None or not _is_native(x, mask):
        arrays = x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, mask
        return _define_rnn(*arrays, activation=activation, reverse=reverse)
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    y, last = _sweep("RNN", x, weights, (0,), [hidden], reverse, activations=[name])
    return y, last


def _make_sweep(op: Any, operator: str, gates: Sequence[int], carried: int, **attributes: Any) -> Callable[..., Any]:
    """Return a sweep that is one operator, with the gates in its own order; `carried` counts what steps hand on."""
    definition: Any = ops.definition_of(op)

    @functools.wraps(definition)
    def sweep(x: Array, *arrays: Any, reverse: bool = False) -> tuple[Array, ...]:
        weights, carry, mask = arrays[:4], arrays[4 : 4 + carried], arrays[4 + carried :]
        if not _is_native(x, *mask):
            return definition(x, *arrays, reverse=reverse)
        return _sweep(operator, x, weights, gates, carry, reverse, **attributes)

    return sweep


lstm_sweep = _make_sweep(ops.lstm_sweep, "LSTM", gates=(0, 3, 1, 2), carried=2)  # input, output, forget, candidate
gru_sweep = _make_sweep(ops.gru_sweep, "GRU", gates=(1, 0, 2), carried=1, linear_before_reset=1)


def gru_v3_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    weight_hn: Array,
    bias_ih: Array | None,
    hidden: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Record one operator, whose reset gate comes before the product."""
    if not _is_native(x, mask):
        return _define_gru_v3(x, weight_ih, weight_hh, weight_hn, bias_ih, hidden, mask, reverse=reverse)
    out = weight_hn.shapes[0][1]
    recurrent = xp.concat([weight_hh[:, : 2 * out], weight_hn], axis=1)
    y, last = _sweep("GRU", x, (weight_ih, recurrent, bias_ih, None), (1, 0, 2), [hidden], reverse)
    return y, last


def _is_native(x: Array, mask: Array | None = None) -> bool:
    """Tell whether the operator can be recorded: it takes no mask, and onnxruntime has it for up to 32 bits."""
    return mask is None and x.dtype.name in ("float16", "float32") and 0 not in x.shape and not x.is_constant


def _sweep(
    operator: str,
    x: Array,
    weights: Sequence[Any],
    gates: Sequence[int],
    carry: Sequence[Array],
    reverse: bool,
    **attributes: Any,
) -> tuple[Array, ...]:
    """Record an operator whose weights are (1, gates out, in), with the gates in its own order."""
    alone = x.ndim == 2
    if alone:
        x = xp.expand_dims(x, axis=1)
    out = weights[1].shapes[0][0]
    steps, samples = ([shape[axis] for shape in x.shapes] for axis in (0, 1))

    def in_order(parameter: Array) -> Array:
        if len(gates) == 1:
            return parameter
        parts = [parameter[..., gate * out : (gate + 1) * out] for gate in gates]
        return xp.concat(parts, axis=-1)

    given = [xp.expand_dims(xp.matrix_transpose(in_order(weight)), axis=0) for weight in weights[:2]]
    bias = None
    if weights[2] is not None or weights[3] is not None:
        zeros = make_constant(np.zeros(len(gates) * out, x.dtype))
        both = [zeros if part is None else in_order(part) for part in weights[2:]]
        bias = xp.expand_dims(xp.concat(both, axis=0), axis=0)
    starts: list[Array | None] = []
    for part in carry:
        if part.splat is not None and part.splat == 0:
            starts.append(None)
            continue
        if alone:
            part = xp.reshape(part, (1, out))
        starts.append(xp.expand_dims(part, axis=0))
    if all([start is None for start in starts]):
        starts = []
    elif None in starts:
        starts = [xp.expand_dims(part, axis=0) for part in carry]
    ends = [(1, n, out) for n in samples]
    whole = [(t, 1, n, out) for t, n in zip(steps, samples, strict=True)]
    outputs = [(x.dtype, whole), *[(x.dtype, ends)] * len(carry)]
    attributes |= {"hidden_size": out, "direction": "reverse" if reverse else None}
    y, *last = record_all(operator, [x, *given, bias, None, *starts], outputs, **attributes)
    dropped = (0, 1) if alone else 0
    return (xp.squeeze(y, (1, 2) if alone else 1), *[xp.squeeze(end, dropped) for end in last])
