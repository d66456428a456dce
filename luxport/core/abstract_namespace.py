"""The Array API namespace of arrays without values: each function and operator computes only a shape and a dtype.

It has the functions that the definitions in `luxport.ops` use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from luxport.core.array_without_values import AbstractArray, Shape
from luxport.errors import LayerTypeError
from luxport.ops.shapes import broadcast_sizes
from luxport.text import show

__all__ = ["abstract_namespace"]


def _make_binary(promote: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def rule(x1: Any, x2: Any, /) -> Any:
        if not all(isinstance(x, (AbstractArray, np.ndarray, np.generic, int, float, complex)) for x in (x1, x2)):
            return NotImplemented
        return AbstractArray(broadcast_sizes(_get_shape(x1), _get_shape(x2)), promote(x1, x2))

    return rule


def _find_result_type(*xs: Any) -> np.dtype[Any]:
    return np.result_type(*[x.dtype if isinstance(x, (AbstractArray, np.ndarray, np.generic)) else x for x in xs])


def _find_quotient_type(x1: Any, x2: Any) -> np.dtype[Any]:
    dtype = _find_result_type(x1, x2)
    return dtype if np.issubdtype(dtype, np.inexact) else np.dtype(np.float64)


def _get_shape(x: Any) -> Shape:
    return tuple(getattr(x, "shape", ()))


_arithmetic = _make_binary(_find_result_type)
_division = _make_binary(_find_quotient_type)
_comparison = _make_binary(lambda x1, x2: np.dtype(np.bool_))

for _name in ("add", "sub", "mul", "pow", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift"):
    setattr(AbstractArray, f"__{_name}__", lambda self, other: _arithmetic(self, other))
    setattr(AbstractArray, f"__r{_name}__", lambda self, other: _arithmetic(other, self))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(AbstractArray, f"__{_name}__", lambda self, other: _comparison(self, other))
for _name in ("neg", "pos", "invert"):
    setattr(AbstractArray, f"__{_name}__", lambda self: self)
AbstractArray.__array_namespace__ = lambda self, *, api_version=None: abstract_namespace  # type: ignore[attr-defined]
AbstractArray.__truediv__ = lambda self, other: _division(self, other)  # type: ignore[attr-defined]
AbstractArray.__rtruediv__ = lambda self, other: _division(other, self)  # type: ignore[attr-defined]
AbstractArray.__abs__ = lambda self: _make_real(self)  # type: ignore[attr-defined]
AbstractArray.__matmul__ = lambda self, other: matmul(self, other)  # type: ignore[attr-defined]
AbstractArray.__rmatmul__ = lambda self, other: matmul(other, self)  # type: ignore[attr-defined]


def _map_elements(x: Any, /, *args: Any, **kwargs: Any) -> AbstractArray:
    return AbstractArray(x.shape, x.dtype)


def _make_real(x: Any, /) -> AbstractArray:
    return AbstractArray(x.shape, np.zeros((), x.dtype).real.dtype)


def _describe_predicate(x: Any, /) -> AbstractArray:
    return AbstractArray(x.shape, np.bool_)


def _make_reduction(kind: Callable[[Any], Any]) -> Callable[..., AbstractArray]:
    def rule(
        x: Any, /, *, axis: Any = None, keepdims: bool = False, dtype: Any = None, **options: Any
    ) -> AbstractArray:
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        reduced = {_check_axis(a, x.ndim) for a in axes}
        shape = [1 if i in reduced else n for i, n in enumerate(x.shape) if keepdims or i not in reduced]
        return AbstractArray(tuple(shape), dtype or kind(x.dtype))

    return rule


def _check_axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"an axis in [{-ndim}, {ndim}) expected, got {axis}")
    return axis % ndim


def where(condition: Any, x1: Any, x2: Any, /) -> AbstractArray:
    """Return the broadcast shape of three arrays, in the result type of the last two."""
    return AbstractArray(broadcast_sizes(*map(_get_shape, (condition, x1, x2))), _find_result_type(x1, x2))


def clip(x: Any, /, min: Any = None, max: Any = None) -> AbstractArray:
    """Return the broadcast shape of an array and its bounds."""
    return AbstractArray(broadcast_sizes(*map(_get_shape, (x, min, max))), x.dtype)


def matmul(x1: Any, x2: Any, /) -> AbstractArray:
    """Return the shape of a (batched) matrix product."""
    if not isinstance(x1, AbstractArray) and not isinstance(x2, AbstractArray):
        return NotImplemented
    a, b = _get_shape(x1), _get_shape(x2)
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else -1]:
        raise ValueError(f"matmul expects (..., k) and (..., k, n), got {a} and {b}")
    batch = broadcast_sizes(a[:-2], b[:-2])
    return AbstractArray((*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ())), _find_result_type(x1, x2))


def tensordot(x1: Any, x2: Any, /, *, axes: int = 2) -> AbstractArray:
    """Return the shape of a sum over the last `axes` axes of x1 and the first of x2."""
    a, b = _get_shape(x1), _get_shape(x2)
    if axes > min(len(a), len(b)) or a[len(a) - axes :] != b[:axes]:
        raise ValueError(f"tensordot over {axes} axes of {a} and {b}")
    return AbstractArray((*a[: len(a) - axes], *b[axes:]), _find_result_type(x1, x2))


def reshape(x: Any, /, shape: Sequence[int], *, copy: bool | None = None) -> AbstractArray:
    """Return an array of another shape with as many elements; one size may be -1."""
    wanted = list(shape)
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        wanted[wanted.index(-1)] = x.size // known if known else 0
    if math.prod(wanted) != x.size:
        raise ValueError(f"reshape of {x.shape} expects {x.size} elements, got the shape {tuple(shape)}")
    return AbstractArray(tuple(wanted), x.dtype)


def permute_dims(x: Any, /, axes: Sequence[int]) -> AbstractArray:
    """Reorder the axes."""
    return AbstractArray(tuple(x.shape[a] for a in axes), x.dtype)


def matrix_transpose(x: Any, /) -> AbstractArray:
    """Swap the last two axes."""
    return AbstractArray((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


def moveaxis(x: Any, source: Any, destination: Any, /) -> AbstractArray:
    """Move axes to other positions."""
    view = np.moveaxis(np.broadcast_to(np.zeros((), x.dtype), x.shape), source, destination)
    return AbstractArray(view.shape, x.dtype)


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> AbstractArray:
    """Join arrays along an axis."""
    if axis is None:
        return AbstractArray((sum(x.size for x in arrays),), _find_result_type(*arrays))
    shape = list(arrays[0].shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    return AbstractArray(tuple(shape), _find_result_type(*arrays))


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> AbstractArray:
    """Join arrays along a new axis."""
    shape = list(arrays[0].shape)
    shape.insert(_check_axis(axis, len(shape) + 1), len(arrays))
    return AbstractArray(tuple(shape), _find_result_type(*arrays))


def unstack(x: Any, /, *, axis: int = 0) -> tuple[AbstractArray, ...]:
    """Split an array into its slices along an axis."""
    axis = _check_axis(axis, x.ndim)
    return (AbstractArray((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype),) * x.shape[axis]


def expand_dims(x: Any, /, *, axis: int | Sequence[int] = 0) -> AbstractArray:
    """Add axes of size one."""
    view = np.expand_dims(np.broadcast_to(np.zeros((), x.dtype), x.shape), axis)
    return AbstractArray(view.shape, x.dtype)


def squeeze(x: Any, /, axis: int | tuple[int, ...]) -> AbstractArray:
    """Remove axes of size one."""
    view = np.squeeze(np.broadcast_to(np.zeros((), x.dtype), x.shape), axis)
    return AbstractArray(view.shape, x.dtype)


def broadcast_to(x: Any, /, shape: Shape) -> AbstractArray:
    """Broadcast an array to a shape."""
    if broadcast_sizes(x.shape, tuple(shape)) != tuple(shape):
        raise ValueError(f"{x.shape} cannot be broadcast to {tuple(shape)}")
    return AbstractArray(tuple(shape), x.dtype)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> AbstractArray:
    """Select entries along an axis, which the shape of the indices replaces."""
    axis = _check_axis(axis or 0, x.ndim)
    return AbstractArray((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> AbstractArray:
    """Return an index for each value."""
    return AbstractArray(x2.shape, np.int64)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> AbstractArray:
    """Select an entry for each index."""
    return AbstractArray(indices.shape, x.dtype)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> AbstractArray:
    """Convert an array to a dtype."""
    return AbstractArray(x.shape, dtype)


def asarray(x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> AbstractArray:
    """Return the shape and dtype of a number, a sequence or an array."""
    like = x if isinstance(x, AbstractArray) else AbstractArray.like(np.asarray(x))
    return AbstractArray(like.shape, dtype or like.dtype)


def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> AbstractArray:
    """Return an array with an entry for each step of a range."""
    values = np.arange(0, start, step) if stop is None else np.arange(start, stop, step)
    return AbstractArray(values.shape, dtype or values.dtype)


def _fill(shape: Any, *fill: Any, dtype: Any = None, device: Any = None) -> AbstractArray:
    return AbstractArray((shape,) if isinstance(shape, int) else tuple(shape), dtype or np.float64)


def _fill_like(x: Any, /, *fill: Any, dtype: Any = None, device: Any = None) -> AbstractArray:
    return AbstractArray(x.shape, dtype or x.dtype)


_UNARY = (
    "acos acosh asin asinh atan atanh ceil conj cos cosh exp expm1 floor log log1p log2 log10 negative positive "
    "reciprocal round sign sin sinh sqrt square tan tanh trunc bitwise_invert logical_not flip roll sort "
    "cumulative_sum cumulative_prod tril triu"
)
_BINARY = (
    "add subtract multiply pow remainder floor_divide maximum minimum atan2 hypot logaddexp copysign bitwise_and "
    "bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift"
)
_DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"
_COMPARISONS = "less less_equal greater greater_equal equal not_equal logical_and logical_or logical_xor"


class _Namespace(SimpleNamespace):
    __name__ = "abstract"

    def __getattr__(self, name: str) -> Any:
        raise LayerTypeError(f"uses the function {show(name)}, for which no shape rule is known")


def _make_fft(size: Callable[[int], int], kind: Callable[[Any], Any]) -> Callable[..., AbstractArray]:
    def rule(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> AbstractArray:
        shape = list(x.shape)
        shape[axis] = size(shape[axis]) if n is None else n if kind is _find_real_type else size(n)
        return AbstractArray(tuple(shape), kind(x.dtype))

    return rule


def _find_complex_type(dtype: Any) -> Any:
    return np.result_type(dtype, np.complex64)


def _find_real_type(dtype: Any) -> Any:
    return np.zeros((), dtype).real.dtype


abstract_namespace: Any = _Namespace(
    **dict.fromkeys(_UNARY.split(), _map_elements),
    **dict.fromkeys(_BINARY.split(), _arithmetic),
    **dict.fromkeys(_COMPARISONS.split(), _comparison),
    **dict.fromkeys(("isnan", "isinf", "isfinite", "signbit"), _describe_predicate),
    **dict.fromkeys(("abs", "real", "imag"), _make_real),
    **dict.fromkeys(("sum", "prod", "mean", "var", "std", "max", "min"), _make_reduction(lambda dtype: dtype)),
    **dict.fromkeys(("any", "all"), _make_reduction(lambda dtype: np.bool_)),
    **dict.fromkeys(("argmax", "argmin"), _make_reduction(lambda dtype: np.int64)),
    **dict.fromkeys(("zeros", "ones", "empty", "full"), _fill),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like", "full_like"), _fill_like),
    **{
        f.__name__: f
        for f in (
            *(where, clip, matmul, reshape, permute_dims, matrix_transpose, moveaxis, concat, stack, unstack),
            *(
                tensordot,
                expand_dims,
                squeeze,
                broadcast_to,
                take,
                take_along_axis,
                searchsorted,
                astype,
                asarray,
                arange,
            ),
        )
    },
    fft=SimpleNamespace(
        fft=_make_fft(lambda n: n, _find_complex_type),
        ifft=_make_fft(lambda n: n, _find_complex_type),
        rfft=_make_fft(lambda n: n // 2 + 1, _find_complex_type),
        irfft=_make_fft(lambda n: 2 * (n - 1), _find_real_type),
    ),
    divide=_division,
    result_type=lambda *xs: _find_result_type(*xs),
    isdtype=lambda dtype, kind: _is_dtype(dtype, kind),
    finfo=np.finfo,
    iinfo=np.iinfo,
    **{name: np.dtype(name) for name in _DTYPES.split()},
    pi=math.pi,
    e=math.e,
    inf=math.inf,
    nan=math.nan,
    newaxis=None,
)


def _is_dtype(dtype: Any, kind: Any) -> bool:
    import array_api_compat.numpy as xp

    return xp.isdtype(np.dtype(dtype), kind)
