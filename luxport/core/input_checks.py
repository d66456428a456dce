"""Checks that layers make of their inputs and options, each with the one-line error that a user sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from luxport.backend import Array, backend_of, dtype_name, is_casting, match_sizes
from luxport.backend.dtypes import is_floating
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.text import show

__all__ = [
    "check_axis",
    "check_dtype",
    "check_floating",
    "check_ordered",
    "check_positive",
    "check_sizes",
    "shape_of",
    "shape_text",
]


def check_axis(x: Array, axis: int, size: int, pattern: str) -> None:
    """Expect a size along an axis; a size that is not known during compilation passes.

    The pattern is the shape that the layer takes, with ``{}`` for the size. The size is inserted only when an error is
    raised: PyTorch's compiler cannot format a size that it keeps symbolic, as it differs between models.

    Raises: LayerError, with the pattern; LayerTypeError if x is no array
    """
    shape = shape_of(x)
    if -len(shape) <= axis < len(shape) and shape[axis] == size:
        return
    if not -len(shape) <= axis < len(shape) or not match_sizes(shape[axis], size):
        raise LayerError(f"expects {pattern.format(size)}, got {shape_text(x)}")


def check_dtype(x: Array, parameter: Array) -> None:
    """Expect an input of the parameters' backend and dtype.

    Raises: LayerTypeError
    """
    if type(x) is not type(parameter):
        want, got = backend_of(parameter).name, backend_of(x).name
        if want != got:
            # NumPy parameters often come from a call of `setup` without `backend=`.
            remedy = f"make them with luxport.setup(..., backend={show(got)}), or " if want == "numpy" else ""
            raise LayerTypeError(
                f"expects an input of {want} as its parameters, got one of {got}: "
                f"{remedy}move it with luxport.to(x, backend={show(want)})"
            )
    if x.dtype != parameter.dtype and not is_casting(x, parameter):
        want, got = dtype_name(parameter), dtype_name(x)
        if "float" in got:
            remedy = f"the input or the parameters with luxport.to(..., dtype={want!r})"
        elif "complex" in got:
            remedy = f"the parameters with luxport.to(..., dtype={got!r})"
        elif got.startswith(("int", "uint", "bool")):
            remedy = f"the input to {want}"
        else:
            raise LayerTypeError(
                f"expects {want} as its parameters, got {got}, whose entries are not numbers of one type"
            )
        raise LayerTypeError(f"expects {want} as its parameters, got {got}: convert {remedy}")


def check_floating(x: Array) -> None:
    """Expect a real floating dtype.

    Raises: LayerTypeError
    """
    shape_of(x)
    if not is_floating(x):
        raise LayerTypeError(f"expects a floating input, got {dtype_name(x)}")


def check_ordered(x: Array) -> None:
    """Expect a dtype whose numbers are ordered: floating or integer.

    Raises: LayerTypeError
    """
    shape_of(x)
    if dtype_name(x).startswith(("complex", "bool")):
        raise LayerTypeError(f"expects real numbers, got {dtype_name(x)}")


def check_positive(layer: str, **numbers: float) -> None:
    """Expect positive finite numbers, when a layer is built.

    Raises: ValueError
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real) or not 0 < number < math.inf:
            raise ValueError(f"{layer} expects {name} as a positive finite number, got {show(number)}")


def check_sizes(layer: str, **sizes: Any) -> None:
    """Expect ints of at least 0, when a layer is built.

    Raises: ValueError
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 0:
            raise ValueError(f"{layer} expects an int of at least 0 as {name}, got {show(size)}")


def shape_of(x: Array) -> Any:
    """Return the shape of an array; during compilation some sizes may be None, not known yet.

    Raises: LayerTypeError if x is no array
    """
    try:
        return x.shape
    except AttributeError:
        if isinstance(x, tuple) and len(x) == 2 and isinstance(x[1], Mapping):
            raise LayerTypeError(
                "expects an array, got a pair of an output and states: take it apart, y, st = model(x, ps, st)"
            ) from None
        backend_of(x)  # raises an error that says what x is
        raise
