"""Element-wise functions, each a table of one kernel for each dtype.

For a dtype without a kernel in TensorFlow the table has one that computes the same bits in another type, or no
entry: then the function raises TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import tensorflow as tf

from ._arrays import make_tensor, promote
from ._dtypes import ALL

Kernel = Callable[..., tf.Tensor]
Table = dict[tf.DType, Kernel]


def make_table(kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel) -> Table:
    """Return a table with ``kernel`` for each of ``dtypes``, except for those named, which have their own."""
    return dict.fromkeys(dtypes, kernel) | {tf.as_dtype(name): other for name, other in special.items()}


def refuse(name: str, dtype: tf.DType, kernels: Table):
    """Raise TypeError, naming the types that the function takes."""
    allowed = ", ".join(d.name for d in ALL if d in kernels)
    raise TypeError(f"{name} takes arrays of {allowed}; got {dtype.name}; convert with astype")


def name_function(function: Callable, name: str, doc: str) -> Callable:
    """Give a function a name and a docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def make_unary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    """Return a function of one array that looks its kernel up."""
    kernels = make_table(kernel, dtypes, **special)

    def function(x, /) -> tf.Tensor:
        x = make_tensor(x)
        found = kernels.get(x.dtype)
        return found(x=x) if found is not None else refuse(name, x.dtype, kernels)

    return name_function(function, name, doc)


def make_binary(name: str, doc: str, kernel: Kernel, dtypes: Iterable[tf.DType], **special: Kernel):
    """Return a function of two arrays, or an array and a Python scalar, that looks its kernel up."""
    kernels = make_table(kernel, dtypes, **special)

    def function(x1, x2, /) -> tf.Tensor:
        x, y, dtype = promote(x1, x2)
        found = kernels.get(dtype)
        return found(x=x, y=y) if found is not None else refuse(name, dtype, kernels)

    return name_function(function, name, doc)


def set_for_each(dtypes: Iterable[tf.DType], kernel: Kernel) -> dict[str, Kernel]:
    """Return a dict from the names of ``dtypes`` to ``kernel``."""
    return {dtype.name: kernel for dtype in dtypes}


def return_same(x):
    """Return ``x``."""
    return x


def make_zero(x):
    """Return 0 in the type of ``x``."""
    return tf.constant(0, x.dtype)
