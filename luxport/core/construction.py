"""What happens when a layer is built: options are checked, errors explained, and its parameters' shapes recorded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, fields
from typing import Any

from luxport.backend import is_compiling
from luxport.backend.option_rules import convert_arguments, is_of_luxport
from luxport.call_arguments import explain_wrong_arguments
from luxport.core.entries import record_entries
from luxport.core.layer_base import LayerBase, is_layers
from luxport.core.option_types import expect_options_of, explain_wrong_option
from luxport.errors import LayerError, LayerTypeError
from luxport.text import make_printable, read_message

__all__ = ["complete_when_built", "explain_failures"]


def complete_when_built(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap a layer's ``__init__`` to explain wrong arguments, check options, and record the layer's entries."""
    explaining = explain_failures(init)

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **options: Any) -> None:
        if is_compiling():  # a compiler cannot follow these checks, and raises errors of its own
            init(self, *args, **options)
            return
        args, options = convert_arguments(self, args, options)
        explaining(self, *args, **options)
        if is_of_luxport(self):  # users' classes may annotate their fields as they like
            expect_options_of(self)
        if type(self).__init__ is wrapper:  # otherwise a subclass's __init__ called this one, and does it at its end
            _check_held_layers(self)
            record_entries(self)

    return wrapper


def explain_failures(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap an ``__init__`` so that its errors say in one line which argument is wrong."""

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **options: Any) -> None:
        try:
            init(self, *args, **options)
        except FrozenInstanceError as error:
            raise TypeError(_explain_own_init(type(self))) from error
        except Exception as error:
            wrong = _find_wrong_call(type(self), init, (self, *args), options, error)
            if wrong is not None:
                raise LayerTypeError(wrong) from None
            if isinstance(error, LayerError) and not error.place.culprit:
                error.place.culprit = type(self).__name__
            make_printable(error)
            raise

    return wrapper


def _find_wrong_call(
    kind: type, init: Callable[..., None], args: tuple[Any, ...], options: Mapping[str, Any], error: Exception
) -> str | None:
    """Return which argument made a layer's ``__init__`` fail; None if the error says so already, or it is not known."""
    if isinstance(error, TypeError):
        wrong = explain_wrong_arguments(kind.__name__, init, args, options)
        if wrong is not None:
            return wrong
    if not kind.__module__.startswith("luxport."):
        return None
    signature = inspect.signature(init)
    bound = signature.bind(*args, **options)
    message = read_message(error)
    variadic = any([p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()])
    if message.startswith(f"{kind.__name__} ") and (variadic or any([name in message for name in bound.arguments])):
        return None
    inner, _, rest = message.partition(" expects ")
    # An error of an inner layer that this one builds is reported in this one's name: the user did not name the other.
    of_another = inner != kind.__name__ and inner.isidentifier()
    return explain_wrong_option(kind, bound.arguments) or (f"{kind.__name__} expects {rest}" if of_another else None)


def _explain_own_init(kind: type) -> str:
    return (
        f"{kind.__name__} is a frozen dataclass, as every layer: name its fields with their types in the class, and "
        "leave __init__ out (__post_init__ is the place to check them)"
    )


def _check_held_layers(layer: Any) -> None:
    """Expect a layer that holds layers to list them as its children: otherwise these get no parameters and states."""
    kind: Any = type(layer)
    base: Any = LayerBase
    methods = (kind.children, kind.initial_parameters, kind.initial_states)
    if methods != (base.children, base.initial_parameters, base.initial_states):
        return
    held = [f.name for f in fields(layer) if is_layers(getattr(layer, f.name, None))]
    if held:
        raise TypeError(
            f"{kind.__name__} holds layers in {', '.join(held)}: derive it from luxport.ContainerLayer, "
            "so that they get parameters and states"
        )
