"""Gradient descent: `Descent`, `Momentum` and `Nesterov`."""

from __future__ import annotations

from dataclasses import dataclass

from luxport.backend import Array, namespace
from luxport.optimizers._making import explains_itself
from luxport.optimizers._rule import check_eta, in_dtype_of, round_ahead

__all__ = ["Descent", "Momentum", "Nesterov"]


@explains_itself
@dataclass(frozen=True)
class Descent:
    """Steps of ``eta dx``.

    State: none
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Descent``
    """

    eta: float = 0.1

    def __post_init__(self) -> None:
        check_eta(self)

    def init(self, x: Array) -> None:
        """Keep nothing."""
        round_ahead(x, self.eta)

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Scale the gradient."""
        return state, in_dtype_of(x, self.eta) * dx


@explains_itself
@dataclass(frozen=True)
class _WithVelocity:
    """What `Momentum` and `Nesterov` share: hyper-parameters, and a velocity that is 0 at first."""

    eta: float = 0.01
    rho: float = 0.9

    def __post_init__(self) -> None:
        check_eta(self)

    def init(self, x: Array) -> Array:
        """Start at rest."""
        round_ahead(x, self.eta, self.rho)
        return namespace(x).zeros_like(x)


@explains_itself
@dataclass(frozen=True)
class Momentum(_WithVelocity):
    """Steps of the velocity ``v``, which becomes ``rho v + eta dx`` first.

    The learning rate is inside the velocity: after a change of eta, older gradients keep their weight.

    State: v like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Momentum``
    """

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Add to the velocity; it is the step."""
        v = in_dtype_of(x, self.rho) * state + in_dtype_of(x, self.eta) * dx
        return v, v


@explains_itself
@dataclass(frozen=True)
class Nesterov(_WithVelocity):
    """Steps of ``(1 + rho) eta dx - rho² v``, after which the velocity v becomes ``rho v - eta dx``.

    The same path as stepping first and correcting by the gradient there, with x where the gradient is taken.

    State: v like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Nesterov``
    """

    eta: float = 0.001

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Look ahead by the old velocity, then change it."""
        rho, scaled = in_dtype_of(x, self.rho), in_dtype_of(x, self.eta) * dx
        step = (1.0 + rho) * scaled - rho * rho * state
        return rho * state - scaled, step
