"""Softmax and its logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import ops
from luxport.ops._softmax import Axes
from luxport_onnx.graph import Array, record
from luxport_onnx.infinities import may_be_infinite
from luxport_onnx.xp import minimum
from luxport_onnx.xp._folding import make_scalar, make_vector, record_same
from luxport_onnx.xp._reductions import list_axes

__all__ = ["logsoftmax", "logsumexp", "softmax"]

_softmax: Any = ops.definition_of(ops.softmax)
_logsoftmax: Any = ops.definition_of(ops.logsoftmax)
_logsumexp: Any = ops.definition_of(ops.logsumexp)


def _is_native(x: Array, axis: Axes) -> bool:
    single = isinstance(axis, int) and -x.ndim <= axis < x.ndim
    return single and x.dtype.kind == "f" and not x.is_constant and 0 not in x.shape


def softmax(x: Array, *, axis: Axes = -1) -> Array:
    """Record one operator; it makes NaN of inf, which is replaced by the largest finite number first."""
    if not _is_native(x, axis):
        return _softmax(x, axis=axis)
    if may_be_infinite(x):
        x = minimum(x, make_scalar(np.finfo(x.dtype).max, x.dtype))
    return record_same("Softmax", x, axis=axis)


def logsoftmax(x: Array, *, axis: Axes = -1) -> Array:
    """Record one operator if x holds no infinity, of which it would make NaN."""
    native = _is_native(x, axis) and not may_be_infinite(x)
    return record_same("LogSoftmax", x, axis=axis) if native else _logsoftmax(x, axis=axis)


def logsumexp(x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """Record one operator."""
    if not _is_native(x, axis):
        return _logsumexp(x, axis=axis, keepdims=keepdims)
    dropped = list_axes(x, axis)[0]
    shapes = [(*s[:dropped], *([1] if keepdims else []), *s[dropped + 1 :]) for s in x.shapes]
    return record("ReduceLogSumExp", x, make_vector([dropped]), dtype=x.dtype, shapes=shapes, keepdims=int(keepdims))
