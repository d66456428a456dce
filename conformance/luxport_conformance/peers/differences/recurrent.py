"""Differences of recurrent cells and layers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport.porting.keras.conventions import convert_reset_first_weights_to_keras, swap_gru_gates
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X
from luxport_conformance.peers.jax_conventions import lower_forget_bias, swap_lstm_gates

__all__ = ["RECURRENT"]

_DRAW = np.random.Generator(np.random.Philox(3))


def _draw_parameters(gates: int, *biases: str) -> dict[str, Any]:
    """Draw the parameters of a cell with 3 inputs and 2 outputs."""
    shapes = {"weight_ih": (3, 2 * gates), "weight_hh": (2, 2 * gates), **dict.fromkeys(biases, (2 * gates,))}
    return {name: _DRAW.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


_CARRY = (X[:, :2].copy(), X[:, 1:].copy())
"""Output and memory before the step, not 0, because the forget gate has no effect on a memory of 0."""


def _take_step(layer: Any, ps: Any) -> Any:
    """Return the output of a step with luxport's cell."""
    carry = _CARRY if isinstance(layer, luxport.LSTMCell) else _CARRY[:1]
    return layer((X, carry), ps, luxport.setup(0, layer, backend="numpy")[1])[0][0]


def _show_two_biases(torch: Any) -> Shown:
    own, ps = luxport.RNNCell(3, 2, use_recurrent_bias=False), _draw_parameters(1, "bias_ih", "bias_hh")
    cell, (bias_ih, bias_hh) = torch.nn.RNNCell(3, 2), (ps["bias_ih"], ps["bias_hh"])
    weights = {name: torch.tensor(value.T.copy()) for name, value in ps.items()}
    there = torch.func.functional_call(cell, weights, (torch.tensor(X), torch.tensor(_CARRY[0]))).detach()

    def run(bias: Any) -> Any:
        return _take_step(own, {"weight_ih": ps["weight_ih"], "weight_hh": ps["weight_hh"], "bias_ih": bias})

    return Shown(run(bias_ih), there, {"cell": run, "bias_ih": bias_ih, "bias_hh": bias_hh})


def _show_one_bias(equinox: Any) -> Shown:
    jax, ps = import_module("jax"), _draw_parameters(4, "bias_ih", "bias_hh")
    cell = equinox.nn.LSTMCell(3, 2, key=jax.random.key(0))

    def run(bias: Any) -> Any:
        arrays = (ps["weight_ih"].T, ps["weight_hh"].T, bias)
        made = equinox.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias), cell, arrays)
        return np.asarray(jax.vmap(made)(X, _CARRY)[0])

    here = _take_step(luxport.LSTMCell(3, 2, use_recurrent_bias=True), ps)
    return Shown(here, run(ps["bias_ih"]), {"cell": run, "bias_ih": ps["bias_ih"], "bias_hh": ps["bias_hh"]})


def _run_haiku(haiku: Any, name: str, parameters: Any) -> Any:
    """Return the output of a step with Haiku's cell of this name."""

    def step(x: Any) -> Any:
        return getattr(haiku, name)(2, name="m")(x, haiku.LSTMState(*_CARRY) if name == "LSTM" else _CARRY[0])[0]

    return np.asarray(haiku.without_apply_rng(haiku.transform(step)).apply(parameters, X))


def _make_haiku_lstm(haiku: Any) -> tuple[Any, Any, Any]:
    ps = _draw_parameters(4, "bias_ih")
    weight = np.concatenate([ps["weight_ih"], ps["weight_hh"]])

    def run(weight: Any, bias: Any) -> Any:
        return _run_haiku(haiku, "LSTM", {"m/linear": {"w": weight, "b": bias}})

    here = _take_step(luxport.LSTMCell(3, 2, use_recurrent_bias=False), ps)
    return here, run, {"cell": run, "weight": weight, "bias": ps["bias_ih"]}


def _show_gates(haiku: Any) -> Shown:
    here, run, given = _make_haiku_lstm(haiku)
    bias = lower_forget_bias(given["bias"])
    return Shown(here, run(given["weight"], bias), {**given, "bias": bias})


def _show_forget(haiku: Any) -> Shown:
    here, run, given = _make_haiku_lstm(haiku)
    weight = swap_lstm_gates(given["weight"])
    return Shown(here, run(weight, swap_lstm_gates(given["bias"])), {**given, "weight": weight})


def _show_update(haiku: Any) -> Shown:
    ps = {**_draw_parameters(3, "bias_ih"), "weight_hn": _DRAW.normal(size=(2, 2)).astype(np.float32)}
    back = convert_reset_first_weights_to_keras(ps["weight_hh"], ps["weight_hn"])
    parts = {"w_i": swap_gru_gates(ps["weight_ih"]), "w_h": swap_gru_gates(back), "b": swap_gru_gates(ps["bias_ih"])}
    here = _take_step(luxport.GRUv3Cell(3, 2), ps)
    given = {"cell": lambda parts: _run_haiku(haiku, "GRU", {"m": parts}), "parts": parts}
    return Shown(here, given["cell"](parts), given)


def _show_carry(linen: Any) -> Shown:
    jax = import_module("jax")
    cell = linen.LSTMCell(2)
    zero = (np.zeros((2, 2), np.float32),) * 2
    variables = cell.init(jax.random.key(0), zero, X)
    (memory, hidden), y = cell.apply(variables, zero, X)
    assert np.array_equal(hidden, y)
    return Shown(np.stack([hidden, memory]), np.stack([memory, hidden]), {"carry": (hidden, memory)})


def _show_beyond(linen: Any) -> Shown:
    jax, layer = import_module("jax"), luxport.RNN(3, 2, masked=True)
    x, lengths = np.stack([X, -X]), np.array([1, 2], np.int32)
    ps, st = luxport.setup(0, layer, backend="numpy")
    run = linen.RNN(linen.SimpleCell(2))
    given = {"cell": {"i": {"kernel": ps["weight_ih"], "bias": ps["bias_ih"]}, "h": {"kernel": ps["weight_hh"]}}}
    there = np.asarray(run.apply({"params": jax.tree.map(np.asarray, given)}, x, seq_lengths=lengths))
    return Shown(layer((x, lengths), ps, st)[0], there, {"y": there, "lengths": lengths})


RECURRENT: tuple[Difference, ...] = (
    Difference("two biases", "torch", "RNNCell", _show_two_biases, "cell(add_biases(bias_ih, bias_hh))"),
    Difference("one bias", "equinox", "LSTMCell", _show_one_bias, "cell(add_biases(bias_ih, bias_hh))", gives="here"),
    Difference(
        "gate order",
        "haiku",
        "LSTMCell",
        _show_gates,
        "cell(swap_lstm_gates(weight), swap_lstm_gates(bias))",
        gives="here",
    ),
    Difference(
        "forget gate plus 1",
        "haiku",
        "LSTMCell",
        _show_forget,
        "cell(weight, swap_lstm_gates(lower_forget_bias(bias)))",
        gives="here",
    ),
    Difference(
        "update gate reversed",
        "haiku",
        "GRUv3Cell",
        _show_update,
        "cell({name: negate_update_gate(part) for name, part in parts.items()})",
        gives="here",
    ),
    Difference("carry (c, h)", "flax.linen", "LSTMCell", _show_carry, "np.stack(swap_carry(carry))"),
    Difference(
        "steps beyond the length",
        "flax.linen",
        "RNN",
        _show_beyond,
        "np.where((np.arange(y.shape[1]) < lengths[:, None])[..., None], y, 0)",
        gives="here",
    ),
)
