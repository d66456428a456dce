"""Recurrent cells that only Keras has: LSTM and GRU with any activations, and the convolutional LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.containers import WrapperLayer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.layers._cell_base import RecurrentCell
from luxport.layers._recurrent_cells import GRUCell, GRUv3Cell, LSTMCell
from luxport.ops._recurrent import add_biases, split_gates
from luxport.porting.keras.functions import move_channels

__all__ = ["ConvLSTMCell", "GatedCell"]

Function: TypeAlias = Callable[..., Any]


class GatedCell(RecurrentCell, WrapperLayer):
    """An LSTM or GRU cell with other functions in place of tanh (`activation`) and of sigmoid (`gate`)."""

    cell: LSTMCell | GRUCell | GRUv3Cell
    activation: Function
    gate: Function

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return that of the cell."""
        return self.cell.initial_carry(x, ps, st)

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Compute one step."""
        compute = {LSTMCell: _step_lstm, GRUCell: _step_gru, GRUv3Cell: _step_gru_v3}[type(self.cell)]
        carry = compute(x, carry, ps, self.activation, self.gate)
        return (carry[0], carry), st


class ConvLSTMCell(RecurrentCell, WrapperLayer):
    """An LSTM cell on images, with convolutions in place of the products with input and hidden state.

    Shapes: x and carry in Keras's layout, with the channels last if `channels_last`
    Params: input and recurrent: those of the convolutions
    """

    layers: NamedLayers
    channels_last: bool
    activation: Function = ops.tanh
    gate: Function = ops.sigmoid

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, Array]:
        """Return zeros of the shape of the first convolution's output, divided by its four gates."""
        x = self._move_in(namespace(x).zeros_like(x))
        y, _ = self.layers["input"](x, ps["input"], st["input"])
        zeros = self._move_out(namespace(y).zeros_like(y[:, : y.shape[1] // 4, ...]))
        return zeros, zeros

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Compute one step."""
        hidden, memory = map(self._move_in, carry)
        projected, _ = self.layers["input"](self._move_in(x), ps["input"], st["input"])
        recurrent, _ = self.layers["recurrent"](hidden, ps["recurrent"], st["recurrent"])
        sums, size = projected + recurrent, memory.shape[1]
        gates = [sums[:, i * size : (i + 1) * size, ...] for i in range(4)]
        hidden, memory = map(self._move_out, _update_lstm(gates, memory, self.activation, self.gate))
        return (hidden, (hidden, memory)), st

    def _move_in(self, x: Array) -> Array:
        return move_channels(x, "first") if self.channels_last else x

    def _move_out(self, x: Array) -> Array:
        return move_channels(x, "last") if self.channels_last else x


def _step_lstm(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array, Array]:
    hidden, memory = carry
    bias = add_biases(ps.get("bias_ih"), ps.get("bias_hh"))
    sums = ops.dense(x, ps["weight_ih"], bias) + ops.dense(hidden, ps["weight_hh"], None)
    return _update_lstm(split_gates(sums, 4), memory, activation, gate)


def _step_gru(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array]:
    (hidden,) = carry
    r_x, z_x, n_x = split_gates(ops.dense(x, ps["weight_ih"], ps.get("bias_ih")), 3)
    r_h, z_h, n_h = split_gates(ops.dense(hidden, ps["weight_hh"], ps.get("bias_hh")), 3)
    return (_interpolate(gate(z_x + z_h), activation(n_x + gate(r_x + r_h) * n_h), hidden),)


def _step_gru_v3(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array]:
    (hidden,) = carry
    r_x, z_x, n_x = split_gates(ops.dense(x, ps["weight_ih"], ps.get("bias_ih")), 3)
    r_h, z_h, _ = split_gates(ops.dense(hidden, ps["weight_hh"], None), 3)
    n = activation(n_x + ops.dense(gate(r_x + r_h) * hidden, ps["weight_hn"], None))
    return (_interpolate(gate(z_x + z_h), n, hidden),)


def _interpolate(z: Array, n: Array, hidden: Array) -> Array:
    return (1.0 - z) * n + z * hidden


def _update_lstm(gates: Any, memory: Array, activation: Function, gate: Function) -> tuple[Array, Array]:
    """Return the next hidden state and memory of an LSTM."""
    i, f, g, o = gates
    memory = gate(f) * memory + gate(i) * activation(g)
    return gate(o) * activation(memory), memory
