"""Rules that step by the sign of a gradient: `Rprop` and `Lion`."""

from __future__ import annotations

from dataclasses import dataclass

from luxport.backend import Array, namespace
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule_arithmetic import check_real, in_dtype_of

__all__ = ["Lion", "Rprop"]


@explains_itself
@dataclass(frozen=True)
class Rprop:
    """Steps of ``size sign(dx)``, with a size for each number; meant for gradients of the whole data set.

    Where the gradient's sign is that of the last step, the size is multiplied by ``ell[1]``, up to ``gamma[1]``. Where
    it has changed, the size is multiplied by ``ell[0]``, down to ``gamma[0]``, and there is no step.

    Args:
        eta: the size of the first steps, at least 0
        ell: the factors by which a size shrinks and grows
        gamma: the least and the largest size

    State: the last gradient, from 0, and the sizes, from eta: each like x
    Raises: ValueError if eta is negative, or the parameters are complex
    Source: Optimisers.jl ``Rprop``; M. Riedmiller, H. Braun (1993)
    """

    eta: float = 1e-3
    ell: tuple[float, float] = (0.5, 1.2)
    gamma: tuple[float, float] = (1e-6, 50.0)

    def init(self, x: Array) -> tuple[Array, Array]:
        """Start from sizes of eta."""
        check_real(self, x)
        zeros = namespace(x).zeros_like(x)
        return zeros, zeros + in_dtype_of(x, self.eta)

    def apply(self, state: tuple[Array, Array], x: Array, dx: Array) -> tuple[tuple[Array, Array], Array]:
        """Update the sizes, then step by them."""
        xp = namespace(x)
        last, size = state
        shrink, grow = (in_dtype_of(x, factor) for factor in self.ell)
        least, most = (in_dtype_of(x, bound) for bound in self.gamma)
        zeros = xp.zeros_like(x)
        # The product of the gradients would vanish where both are small.
        agreement = xp.sign(dx) * xp.sign(last)
        size = xp.where(agreement > 0, xp.minimum(grow * size, zeros + most), size)
        size = xp.where(agreement < 0, xp.maximum(shrink * size, zeros + least), size)
        dx = xp.where(agreement < 0, zeros, dx)
        return (dx, size), size * xp.sign(dx)


@explains_itself
@dataclass(frozen=True)
class Lion:
    """Steps of ``eta sign(beta1 m + (1 - beta1) dx)``, followed by ``m = beta2 m + (1 - beta2) dx``.

    This is the paper's rule (there beta2 is 0.99). Optimisers.jl exchanges the weights,
    ``m = beta2 dx + (1 - beta2) m``, which forgets nearly all of m at each step.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the moment counts in a step, and how much of it each step keeps, as ``(beta1, beta2)``
        julia_compat: whether the weights of m are exchanged as in Optimisers.jl

    State: m like x, from 0
    Raises: ValueError if eta is negative
    Source: X. Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023); Optimisers.jl ``Lion``
    """

    eta: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    julia_compat: bool = False

    def init(self, x: Array) -> Array:
        """Start from a moment of 0."""
        return namespace(x).zeros_like(x)

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Step by the sign of a mean of gradients."""
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        if self.julia_compat:
            m = beta2 * dx + (1.0 - beta2) * state
            direction = (beta2 - beta1) * dx + beta1 * m
        else:
            m = beta2 * state + (1.0 - beta2) * dx
            direction = beta1 * state + (1.0 - beta1) * dx
        return m, in_dtype_of(x, self.eta) * namespace(x).sign(direction)
