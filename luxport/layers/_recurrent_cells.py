"""Recurrent cells, one step in time: `RNNCell`, `LSTMCell`, `GRUCell`, `GRUv3Cell`, and what makes a layer a cell."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, ClassVar, TypeAlias

from luxport import ops, tree
from luxport.backend import Array, array_device, dtype_name, namespace
from luxport.backend.dtypes import is_floating, plus
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.anatomy import Parameters, States
from luxport.core.input_checks import check_axis, check_dtype, check_sizes, shape_text
from luxport.core.layer import Layer
from luxport.errors import LayerError
from luxport.initializers import Initializer, zeros
from luxport.ops import Activation, tanh
from luxport.ops._recurrent import gru_step, gru_v3_step, hold_masked, lstm_step, rnn_step, sum_of_biases, zero_masked
from luxport.ops.shapes import spreads_over
from luxport.random import Rng
from luxport.transforms._loops import scan

__all__ = ["GRUCell", "GRUv3Cell", "LSTMCell", "RNNCell", "RecurrentCell"]

GateInitializer: TypeAlias = "Initializer | tuple[Initializer, ...] | None"
"""An initializer for each gate, one for all of them, or None for U(-a, a) with a = 1 / sqrt(out_dims)."""


class RecurrentCell(Layer):
    """What is run over time: ``(y, carry), st = cell((x, carry), ps, st)``.

    The carry is a tuple of arrays; without one, ``cell(x, ps, st)`` starts from `initial_carry`. A cell of one's
    own gives `initial_carry` and `step`, and runs in `Recurrence` and the other wrappers like those here.

    Shapes: x (N, in), a carry of arrays (N, ...) -> y (N, out), a carry of the same shapes
    Params: the cell's own
    State:  the cell's own
    Source: Lux.jl ``AbstractRecurrentCell``

    >>> import numpy as np, luxport
    >>> class Sum(RecurrentCell):
    ...     def initial_carry(self, x, ps, st):
    ...         return (0.0 * x,)
    ...     def step(self, x, carry, ps, st):
    ...         total = carry[0] + x
    ...         return (total, (total,)), st
    >>> y, _ = luxport.Recurrence(Sum(), return_sequence=True)(np.ones((1, 3, 1)), {}, {})
    >>> y[0, :, 0]
    array([1., 2., 3.])
    """

    _is_cell: ClassVar[bool] = True

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, Any], States]:
        """Take one step, from the carry in a pair (x, carry) or else from the initial one."""
        if isinstance(x, tuple) and len(x) != 2:
            raise LayerError(f"expects x or (x, carry), got a tuple of {len(x)}")
        x, carry = x if isinstance(x, tuple) else (x, None)
        return self.step(x, self.initial_carry(x, ps, st) if carry is None else carry, ps, st)

    @abstractmethod
    def initial_carry(self, x: Any, ps: Parameters, st: States) -> tuple[Any, ...]:
        """Return the carry before the first step, for inputs like this one."""

    @abstractmethod
    def step(self, x: Any, carry: Any, ps: Parameters, st: States) -> tuple[tuple[Any, Any], States]:
        """Return the output, the next carry and the next state."""

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps of x (T, ...): return the outputs (T, ...), the last carry and the last state.

        Where the mask (T, N) is false, the carry stays as it is and the output is zero.
        """

        def step(loop: Any, inputs: Any) -> tuple[Any, Any]:
            carry, st = loop
            x, keep = inputs
            (y, new), st = self.step(x, carry, ps, st)
            return (hold_masked(keep, new, carry), st), zero_masked(keep, y)

        (carry, st), y = scan(step, (carry, st), (zero_masked(mask, x), mask), reverse=reverse)
        return y, carry, st


