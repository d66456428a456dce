"""Element-wise functions are tables: a kernel for each dtype.

A dtype without a kernel in TensorFlow gets one made of another type's that gives the same bits, or is
left out of the table: then the function raises TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import tensorflow as tf

from ._arrays import make_tensor, promote
from ._dtypes import ALL

Kernel = Callable[..., tf.Tensor]
Table = dict[tf.DType, Kernel]


def make_table(kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel) -> Table:
    """``kernel`` for every one of ``dtypes``, but others for those named."""
    return dict.fromkeys(dtypes, kernel) | {tf.as_dtype(name): other for name, other in special.items()}


def refuse(name: str, dtype: tf.DType, kernels: Table):
    """Raise TypeError, naming the types that the function takes."""
    allowed = ", ".join(d.name for d in ALL if d in kernels)
    raise TypeError(f"{name} takes arrays of {allowed}; got {dtype.name}; convert with astype")


def name_function(function: Callable, name: str, doc: str) -> Callable:
    """``function`` with a name and a docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def unary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    """A function of one array that looks its kernel up."""
    kernels = make_table(kernel, dtypes, **special)

    def function(x, /) -> tf.Tensor:
        x = make_tensor(x)
        found = kernels.get(x.dtype)
        return found(x=x) if found is not None else refuse(name, x.dtype, kernels)

    return name_function(function, name, doc)


def binary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    """A function of two arrays, or an array and a Python scalar, that looks its kernel up."""
    kernels = make_table(kernel, dtypes, **special)

    def function(x1, x2, /) -> tf.Tensor:
        x, y, dtype = promote(x1, x2)
        found = kernels.get(dtype)
        return found(x=x, y=y) if found is not None else refuse(name, dtype, kernels)

    return name_function(function, name, doc)


def each(dtypes: Iterable[tf.DType], kernel: Kernel) -> dict[str, Kernel]:
    """``kernel`` for each of ``dtypes``, by name."""
    return {dtype.name: kernel for dtype in dtypes}


def same(x):
    """``x``."""
    return x


def zero(x):
    """0 in the type of ``x``."""
    return tf.constant(0, x.dtype)
