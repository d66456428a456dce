"""Recurrent cells: `RNNCell`, `LSTMCell`, `GRUCell`, `GRUv3Cell`."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any, ClassVar

from luxport import ops
from luxport.backend import Array
from luxport.backend.dtypes import run_wide
from luxport.core.layer_base import Parameters, States
from luxport.initializers import Initializer, zeros
from luxport.layers._cell_base import GatedCell
from luxport.ops import Activation, tanh
from luxport.ops._recurrent import add_biases, step_gru, step_gru_v3, step_lstm, step_rnn
from luxport.random import Rng

__all__ = ["GRUCell", "GRUv3Cell", "LSTMCell", "RNNCell"]


class RNNCell(GatedCell):
    """The Elman cell: ``h = activation(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh)``; the output is h.

    The input is x, or (x, (h,)); the output (y, (h,)). Without ``use_recurrent_bias`` this is Flux's cell, whose
    ``Wi``, ``Wh`` and ``bias`` are weight_ih, weight_hh and bias_ih.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        activation: the function in the formula
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state

    Shapes: x (..., in_dims), h (..., out_dims) -> y (..., out_dims), (h,)
    Params: weight_ih (in_dims, out_dims), weight_hh (out_dims, out_dims); bias_ih (out_dims,) if ``use_bias``, and
            bias_hh if ``use_recurrent_bias`` too; hidden_state (out_dims,) if ``train_state``
    State:  rng {key}, from which a random ``init_state`` draws, the same numbers at each call
    Raises: ValueError when built with sizes that are no ints of at least 0; LayerError if the last axis of x is not
            in_dims, or for another carry; LayerTypeError if the dtype of x is not the weight's
    Source: Lux.jl ``RNNCell``; initial values U(-a, a) with a = 1 / sqrt(out_dims)

    >>> import numpy as np, luxport
    >>> cell = RNNCell(3, 2, luxport.relu)
    >>> ps, st = luxport.setup(0, cell)
    >>> (y, carry), st = cell(np.ones((4, 3), np.float32), ps, st)
    >>> (y, carry), st = cell((np.ones((4, 3), np.float32), carry), ps, st)
    >>> y.shape
    (4, 2)
    """

    activation: Activation = tanh
    _: KW_ONLY
    use_recurrent_bias: bool = True

    gates: ClassVar[int] = 1

    def _take_step(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        return (_take_rnn_step(x, *arrays, activation=self.activation),)

    def _take_all_steps(self, x: Array, *arrays: Any, reverse: bool) -> tuple[Array, ...]:
        return ops.rnn_sweep(x, *arrays, activation=self.activation, reverse=reverse)


class LSTMCell(GatedCell):
    """The long short-term memory; the output is h.

    ``i, f, g, o = x @ weight_ih + bias_ih + h @ weight_hh + bias_hh``, four parts of the last axis;
    ``c = sigmoid(f) c + sigmoid(i) tanh(g)``, ``h = sigmoid(o) tanh(c)``.

    The input is x, or (x, (h, c)); the output (y, (h, c)). Without ``use_recurrent_bias`` this is Flux's cell, whose
    ``Wi``, ``Wh`` and ``bias`` are weight_ih, weight_hh and bias_ih, with the gates in the same order.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state
        train_memory: whether the initial memory is a parameter
        init_memory: draws the initial memory

    Shapes: x (..., in_dims), h and c (..., out_dims) -> y (..., out_dims), (h, c)
    Params: weight_ih (in_dims, 4 out_dims), weight_hh (out_dims, 4 out_dims); bias_ih (4 out_dims,) if ``use_bias``,
            and bias_hh if ``use_recurrent_bias`` too; hidden_state (out_dims,) if ``train_state``; memory (out_dims,)
            if ``train_memory``
    State:  rng {key}, from which a random ``init_state`` or ``init_memory`` draws, the same numbers at each call
    Raises: as `RNNCell`; ValueError when built with a tuple of other than four initializers
    Source: Lux.jl ``LSTMCell``; S. Hochreiter, J. Schmidhuber (1997); initial values as `RNNCell`

    >>> import luxport
    >>> luxport.parameter_length(LSTMCell(3, 5, use_recurrent_bias=False))
    180
    """

    _: KW_ONLY
    use_recurrent_bias: bool = True
    train_memory: bool = False
    init_memory: Initializer = zeros

    gates: ClassVar[int] = 4
    carry_names: ClassVar[tuple[str, ...]] = ("hidden", "memory")

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return the hidden state and the memory, trained or drawn by `init_state` and `init_memory`."""
        (hidden,) = super().initial_carry(x, ps, st)
        trained = ps["memory"] if self.train_memory else None
        return hidden, self._start(x, ps["weight_hh"], self.init_memory, trained, st, 1)

    def _take_step(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        return _take_lstm_step(x, *arrays)

    def _take_all_steps(self, x: Array, *arrays: Any, reverse: bool) -> tuple[Array, ...]:
        return ops.lstm_sweep(x, *arrays, reverse=reverse)

    def _draw_trained(self, rng: Rng) -> dict[str, Any]:
        memory = {"memory": self.init_memory(rng, (self.out_dims,))} if self.train_memory else {}
        return super()._draw_trained(rng) | memory


class GRUCell(GatedCell):
    """The gated recurrent unit with its reset gate applied after the product; the output is h.

    ``r_x, z_x, n_x = x @ weight_ih + bias_ih`` and ``r_h, z_h, n_h = h @ weight_hh + bias_hh``, three parts of the
    last axis; ``r = sigmoid(r_x + r_h)``, ``z = sigmoid(z_x + z_h)``, ``n = tanh(n_x + r n_h)``,
    ``h = (1 - z) n + z h``.

    The input is x, or (x, (h,)); the output (y, (h,)). Without ``use_recurrent_bias`` this is Flux's cell, whose
    ``Wi``, ``Wh`` and ``b`` are weight_ih, weight_hh and bias_ih.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state

    Shapes: x (..., in_dims), h (..., out_dims) -> y (..., out_dims), (h,)
    Params: weight_ih (in_dims, 3 out_dims), weight_hh (out_dims, 3 out_dims); bias_ih (3 out_dims,) if ``use_bias``,
            and bias_hh if ``use_recurrent_bias`` too; hidden_state (out_dims,) if ``train_state``
    State:  rng {key}, as in `RNNCell`
    Raises: as `RNNCell`; ValueError when built with a tuple of other than three initializers
    Source: Lux.jl ``GRUCell``; K. Cho et al. (2014), v1; initial values as `RNNCell`

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, GRUCell(3, 5))
    >>> (y, (h,)), st = GRUCell(3, 5)(np.ones((2, 3), np.float32), ps, st)
    >>> y.shape, bool((y == h).all())
    ((2, 5), True)
    """

    _: KW_ONLY
    use_recurrent_bias: bool = True

    gates: ClassVar[int] = 3

    def _take_step(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        return (_take_gru_step(x, *arrays),)

    def _take_all_steps(self, x: Array, *arrays: Any, reverse: bool) -> tuple[Array, ...]:
        return ops.gru_sweep(x, *arrays, reverse=reverse)


class GRUv3Cell(GatedCell):
    """The gated recurrent unit with its reset gate applied before the product; the output is h.

    As `GRUCell`, but ``n = tanh(n_x + (r h) @ weight_hn)``, with one bias. Keras calls it ``reset_after=False``.

    The input is x, or (x, (h,)); the output (y, (h,)).

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state

    Shapes: x (..., in_dims), h (..., out_dims) -> y (..., out_dims), (h,)
    Params: weight_ih (in_dims, 3 out_dims), weight_hh (out_dims, 3 out_dims); bias_ih (3 out_dims,) if ``use_bias``;
            weight_hn (out_dims, out_dims); hidden_state (out_dims,) if ``train_state``. They are Flux's ``Wi``,
            ``Wh``, ``b`` and ``Wh_h̃``, in its order; as there, the last third of weight_hh is unused
    State:  rng {key}, as in `RNNCell`
    Raises: as `RNNCell`; ValueError when built with a tuple of other than three initializers
    Source: Flux.jl ``GRUv3Cell``; K. Cho et al. (2014), v3; initial values as `RNNCell`

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, GRUv3Cell(3, 5))
    >>> (y, carry), st = GRUv3Cell(3, 5)(np.ones((2, 3), np.float32), ps, st)
    >>> y.shape, ps["weight_hn"].shape
    ((2, 5), (5, 5))
    """

    gates: ClassVar[int] = 3

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weights, the bias, the candidate's weight, and the initial state if it is trained."""
        ps = super().initial_parameters(rng)
        trained = {"hidden_state": ps.pop("hidden_state")} if self.train_state else {}
        recurrent = self.init_weight if self.init_recurrent_weight is None else self.init_recurrent_weight
        candidate = recurrent[-1] if isinstance(recurrent, tuple) else recurrent
        shape = (self.out_dims, self.out_dims)
        bound = 1.0 / math.sqrt(max(self.out_dims, 1))
        weight = rng.uniform(shape, -bound, bound) if candidate is None else candidate(rng, shape)
        return ps | {"weight_hn": weight} | trained

    def _list_weights(self, ps: Parameters) -> tuple[Any, ...]:
        weight_ih, weight_hh, bias_ih, _ = super()._list_weights(ps)
        return weight_ih, weight_hh, ps["weight_hn"], bias_ih

    def _take_step(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        return (_take_gru_v3_step(x, *arrays),)

    def _take_all_steps(self, x: Array, *arrays: Any, reverse: bool) -> tuple[Array, ...]:
        return ops.gru_v3_sweep(x, *arrays, reverse=reverse)


# Half types are computed in float32, as in sweeps: the sums in the gates might overflow in float16, and infinity minus
# infinity is NaN.
@run_wide
def _take_rnn_step(x: Array, *arrays: Any, activation: Activation) -> Array:
    weight_ih, weight_hh, bias_ih, bias_hh, hidden = arrays
    return step_rnn(ops.dense(x, weight_ih, add_biases(bias_ih, bias_hh)), hidden, weight_hh, activation)


@run_wide
def _take_lstm_step(x: Array, *arrays: Any) -> tuple[Array, Array]:
    weight_ih, weight_hh, bias_ih, bias_hh, hidden, memory = arrays
    return step_lstm(ops.dense(x, weight_ih, add_biases(bias_ih, bias_hh)), hidden, memory, weight_hh)


@run_wide
def _take_gru_step(x: Array, *arrays: Any) -> Array:
    weight_ih, weight_hh, bias_ih, bias_hh, hidden = arrays
    return step_gru(ops.dense(x, weight_ih, bias_ih), hidden, weight_hh, bias_hh)


@run_wide
def _take_gru_v3_step(x: Array, *arrays: Any) -> Array:
    weight_ih, weight_hh, weight_hn, bias_ih, hidden = arrays
    return step_gru_v3(ops.dense(x, weight_ih, bias_ih), hidden, weight_hh, weight_hn)
