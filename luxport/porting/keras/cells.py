"""Recurrent cells that only Keras has: other functions in the gates, convolutions in the place of products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.anatomy import NamedLayers, Parameters, States
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.layers._cell_base import RecurrentCell
from luxport.layers._recurrent_cells import GRUCell, GRUv3Cell, LSTMCell
from luxport.ops._recurrent import add_biases, split_gates
from luxport.porting.keras.functions import move_channels
from luxport.random import Rng

__all__ = ["ConvLSTMCell", "GatedCell"]

Function: TypeAlias = Callable[..., Any]


class GatedCell(RecurrentCell):
    """A cell with other functions in the places of tanh (`activation`) and sigmoid (`gate`); all else is the cell's."""

    cell: LSTMCell | GRUCell | GRUv3Cell
    activation: Function
    gate: Function

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the cell's."""
        return self.cell.initial_parameters(rng)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the cell's."""
        return self.cell.initial_states(rng)

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return the cell's."""
        return self.cell.initial_carry(x, ps, st)

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        take_step = {LSTMCell: _step_lstm, GRUCell: _step_gru, GRUv3Cell: _step_gru_v3}[type(self.cell)]
        carry = take_step(x, carry, ps, self.activation, self.gate)
        return (carry[0], carry), st


class ConvLSTMCell(RecurrentCell):
    """An LSTM's cell on images: two convolutions are in the places of the products.

    Shapes: x and carry as Keras has them, channels last if `channels_last`
    Params: input and recurrent: the convolutions'
    """

    layers: NamedLayers
    channels_last: bool
    activation: Function = ops.tanh
    gate: Function = ops.sigmoid

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of the convolutions."""
        return initial_parameters(rng, self.layers)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make those of the convolutions."""
        return initial_states(rng, self.layers)

    def children(self) -> Mapping[str, Layer]:
        """Return the convolutions."""
        return self.layers

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, Array]:
        """Return zeros, as many as the first convolution puts out."""
        x = self._move_in(namespace(x).zeros_like(x))
        y, _ = self.layers["input"](x, ps["input"], st["input"])
        zeros = self._move_out(namespace(y).zeros_like(y[:, : y.shape[1] // 4, ...]))
        return zeros, zeros

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        hidden, memory = map(self._move_in, carry)
        projected, _ = self.layers["input"](self._move_in(x), ps["input"], st["input"])
        recurrent, _ = self.layers["recurrent"](hidden, ps["recurrent"], st["recurrent"])
        sums, size = projected + recurrent, memory.shape[1]
        gates = [sums[:, i * size : (i + 1) * size, ...] for i in range(4)]
        hidden, memory = map(self._move_out, _find_next(gates, memory, self.activation, self.gate))
        return (hidden, (hidden, memory)), st

    def _move_in(self, x: Array) -> Array:
        return move_channels(x, "first") if self.channels_last else x

    def _move_out(self, x: Array) -> Array:
        return move_channels(x, "last") if self.channels_last else x


def _step_lstm(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array, Array]:
    hidden, memory = carry
    bias = add_biases(ps.get("bias_ih"), ps.get("bias_hh"))
    sums = ops.dense(x, ps["weight_ih"], bias) + ops.dense(hidden, ps["weight_hh"], None)
    return _find_next(split_gates(sums, 4), memory, activation, gate)


def _step_gru(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array]:
    (hidden,) = carry
    r_x, z_x, n_x = split_gates(ops.dense(x, ps["weight_ih"], ps.get("bias_ih")), 3)
    r_h, z_h, n_h = split_gates(ops.dense(hidden, ps["weight_hh"], ps.get("bias_hh")), 3)
    return (_mix(gate(z_x + z_h), activation(n_x + gate(r_x + r_h) * n_h), hidden),)


def _step_gru_v3(x: Array, carry: Any, ps: Parameters, activation: Function, gate: Function) -> tuple[Array]:
    (hidden,) = carry
    r_x, z_x, n_x = split_gates(ops.dense(x, ps["weight_ih"], ps.get("bias_ih")), 3)
    r_h, z_h, _ = split_gates(ops.dense(hidden, ps["weight_hh"], None), 3)
    n = activation(n_x + ops.dense(gate(r_x + r_h) * hidden, ps["weight_hn"], None))
    return (_mix(gate(z_x + z_h), n, hidden),)


def _mix(z: Array, n: Array, hidden: Array) -> Array:
    return (1.0 - z) * n + z * hidden


def _find_next(gates: Any, memory: Array, activation: Function, gate: Function) -> tuple[Array, Array]:
    """Return an LSTM's next hidden state and memory."""
    i, f, g, o = gates
    memory = gate(f) * memory + gate(i) * activation(g)
    return gate(o) * activation(memory), memory
