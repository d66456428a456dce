"""Functions of each entry by itself: arithmetic, comparisons, activations."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any

from luxport import ops
from luxport.backend import Array, dtype_name, find_array_device, namespace
from luxport.porting.torch.functions.creation import dtype_of

__all__ = ["FUNCTIONS", "as_type", "together"]


def together(x: Any, y: Any) -> tuple[Any, Any]:
    """Give two arrays one dtype as PyTorch does: floats before integers before booleans; numbers stay as they are."""
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
    # Arrays without axes give way to others.
    if len(x.shape) == 0 or len(y.shape) == 0:
        return (xp.astype(x, y.dtype), y) if len(x.shape) == 0 else (x, xp.astype(y, x.dtype))
    kind = xp.result_type(x.dtype, y.dtype)
    return xp.astype(x, kind), xp.astype(y, kind)


def _two(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def call(x: Any, other: Any, *, alpha: float = 1) -> Any:
        if isinstance(x, tuple) or isinstance(other, tuple):  # sizes of arrays
            return function(x, other)
        return function(*together(x, other if alpha == 1 else alpha * other))

    return call


def _named(name: str) -> Callable[[Array], Array]:
    """Return the Array API's function of this name; PyTorch's take integers, and make floats of them."""

    def call(x: Any) -> Any:
        return getattr(math if isinstance(x, Number) else namespace(x), name)(_floating(x))

    return call


def _pair(name: str) -> Callable[[Any, Any], Array]:
    def call(x: Any, other: Any) -> Array:
        x, other = together(x, other)
        xp = namespace(*[part for part in (x, other) if not isinstance(part, Number)])
        arrays = [_like(part, x, other) if isinstance(part, Number) else part for part in (x, other)]
        return getattr(xp, name)(*arrays)

    return call


def _like(number: Any, *others: Any) -> Array:
    array = next(other for other in others if not isinstance(other, Number))
    xp = namespace(array)
    kind = array.dtype if not (isinstance(number, float) and "float" not in dtype_name(array)) else xp.float32
    return xp.asarray(number, dtype=kind, device=find_array_device(array))


def _floating(x: Any) -> Any:
    if isinstance(x, Number) or "float" in dtype_name(x) or "complex" in dtype_name(x):
        return x
    xp = namespace(x)
    return xp.astype(x, xp.float32)


def as_type(x: Array, *given: Any, dtype: Any = None, **_: Any) -> Array:
    """Convert to a dtype, that of another array, or (to a device) to nothing else."""
    xp = namespace(x)
    for one in (dtype, *given):
        if one is None or isinstance(one, bool):
            continue
        if isinstance(one, str) and not _names_a_dtype(one):
            continue  # a device
        kind = dtype_of(xp, one) if isinstance(one, str) or not _is_array(one) else one.dtype
        return xp.astype(x, kind)
    return x


def _names_a_dtype(name: str) -> bool:
    """Tell the name of a dtype from that of a device."""
    return name == "bool" or name.rstrip("0123456789") in ("int", "uint", "float", "bfloat", "complex")


def _is_array(value: Any) -> bool:
    return getattr(value, "shape", None) is not None


def _to(name: str) -> Callable[..., Array]:
    return lambda x, **_: as_type(x, name)


def _clamp(x: Array, min: Any = None, max: Any = None) -> Array:
    x = x if min is None else _pair("maximum")(x, min)
    return x if max is None else _pair("minimum")(x, max)


def _division(x: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return _two(operator.floordiv)(x, other)
    x, other = together(_floating(x), other if isinstance(other, Number) else _floating(other))
    return _named("trunc")(x / other) if rounding_mode == "trunc" else x / other


def _where(condition: Array, x: Any, other: Any) -> Array:
    xp = namespace(condition)
    if isinstance(x, Number) and isinstance(other, Number):
        kind = xp.float32 if isinstance(x, float) or isinstance(other, float) else xp.int32
        return xp.where(
            condition, *[xp.asarray(v, dtype=kind, device=find_array_device(condition)) for v in (x, other)]
        )
    x, other = together(x, other)
    return xp.where(condition, *[_like(v, x, other) if isinstance(v, Number) else v for v in (x, other)])


def _masked_fill(x: Array, mask: Array, value: Any) -> Array:
    xp = namespace(x)
    return xp.where(as_type(mask, "bool"), _like(value, x) if isinstance(value, Number) else value, x)


def _threshold(x: Array, threshold: float, value: float) -> Array:
    xp = namespace(x)
    return xp.where(x > threshold, x, xp.full_like(x, value))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return ``log(1 + exp(beta x)) / beta``, and x itself above the threshold."""
    xp = namespace(x)
    return xp.where(x * beta > threshold, x, ops.softplus(x * beta) / beta)


