"""Warn if the activations of a saved model differ from those of the model for which its parameters are loaded."""

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
"""How many differences the warning names."""


def warn_of_other_activations(model: Layer, value: Any, parent: Any, path: str) -> None:
    """Warn in one line if a file has a model whose activations differ from those of `model`.

    `value` is the value with the parameters, `parent` the value that contains it. Functions that luxport does not know
    by name are not compared.
    """
    saved = _build_saved_layer(value, parent)
    if saved is None:
        return
    here, there = (dict(_yield_functions(layer)) for layer in (model, saved))
    others = [
        f"{place or 'the model'} has {here[place]}, the file {there[place]}"
        for place in here.keys() & there.keys()
        if _drop_fast_suffix(here[place]) != _drop_fast_suffix(there[place])
    ]
    if others:
        more = f"; and {len(others) - _MOST} more" if len(others) > _MOST else ""
        warn(f"{show(path)}: activations differ: {'; '.join(sorted(others)[:_MOST])}{more}")


def _build_saved_layer(value: Any, parent: Any) -> Layer | None:
    """Return the layer of the model with the parameters or beside them, None if there is none that can be built."""
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
        name = _find_name(function)
        if name:
            yield ".".join(path), name


def _find_name(function: Callable[..., Any] | None) -> str:
    return next((name for name, known in ACTIVATIONS.items() if known is function), "")


def _drop_fast_suffix(name: str) -> str:
    """Return a name without the suffix of a faster variant, which computes the same function."""
    return name.removesuffix("_fast")
