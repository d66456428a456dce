"""The errors that luxport raises: one line each, with the same text on every backend."""

from __future__ import annotations

from typing import Any

from luxport.text import make_safe

__all__ = ["BackendNotFoundError", "LayerError", "LayerIndexError", "LayerMemoryError", "LayerTypeError", "shape_text"]


class Place:
    """Where in a model an error was raised, completed by each layer that the error passes through."""

    def __init__(self) -> None:
        self.culprit = ""
        self.path: tuple[str, ...] = ()
        # The outermost layer that the error has left so far, and its parameters: the layer around it finds the key
        # of this one by comparing them with its own children by identity.
        self.layer: Any = None
        self.ps: Any = None

    def describe(self) -> str:
        """Return the layer's name and path, such as ``Dense at layer_2.layer_1``."""
        return self.culprit + (f" at {'.'.join(self.path)}" if self.path else "")


class LayerError(ValueError):
    """A layer was given an argument that it cannot use.

    A layer raises it with what it expects and what it got; the layers around it add the path:
    ``Dense at layer_2.layer_1 expects (..., 256), got (32, 128)``.
    """

    def __init__(self, detail: str, *, culprit: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.place: Place = Place()
        self.place.culprit = culprit

    def __str__(self) -> str:
        where = self.place.describe()
        text = f"{where} {self.detail}" if where else self.detail
        return text if text.isprintable() else make_safe(text, 2000)


class LayerTypeError(LayerError, TypeError):
    """A layer was given a wrong dtype, an array of another backend, or something that is not an array."""


class LayerIndexError(LayerError, IndexError):
    """A layer, an operation or a loss was given an index, a class or a position out of range."""


class LayerMemoryError(LayerError, MemoryError):
    """Memory did not suffice for an array that a layer, an operation or a loss was to make."""


class BackendNotFoundError(ImportError):
    """The framework of the chosen backend is not installed."""


def shape_text(x: Any) -> str:
    """Write an array's shape in the same form on every backend, with ``?`` for a size that is not known yet."""
    dims = [_write_size(n) for n in x.shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


def _write_size(n: Any) -> str:
    if n is None:
        return "?"
    try:
        return f"{int(n)}"
    except Exception:  # a symbolic size, which raises an error of its framework
        return f"{n}"
