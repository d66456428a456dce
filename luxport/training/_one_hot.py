"""`onehot`, `onehotbatch` and `onecold`: convert labels to one-hot arrays and back; classes count from 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from luxport.backend import (
    Array,
    Backend,
    asarray,
    backend_of,
    check_dtype_name,
    dtype_name,
    find_owner,
    get_backend,
    is_array,
    namespace,
)
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import convert_indices, is_bool, is_floating
from luxport.backend.option_rules import AXIS, BACKEND, MOST_ELEMENTS, TEXT, Rule, allow_none, convert_scalars, is_int
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops.indices import mark_missing, value_range
from luxport.text import name_kind, show

__all__ = ["onecold", "onehot", "onehotbatch"]

_NOTHING = object()
_MOST_CLASSES = 1 << 22


def _are_labels(value: Any) -> bool:
    if isinstance(value, (str, bytes, range, Mapping)):
        return True
    shape = getattr(value, "shape", None)
    return (isinstance(value, Iterable) and shape is None) or (shape is not None and len(shape) > 0)


def _expect_entries(y: Array, labels: Any = None, *, axis: int = -1) -> None:
    if y.shape[axis] == 0:
        raise LayerError(f"expects at least one class along the axis {axis}, got {shape_text(y)}")


def _is_hashable(value: Any) -> bool:
    if is_array(value):  # some frameworks hash an array by its identity, not by its value
        return False
    try:
        hash(value)
    except TypeError:
        return False
    return True


_NUMBERS = ("float", "bfloat", "int", "uint", "bool")

_LABEL = Rule("a label, which is hashable", lambda value, shape: _is_hashable(value))
_LABELS = Rule("a sequence of labels", lambda value, shape: isinstance(value, Sequence) or _is_vector(value))
_RULES = {
    "labels": Rule(
        "a number of classes of at least 1, or a sequence of labels",
        lambda value, shape: (
            (is_int(value) and 0 < value <= MOST_ELEMENTS) or isinstance(value, Sequence) or _is_vector(value)
        ),
    ),
    "dtype": TEXT,
    "backend": BACKEND,
}


def _is_vector(value: Any) -> bool:
    shape = getattr(value, "shape", None)
    return shape is not None and len(shape) == 1


@check_call(rules={**_RULES, "label": _LABEL, "default": _LABEL})
def onehot(
    label: Any,
    labels: int | Sequence[Any],
    default: Any = _NOTHING,
    *,
    dtype: str = "float32",
    backend: str | Backend | None = None,
) -> Array:
    """Return the one-hot vector of a label: 1 at its position among the labels, 0 elsewhere.

    Args:
        label: the label
        labels: all labels in order, or a number n for 0 … n - 1
        default: the label in place of an unknown one
        dtype: the dtype of the result, by name
        backend: the backend of the result; None for the default one

    Shapes: y (classes,)
    Raises: ValueError for an unknown label without a default
    Source: OneHotArrays.jl ``onehot``

    >>> onehot("b", "abc")
    array([0., 1., 0.], dtype=float32)
    """
    return onehotbatch([label], labels, default, dtype=dtype, backend=backend)[0, ...]


@check_call(
    rules={
        **_RULES,
        "default": _LABEL,
        "data": Rule("labels one after the other", lambda value, shape: _are_labels(value)),
    }
)
def onehotbatch(
    data: Iterable[Any] | Array,
    labels: int | Sequence[Any],
    default: Any = _NOTHING,
    *,
    dtype: str = "float32",
    backend: str | Backend | None = None,
) -> Array:
    """Return a one-hot vector for each label of a sequence, or of an array of integers of any shape.

    For an array of JAX, PyTorch or TensorFlow the result is on its backend and device, and the function may be
    compiled. During compilation, where values are not known, an unknown label without a default becomes a vector of NaN
    (of the least number for integers, of false for booleans): see `luxport.ops.indices`.

    Args:
        data: a sequence of labels, or an array of integers
        labels: all labels in order, or a number n for 0 … n - 1
        default: the label in place of unknown ones
        dtype: the dtype of the result, by name
        backend: the backend of the result, unless data is an array of a framework; None for the default one

    Shapes: data (N,) -> y (N, classes); array (*n) -> (*n, classes)
    Raises: ValueError for an unknown label without a default, where its value is known
    Source: OneHotArrays.jl ``onehotbatch``, axes reversed

    >>> import numpy as np
    >>> onehotbatch("cab?", "abc", "a", dtype="bool").astype(int)
    array([[0, 0, 1],
           [1, 0, 0],
           [0, 1, 0],
           [1, 0, 0]])
    """
    check_dtype_name(dtype)
    labels = convert_scalars(labels)
    if isinstance(labels, int) and labels > _MOST_CLASSES:
        raise ValueError(
            f"at most {_MOST_CLASSES} classes expected, got {labels}: vectors of {labels * 4 / 1e9:,.1f} GB each; "
            "luxport.Embedding and the sparse losses take labels as they are"
        )
    if backend is not None:
        get_backend(backend)
    known = list(range(labels)) if isinstance(labels, int) else _convert_labels(labels)
    if not known:
        raise LayerError("expects at least one label, got none")
    position = _number_labels(known)
    if len(position) != len(known):
        raise ValueError(f"labels expected that differ from each other, got {known}")
    if default is not _NOTHING and default not in position:
        raise ValueError(f"a default among the labels expected, got {show(default)}")
    if is_array(data) and dtype_name(data).startswith(_NUMBERS):
        for label in known:
            if not isinstance(label, (int, float)):
                raise LayerTypeError(f"expects numbers as labels of an array, got {show(label)}")
    if find_owner(type(data)) is not None and not isinstance(data, np.ndarray):
        return _encode_array(data, known, None if default is _NOTHING else position[default], dtype, position)
    shape = data.shape if isinstance(data, np.ndarray) else None
    flat = data.reshape(-1).tolist() if isinstance(data, np.ndarray) else list(data)
    if not all(map(_is_hashable, flat)):
        raise LayerTypeError(
            f"expects labels, got {name_kind(flat[0])}: pass one array of labels, not a list of arrays"
        )
    indices = [
        position.get(label, -1) if default is _NOTHING else position.get(label, position[default]) for label in flat
    ]
    if -1 in indices:
        raise _explain_unknown(known, flat[indices.index(-1)])
    hot = np.zeros((len(flat), len(known)), np.float32)
    hot[np.arange(len(flat)), indices] = 1.0
    hot = hot if shape is None else hot.reshape(*shape, len(known))
    return asarray(hot, backend=backend, dtype=dtype)


@check_call("y ordered", rules={"axis": AXIS, "labels": allow_none(_LABELS)}, check=_expect_entries, early=True)
def onecold(y: Array, labels: Sequence[Any] | None = None, *, axis: int = -1) -> Any:
    """Return the position of the largest entry along the axis of the classes, as an index or as its label.

    Of several equally large entries, the first is returned. Labels are returned as a label, a list, or nested lists.

    Args:
        y: numbers for each class, such as probabilities
        labels: all labels in order; None for indices
        axis: the axis of the classes

    Shapes: y (..., classes) -> (...)
    Raises: ValueError if there are not as many labels as classes
    Source: OneHotArrays.jl ``onecold``

    >>> import numpy as np
    >>> y = np.array([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])
    >>> onecold(y), onecold(y, ["cat", "dog", "bird"])
    (array([1, 0]), ['dog', 'cat'])
    """
    xp = namespace(y)
    indices = xp.argmax(xp.astype(y, xp.int32) if is_bool(y) else y, axis=axis)
    if labels is None:
        return indices
    if len(labels) != y.shape[axis]:
        raise ValueError(f"expects a label for each of {y.shape[axis]} classes, got {len(labels)}")
    return _look_up_labels(backend_of(indices).to_numpy(indices).tolist(), labels)


def _convert_labels(labels: Sequence[Any]) -> list[Any]:
    return backend_of(labels).to_numpy(labels).tolist() if is_array(labels) else list(labels)


def _number_labels(labels: list[Any]) -> dict[Any, int]:
    if not all(map(_is_hashable, labels)):
        raise LayerTypeError(f"expects labels that are hashable, got {name_kind(labels[0])}")
    return {label: i for i, label in enumerate(labels)}


def _encode_array(data: Array, known: list[Any], default: int | None, dtype: str, position: dict[Any, int]) -> Array:
    backend = backend_of(data)
    xp = backend.xp
    given, data = data, data if is_floating(data) else convert_indices(xp, data)
    # Labels are compared one by one, so that no array of them is made on a device. Integers are not compared with a
    # label that is no whole number, which none of them equals.
    nowhere = data != data
    hot = xp.stack([data == label if is_floating(data) or label == int(label) else nowhere for label in known], axis=-1)
    is_known = xp.any(hot, axis=-1)
    if default is not None:
        unknown = xp.logical_not(is_known)
        rows = [xp.logical_or(hot[..., i], unknown) if i == default else hot[..., i] for i in range(len(known))]
        return xp.astype(xp.stack(rows, axis=-1), getattr(xp, dtype))
    hot = xp.astype(hot, getattr(xp, dtype))
    seen = value_range(xp.astype(is_known, xp.int32))
    if seen is None:
        return mark_missing(xp, hot, is_known)
    if seen[0] == 0:
        raise _explain_unknown(
            known, next(n for n in backend.to_numpy(given).reshape(-1).tolist() if n not in position)
        )
    return hot


def _explain_unknown(known: list[Any], label: Any) -> ValueError:
    return ValueError(f"a label among {_show_some(known)} expected, got {show(label)}: give a default for others")


def _look_up_labels(indices: Any, labels: Sequence[Any]) -> Any:
    return [_look_up_labels(i, labels) for i in indices] if isinstance(indices, list) else labels[indices]


def _show_some(known: list[Any]) -> str:
    return repr(known) if len(known) <= 10 else f"[{show(known[0])}, …, {show(known[-1])}]"
