"""Hyper-parameters of rules, which the state holds as scalar arrays so that changing one recompiles nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from luxport.backend import Array, backend_of, dtype_name, is_compiling, namespace
from luxport.optimizers._rule import Compound
from luxport.optimizers._rule_arithmetic import is_number, read_number

__all__ = [
    "replace_by_name",
    "fill_in",
    "name_numbers",
    "collect_numbers",
    "name_precision",
    "make_scalar",
    "make_scalars_like",
    "find_shortest",
    "make_values",
    "replace_values",
    "clear_numbers",
]


def name_numbers(rule: Any) -> set[str]:
    """Name the hyper-parameters of a rule that are numbers, or tuples of numbers.

    >>> from luxport import optimizers
    >>> sorted(name_numbers(optimizers.OptimizerChain(optimizers.ClipGrad(), optimizers.Adam())))
    ['beta', 'delta', 'epsilon', 'eta']
    """
    if isinstance(rule, Compound):
        return set().union(*[name_numbers(inner) for inner in rule.inner_rules])
    if not is_dataclass(rule):
        return set()
    return {field.name for field in fields(rule) if _is_numeric(getattr(rule, field.name))}


def replace_values(rule: Any, values: Mapping[str, Any]) -> Any:
    """Return the rule with new values for those named hyper-parameters that it has, which are checked.

    >>> from luxport import optimizers
    >>> replace_values(optimizers.Momentum(0.1), {"rho": 0.5, "beta": (0.9, 0.999)})
    Momentum(eta=0.1, rho=0.5)
    """
    if isinstance(rule, Compound):
        return rule.map_rules(lambda inner: replace_values(inner, values))
    known = {name: value for name, value in values.items() if name in name_numbers(rule)}
    return replace(rule, **known) if known else rule


def collect_numbers(rule: Any) -> Any:
    """Return the hyper-parameters that may change during training: a dict by name, for a compound a tuple of these."""
    if isinstance(rule, Compound):
        return tuple([collect_numbers(inner) for inner in rule.inner_rules])
    if not is_dataclass(rule):
        return {}
    return {field.name: getattr(rule, field.name) for field in fields(rule) if _can_change(rule, field)}


def make_values(rule: Any, x: Array) -> Any:
    """Return a rule's hyper-parameters as arrays without axes, in the precision of x or float32 for half types.

    >>> import numpy as np
    >>> from luxport import optimizers
    >>> make_values(optimizers.Momentum(0.1), np.ones(3, np.float16))
    {'eta': array(0.1, dtype=float32), 'rho': array(0.9, dtype=float32)}
    """
    return _make_scalars(rule, collect_numbers(rule), namespace(x), name_precision(x))


def name_precision(x: Array) -> str:
    """Name the real dtype in which a rule works on x.

    >>> import numpy as np
    >>> name_precision(np.ones(2, np.float16)), name_precision(np.ones(2, np.complex128))
    ('float32', 'float64')
    """
    return "float64" if dtype_name(x) in ("float64", "complex128") else "float32"


def make_scalars_like(x: Array, numbers: Any) -> Any:
    """Convert a number, or each of a tuple, to an array without axes, in the precision in which a rule works on x."""
    xp = namespace(x)
    return _make_scalar_or_tuple(numbers, xp, xp.float64 if name_precision(x) == "float64" else xp.float32)


def _make_scalars(rule: Any, numbers: Any, xp: Any, dtype: str) -> Any:
    if isinstance(rule, Compound):
        inner = rule.inner_dtype(dtype)
        return tuple([_make_scalars(one, its, xp, inner) for one, its in zip(rule.inner_rules, numbers, strict=True)])
    kind = xp.float64 if dtype == "float64" else xp.float32
    return {name: _make_scalar_or_tuple(value, xp, kind) for name, value in numbers.items()}


def _make_scalar_or_tuple(value: Any, xp: Any, dtype: Any) -> Any:
    if isinstance(value, tuple):
        return tuple([_make_scalar_or_tuple(one, xp, dtype) for one in value])
    value = read_number(value)
    return xp.asarray(float(value), dtype=dtype) if is_number(value) else xp.astype(value, dtype, copy=True)


def make_scalar(value: Any, like: Any) -> Any:
    """Convert a new value of a hyper-parameter, a number, an array or a tuple of them, to arrays like the old one.

    Raises: ValueError unless both are tuples of one length, or both are scalars
    """
    if isinstance(like, tuple):
        if not isinstance(value, tuple) or len(value) != len(like):
            raise ValueError(f"adjust expects a tuple of {len(like)} numbers, got {value!r}")
        return tuple([make_scalar(one, other) for one, other in zip(value, like, strict=True)])
    value = read_number(value)
    if is_number(value):
        backend = backend_of(like)
        return backend.xp.asarray(float(value), dtype=like.dtype)
    if getattr(value, "dtype", None) is None or len(value.shape):
        raise ValueError(f"adjust expects a number or an array without axes, got {_write_value(value)}")
    # A copy, since a compiler that reuses the memory of arguments requires that no two of them share an array.
    return backend_of(like, value).xp.astype(value, like.dtype, copy=True)


def fill_in(rule: Any, values: Any) -> Any:
    """Return the rule with the state's arrays in place of its hyper-parameters, unchecked to save time.

    >>> from luxport import optimizers
    >>> fill_in(optimizers.Momentum(), {"eta": 0.5})
    Momentum(eta=0.5, rho=0.9)
    """
    if isinstance(rule, Compound):
        each = iter(values)
        return rule.map_rules(lambda inner: fill_in(inner, next(each)))
    if not values:
        return rule
    if is_compiling():  # PyTorch's compiler traces a constructor, but not an update of an object's dict
        return replace(rule, **values)
    new = object.__new__(type(rule))
    entries = getattr(rule, "__dict__", None)
    if entries is not None:
        new.__dict__.update(entries, **values)
        return new
    for field in fields(rule):  # a class with slots
        name = field.name
        object.__setattr__(new, name, values[name] if name in values else getattr(rule, name))
    return new


def replace_by_name(rule: Any, values: Mapping[str, Any]) -> Any:
    """Return the rule with arrays in place of those named hyper-parameters that it has, unchecked."""
    if isinstance(rule, Compound):
        return rule.map_rules(lambda inner: replace_by_name(inner, values))
    return fill_in(rule, {name: value for name, value in values.items() if name in name_numbers(rule)})


def clear_numbers(rule: Any) -> Any:
    """Return the rule with zeros in place of the numbers that the state holds: all that programs depend on.

    >>> from luxport import optimizers
    >>> clear_numbers(optimizers.AdamW(0.1))
    AdamW(eta=0.0, beta=(0.0, 0.0), lambda_=0.0, epsilon=0.0, couple=True)
    """
    return fill_in(rule, _make_zeros(collect_numbers(rule)))


def _make_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _make_zeros(one) for name, one in value.items()}
    return tuple(map(_make_zeros, value)) if isinstance(value, tuple) else 0.0


def find_shortest(value: Any) -> Any:
    """Return the shortest decimal number that rounds to a scalar of the state, or a tuple of them.

    >>> import numpy as np
    >>> find_shortest(np.asarray(0.1, np.float32))
    0.1
    """
    if isinstance(value, tuple):
        return tuple(map(find_shortest, value))
    host = backend_of(value).to_numpy(value)
    return float(np.format_float_scientific(host[()], unique=True))


def _is_numeric(value: Any) -> bool:
    """Tell whether a value is a number, an array that stands for one, or a tuple of these; booleans are none."""
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_numeric, value))
    return (is_number(value) and not isinstance(value, bool)) or getattr(value, "dtype", None) is not None


def _can_change(rule: Any, field: Any) -> bool:
    """Tell whether a field is held by the state as an array: one declared as a float and not as static."""
    return "float" in str(field.type) and not field.metadata.get("static") and _is_numeric(getattr(rule, field.name))


def _write_value(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"one of shape {tuple(shape)}"
