"""Recurrent cells that only Keras has: other functions in the gates, convolutions in the place of products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.anatomy import NamedLayers, Parameters, States
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.layers._recurrent_cells import GRUCell, GRUv3Cell, LSTMCell, RecurrentCell
from luxport.ops._recurrent import split_gates, sum_of_biases
from luxport.porting.keras.functions import move_channels
from luxport.random import Rng

__all__ = ["ConvLSTMCell", "GatedGRUCell", "GatedGRUv3Cell", "GatedLSTMCell"]


class GatedLSTMCell(LSTMCell):
    """An `LSTMCell` with other functions in the places of tanh (`activation`) and sigmoid (`gate`)."""

    _: KW_ONLY
    activation: Callable[..., Any] = ops.tanh
    gate: Callable[..., Any] = ops.sigmoid

    sweep = RecurrentCell.sweep

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps, 2)
        sums = ops.dense(x, weight_ih, sum_of_biases(bias_ih, bias_hh)) + ops.dense(carry[0], weight_hh, None)
        hidden, memory = _next(split_gates(sums, 4), carry[1], self.activation, self.gate)
        return (hidden, (hidden, memory)), st


class GatedGRUCell(GRUCell):
    """A `GRUCell` with other functions in the places of tanh (`activation`) and sigmoid (`gate`)."""

    _: KW_ONLY
    activation: Callable[..., Any] = ops.tanh
    gate: Callable[..., Any] = ops.sigmoid

    sweep = RecurrentCell.sweep

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps)
        r_x, z_x, n_x = split_gates(ops.dense(x, weight_ih, bias_ih), 3)
        r_h, z_h, n_h = split_gates(ops.dense(carry[0], weight_hh, bias_hh), 3)
        n = self.activation(n_x + self.gate(r_x + r_h) * n_h)
        z = self.gate(z_x + z_h)
        y = (1.0 - z) * n + z * carry[0]
        return (y, (y,)), st


class GatedGRUv3Cell(GRUv3Cell):
    """A `GRUv3Cell` with other functions in the places of tanh (`activation`) and sigmoid (`gate`)."""

    _: KW_ONLY
    activation: Callable[..., Any] = ops.tanh
    gate: Callable[..., Any] = ops.sigmoid

    sweep = RecurrentCell.sweep

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, _ = self._weights(x, carry, ps)
        r_x, z_x, n_x = split_gates(ops.dense(x, weight_ih, bias_ih), 3)
        r_h, z_h, _ = split_gates(ops.dense(carry[0], weight_hh, None), 3)
        n = self.activation(n_x + ops.dense(self.gate(r_x + r_h) * carry[0], ps["weight_hn"], None))
        z = self.gate(z_x + z_h)
        y = (1.0 - z) * n + z * carry[0]
        return (y, (y,)), st


class ConvLSTMCell(RecurrentCell):
    """An LSTM's cell on images: two convolutions are in the places of the products.

    Shapes: x and carry as Keras has them, channels last if `channels_last`
    Params: input and recurrent: the convolutions'
    """

    layers: NamedLayers
    channels_last: bool
    activation: Callable[..., Any] = ops.tanh
    gate: Callable[..., Any] = ops.sigmoid

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
        x = self._inside(namespace(x).zeros_like(x))
        y, _ = self.layers["input"](x, ps["input"], st["input"])
        zeros = self._outside(namespace(y).zeros_like(y[:, : y.shape[1] // 4, ...]))
        return zeros, zeros

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        hidden, memory = map(self._inside, carry)
        projected, _ = self.layers["input"](self._inside(x), ps["input"], st["input"])
        recurrent, _ = self.layers["recurrent"](hidden, ps["recurrent"], st["recurrent"])
        sums, size = projected + recurrent, memory.shape[1]
        gates = [sums[:, i * size : (i + 1) * size, ...] for i in range(4)]
        hidden, memory = map(self._outside, _next(gates, memory, self.activation, self.gate))
        return (hidden, (hidden, memory)), st

    def _inside(self, x: Array) -> Array:
        return move_channels(x, "first") if self.channels_last else x

    def _outside(self, x: Array) -> Array:
        return move_channels(x, "last") if self.channels_last else x


def _next(gates: Any, memory: Array, activation: Callable[..., Any], gate: Callable[..., Any]) -> tuple[Array, Array]:
    """Return an LSTM's next hidden state and memory."""
    i, f, g, o = gates
    memory = gate(f) * memory + gate(i) * activation(g)
    return gate(o) * activation(memory), memory
