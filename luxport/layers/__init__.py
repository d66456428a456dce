"""The layers, one file a family; a family is imported when one of its names is first used.

Each layer is a dataclass, which takes Python a millisecond to make: all of them would slow ``import luxport`` down.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luxport.layers.containers import *
    from luxport.layers.conv import *
    from luxport.layers.dense import *
    from luxport.layers.dropout import *
    from luxport.layers.normalise import *
    from luxport.layers.padding import *
    from luxport.layers.pooling import *
    from luxport.layers.reshape import *
    from luxport.layers.wrapped import *

FAMILIES = {
    "containers": ("Chain",),
    "conv": ("Conv", "CrossCor"),
    "dense": ("Dense", "Diagonal", "Scale"),
    "dropout": ("Dropout",),
    "normalise": ("BatchNorm",),
    "padding": ("SamePad",),
    "pooling": ("MaxPool", "MeanPool"),
    "reshape": ("FlattenLayer", "ReshapeLayer", "SelectDim"),
    "wrapped": ("NoOpLayer", "WrappedFunction"),
}
"""The public names of each family's file: what its ``__all__`` says, known before it is imported."""

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}

if not TYPE_CHECKING:
    __all__ = sorted(_FAMILY_OF)


def __getattr__(name: str) -> Any:
    if name not in _FAMILY_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_FAMILY_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FAMILY_OF})