class _Cell(RecurrentCell):
    """What the cells here share: weights for input and hidden state with the gates side by side."""

    in_dims: int
    out_dims: int
    _: KW_ONLY
    use_bias: bool = True
    train_state: bool = False
    init_weight: GateInitializer = None
    init_recurrent_weight: GateInitializer = None
    init_bias: GateInitializer = None
    init_state: Initializer = zeros

    gates: ClassVar[int]

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_sizes(name, in_dims=self.in_dims, out_dims=self.out_dims)
        for option in ("init_weight", "init_recurrent_weight", "init_bias"):
            value = getattr(self, option)
            if isinstance(value, (tuple, list)):
                if len(value) != self.gates:
                    raise ValueError(f"{name} expects an initializer for each of {self.gates} gates as {option}, "
                                     f"got {len(value)}")  # fmt: skip
                object.__setattr__(self, option, tuple(value))

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weights, the biases, and the initial state if it is trained."""
        recurrent = self.init_weight if self.init_recurrent_weight is None else self.init_recurrent_weight
        ps = {
            "weight_ih": self._draw(rng, self.init_weight, (self.in_dims,)),
            "weight_hh": self._draw(rng, recurrent, (self.out_dims,)),
        }
        for name in self._biases():
            ps[name] = self._draw(rng, self.init_bias, ())
        return ps | self._draw_trained(rng)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw the key from which an initial state is drawn that is random and not trained."""
        return {"rng": {"key": rng.key()}}

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return the trained initial state for each sample, or one made by `init_state`."""
        check_axis(x, -1, self.in_dims, "(..., {})")
        check_dtype(x, ps["weight_ih"])
        trained = ps["hidden_state"] if self.train_state else None
        return (self._start(x, ps["weight_hh"], self.init_state, trained, st, 0),)

    def _draw_trained(self, rng: Rng) -> dict[str, Any]:
        return {"hidden_state": self.init_state(rng, (self.out_dims,))} if self.train_state else {}

    def _biases(self) -> tuple[str, ...]:
        recurrent = getattr(self, "use_recurrent_bias", False)
        return (("bias_ih", "bias_hh") if recurrent else ("bias_ih",)) if self.use_bias else ()

    def _draw(self, rng: Rng, init: GateInitializer, rows: tuple[int, ...]) -> Any:
        shape = (*rows, self.gates * self.out_dims)
        if init is None:
            bound = 1.0 / math.sqrt(max(self.out_dims, 1))
            return rng.uniform(shape, -bound, bound)
        each = init if isinstance(init, tuple) else (init,) * self.gates
        parts = [draw(rng, (*rows, self.out_dims)) for draw in each]
        if any(isinstance(part, AbstractArray) for part in parts):
            return AbstractArray(shape)
        return namespace(*parts).concat(parts, axis=-1)

    def _start(
        self, x: Array, weight_hh: Array, init: Initializer, trained: Array | None, st: States, index: int
    ) -> Array:
        xp = namespace(x)
        samples = xp.zeros_like(x[..., :1])
        if trained is not None:
            return plus(xp, samples, trained)
        if init == zeros:
            return samples + xp.zeros_like(weight_hh[0, : self.out_dims])
        draws = _KeyRng(st["rng"]["key"], index)
        return xp.astype(xp.asarray(init(draws, (*x.shape[:-1], self.out_dims))), x.dtype)

    def _weights(self, x: Array, carry: Any, ps: Parameters, size: int = 1) -> tuple[Any, ...]:
        """Check the inputs; return the weights and the biases."""
        check_axis(x, -1, self.in_dims, "(..., {})")
        check_dtype(x, ps["weight_ih"])
        if not isinstance(carry, (tuple, list)) or len(carry) != size:
            wanted = "(hidden,)" if size == 1 else "(hidden, memory)"
            raise LayerError(f"expects a tuple {wanted} as its carry, got {outline(carry)}")
        for part in carry:
            check_axis(part, -1, self.out_dims, "a carry (..., {})")
            if len(part.shape) > len(x.shape) or not is_floating(part):
                raise LayerError(
                    f"expects a carry (..., {self.out_dims}) of floating numbers with no more axes than "
                    f"{shape_text(x)}, got {dtype_name(part)} {shape_text(part)}"
                )
            if not spreads_over(part.shape[:-1], x.shape[:-1]):
                raise LayerError(
                    f"expects a carry of as many samples as x {shape_text(x)}, got {shape_text(part)}: "
                    "another batch starts anew, without a carry"
                )
        biases = self._biases()
        return (
            ps["weight_ih"],
            ps["weight_hh"],
            ps["bias_ih"] if "bias_ih" in biases else None,
            ps["bias_hh"] if "bias_hh" in biases else None,
        )


class RNNCell(_Cell):
    """Elman's cell: ``h = activation(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh)``; the output is h.

    Called with x, or with (x, (h,)); returns (y, (h,)). Without ``use_recurrent_bias`` this is Flux's cell, whose
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
    State:  rng {key}: what an ``init_state`` that is random draws from, the same at each call
    Raises: ValueError when built with sizes that are no ints of at least 0; LayerError if the last axis of x is not
            in_dims, or the carry is not as above; LayerTypeError if the dtype of x is not the weight's
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

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps)
        projected = ops.dense(x, weight_ih, sum_of_biases(bias_ih, bias_hh))
        y = rnn_step(projected, carry[0], weight_hh, self.activation)
        return (y, (y,)), st

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps)
        y, hidden = ops.rnn_sweep(
            *(x, weight_ih, weight_hh, bias_ih, bias_hh, carry[0], mask), activation=self.activation, reverse=reverse
        )
        return y, (hidden,), st


