"""PyTorch's elementwise functions: arithmetic, comparisons, casts, activations."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any

from luxport import ops
from luxport.backend import Array, dtype_name, find_array_device, namespace
from luxport.porting.torch.functions.creation import find_dtype

__all__ = ["FUNCTIONS", "cast", "promote"]


def promote(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two operands with the dtype to which PyTorch promotes them; Python numbers are returned unchanged.

    Complex dtypes win over floating ones, these over integers, and integers over booleans.
    """
    if isinstance(x, Number) or isinstance(y, Number):
        array, number = (y, x) if isinstance(x, Number) else (x, y)
        if not isinstance(array, Number) and isinstance(number, float) and "float" not in dtype_name(array):
            xp = namespace(array)
            array = xp.astype(array, xp.float32)
        return (number, array) if isinstance(x, Number) else (array, number)
    ours, theirs = dtype_name(x), dtype_name(y)
    if ours == theirs:
        return x, y
    xp = namespace(x, y)
    for kind in ("complex", "float", "int"):
        if (kind in ours) != (kind in theirs):
            return (x, xp.astype(y, x.dtype)) if kind in ours else (xp.astype(x, y.dtype), y)
    # Of two dtypes of one kind, that of an array with axes wins over that of an array without.
    if len(x.shape) == 0 or len(y.shape) == 0:
        return (xp.astype(x, y.dtype), y) if len(x.shape) == 0 else (x, xp.astype(y, x.dtype))
    kind = xp.result_type(x.dtype, y.dtype)
    return xp.astype(x, kind), xp.astype(y, kind)


def _make_binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return an operator as PyTorch's function, which promotes its operands and may scale the second by `alpha`."""

    def call(x: Any, other: Any, *, alpha: float = 1) -> Any:
        if isinstance(x, tuple) or isinstance(other, tuple):  # sizes of arrays
            return function(x, other)
        return function(*promote(x, other if alpha == 1 else alpha * other))

    return call


def _make_unary(name: str) -> Callable[[Array], Array]:
    """Return the Array API's function of a name, applied to floats: PyTorch's functions convert integers to them."""

    def call(x: Any) -> Any:
        return getattr(math if isinstance(x, Number) else namespace(x), name)(_make_floating(x))

    return call


def _make_array_binary(name: str) -> Callable[[Any, Any], Array]:
    """Return the Array API's function of a name for two operands, of which one may be a Python number."""

    def call(x: Any, other: Any) -> Array:
        x, other = promote(x, other)
        xp = namespace(*[part for part in (x, other) if not isinstance(part, Number)])
        arrays = [_make_array_like(part, x, other) if isinstance(part, Number) else part for part in (x, other)]
        return getattr(xp, name)(*arrays)

    return call


def _make_array_like(number: Any, *others: Any) -> Array:
    array = next(other for other in others if not isinstance(other, Number))
    xp = namespace(array)
    kind = array.dtype if not (isinstance(number, float) and "float" not in dtype_name(array)) else xp.float32
    return xp.asarray(number, dtype=kind, device=find_array_device(array))


def _make_floating(x: Any) -> Any:
    if isinstance(x, Number) or "float" in dtype_name(x) or "complex" in dtype_name(x):
        return x
    xp = namespace(x)
    return xp.astype(x, xp.float32)


def cast(x: Array, *given: Any, dtype: Any = None, **_: Any) -> Array:
    """Return an array with another dtype, given as such, by its name or by an array; a device is ignored."""
    xp = namespace(x)
    for target in (dtype, *given):
        if target is None or isinstance(target, bool):
            continue
        if isinstance(target, str) and not _is_dtype_name(target):
            continue  # a device
        kind = find_dtype(xp, target) if isinstance(target, str) or not _is_array(target) else target.dtype
        return xp.astype(x, kind)
    return x


