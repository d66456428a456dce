"""Layers one after the other: `Chain` and `RepeatedLayer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from numbers import Integral
from typing import Any

from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.layers._function_layers import NoOpLayer
from luxport.layers._layer_loops import can_loop, find_runs, loop_layers
from luxport.layers._named_layers import LayersByName, make_layer, read_layers
from luxport.text import show

__all__ = ["Chain", "RepeatedLayer"]

_MOST_REPEATS = 10_000


class Chain(LayersByName, WrapperLayer):
    """Layers one after the other: the output of each is the input of the next.

    Functions become `WrappedFunction`; tuples and lists of layers are flattened; an empty chain holds a `NoOpLayer`.
    Layers are named ``layer_1``, ``layer_2``, … or by keyword (or a dict).

    ``chain[0]``, ``chain["layer_1"]`` and ``chain.layer_1`` are a layer; ``chain[1:]`` is a chain with the same names,
    which takes the parameters of the whole chain.

    With ``scan=True`` JAX runs equal layers that follow each other as one loop. If the rule is elementwise, as Adam is,
    `training.train_step` also keeps their parameters stacked, and its program does not grow with depth. (A program of
    your own that returns gradients still contains a copy for each array of each layer.) Parameters, states, names and
    random numbers do not change; results are equal except for rounding. Put what repeats into a block, a chain of its
    own, and the blocks into the chain. Layers are called one by one on other backends, and if they cannot be a loop
    because their shapes differ, or those of input and output; so are convolutions on a CPU, which loops slow down.

    Args:
        *layers: layers and functions; tuples and lists of them are flattened, and a single dict gives them names
        name: the layer's name in printed models
        scan: whether equal layers that follow each other are run as one loop, on a backend that compiles loops
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers
    Params: one entry per layer, by name
    State:  likewise
    Raises: TypeError when built with anything that is neither layer nor function, ValueError for a layer named
            ``name``, ``layers`` or ``scan``, which are the chain's own; LayerError as the layers do
    Source: Lux.jl ``Chain``

    >>> import luxport
    >>> model = Chain(luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 1))
    >>> list(luxport.setup(0, model)[0])
    ['layer_1', 'layer_2']
    >>> Chain(encoder=luxport.Dense(2, 3)).encoder
    Dense(2, 3)
    """

    layers: NamedLayers
    name: str | None = None
    scan: bool = field(default=False, kw_only=True)

    def __init__(self, *layers: Any, name: str | None = None, scan: bool = False, **named: Any) -> None:
        found = read_layers("Chain", layers, named, reserved=("name", "layers", "scan"), name=name)
        if not isinstance(scan, bool):
            raise ValueError(f"Chain expects True or False as scan, got {show(scan)}: no layer can have this name")
        object.__setattr__(self, "layers", found or NamedLayers({"layer_1": NoOpLayer()}))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "scan", scan)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers in order."""
        if self.scan and can_loop(x):
            return self._call_by_runs(x, ps, st)
        new_st = {}
        for name, layer in self.layers.pairs:
            x, new_st[name] = layer(x, ps[name], st[name])
        return x, new_st

    def _call_by_runs(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        new_st = {}
        for layer, names in find_runs(self.layers):
            entries = [ps[name] for name in names], [st[name] for name in names]
            found = loop_layers(layer, x, *entries) if len(names) > 1 else None
            if found is not None:
                x, new = found
                new_st |= zip(names, new, strict=True)
                continue
            for name in names:
                x, new_st[name] = layer(x, ps[name], st[name])
        return x, new_st

    def _part(self, layers: Mapping[str, Layer]) -> Chain:
        return Chain(layers, name=self.name, scan=self.scan)


class RepeatedLayer(WrapperLayer):
    """A layer called several times with the same parameters: each output is the next input.

    ``y = model(model(…model(x)))``, or with `input_injection` ``y = model((…model((x, x)), x))``. The layer's state is
    passed from call to call.

    Args:
        model: a layer or a function
        repeats: how many times it is called
        input_injection: whether it is called with (output, x), at first (x, x), instead of the output alone

    Shapes: those of the layer, whose output has the shape of its input
    Params: the layer's
    State:  the layer's
    Raises: ValueError when built with fewer than one repeat
    Source: Lux.jl ``RepeatedLayer``, as it is documented (its code calls the layer with x every time)

    >>> import numpy as np
    >>> RepeatedLayer(lambda x: 2.0 * x, repeats=3)(np.ones(2), {}, {})[0]
    array([8., 8.])
    >>> RepeatedLayer(lambda y_x: y_x[0] + y_x[1], repeats=3, input_injection=True)(np.ones(2), {}, {})[0]
    array([4., 4.])
    """

    model: Any
    _: KW_ONLY
    repeats: int = 10
    input_injection: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", make_layer(self.model))
        if isinstance(self.repeats, bool) or not isinstance(self.repeats, Integral) or self.repeats < 1:
            raise ValueError(f"RepeatedLayer expects an int of at least 1 as repeats, got {show(self.repeats)}")
        if self.repeats > _MOST_REPEATS:
            raise ValueError(f"RepeatedLayer expects at most {_MOST_REPEATS} repeats, got {self.repeats}")

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer repeatedly."""
        y = x
        for _ in range(self.repeats):
            y, st = self.model((y, x) if self.input_injection else y, ps, st)
        return y, st