class LSTMCell(_Cell):
    """The long short-term memory; the output is h.

    ``i, f, g, o = x @ weight_ih + bias_ih + h @ weight_hh + bias_hh``, four parts of the last axis;
    ``c = sigmoid(f) c + sigmoid(i) tanh(g)``, ``h = sigmoid(o) tanh(c)``.

    Called with x, or with (x, (h, c)); returns (y, (h, c)). Without ``use_recurrent_bias`` this is Flux's cell, whose
    ``Wi``, ``Wh`` and ``bias`` are weight_ih, weight_hh and bias_ih: the order of the gates is the same.

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
    State:  rng {key}: what an ``init_state`` or ``init_memory`` that is random draws from, the same at each call
    Raises: as `RNNCell`; ValueError when built with a tuple of initializers that are not four
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

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return hidden state and memory, trained or made by `init_state` and `init_memory`."""
        (hidden,) = super().initial_carry(x, ps, st)
        trained = ps["memory"] if self.train_memory else None
        return hidden, self._start(x, ps["weight_hh"], self.init_memory, trained, st, 1)

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps, 2)
        projected = ops.dense(x, weight_ih, sum_of_biases(bias_ih, bias_hh))
        hidden, memory = lstm_step(projected, carry[0], carry[1], weight_hh)
        return (hidden, (hidden, memory)), st

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps, 2)
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        y, hidden, memory = ops.lstm_sweep(x, *weights, carry[0], carry[1], mask, reverse=reverse)
        return y, (hidden, memory), st

    def _draw_trained(self, rng: Rng) -> dict[str, Any]:
        memory = {"memory": self.init_memory(rng, (self.out_dims,))} if self.train_memory else {}
        return super()._draw_trained(rng) | memory


class GRUCell(_Cell):
    """The gated recurrent unit with its reset gate behind the product; the output is h.

    ``r_x, z_x, n_x = x @ weight_ih + bias_ih`` and ``r_h, z_h, n_h = h @ weight_hh + bias_hh``, three parts of the
    last axis; ``r = sigmoid(r_x + r_h)``, ``z = sigmoid(z_x + z_h)``, ``n = tanh(n_x + r n_h)``,
    ``h = (1 - z) n + z h``.

    Called with x, or with (x, (h,)); returns (y, (h,)). Without ``use_recurrent_bias`` this is Flux's cell, whose
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
    Raises: as `RNNCell`; ValueError when built with a tuple of initializers that are not three
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

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps)
        y = gru_step(ops.dense(x, weight_ih, bias_ih), carry[0], weight_hh, bias_hh)
        return (y, (y,)), st

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights(x, carry, ps)
        y, hidden = ops.gru_sweep(x, weight_ih, weight_hh, bias_ih, bias_hh, carry[0], mask, reverse=reverse)
        return y, (hidden,), st


class GRUv3Cell(_Cell):
    """The gated recurrent unit with its reset gate before the product; the output is h.

    As `GRUCell`, but ``n = tanh(n_x + (r h) @ weight_hn)``, with one bias. Keras calls it ``reset_after=False``.

    Called with x, or with (x, (h,)); returns (y, (h,)).

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
            ``Wh``, ``b`` and ``Wh_h̃`` in its order; the last third of weight_hh is unused, there as here
    State:  rng {key}, as in `RNNCell`
    Raises: as `RNNCell`; ValueError when built with a tuple of initializers that are not three
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

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step."""
        weight_ih, weight_hh, bias_ih, _ = self._weights(x, carry, ps)
        y = gru_v3_step(ops.dense(x, weight_ih, bias_ih), carry[0], weight_hh, ps["weight_hn"])
        return (y, (y,)), st

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps."""
        weight_ih, weight_hh, bias_ih, _ = self._weights(x, carry, ps)
        y, hidden = ops.gru_v3_sweep(x, weight_ih, weight_hh, ps["weight_hn"], bias_ih, carry[0], mask, reverse=reverse)
        return y, (hidden,), st


class _KeyRng(Rng):
    """A generator for initial states that draws from a key, on the key's device, the same numbers at each call."""

    def __init__(self, key: Array, counter: int) -> None:
        super().__init__(0)
        self._key, self._counter = key, counter

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Array:
        """Draw float32 values from [low, high)."""
        return self._draw(ops.uniform, shape) * (high - low) + low

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> Array:
        """Draw float32 values from the normal distribution."""
        return self._draw(ops.normal, shape) * std + mean

    def _draw(self, draw: Callable[..., Array], shape: tuple[int, ...]) -> Array:
        xp = namespace(self._key)
        counter = xp.asarray(self._counter, dtype=xp.int32, device=array_device(self._key))
        self._counter += 2  # hidden state and memory take the even and the odd ones
        return draw(self._key, counter, shape=shape)


def outline(carry: Any) -> str:
    return str(tree.map(lambda leaf: "*", carry)).replace("'*'", "*")
