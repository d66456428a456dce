"""Give collective operations a gradient, as frameworks would otherwise treat their results as constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.backend import Array, backend_of, can, is_inexact
from luxport.distributed._errors import DistributedError
from luxport.transforms._custom_gradient import custom_vjp

__all__ = ["combine_with_gradient"]

Move = Callable[[list[Array]], list[Array]]


def combine_with_gradient(caller: str, move: Move, move_cotangents: Move | None, arrays: list[Array]) -> list[Array]:
    """Combine arrays over all processes by `move`, with a backward pass that combines their cotangents.

    Args:
        caller: the function that the user called
        move: combines arrays
        move_cotangents: combines cotangents; None if a gradient is an error
        arrays: the arrays of this process
    """
    if len({backend_of(array).name for array in arrays}) > 1:  # no framework differentiates the arrays of another
        return move(arrays)
    owner: Any = backend_of(arrays[0])
    if can(owner, "constants") and owner.are_constants(arrays):
        return move(arrays)
    differentiated = {i for i, array in enumerate(arrays) if is_inexact(array)}

    def pull_back(saved: tuple[()], cotangents: list[Any]) -> tuple[list[Any]]:
        if move_cotangents is None:
            raise DistributedError(
                f"{caller} has no gradient, which allreduce of a mean or sum has: luxport.stop_gradient first for a "
                "constant"
            )
        chosen = [cotangents[i] for i in sorted(differentiated)]
        # With a gradient again, for second derivatives.
        found = iter(combine_with_gradient(caller, move_cotangents, move_cotangents, chosen))
        return ([next(found) if i in differentiated else None for i in range(len(arrays))],)

    return custom_vjp(move, forward=lambda xs: (move(xs), ()), backward=pull_back)(arrays)
