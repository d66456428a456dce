"""Products of batches of matrices, and related operations."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import add_parameter, is_complex, promote, widen_halves
from luxport.backend.option_rules import FUNCTION, Rule, allow_none, is_int
from luxport.errors import LayerError
from luxport.ops._operation import operation
from luxport.ops.activations import Activation, identity
from luxport.ops.shapes import can_broadcast_together, read_sizes

__all__ = [
    "batched_adjoint",
    "batched_matmul",
    "batched_mul",
    "batched_transpose",
    "batched_vec",
    "bias_activation",
    "multigate",
]


_TAKES = "a numbers (...), b numbers (...)"


@operation(takes=_TAKES, early=False)
def batched_mul(a: Array, b: Array) -> Array:
    """Multiply batches of matrices; the leading axes broadcast, and different dtypes are promoted.

    Shapes: a (..., n, k), b (..., k, m) -> (..., n, m)
    Raises: LayerError if the shapes do not fit
    Source: NNlib ``batched_mul``

    >>> import numpy as np
    >>> batched_mul(np.ones((5, 2, 3)), np.ones((3, 4))).shape
    (5, 2, 4)
    """
    xp = namespace(a, b)
    left, right = tuple(a.shape), tuple(b.shape)
    fits = len(left) > 1 and len(right) > 1 and _match_sizes(left[-1], right[-2])
    if not fits or not can_broadcast_together(left[:-2], right[:-2]):
        raise LayerError(f"expects (..., n, k) and (..., k, m), got {left} and {right}")
    return _multiply(xp, a, b)


@operation(takes=_TAKES, early=False)
def batched_vec(a: Array, b: Array) -> Array:
    """Multiply a batch of matrices by a batch of vectors, or by a single vector.

    Shapes: a (..., n, k), b (..., k) with the same leading axes or (k,) -> (..., n)
    Raises: LayerError if the shapes do not fit
    Source: NNlib ``batched_vec``

    >>> import numpy as np
    >>> batched_vec(np.ones((5, 2, 3)), np.ones((5, 3))).shape
    (5, 2)
    """
    xp = namespace(a, b)
    left, right = tuple(a.shape), tuple(b.shape)
    alike = len(right) == 1 or (len(right) == len(left) - 1 and all(map(_match_sizes, left[:-2], right[:-1])))
    if len(left) < 2 or not right or not alike or not _match_sizes(left[-1], right[-1]):
        raise LayerError(f"expects (..., n, k) and (..., k) or (k,), got {left} and {right}")
    return xp.squeeze(_multiply(xp, a, xp.expand_dims(b, axis=-1)), axis=-1)


@check_call("a (..., n, k)")
def batched_transpose(a: Array) -> Array:
    """Swap the last two axes.

    Shapes: a (..., n, k) -> (..., k, n)
    Source: NNlib ``batched_transpose``
    """
    return namespace(a).matrix_transpose(a)


@check_call("a (..., n, k)")
def batched_adjoint(a: Array) -> Array:
    """Swap the last two axes, and conjugate complex numbers.

    Shapes: a (..., n, k) -> (..., k, n)
    Source: NNlib ``batched_adjoint``
    """
    xp = namespace(a)
    swapped = xp.matrix_transpose(a)
    return xp.conj(swapped) if is_complex(a) else swapped


_AXIS_PAIR = Rule("a pair of axes, of a and of b", lambda value, shape: _are_ints(value) and len(value) == 2)
_BATCH_AXES = Rule(
    "a pair of tuples of axes, of a and of b",
    lambda value, shape: isinstance(value, tuple) and len(value) == 2 and all(map(_are_ints, value)),
)


def _are_ints(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_int, value))


@operation(takes=_TAKES, rules={"contract": _AXIS_PAIR, "batch": allow_none(_BATCH_AXES)}, early=False)
def batched_matmul(
    a: Array,
    b: Array,
    *,
    contract: tuple[int, int] = (-1, -2),
    batch: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
) -> Array:
    """Multiply and sum over one axis of each array, separately for each position along the axes in `batch`.

    The axes of the result are those of the batch, in the order in which a's are named, then the remaining ones of a,
    then those of b. By default this is a product of matrices.

    Args:
        contract: the axis of a and that of b to sum over
        batch: the axes of a and the axes of b that correspond to each other; None for all but the last two of each

    Shapes: a, b (...) -> (*batch, *rest of a, *rest of b)
    Raises: LayerError if an axis is named twice, or the sizes of a pair of axes differ (1 in a batch is repeated)
    Source: LuxLib ``batched_matmul``

    >>> import numpy as np
    >>> keys, queries = np.ones((2, 7, 4, 8)), np.ones((2, 5, 4, 8))  # (N, length, heads, features)
    >>> batched_matmul(queries, keys, contract=(-1, -1), batch=((0, 2), (0, 2))).shape
    (2, 4, 5, 7)
    """
    xp = namespace(a, b)
    if batch is None:
        batch = tuple(range(len(a.shape) - 2)), tuple(range(len(b.shape) - 2))
    left, left_rest = _move_batch_first(xp, a, batch[0], contract[0])
    right, right_rest = _move_batch_first(xp, b, batch[1], contract[1])
    if not (
        len(batch[0]) == len(batch[1])
        and _match_sizes(left.shape[-1], right.shape[-1])
        and can_broadcast_together(left.shape[:-2], right.shape[:-2])
    ):
        raise LayerError(
            f"expects axes {(*batch[0], contract[0])} of {tuple(a.shape)} as large as axes "
            f"{(*batch[1], contract[1])} of {tuple(b.shape)}"
        )
    y = _multiply(xp, left, xp.matrix_transpose(right))
    return xp.reshape(y, (*read_sizes(y)[:-2], *left_rest, *right_rest))


@operation(takes="x (...), bias numbers (C)?", rules={"activation": FUNCTION}, early=False)
def bias_activation(x: Array, bias: Array | None, *, activation: Activation = identity) -> Array:
    """Add a bias to each channel and activate; channels are axis 1, or axis 0 of an array with one axis.

    Args:
        activation: a function applied to the result, such as `relu`

    Shapes: x (N, C, ...) or (C,), bias (C,) or None -> like x
    Raises: LayerError if there are not as many biases as channels
    Source: LuxLib ``bias_activation``

    >>> import numpy as np
    >>> print(bias_activation(np.zeros((1, 2, 3)), np.array([1.0, -1.0]), activation=abs))
    [[[1. 1. 1.]
      [1. 1. 1.]]]
    """
    if bias is None:
        return activation(x)
    xp = namespace(x, bias)
    shape = tuple(x.shape)
    axis = 1 if len(shape) > 1 else 0
    if len(bias.shape) != 1 or len(shape) == 0 or not _match_sizes(shape[axis], bias.shape[0]):
        raise LayerError(f"expects (N, {', '.join(map(str, bias.shape))}, ...), got {shape}")
    x, bias = promote(xp, x, bias)
    return activation(add_parameter(xp, x, xp.reshape(bias, (-1,) + (1,) * (len(shape) - axis - 1))))


_PARTS = Rule("an int of at least 1", lambda value, shape: is_int(value) and value >= 1)


@check_call("x (..., features)", rules={"n": _PARTS})
def multigate(x: Array, n: int) -> tuple[Array, ...]:
    """Split the last axis into n equal parts.

    Args:
        n: how many parts there are

    Shapes: x (..., n k) -> n arrays (..., k)
    Raises: LayerError if n does not divide the size of the axis
    Source: LuxLib ``multigate``

    >>> import numpy as np
    >>> multigate(np.arange(6.0), 3)[1]
    array([2., 3.])
    """
    size = x.shape[-1] // n
    if x.shape[-1] % n:  # not `divmod`, which takes no symbolic sizes
        raise LayerError(f"expects a last axis that {n} divides, got {tuple(x.shape)}")
    return tuple([x[..., i * size : (i + 1) * size] for i in range(n)])


def _move_batch_first(xp: Any, x: Array, batch: tuple[int, ...], contract: int) -> tuple[Array, tuple[int, ...]]:
    """Return x as (*batch, rest, contract), with all other axes merged into one, and the sizes of these."""
    ndim = len(x.shape)
    named = [axis % ndim for axis in (*batch, contract) if -ndim <= axis < ndim]
    if len(set(named)) != len(batch) + 1:
        raise LayerError(f"expects axes that differ and lie in [-{ndim}, {ndim}), got {batch, contract}")
    rest = [axis for axis in range(ndim) if axis not in named]
    every = read_sizes(x)
    sizes = tuple([every[axis] for axis in rest])
    x = xp.permute_dims(x, (*named[:-1], *rest, named[-1]))
    if len(rest) != 1:
        front, last = [every[axis] for axis in named[:-1]], every[named[-1]]
        x = xp.reshape(x, (*front, math.prod(sizes), last))
    return x, sizes


def _multiply(xp: Any, a: Array, b: Array) -> Array:
    """Multiply matrices; the gradient of a matrix that is broadcast is a sum, which is taken in float32."""
    a, b = promote(xp, a, b)
    if (wide := widen_halves(xp, a)) is a or tuple(a.shape[:-2]) == tuple(b.shape[:-2]):
        return xp.matmul(a, b)
    return xp.astype(xp.matmul(wide, widen_halves(xp, b)), a.dtype)


def _match_sizes(n: int | None, m: int | None) -> bool:
    """Tell whether two sizes are equal; an unknown one fits any other."""
    return n == m or n is None or m is None
