"""Gradient descent: `Descent`, `Momentum` and `Nesterov`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luxport.backend import Array, namespace
from luxport.ops._operation import operation
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule import Batched
from luxport.optimizers._rule_arithmetic import expect_arrays_of_floats, in_dtype_of

__all__ = ["Descent", "Momentum", "Nesterov", "descent_update", "momentum_update"]


@explains_itself
@dataclass(frozen=True)
class Descent(Batched):
    """Steps of ``eta dx``.

    Args:
        eta: the learning rate, at least 0

    State: none
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Descent``
    """

    eta: float = 0.1

    def init(self, x: Array) -> None:
        """Keep nothing."""

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Scale the gradient."""
        return state, in_dtype_of(x, self.eta) * dx

    def update_all(
        self, clock: None, states: Sequence[None], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[None], list[Array]]:
        """Step all arrays."""
        return list(states), list(descent_update(*xs, *dxs, eta=self.eta, in_place=in_place))


@explains_itself
@dataclass(frozen=True)
class _WithVelocity:
    """A rule with a velocity, which starts from 0: `Momentum` and `Nesterov`."""

    eta: float = 0.01
    rho: float = 0.9

    def init(self, x: Array) -> Array:
        """Start from a velocity of 0."""
        return namespace(x).zeros_like(x)


@explains_itself
@dataclass(frozen=True)
class Momentum(_WithVelocity, Batched):
    """Steps of the velocity v, after ``v = rho v + eta dx``.

    The learning rate is part of the velocity: after a change of eta, earlier gradients keep the weight they had.

    Args:
        eta: the learning rate, at least 0
        rho: how much of the velocity each step keeps

    State: v like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Momentum``
    """

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Update the velocity, which is the step."""
        v = in_dtype_of(x, self.rho) * state + in_dtype_of(x, self.eta) * dx
        return v, v

    def update_all(
        self, clock: None, states: Sequence[Array], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Array], list[Array]]:
        """Step all arrays."""
        found = momentum_update(*xs, *dxs, *states, eta=self.eta, rho=self.rho, in_place=in_place)
        return list(found[len(xs) :]), list(found[: len(xs)])


@explains_itself
@dataclass(frozen=True)
class Nesterov(_WithVelocity):
    """Steps of ``(1 + rho) eta dx - rho² v``, followed by ``v = rho v - eta dx``.

    This is Nesterov's method written for the points at which gradients are taken: x is already the point ahead.

    Args:
        eta: the learning rate, at least 0
        rho: how much of the velocity each step keeps

    State: v like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Nesterov``
    """

    eta: float = 0.001

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Step by the old velocity, then update it."""
        rho, scaled = in_dtype_of(x, self.rho), in_dtype_of(x, self.eta) * dx
        step = (1.0 + rho) * scaled - rho * rho * state
        return rho * state - scaled, step


@operation(check=expect_arrays_of_floats, early=False)
def descent_update(*arrays: Array, eta: Any, in_place: bool) -> tuple[Array, ...]:
    """Step n arrays by `Descent`, given them and their gradients.

    If `in_place`, a backend may overwrite the arrays, but not the gradients.

    Shapes: n x (...), n dx (...) -> n x (...)
    """
    n = len(arrays) // 2
    rate = in_dtype_of(arrays[0], eta)
    return tuple([x - rate * dx for x, dx in zip(arrays[:n], arrays[n:], strict=True)])


@operation(check=expect_arrays_of_floats, early=False)
def momentum_update(*arrays: Array, eta: Any, rho: Any, in_place: bool) -> tuple[Array, ...]:
    """Step n arrays by `Momentum`, given them, their gradients and their velocities.

    If `in_place`, a backend may overwrite the arrays and the velocities, but not the gradients.

    Shapes: n x (...), n dx (...), n v (...) -> n x (...), n v (...)
    """
    n = len(arrays) // 3
    rate, kept = in_dtype_of(arrays[0], eta), in_dtype_of(arrays[0], rho)
    vs = [kept * v + rate * dx for v, dx in zip(arrays[2 * n :], arrays[n : 2 * n], strict=True)]
    return (*[x - v for x, v in zip(arrays[:n], vs, strict=True)], *vs)
