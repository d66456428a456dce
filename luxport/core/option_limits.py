"""Rules for options of layers, losses and optimizers whose annotation allows values that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.backend._dtype_names import FLOATING
from luxport.backend.option_rules import (
    FINITE,
    NON_NEGATIVE,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    Rule,
    allow_count,
    allow_number,
    is_finite,
    is_scalar_array,
)

__all__ = ["OPTION_RULES"]


def _make_pair_rule(wanted: str, test: Callable[[float], bool]) -> Rule:
    def holds(value: Any, shape: Any) -> bool:
        return isinstance(value, tuple) and len(value) == 2 and all([is_finite(one) and test(one) for one in value])

    return Rule(wanted, holds)


def _allow_one_or_several(rule: Rule, wanted: str) -> Rule:
    def holds(value: Any, shape: Any) -> bool:
        several = value if isinstance(value, tuple) else (value,)
        return all([rule.holds(one, shape) or is_scalar_array(one) for one in several])

    return Rule(wanted, holds)


_SIZES = _allow_one_or_several(POSITIVE, "a positive number of steps, or a tuple of such")
_SHARE = allow_number("a number of at least 0 and below 1", lambda value: 0 <= value < 1)

OPTION_RULES: dict[str, Rule] = {
    "attention_dropout_probability": PROBABILITY,
    "beta": _make_pair_rule("a tuple of two numbers of at least 0 and below 1", lambda value: 0 <= value < 1),
    "degree": FINITE,
    "delta": NON_NEGATIVE,
    "dropout": PROBABILITY,
    "dropout_probability": PROBABILITY,
    "ell": _make_pair_rule("a tuple of two positive numbers", lambda value: value > 0),
    "epsilon": NON_NEGATIVE,
    "eta": allow_number("a learning rate of at least 0", lambda value: 0 <= value < float("inf")),
    "hidden_dims": allow_count(0),
    "lambda_": NON_NEGATIVE,
    "max_iter": allow_count(1),
    "momentum": PROBABILITY,
    "nheads": allow_count(1),
    "nsteps": POSITIVE,
    "offset": FINITE,
    "omega": NON_NEGATIVE,
    "period": POSITIVE,
    "rate": POSITIVE,
    "rho": PROBABILITY,
    "step_sizes": _SIZES,
    "AccumGrad.n": allow_count(1),
    "MixedPrecision.dtype": Rule(
        f"a floating dtype, one of {', '.join(FLOATING)}",
        lambda value, shape: isinstance(value, str) and value in FLOATING,
    ),
    "ClipNorm.p": NUMBER,
    "DynamicLossScale.backoff": allow_number("a number between 0 and 1", lambda value: 0 < value < 1),
    "DynamicLossScale.growth": allow_number("a finite number of at least 1", lambda value: 1 <= value < float("inf")),
    "DynamicLossScale.initial": POSITIVE,
    "DynamicLossScale.interval": allow_count(1),
    "DynamicLossScale.least": POSITIVE,
    "MovingAverage.decay": _SHARE,
    "RotaryPositionalEmbedding.base": POSITIVE,
    "TransformerDecoderLayer.dims": allow_count(0),
    "TransformerEncoderLayer.dims": allow_count(0),
    "Rprop.gamma": _make_pair_rule("a tuple of two numbers of at least 0", lambda value: value >= 0),
}
"""Rules by the name of an option, or by class and option; options without a rule are checked by their annotations."""
