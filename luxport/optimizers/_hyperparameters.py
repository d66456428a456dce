"""Hyper-parameters of rules by name, in rules inside rules as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from luxport.optimizers._rule import Compound, is_number

__all__ = ["names_of", "with_values"]


def names_of(rule: Any) -> set[str]:
    """Name the hyper-parameters of a rule that are floats, or tuples of floats.

    >>> from luxport import optimizers
    >>> sorted(names_of(optimizers.OptimizerChain(optimizers.ClipGrad(), optimizers.Adam())))
    ['beta', 'delta', 'epsilon', 'eta']
    """
    if isinstance(rule, Compound):
        return set().union(*[names_of(inner) for inner in rule.inner_rules])
    if not is_dataclass(rule):
        return set()
    return {field.name for field in fields(rule) if _is_adjustable(getattr(rule, field.name))}


def with_values(rule: Any, values: Mapping[str, Any]) -> Any:
    """Return the rule with new values for those hyper-parameters that it has.

    >>> from luxport import optimizers
    >>> with_values(optimizers.Momentum(0.1), {"rho": 0.5, "beta": (0.9, 0.999)})
    Momentum(eta=0.1, rho=0.5)
    """
    if isinstance(rule, Compound):
        return rule.map_rules(lambda inner: with_values(inner, values))
    known = {name: value for name, value in values.items() if name in names_of(rule)}
    return replace(rule, **known) if known else rule


def _is_adjustable(value: Any) -> bool:
    """Tell floats (ints that stand for them, arrays in their place) from what makes another program of a rule."""
    if isinstance(value, tuple):
        return all(map(_is_adjustable, value))
    return (is_number(value) and not isinstance(value, bool)) or getattr(value, "dtype", None) is not None
