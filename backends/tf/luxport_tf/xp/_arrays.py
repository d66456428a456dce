"""How functions read their arguments: tensors, promotion, axes and shapes."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from ._dtypes import HALF, choose_scalar_dtype, find_dtype, promote_dtypes

R = tf.raw_ops
Tensor = tf.Tensor
Array: TypeAlias = "tf.Tensor | tf.Variable"
ArrayOrScalar: TypeAlias = "tf.Tensor | tf.Variable | bool | int | float | complex"
Shape: TypeAlias = "int | Iterable[Any] | tf.Tensor"  # sizes are ints, scalar tensors or None
SCALARS = (int, float, complex)  # bool is an int
_HALF = frozenset(HALF)


def make_tensor(x: Any) -> tf.Tensor:
    """Return ``x`` if it is a tensor, the value of a variable; TypeError for all else."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, tf.Variable) or hasattr(type(x), "__tf_tensor__"):  # TensorFlow's and Keras's variables
        return tf.convert_to_tensor(x)
    raise TypeError(f"expected a tf.Tensor, got {type(x).__module__}.{type(x).__qualname__}; convert it with asarray")


def cast(x: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return ``x`` in type ``dtype``."""
    if x.dtype is dtype:
        return x
    if dtype.is_complex and x.dtype is dtype.real_dtype:  # a cast's gradient warns that it drops imaginary parts
        return R.Complex(real=x, imag=R.ZerosLike(x=x), Tout=dtype)
    return R.Cast(x=x, DstT=dtype)


def widen_halves(x: tf.Tensor) -> tf.Tensor:
    """Return half types in float32, in which sums do not lose small numbers, nor counts overflow."""
    return cast(x, tf.float32) if x.dtype in _HALF else x


def make_constant(value: Any, dtype: tf.DType) -> tf.Tensor:
    """Return a Python scalar as a tensor."""
    if dtype is tf.bool:
        return tf.constant(value != 0)
    if isinstance(value, int):
        return tf.constant(int(value), dtype)
    if value == 0 or isinstance(value, complex):
        # TensorFlow caches eager scalars, and its cache takes 0. and -0. for equal, though not 0 and -0.
        if isinstance(value, float) and math.copysign(1, value) > 0:
            return tf.constant(0, dtype)
        return tf.constant(np.asarray(value, dtype.as_numpy_dtype))
    return tf.constant(value, dtype)


def promote(x1: Any, x2: Any) -> tuple[tf.Tensor, tf.Tensor, tf.DType]:
    """Return the two in their common type, and that type. At most one may be a Python scalar."""
    if isinstance(x1, Tensor):
        dtype = x1.dtype
        if isinstance(x2, Tensor):
            if x2.dtype is dtype:
                return x1, x2, dtype
            dtype = promote_dtypes(dtype, x2.dtype)
            return cast(x1, dtype), cast(x2, dtype), dtype
        if isinstance(x2, SCALARS):
            common = choose_scalar_dtype(x2, dtype)
            return cast(x1, common), make_constant(x2, common), common
    elif isinstance(x1, SCALARS):
        if isinstance(x2, SCALARS):
            raise TypeError("at least one of the two arguments must be an array")
        x2 = make_tensor(x2)
        common = choose_scalar_dtype(x1, x2.dtype)
        return make_constant(x1, common), cast(x2, common), common
    return promote(make_tensor(x1), x2 if isinstance(x2, SCALARS) else make_tensor(x2))


def promote_all(arrays: Iterable[Any]) -> list[tf.Tensor]:
    """Return the arrays in their common type."""
    tensors = [make_tensor(x) for x in arrays]
    if not tensors:
        raise ValueError("expected at least one array")
    dtype = tensors[0].dtype
    for x in tensors[1:]:
        if x.dtype is not dtype:
            dtype = promote_dtypes(dtype, x.dtype)
    return [cast(x, dtype) for x in tensors]


def rank(x: tf.Tensor) -> int:
    """Return the number of axes, which must be known."""
    ndim = x.shape.rank
    if ndim is None:
        raise ValueError("the number of axes must be known when a function is traced; give the argument's shape")
    return ndim


def normalize_axis(axis: Any, ndim: int) -> int:
    """Return ``axis`` counted from the front; AxisError (an IndexError) if it is out of range."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis + ndim if axis < 0 else axis


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes counted from the front: those of a tuple, the one of an int, all for None."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, Iterable):
        axes = tuple(normalize_axis(a, ndim) for a in axis)
        if len(set(axes)) != len(axes):
            raise ValueError(f"axes must differ from one another, got {tuple(axis)}")
        return axes
    return (normalize_axis(axis, ndim),)


def make_ints(values: Iterable[int]) -> tf.Tensor:
    """Return an int32 vector of axes or sizes on the host."""
    if tf.executing_eagerly():
        return _make_eager_ints(tuple(values))
    return tf.constant(list(values), tf.int32)


@functools.lru_cache(maxsize=4096)
def _make_eager_ints(values: tuple[int, ...]) -> tf.Tensor:
    # Making such a tensor takes as long as most operations on small arrays.
    with tf.device("CPU:0"):
        return tf.constant(values, tf.int32, shape=(len(values),))


def read_sizes(x: tf.Tensor) -> list[Any]:
    """Return the sizes of the axes: ints where they are known, else scalar tensors."""
    static = x.shape.as_list()
    if None not in static:
        return static
    dynamic = tf.unstack(R.Shape(input=x), num=len(static))
    return [d if s is None else s for s, d in zip(static, dynamic, strict=True)]


def make_shape_tensor(shape: Any) -> tf.Tensor:
    """Return a shape of ints and scalar tensors as one int32 vector."""
    if isinstance(shape, Tensor):
        return cast(shape, tf.int32)
    entries = list(shape)
    if all(isinstance(d, int) for d in entries):
        return make_ints(entries)
    return R.Pack(
        values=[cast(d, tf.int32) if isinstance(d, Tensor) else tf.constant(operator.index(d)) for d in entries]
    )


def read_shape(shape: Any) -> Any:
    """Return an int, a tuple, a TensorShape or a shape tensor as a shape."""
    if isinstance(shape, Tensor):
        return shape if shape.shape.rank == 1 else (shape,)
    if isinstance(shape, Iterable):
        return tuple(d if isinstance(d, Tensor) or d is None else operator.index(d) for d in shape)
    return (operator.index(shape),)


def multiply_sizes(sizes: Iterable[Any]) -> Any:
    """Return the product of ints and scalar tensors: an int if all are."""
    result: Any = 1
    for size in sizes:
        result = size if isinstance(result, int) and result == 1 else result * size
    return result


def reshape_to(x: tf.Tensor, shape: Iterable[Any]) -> tf.Tensor:
    """Return ``x`` in a shape of ints and scalar tensors."""
    return R.Reshape(tensor=x, shape=make_shape_tensor(shape))


def flatten(x: tf.Tensor) -> tf.Tensor:
    """Return ``x`` as a vector."""
    return x if x.shape.rank == 1 else R.Reshape(tensor=x, shape=make_ints([-1]))


def check_optional_dtype(dtype: Any, default: tf.DType) -> tf.DType:
    """Check ``dtype``; None becomes ``default``."""
    return default if dtype is None else find_dtype(dtype)


def place_on(device: str | None):
    """Return a context that places new tensors on ``device``; None leaves that to TensorFlow."""
    return _NOWHERE if device is None else tf.device(device)


class _Nowhere:
    def __enter__(self): ...

    def __exit__(self, *_): ...


_NOWHERE = _Nowhere()
