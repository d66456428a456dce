"""Layers made of a function: `compact`."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import field
from importlib import import_module
from typing import Any

from luxport import tree
from luxport.backend import dtype_name, is_array, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.containers import WrapperLayer
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States, name_layers
from luxport.core.stateful import StatefulLayer
from luxport.layers._compact_bindings import Bindings, Initial, is_child, make_binding
from luxport.random import Rng
from luxport.text import name_kind, show
from luxport.tree.static import Static

__all__ = ["CompactLayer", "compact"]


@explain_call_errors
def compact(name: str | None = None, /, **values: Any) -> Callable[[Callable[..., Any]], CompactLayer]:
    """Make a layer from a function of x and of keyword arguments, whose values are given here.

    - a layer becomes a child, which the function calls with the input alone, once or several times; its parameters are
      its attribute ``ps``. A tuple, list or dict of layers becomes one of children.
    - an array, or `parameter` (an initializer and a shape), becomes a parameter
    - `non_trainable` becomes a state
    - anything else (a number, a function, a flag) is a constant of the program. It is a `Static` in the state, so that
      `train_mode` and `test_mode` change a constant named ``training``.

    The result is a layer like any other: immutable, hashable, without arrays.

    Args:
        name: the layer's name in printed models; None for the function's name
        **values: the values of the function's keyword arguments

    Params: the children's, then the parameters, by name
    State:  the children's, then arrays and constants, by name
    Raises: TypeError if the function does not take the names, or a constant is not hashable
    Source: Lux.jl ``@compact``

    >>> import numpy as np, luxport
    >>> @compact(hidden=luxport.Dense(1, 8), scale=np.ones(8), act=luxport.relu)
    ... def model(x, *, hidden, scale, act):
    ...     return scale * act(hidden(x))
    >>> model
    model(hidden=Dense(1, 8), scale=parameter((8,)), act=relu)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 1), np.float32), ps, st)
    >>> y.shape, luxport.parameter_length(model)
    ((4, 8), 24)
    """
    if not isinstance(name, (str, type(None))):
        raise TypeError(
            f"compact expects a name, then values by keyword, got {show(name)}: write @compact() above a def"
        )
    return lambda function: CompactLayer(function, values, name)


class CompactLayer(WrapperLayer):
    """The layer that `compact` returns: a function of x, children, parameters, states and constants.

    ``y = function(x, **bound)``, where a parameter is bound to its array and a layer to a function that calls it.

    Args:
        function: a function of x and of keyword arguments
        bindings: the values of its keyword arguments, as for `compact`
        name: the layer's name in printed models; None for the function's name

    Shapes: the function's
    Params: the children's, then the parameters, by name
    State:  the children's, then arrays and constants, by name
    Raises: what the function and the children do
    Source: Lux.jl ``CompactLuxLayer``

    >>> import luxport
    >>> layer = luxport.compact("doubled", dense=luxport.Dense(3, 3))(lambda x, *, dense: 2 * dense(x))
    >>> type(layer).__name__, luxport.output_shape(layer, (4, 3))
    ('CompactLayer', (4, 3))
    """

    # Not a printed field: its name is the layer's, and its source is printed below the children.
    function: Callable[..., Any] = field(init=False)
    layers: NamedLayers
    values: Bindings = Bindings({})
    name: str | None = None

    def __init__(
        self, function: Callable[..., Any], bindings: Mapping[str, Any] | None = None, name: str | None = None
    ) -> None:
        given = {key: make_binding(value) for key, value in (bindings or {}).items()}
        _check_signature(function, given)
        children = {key: value for key, value in given.items() if is_child(value)}
        others = {key: value for key, value in given.items() if key not in children}
        for attribute, value in (
            *(("function", function), ("layers", NamedLayers(children)), ("values", Bindings(others))),
            ("name", _name_function(function) if name is None else name),
        ):
            object.__setattr__(self, attribute, value)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the function with everything bound, and gather the children's new states."""
        new_st = dict(st)
        bound: dict[str, Any] = {name: _bind(child, ps[name], st[name]) for name, child in self.layers.items()}
        arguments = dict(bound)
        for name, value in self.values.items:
            if isinstance(value, Initial):
                arguments[name] = ps[name] if value.trainable else _follow_half(st[name], x, ps)
            else:
                arguments[name] = st[name].value
        y = self.function(x, **arguments)
        for name, child in bound.items():
            new_st[name] = _collect_state(child)
        return y, new_st

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the children's, then the parameters, in the order in which they were given."""
        return initial_parameters(rng, self.layers) | {
            name: value.draw(rng) for name, value in self.values.items if isinstance(value, Initial) and value.trainable
        }

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the children's, then arrays and constants, in the order in which they were given."""
        states = initial_states(rng, self.layers)
        for name, value in self.values.items:
            if not isinstance(value, Initial):
                states[name] = Static(value)
            elif not value.trainable:
                states[name] = value.draw(rng)
        return states

    def _find_wrapped(self) -> Any:
        return self.layers

    def __reduce_ex__(self, protocol: Any) -> Any:
        # If the name of the decorated function refers to this very layer, pickle stores only the name.
        where = self.function.__module__, self.function.__qualname__
        return (_find, where) if _find(*where) is self else super().__reduce_ex__(protocol)

    def __str__(self) -> str:
        source = _find_source(self.function)
        return super().__str__() + (f"\n{source}" if source else "")


def _follow_half(array: Any, x: Any, ps: Parameters) -> Any:
    """Convert a float32 array of the state to the half type of input and parameters, if these are of one.

    Training in half precision keeps states in float32.
    """
    found = {dtype_name(leaf) for leaf in tree.leaves((x, ps)) if is_array(leaf)}
    kinds = {kind for kind in found if "float" in kind}
    if kinds not in ({"float16"}, {"bfloat16"}) or dtype_name(array) != "float32":
        return array
    xp = namespace(array)
    return xp.astype(array, getattr(xp, kinds.pop()))


def _bind(child: Any, ps: Any, st: Any) -> Any:
    """Return what the function is given for a child: a function of x, or a tuple or dict of them."""
    if isinstance(child, Layer):
        return StatefulLayer(child, ps, st)
    named = {name: _bind(inner, ps[name], st[name]) for name, inner in name_layers(child).items()}
    return tuple(named.values()) if isinstance(child, tuple) else named


def _collect_state(bound: Any) -> Any:
    if isinstance(bound, StatefulLayer):
        return bound.st
    return {name: _collect_state(inner) for name, inner in name_layers(bound).items()}


def _check_signature(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    if not callable(function):
        raise TypeError(
            f"compact expects a function of x and {', '.join(values) or 'nothing else'}, got {show(function)}"
        )
    for name, value in values.items():
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"compact expects a layer, an array or something hashable as {name}, got {name_kind(value)}: "
                "make a constant a tuple, and mark an array with luxport.non_trainable"
            ) from None
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in functions have no signature
        return
    try:
        signature.bind(None, **values)
    except TypeError as error:
        takes = f"{_name_function(function)}{signature}"
        raise TypeError(f"compact expects a function of x and {', '.join(values)}, got {takes}: {error}") from None


def _name_function(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "compact")
    return "compact" if name == "<lambda>" else name


def _find(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module) or import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _find_source(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):  # typed at a prompt, or no Python function
        return ""
