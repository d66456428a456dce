"""Activations that a file names and that a model has otherwise: parameters would fit, and mean something else."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from luxport.core.layer import Layer
from luxport.core.surgery import named_modules
from luxport.layers._tying import Tied
from luxport.porting import flux, lux
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.named_functions import ACTIVATIONS
from luxport.porting.julia.entries import list_children
from luxport.text import warn

__all__ = ["warn_of_other_activations"]

_MOST = 3
"""How many of them are named."""


def warn_of_other_activations(model: Layer, value: Any, parent: Any, path: str) -> None:
    """Warn in one line if a file has its model, and functions in it are others than those of the model at hand.

    `value` is what the parameters are taken from, `parent` what it is in. Functions that luxport does not know by name
    say nothing.
    """
    saved = _build_saved_layer(value, parent)
    if saved is None:
        return
    here, there = (dict(_yield_functions(layer)) for layer in (model, saved))
    others = [
        f"{place or 'the model'} has {here[place]}, the file {there[place]}"
        for place in here.keys() & there.keys()
        if _make_plain(here[place]) != _make_plain(there[place])
    ]
    if others:
        more = f"; and {len(others) - _MOST} more" if len(others) > _MOST else ""
        warn(f"{show(path)}: other activations: {'; '.join(sorted(others)[:_MOST])}{more}")


def _build_saved_layer(value: Any, parent: Any) -> Layer | None:
    """Build the layers of the model that parameters are in or stand beside, None if there is none that can be built."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if flux.is_model(value):
                return flux.port(value, {}).layer
            models = [entry for entry in (value, *list_children(parent).values()) if lux.is_model(entry)]
            return lux.port(models[0], {}, None, None).layer if len(models) == 1 else None
        except (FileFormatError, ValueError, TypeError, LookupError):
            return None


def _yield_functions(model: Layer) -> Iterator[tuple[str, str]]:
    for path, layer in named_modules(model.layer if isinstance(model, Tied) else model):
        function = getattr(layer, "activation", getattr(layer, "function", None))
        name = _name(function)
        if name:
            yield ".".join(path), name


def _name(function: Callable[..., Any] | None) -> str:
    return next((name for name, known in ACTIVATIONS.items() if known is function), "")


def _make_plain(name: str) -> str:
    """Leave out of a name what makes it faster and not another function."""
    return name.removesuffix("_fast")
