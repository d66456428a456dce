"""Port PyTorch's recurrent modules and cells."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import luxport
from luxport import tree
from luxport.backend import Array, namespace
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.layers._cell_base import RecurrentCell
from luxport.layers._recurrent import _Levels
from luxport.porting.torch.arrays import Ported, copy_to_host
from luxport.porting.torch.conventions import swap_recurrent_weight
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["port_cell", "port_recurrent"]


class ProjectedLSTMCell(RecurrentCell):
    """An LSTM cell whose hidden state is projected by a weight, as PyTorch's with ``proj_size``."""

    in_dims: int
    hidden: int
    out_dims: int
    _: KW_ONLY
    use_bias: bool = True

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw from U(-a, a), a = 1 / sqrt(hidden)."""
        bound = self.hidden**-0.5
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (self.in_dims, 4 * self.hidden),
            "weight_hh": (self.out_dims, 4 * self.hidden),
            "weight_hr": (self.hidden, self.out_dims),
        }
        if self.use_bias:
            shapes |= {"bias_ih": (4 * self.hidden,), "bias_hh": (4 * self.hidden,)}
        return {name: rng.uniform(shape, -bound, bound) for name, shape in shapes.items()}

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, Array]:
        """Start from zeros."""
        xp = namespace(x)
        zero = xp.zeros_like(x[..., :1])
        return xp.concat([zero] * self.out_dims, axis=-1), xp.concat([zero] * self.hidden, axis=-1)

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Compute one step, and project the hidden state."""
        h, c = carry
        gates = x @ ps["weight_ih"] + h @ ps["weight_hh"]
        if self.use_bias:
            gates = gates + (ps["bias_ih"] + ps["bias_hh"])
        i, f, g, o = luxport.ops.multigate(gates, n=4)
        c = luxport.sigmoid(f) * c + luxport.sigmoid(i) * luxport.tanh(g)
        h = (luxport.sigmoid(o) * luxport.tanh(c)) @ ps["weight_hr"]
        return (h, (h, c)), st


class ProjectedLSTM(_Levels):
    """`ProjectedLSTMCell` run over a sequence, in one or more levels."""

    _: KW_ONLY
    hidden: int = 1

    def _make_cell(self, in_dims: int) -> RecurrentCell:
        return ProjectedLSTMCell(in_dims, self.hidden, self.out_dims, use_bias=self.use_bias)


class StackedCarries(WrapperLayer):
    """A recurrent layer with PyTorch's form of carries: h and c are arrays with levels and directions as first axis.

    Shapes: x or (x, carries) -> (y, carries)
    """

    layer: Layer
    levels: int
    directions: int
    parts: int

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Split the carries, run the layer, and stack the new carries."""
        if isinstance(x, tuple):
            x, given = x
            x = (x, self._split_carries(given)) if given is not None else x
        (y, carry), st = self.layer(x, ps, st)
        leaves = tree.leaves(carry)
        xp = namespace(y)
        stacked = tuple([xp.stack(leaves[part :: self.parts], axis=0) for part in range(self.parts)])
        return (y, stacked if self.parts > 1 else stacked[0]), st

    def _split_carries(self, given: Any) -> Any:
        arrays = given if self.parts > 1 else (given,)
        each = [tuple([part[i] for part in arrays]) for i in range(self.levels * self.directions)]
        levels = [
            tuple(each[self.directions * i : self.directions * (i + 1)]) if self.directions > 1 else each[i]
            for i in range(self.levels)
        ]
        return tuple(levels) if self.levels > 1 else levels[0]


class CarryOnly(WrapperLayer):
    """A cell that returns only its carry, h or (h, c), as PyTorch's cells do.

    Shapes: x or (x, carry) -> carry
    """

    layer: Layer
    parts: int

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Compute one step."""
        if isinstance(x, tuple):
            x, given = x
            x = (x, given if self.parts > 1 else (given,)) if given is not None else x
        (_, carry), st = self.layer(x, ps, st)
        return carry if self.parts > 1 else carry[0], st


def port_recurrent(module: Any, name: str, in_graph: bool) -> Ported:
    """Return an RNN, LSTM or GRU; in a graph, which may use the carries, these have PyTorch's form."""
    options: dict[str, Any] = {
        "num_layers": module.num_layers,
        "bidirectional": module.bidirectional,
        "dropout": float(module.dropout),
        "return_state": True,
        "time_major": not module.batch_first,
        "use_bias": module.bias,
    }
    sizes = module.input_size, module.hidden_size
    two_biases = {"use_recurrent_bias": module.bias}
    if module.proj_size:
        layer: Layer = ProjectedLSTM(module.input_size, module.proj_size, hidden=module.hidden_size, **options)
    elif name == "RNN":
        activation = luxport.relu if module.nonlinearity == "relu" else luxport.tanh
        layer = luxport.RNN(*sizes, activation, **options, **two_biases)
    else:
        layer = (luxport.LSTM if name == "LSTM" else luxport.GRU)(*sizes, **options, **two_biases)
    if in_graph:
        layer = StackedCarries(layer, module.num_layers, 1 + module.bidirectional, 1 + (name == "LSTM"))
    levels = [_build_level(module, level) for level in range(module.num_layers)]
    if len(levels) == 1:
        return layer, levels[0], {}
    training = {"training": Static(bool(module.training))} if module.dropout else {}
    return (
        layer,
        {f"layer_{i}": ps for i, ps in enumerate(levels, start=1)},
        {f"dropout_{i}": training for i in range(1, len(levels))} if training else {},
    )


def port_cell(module: Any, name: str, in_graph: bool) -> Ported:
    """Return an RNNCell, LSTMCell or GRUCell."""
    sizes = module.input_size, module.hidden_size
    biases = {"use_bias": module.bias, "use_recurrent_bias": module.bias}
    if name == "RNNCell":
        step: Layer = luxport.RNNCell(*sizes, luxport.relu if module.nonlinearity == "relu" else luxport.tanh, **biases)
    else:
        step = (luxport.LSTMCell if name == "LSTMCell" else luxport.GRUCell)(*sizes, **biases)
    return CarryOnly(step, 1 + (name == "LSTMCell")), _read_direction(module, ""), {}


def _build_level(module: Any, level: int) -> dict[str, Any]:
    if not module.bidirectional:
        return _read_direction(module, f"_l{level}")
    forward, backward = _read_direction(module, f"_l{level}"), _read_direction(module, f"_l{level}_reverse")
    return {"forward_rnn": forward, "backward_rnn": {"rnn": backward}}


def _read_direction(module: Any, suffix: str) -> dict[str, Any]:
    projected = ("weight_hr",) if getattr(module, "proj_size", 0) else ()
    weights = {
        name: swap_recurrent_weight(copy_to_host(getattr(module, f"{name}{suffix}")))
        for name in ("weight_ih", "weight_hh", *projected)
    }
    biases = ("bias_ih", "bias_hh") if module.bias else ()
    return weights | {name: copy_to_host(getattr(module, f"{name}{suffix}")) for name in biases}
