"""Penalties on the parameters, added to the gradient: `WeightDecay` and `SignDecay`."""

from __future__ import annotations

from dataclasses import dataclass

from luxport.backend import Array, namespace
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule_arithmetic import in_dtype_of

__all__ = ["SignDecay", "WeightDecay"]


@explains_itself
@dataclass(frozen=True)
class WeightDecay:
    """L2 regularization: pass on ``dx + lambda_ x``, as if the loss had a term ``lambda_ / 2 sum(|x|²)``.

    For use in a chain, before the rule that steps: ``OptimizerChain(WeightDecay(1e-4), Adam())``.

    Args:
        lambda_: how strong the penalty is

    State: none
    Source: Optimisers.jl ``WeightDecay``
    """

    lambda_: float = 5e-4

    def init(self, x: Array) -> None:
        """Keep nothing."""

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Add the gradient of the penalty."""
        return state, dx + in_dtype_of(x, self.lambda_) * x


@explains_itself
@dataclass(frozen=True)
class SignDecay:
    """L1 regularization: pass on ``dx + lambda_ sign(x)``, as if the loss had a term ``lambda_ sum(|x|)``.

    For use in a chain, before the rule that steps.

    Args:
        lambda_: how strong the penalty is

    State: none
    Source: Optimisers.jl ``SignDecay``
    """

    lambda_: float = 1e-3

    def init(self, x: Array) -> None:
        """Keep nothing."""

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Add the gradient of the penalty."""
        return state, dx + in_dtype_of(x, self.lambda_) * namespace(x).sign(x)
