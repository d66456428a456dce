"""The bases of recurrent cells: `RecurrentCell`, and `GatedCell` for those of luxport."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, ClassVar, TypeAlias

from luxport import ops, tree
from luxport.backend import Array, dtype_name, find_array_device, namespace
from luxport.backend.dtypes import add_parameter, is_floating
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.input_checks import check_axis, check_dtype, check_sizes, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, zeros
from luxport.ops._recurrent import clear_masked, hold_masked
from luxport.ops.readable_values import may_look
from luxport.ops.shapes import can_broadcast_to
from luxport.random import Rng
from luxport.transforms._loops import scan

__all__ = ["RecurrentCell"]


GateInitializer: TypeAlias = "Initializer | tuple[Initializer, ...] | None"
"""An initializer for each gate, one for all of them, or None for U(-a, a) with a = 1 / sqrt(out_dims)."""


class RecurrentCell(Layer):
    """The base of recurrent cells: one step in time, ``(y, carry), st = cell((x, carry), ps, st)``.

    The carry is a tuple of arrays; without one, ``cell(x, ps, st)`` starts from `initial_carry`. A custom cell defines
    `initial_carry` and `step`, and can then be run by `Recurrence` and the other wrappers.

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

        Where the mask (T, N) is false, the carry does not change and the output is zero.
        """

        def step(loop: Any, inputs: Any) -> tuple[Any, Any]:
            carry, st = loop
            x, keep = inputs
            (y, new), st = self.step(x, carry, ps, st)
            return (hold_masked(keep, new, carry), st), clear_masked(keep, y)

        (carry, st), y = scan(step, (carry, st), (clear_masked(mask, x), mask), reverse=reverse)
        return y, carry, st


class GatedCell(RecurrentCell):
    """A cell with weights for the input and for the hidden state, each with all gates side by side.

    A subclass says how to compute a step, and all steps, from x, the arrays of `_list_weights` and those of the carry.
    """

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
    carry_names: ClassVar[tuple[str, ...]] = ("hidden",)

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
        for name in self._name_biases():
            ps[name] = self._draw(rng, self.init_bias, ())
        return ps | self._draw_trained(rng)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key, for initial states that are random and not trained."""
        return {"rng": {"key": rng.key()}}

    def initial_carry(self, x: Array, ps: Parameters, st: States) -> tuple[Array, ...]:
        """Return an initial state for each sample: the trained one, or one drawn by `init_state`."""
        check_axis(x, -1, self.in_dims, "(..., {})")
        check_dtype(x, ps["weight_ih"])
        trained = ps["hidden_state"] if self.train_state else None
        return (self._start(x, ps["weight_hh"], self.init_state, trained, st, 0),)

    def step(self, x: Array, carry: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step; the output is the hidden state."""
        self._check_inputs(x, carry, ps)
        new = self._take_step(x, *self._list_weights(ps), *carry)
        return (new[0], new), st

    def sweep(
        self, x: Any, carry: Any, ps: Parameters, st: States, mask: Array | None = None, *, reverse: bool = False
    ) -> tuple[Any, Any, States]:
        """Take all steps."""
        self._check_inputs(x, carry, ps)
        y, *new = self._take_all_steps(x, *self._list_weights(ps), *carry, mask, reverse=reverse)
        return y, tuple(new), st

    @abstractmethod
    def _take_step(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        """Return the next carry, from x, the weights and the carry."""

    @abstractmethod
    def _take_all_steps(self, x: Array, *arrays: Any, reverse: bool) -> tuple[Array, ...]:
        """Return all outputs and the last carry, from x, the weights, the first carry and the mask."""

    def _list_weights(self, ps: Parameters) -> tuple[Any, ...]:
        """List the weights and the biases, None for a bias that the cell does not have."""
        biases = self._name_biases()
        both = [ps[name] if name in biases else None for name in ("bias_ih", "bias_hh")]
        return ps["weight_ih"], ps["weight_hh"], *both

    def _draw_trained(self, rng: Rng) -> dict[str, Any]:
        return {"hidden_state": self.init_state(rng, (self.out_dims,))} if self.train_state else {}

    def _name_biases(self) -> tuple[str, ...]:
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
        if trained is None and init is zeros and x.dtype == weight_hh.dtype and may_look(x):
            return xp.zeros((*x.shape[:-1], self.out_dims), dtype=x.dtype, device=find_array_device(x))
        samples = xp.zeros_like(x[..., :1])
        if trained is not None:
            return add_parameter(xp, samples, trained)
        if init == zeros:
            return samples + xp.zeros_like(weight_hh[0, : self.out_dims])
        draws = _KeyRng(st["rng"]["key"], index)
        return xp.astype(xp.asarray(init(draws, (*x.shape[:-1], self.out_dims))), x.dtype)

    def _check_inputs(self, x: Array, carry: Any, ps: Parameters) -> None:
        check_axis(x, -1, self.in_dims, "(..., {})")
        check_dtype(x, ps["weight_ih"])
        if not isinstance(carry, (tuple, list)) or len(carry) != len(self.carry_names):
            wanted = "(hidden,)" if len(self.carry_names) == 1 else "(hidden, memory)"
            raise LayerError(f"expects a tuple {wanted} as its carry, got {write_outline(carry)}")
        for part in carry:
            check_axis(part, -1, self.out_dims, "a carry (..., {})")
            if len(part.shape) > len(x.shape) or not is_floating(part):
                raise LayerError(
                    f"expects a carry (..., {self.out_dims}) of floating numbers with no more axes than "
                    f"{shape_text(x)}, got {dtype_name(part)} {shape_text(part)}"
                )
            if not can_broadcast_to(part.shape[:-1], x.shape[:-1]):
                raise LayerError(
                    f"expects a carry of as many samples as x {shape_text(x)}, got {shape_text(part)}: "
                    "start another batch without a carry"
                )


class _KeyRng(Rng):
    """A generator that draws initial states from a key, on the key's device: the same numbers at each call."""

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
        counter = xp.asarray(self._counter, dtype=xp.int32, device=find_array_device(self._key))
        self._counter += 2  # the hidden state uses even counters, the memory odd ones
        return draw(self._key, counter, shape=shape)


def write_outline(carry: Any) -> str:
    """Format the structure of a carry for an error, with a star for each array."""
    return str(tree.map(lambda leaf: "*", carry)).replace("'*'", "*")
