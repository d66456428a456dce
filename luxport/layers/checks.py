"""What layers ask of their inputs: each check raises the one line that a user sees."""

from __future__ import annotations

from luxport.backend import Array
from luxport.errors import LayerError, LayerTypeError

__all__ = ["check_axis", "check_dtype", "check_rank", "shape_text"]


def check_axis(x: Array, axis: int, size: int, pattern: str) -> None:
    """Expect a size along an axis; a size that a compiled program does not know yet passes.

    Raises: LayerError, with the pattern of shapes that the layer takes
    """
    ndim = len(x.shape)
    if not -ndim <= axis < ndim or x.shape[axis] not in (size, None):
        raise LayerError(f"expects {pattern}, got {shape_text(x)}")


def check_rank(x: Array, rank: int, pattern: str) -> None:
    """Expect a number of axes."""
    if len(x.shape) != rank:
        raise LayerError(f"expects {pattern}, got {shape_text(x)}")


def check_dtype(x: Array, parameter: Array) -> None:
    """Expect the dtype of the parameters.

    Raises: LayerTypeError
    """
    if x.dtype != parameter.dtype:
        want, got = _name(parameter), _name(x)
        if not (got.startswith("complex") and want.startswith("float")):
            raise LayerTypeError(
                f"expects {want} as its parameters, got {got}: convert the input or the parameters "
                f"with luxport.to(..., dtype={want!r})"
            )


def shape_text(x: Array) -> str:
    """Write a shape as every backend would."""
    dims = ["?" if n is None else str(int(n)) for n in x.shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


def _name(x: Array) -> str:
    return getattr(x.dtype, "name", None) or str(x.dtype).rpartition(".")[2]
