"""`output_shape`: find the shape of a model's output without computing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import (
    Array,
    check_dtype_name,
    dtype_name,
)
from luxport.call_arguments import explain_call_errors
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.error_location import replace_message
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer, is_array
from luxport.core.modes import test_mode
from luxport.errors import LayerError
from luxport.text import read_message, show

__all__ = ["output_shape"]


@explain_call_errors
def output_shape(model: Layer, input_shape: Any, *, dtype: str = "float32") -> Any:
    """Return the shape of the output for an input of this shape (batch included), without computing anything.

    The model runs on arrays without values, in test mode.

    Args:
        model: a layer
        input_shape: the shape of its input, batch included, or a tree of shapes; an array stands for its own
        dtype: the dtype of the inputs that are given as shapes

    Raises: LayerError as the model itself does; TypeError if a function in the model needs values, or if
            `input_shape` is not a shape; ValueError if a size is negative

    >>> import luxport
    >>> output_shape(luxport.Chain(luxport.Dense(3, 5), luxport.Dense(5, 2)), (64, 3))
    (64, 2)
    """
    check_layer("output_shape", model)
    ps = describe_values(initial_parameters, model)
    st = test_mode(describe_values(initial_states, model))
    inputs = _make_abstract_inputs(input_shape, dtype)
    try:
        y, _ = model(inputs, ps, st)
    except Exception as error:
        if isinstance(error, LayerError) or AbstractArray.__name__ not in read_message(error):
            raise
        raise replace_message(
            "runs on an array without values here, which a function of another library does not accept: use "
            "luxport's own, such as luxport.relu",
            error,
        ) from error
    return tree.map(lambda leaf: tuple(leaf.shape), y)


def _make_abstract_inputs(shape: Any, dtype: str) -> Any:
    if isinstance(shape, Mapping):
        return {key: _make_abstract_inputs(value, dtype) for key, value in shape.items()}
    if not isinstance(shape, (tuple, list)):
        if is_array(shape) and shape is not None:
            return AbstractArray(tuple(shape.shape), _find_dtype(shape))
        raise TypeError(f"output_shape expects a shape, a tuple of ints, or a tree of them, got {show(shape)}")
    if any(isinstance(entry, (Mapping, tuple, list)) or is_array(entry) for entry in shape):
        return tuple(_make_abstract_inputs(entry, dtype) for entry in shape)
    if not all(isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) for entry in shape):
        raise TypeError(f"output_shape expects ints as sizes, such as 1 for a batch, got {tuple(shape)}")
    if any(entry < 0 for entry in shape):
        raise ValueError(f"output_shape expects sizes of at least 0, got {tuple(shape)}")
    check_dtype_name(dtype)
    return AbstractArray(tuple(int(entry) for entry in shape), np.dtype(dtype))


def _find_dtype(array: Array) -> Any:
    # NumPy has no bfloat16, and shapes do not depend on it.
    name = dtype_name(array)
    return np.dtype("float32" if name == "bfloat16" else name)
