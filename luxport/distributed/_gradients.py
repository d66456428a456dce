"""What is combined over processes, with a gradient: without one a framework would take it for a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.backend import Array, backend_of, can, is_inexact
from luxport.distributed._errors import DistributedError
from luxport.transforms._custom_gradient import custom_vjp

__all__ = ["combine_with_gradient"]

Move = Callable[[list[Array]], list[Array]]


def combine_with_gradient(caller: str, move: Move, move_cotangents: Move | None, arrays: list[Array]) -> list[Array]:
    """Combine arrays of all processes; their cotangents are combined likewise.

    Args:
        caller: what the user has called
        move: what combines arrays
        move_cotangents: what combines cotangents, or None where the gradient is an error
        arrays: this process's
    """
    if len({backend_of(array).name for array in arrays}) > 1:  # of several frameworks none differentiates all
        return move(arrays)
    owner: Any = backend_of(arrays[0])
    if can(owner, "constants") and owner.are_constants(arrays):
        return move(arrays)
    differentiated = {i for i, array in enumerate(arrays) if is_inexact(array)}

    def pull(kept: tuple[()], cotangents: list[Any]) -> tuple[list[Any]]:
        if move_cotangents is None:
            raise DistributedError(
                f"{caller} has no gradient, which allreduce of a mean or sum has: luxport.stop_gradient first for a "
                "constant"
            )
        chosen = [cotangents[i] for i in sorted(differentiated)]
        found = iter(
            combine_with_gradient(caller, move_cotangents, move_cotangents, chosen)
        )  # for a gradient of the gradient
        return ([next(found) if i in differentiated else None for i in range(len(arrays))],)

    return custom_vjp(move, forward=lambda xs: (move(xs), ()), backward=pull)(arrays)
