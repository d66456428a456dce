"""The errors that luxport raises itself: one line each, the same text on every backend."""

from __future__ import annotations

from typing import Any

from luxport.text import make_safe

__all__ = ["BackendNotFoundError", "LayerError", "LayerIndexError", "LayerMemoryError", "LayerTypeError", "shape_text"]


class Place:
    """Where in a model an error came from, as it is known on its way out."""

    def __init__(self) -> None:
        self.culprit = ""
        self.path: tuple[str, ...] = ()
        # The innermost layer reached so far on the way out, with its parameters: identities that the layer
        # around it looks up among its children.
        self.layer: Any = None
        self.ps: Any = None

    def text(self) -> str:
        """Name the layer and its path."""
        return self.culprit + (f" at {'.'.join(self.path)}" if self.path else "")


class LayerError(ValueError):
    """A layer was given something it cannot take.

    A layer raises it with what it expects and what it got; the layers around it add where:
    ``Dense at layer_2.layer_1 expects (..., 256), got (32, 128)``.
    """

    def __init__(self, detail: str, *, culprit: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.place: Place = Place()
        self.place.culprit = culprit

    def __str__(self) -> str:
        where = self.place.text()
        text = f"{where} {self.detail}" if where else self.detail
        return text if text.isprintable() else make_safe(text, 2000)


class LayerTypeError(LayerError, TypeError):
    """A layer was given the wrong type of thing: a dtype, another backend's array, or something that is no array."""


class LayerIndexError(LayerError, IndexError):
    """A layer, an operation or a loss was given an index, a class or a position out of range."""


class LayerMemoryError(LayerError, MemoryError):
    """There was no room for what a layer, an operation or a loss was asked to make."""


class BackendNotFoundError(ImportError):
    """A backend was asked for whose framework is not installed."""


def shape_text(x: Any) -> str:
    """Write the shape of an array as every backend would, with ``?`` for a size that is not known yet."""
    dims = [_write_size(n) for n in x.shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


def _write_size(n: Any) -> str:
    if n is None:
        return "?"
    try:
        return f"{int(n)}"
    except Exception:  # a symbol has its framework's own error
        return f"{n}"