def _hardshrink(x: Array, lambd: float = 0.5) -> Array:
    xp = namespace(x)
    return xp.where(xp.abs(x) > lambd, x, xp.zeros_like(x))


def prelu(x: Array, weight: Array) -> Array:
    """Multiply what is below 0 by a weight, or by one for each channel."""
    xp = namespace(x)
    if len(weight.shape) and weight.shape[0] != 1:
        weight = xp.reshape(weight, (-1, *[1] * (len(x.shape) - 2)))
    return xp.where(x > 0, x, weight * x)


def _rrelu(x: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Array:
    if training:
        raise ValueError("rrelu in training, which draws slopes: call eval() first")
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
    """Return ``v g / norm(v)``; a g without axes is the size of the whole."""
    return ops.weight_norm(v, g if len(g.shape) else namespace(g).reshape(g, (1,) * len(v.shape)))


def _identity(x: Any, *_: Any, **__: Any) -> Any:
    return x


def _pow(x: Any, exponent: Any) -> Any:
    return operator.pow(*together(x, exponent))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _two(getattr(operator, name)) for name in ("add", "sub", "mul", "mod", "floordiv", "matmul")},
    **{name: _two(getattr(operator, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: _two(getattr(operator, name)) for name in ("and_", "or_", "xor")},
    **{name: _named(name) for name in ("exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "sin", "cos", "tan")},
    **{name: _named(name) for name in ("sinh", "cosh", "floor", "ceil", "round", "trunc", "sign", "square")},
    **{name: _named(name) for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh")},
    **{name: _pair(name) for name in ("atan2", "hypot", "logaddexp", "maximum", "minimum")},
    **{name: _named(name) for name in ("isnan", "isinf", "isfinite")},
    "abs": operator.abs,
    "addcdiv": lambda x, a, b, value=1: x + value * _division(a, b),
    "addcmul": _addcmul,
    "baddbmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "bitwise_and": _two(operator.and_),
    "bitwise_not": operator.invert,
    "bitwise_or": _two(operator.or_),
    "bool": _to("bool"),
    "bmm": _two(operator.matmul),
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
    "div": _division,
    "double": _to("float64"),
    "elu": lambda x, alpha=1.0: ops.elu(x, alpha=alpha),
    "erf": lambda x: ops.erf(x),
    "float": _to("float32"),
    "floor_divide": _two(operator.floordiv),
    "gelu": lambda x, approximate="none": (ops.gelu_tanh if approximate == "tanh" else ops.gelu_erf)(x),
    "half": _to("float16"),
    "hardshrink": _hardshrink,
    "hardsigmoid": ops.hardsigmoid,
    "hardswish": ops.hardswish,
    "hardtanh": _hardtanh,
    "int": _to("int32"),
    "invert": operator.invert,
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "leaky_relu": lambda x, negative_slope=0.01: ops.leakyrelu(x, a=negative_slope),
    "logical_and": lambda x, other: namespace(x).logical_and(as_type(x, "bool"), as_type(other, "bool")),
    "logical_not": lambda x: namespace(x).logical_not(as_type(x, "bool")),
    "logical_or": lambda x, other: namespace(x).logical_or(as_type(x, "bool"), as_type(other, "bool")),
    "logsigmoid": ops.logsigmoid,
    "long": _to("int32"),
    "masked_fill": _masked_fill,
    "mish": ops.mish,
    "mm": _two(operator.matmul),
    "multiply": _two(operator.mul),
    "nan_to_num": _nan_to_num,
    "neg": operator.neg,
    "negative": operator.neg,
    "outer": lambda x, vec2: operator.mul(*together(x[:, None], vec2)),
    "pow": _pow,
    "prelu": prelu,
    "reciprocal": lambda x: 1 / _floating(x),
    "relu": ops.relu,
    "relu6": ops.relu6,
    "remainder": _two(operator.mod),
    "rrelu": _rrelu,
    "rsqrt": lambda x: 1 / _named("sqrt")(x),
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.swish,
    "softplus": softplus,
    "softshrink": lambda x, lambd=0.5: ops.softshrink(x, lambda_=lambd),
    "softsign": ops.softsign,
    "subtract": _two(operator.sub),
    "tanh": ops.tanh,
    "tanhshrink": ops.tanhshrink,
    "threshold": _threshold,
    "to": as_type,
    "true_divide": _division,
    "truediv": _division,
    "type": as_type,
    "type_as": as_type,
    "where": _where,
    "_threshold": _threshold,
    "_weight_norm": weight_norm,
}