def _is_dtype_name(name: str) -> bool:
    """Return whether a string is the name of a dtype rather than of a device."""
    return name == "bool" or name.rstrip("0123456789") in ("int", "uint", "float", "bfloat", "complex")


def _is_array(value: Any) -> bool:
    return getattr(value, "shape", None) is not None


def _make_cast(name: str) -> Callable[..., Array]:
    return lambda x, **_: cast(x, name)


def _clamp(x: Array, min: Any = None, max: Any = None) -> Array:
    x = x if min is None else _make_array_binary("maximum")(x, min)
    return x if max is None else _make_array_binary("minimum")(x, max)


def _divide(x: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return _make_binary(operator.floordiv)(x, other)
    x, other = promote(_make_floating(x), other if isinstance(other, Number) else _make_floating(other))
    return _make_unary("trunc")(x / other) if rounding_mode == "trunc" else x / other


def _where(condition: Array, x: Any, other: Any) -> Array:
    xp = namespace(condition)
    if isinstance(x, Number) and isinstance(other, Number):
        kind = xp.float32 if isinstance(x, float) or isinstance(other, float) else xp.int32
        return xp.where(
            condition, *[xp.asarray(v, dtype=kind, device=find_array_device(condition)) for v in (x, other)]
        )
    x, other = promote(x, other)
    return xp.where(condition, *[_make_array_like(v, x, other) if isinstance(v, Number) else v for v in (x, other)])


def _masked_fill(x: Array, mask: Array, value: Any) -> Array:
    xp = namespace(x)
    return xp.where(cast(mask, "bool"), _make_array_like(value, x) if isinstance(value, Number) else value, x)


def _threshold(x: Array, threshold: float, value: float) -> Array:
    xp = namespace(x)
    return xp.where(x > threshold, x, xp.full_like(x, value))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return ``log(1 + exp(beta x)) / beta``, or x where ``beta x`` is above the threshold."""
    xp = namespace(x)
    return xp.where(x * beta > threshold, x, ops.softplus(x * beta) / beta)


def _hardshrink(x: Array, lambd: float = 0.5) -> Array:
    xp = namespace(x)
    return xp.where(xp.abs(x) > lambd, x, xp.zeros_like(x))


def prelu(x: Array, weight: Array) -> Array:
    """Return x where it is positive, else x times a weight, which may have an entry for each channel."""
    xp = namespace(x)
    if len(weight.shape) and weight.shape[0] != 1:
        weight = xp.reshape(weight, (-1, *[1] * (len(x.shape) - 2)))
    return xp.where(x > 0, x, weight * x)


def _rrelu(x: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Array:
    if training:
        raise ValueError("rrelu draws random slopes in training: call eval() first")
    return ops.leakyrelu(x, a=(lower + upper) / 2)


def _hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    return namespace(x).clip(x, min_val, max_val)


def _addcmul(x: Array, a: Array, b: Array, *, value: float = 1) -> Array:
    return x + value * a * b


def _nan_to_num(x: Array, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    xp = namespace(x)
    top = xp.finfo(x.dtype).max
    x = xp.where(xp.isnan(x), xp.full_like(x, nan), x)
    x = xp.where(x == math.inf, xp.full_like(x, top if posinf is None else posinf), x)
    return xp.where(x == -math.inf, xp.full_like(x, -top if neginf is None else neginf), x)


def weight_norm(v: Array, g: Array, dim: int = 0) -> Array:
    """Return ``v g / norm(v)``; for a g without axes, the norm is that of the whole v."""
    return ops.weight_norm(v, g if len(g.shape) else namespace(g).reshape(g, (1,) * len(v.shape)))


def _identity(x: Any, *_: Any, **__: Any) -> Any:
    return x


def _pow(x: Any, exponent: Any) -> Any:
    return operator.pow(*promote(x, exponent))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _make_binary(getattr(operator, name)) for name in ("add", "sub", "mul", "mod", "floordiv", "matmul")},
    **{name: _make_binary(getattr(operator, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: _make_binary(getattr(operator, name)) for name in ("and_", "or_", "xor")},
    **{
        name: _make_unary(name)
        for name in ("exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "sin", "cos", "tan")
    },
    **{name: _make_unary(name) for name in ("sinh", "cosh", "floor", "ceil", "round", "trunc", "sign", "square")},
    **{name: _make_unary(name) for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh")},
    **{name: _make_array_binary(name) for name in ("atan2", "hypot", "logaddexp", "maximum", "minimum")},
    **{name: _make_unary(name) for name in ("isnan", "isinf", "isfinite")},
    "abs": operator.abs,
    "addcdiv": lambda x, a, b, value=1: x + value * _divide(a, b),
    "addcmul": _addcmul,
    "baddbmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "bitwise_and": _make_binary(operator.and_),
    "bitwise_not": operator.invert,
    "bitwise_or": _make_binary(operator.or_),
    "bool": _make_cast("bool"),
    "bmm": _make_binary(operator.matmul),
    "celu": lambda x, alpha=1.0: ops.celu(x, alpha=alpha),
    "clamp": _clamp,
    "clamp_max": lambda x, max: _clamp(x, None, max),
    "clamp_min": _clamp,
    "clip": _clamp,
    "clone": _identity,
    "contiguous": _identity,
    "cpu": _identity,
    "cuda": _identity,
    "detach": lambda x: ops.stop_gradient(x),
    "div": _divide,
    "double": _make_cast("float64"),
    "elu": lambda x, alpha=1.0: ops.elu(x, alpha=alpha),
    "erf": lambda x: ops.erf(x),
    "float": _make_cast("float32"),
    "floor_divide": _make_binary(operator.floordiv),
    "gelu": lambda x, approximate="none": (ops.gelu_tanh if approximate == "tanh" else ops.gelu_erf)(x),
    "half": _make_cast("float16"),
    "hardshrink": _hardshrink,
    "hardsigmoid": ops.hardsigmoid,
    "hardswish": ops.hardswish,
    "hardtanh": _hardtanh,
    "int": _make_cast("int32"),
    "invert": operator.invert,
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "leaky_relu": lambda x, negative_slope=0.01: ops.leakyrelu(x, a=negative_slope),
    "logical_and": lambda x, other: namespace(x).logical_and(cast(x, "bool"), cast(other, "bool")),
    "logical_not": lambda x: namespace(x).logical_not(cast(x, "bool")),
    "logical_or": lambda x, other: namespace(x).logical_or(cast(x, "bool"), cast(other, "bool")),
    "logsigmoid": ops.logsigmoid,
    "long": _make_cast("int32"),
    "masked_fill": _masked_fill,
    "mish": ops.mish,
    "mm": _make_binary(operator.matmul),
    "multiply": _make_binary(operator.mul),
    "nan_to_num": _nan_to_num,
    "neg": operator.neg,
    "negative": operator.neg,
    "outer": lambda x, vec2: operator.mul(*promote(x[:, None], vec2)),
    "pow": _pow,
    "prelu": prelu,
    "reciprocal": lambda x: 1 / _make_floating(x),
    "relu": ops.relu,
    "relu6": ops.relu6,
    "remainder": _make_binary(operator.mod),
    "rrelu": _rrelu,
    "rsqrt": lambda x: 1 / _make_unary("sqrt")(x),
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.swish,
    "softplus": softplus,
    "softshrink": lambda x, lambd=0.5: ops.softshrink(x, lambda_=lambd),
    "softsign": ops.softsign,
    "subtract": _make_binary(operator.sub),
    "tanh": ops.tanh,
    "tanhshrink": ops.tanhshrink,
    "threshold": _threshold,
    "to": cast,
    "true_divide": _divide,
    "truediv": _divide,
    "type": cast,
    "type_as": cast,
    "where": _where,
    "_threshold": _threshold,
    "_weight_norm": weight_norm,
}
