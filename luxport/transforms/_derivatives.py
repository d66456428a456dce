"""Derivatives composed of others: `batched_jacobian` and `hessian`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from luxport.backend import Array, namespace
from luxport.call_arguments import expect_argnums, expect_function, explain_call_errors
from luxport.transforms._gradients import grad, jacobian, jvp, vjp

__all__ = ["batched_jacobian", "hessian"]


@explain_call_errors
def batched_jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that computes the Jacobian for each sample of a batch, for an f that does not mix samples.

    It takes as many passes as a sample of the input or of the output has entries, whichever is fewer, while `jacobian`
    would differentiate each output with respect to the inputs of all samples. It can be differentiated itself.

    Args:
        f: a function of trees of arrays
        argnums: the position of the argument

    Shapes: argument (N, *in), output (N, *out) -> (N, prod(out), prod(in))
    Raises: ValueError if argument and output do not have batches of one size; TypeError if the argument is no
            floating array
    Source: Lux.jl ``batched_jacobian``

    >>> import luxport
    >>> x = luxport.asarray([[1.0, 2.0], [3.0, 4.0]], backend="torch")
    >>> batched_jacobian(lambda x: x * x)(x)
    tensor([[[2., 0.],
             [0., 4.]],
    <BLANKLINE>
            [[6., 0.],
             [0., 8.]]])
    """
    expect_function("batched_jacobian", f)
    expect_argnums("batched_jacobian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any) -> Array:
        if not -len(args) <= argnums < len(args):
            raise TypeError(
                f"batched_jacobian expects argnums below {len(args)}, the number of arguments, got {argnums}"
            )
        x = args[argnums]

        def call_with(x: Array) -> Array:
            return f(*[x if i == argnums % len(args) else other for i, other in enumerate(args)])

        y, pull = vjp(call_with, x)
        if len(x.shape) == 0 or len(y.shape) == 0 or x.shape[0] != y.shape[0]:
            raise ValueError(
                f"batched_jacobian expects one batch size in and out, got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        xp = namespace(x)
        batch, size_in, size_out = int(x.shape[0]), math.prod(x.shape[1:]), math.prod(y.shape[1:])
        if size_out <= size_in:
            rows = [pull(unit)[0] for unit in _list_units(y, size_out)]
            return xp.reshape(xp.stack(rows, axis=1), (batch, size_out, size_in))
        columns = [jvp(call_with, (x,), (unit,))[1] for unit in _list_units(x, size_in)]
        return xp.reshape(xp.stack(columns, axis=-1), (batch, size_out, size_in))

    return transformed


@explain_call_errors
def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that computes the Hessian of a scalar f with respect to one argument.

    Args:
        f: a function of trees of arrays that returns a real scalar
        argnums: the position of the argument

    Shapes: argument (*a) -> (*a, *a), for every pair of its leaves
    Raises: TypeError as `grad` does
    Source: Flux.jl ``hessian``

    >>> import luxport
    >>> hessian(lambda x: (x**3).sum())(luxport.asarray([1.0, 2.0], backend="torch"))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    expect_function("hessian", f)
    expect_argnums("hessian", argnums)
    return jacobian(grad(f, argnums), argnums)


def _list_units(like: Array, size: int) -> list[Array]:
    """List, for each unit vector of a sample, the array whose samples are all that vector."""
    xp = namespace(like)
    zeros = xp.zeros_like(like)
    flat = xp.reshape(xp.cumulative_sum(xp.reshape(xp.ones_like(like[0, ...], dtype=xp.int32), (-1,))), like.shape[1:])
    return [zeros + xp.astype(flat == i, like.dtype) for i in range(1, size + 1)]
