"""`StatefulLayer`: a mutable object with a layer, its parameters and its current state, called as ``m(x)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

from luxport.call_arguments import explain_construction
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States, expect_layer, name_layers
from luxport.text import name_kind

__all__ = ["StatefulLayer"]


@explain_construction
class StatefulLayer:
    """A layer with its parameters and its state: ``m(x)`` returns the output and stores the new state.

    It is convenient in a notebook, and inside a function that calls ``f(x)``: create it there from the parameters that
    the function was given, and gradients, second gradients and compilation work through it. Do not call one that was
    created outside a compiled function inside it: it would store the compiler's placeholder arrays.

    `ps` may be None if every call brings parameters, ``m(x, ps)``. Assign `st` to change the mode:
    ``m.st = luxport.test_mode(m.st)``.

    Raises: TypeError if `model` is no layer, or if neither it nor the call has parameters
    Source: Lux.jl ``StatefulLuxLayer``

    >>> import numpy as np, luxport
    >>> model = luxport.Dropout(0.5)
    >>> m = StatefulLayer(model, *luxport.setup(0, model))
    >>> y = m(np.ones(3, np.float32))
    >>> int(m.st["rng"]["counter"])
    1
    """

    __slots__ = ("model", "ps", "st")

    # TensorFlow's AutoGraph looks for this attribute, and does not rewrite the code of what has it.
    autograph_info__ = True

    def __init__(self, model: Layer, ps: Parameters | None, st: States) -> None:
        expect_layer("StatefulLayer", model)
        self.model: Layer = model
        self.ps: Parameters | None = ps
        self.st: States = st

    def __call__(self, x: Any, ps: Parameters | None = None) -> Any:
        """Call the layer with these parameters, or the stored ones, and store its new state."""
        parameters = self.ps if ps is None else ps
        if parameters is None:
            raise TypeError("StatefulLayer holds no parameters: call it with them, m(x, ps)")
        y, self.st = self.model(x, parameters, self.st)
        return y

    @overload
    def __getitem__(self, place: int | str) -> StatefulLayer: ...
    @overload
    def __getitem__(self, place: slice) -> Steps: ...
    def __getitem__(self, place: int | str | slice) -> StatefulLayer | Steps:
        """Return an inner layer by its position or name; calls of it change the state of this one.

        A slice returns several layers that are called one after the other.

        Raises: IndexError or KeyError if there is none

        >>> import numpy as np, luxport
        >>> chain = luxport.Chain(luxport.Dense(3, 4), luxport.Dense(4, 2))
        >>> m = StatefulLayer(chain, *luxport.setup(0, chain))
        >>> m[0](np.ones((5, 3), np.float32)).shape
        (5, 4)
        """
        layers = name_layers(self.model.children())
        if isinstance(place, slice):
            return Steps(tuple(self[name] for name in list(layers)[place]))
        name = place if isinstance(place, str) else list(layers)[place]
        layer, ps, st = layers[name], self.ps, self.st
        if not isinstance(layer, Layer) or name not in st:
            raise KeyError(f"{name_kind(self.model)} holds no layer with states of its own at {place!r}")
        return _Inner(layer, None if ps is None else ps[name], st[name], self, name)

    def __repr__(self) -> str:
        return f"StatefulLayer({self.model!r})"


@dataclass(frozen=True)
class Steps:
    """Several `StatefulLayer`, called one after the other."""

    layers: tuple[StatefulLayer, ...]

    def __call__(self, x: Any) -> Any:
        """Call each layer with the output of the previous one."""
        for layer in self.layers:
            x = layer(x)
        return x


class _Inner(StatefulLayer):
    """A layer inside another one, whose state is a part of the outer state."""

    __slots__ = ("_name", "_whole")

    def __init__(self, model: Layer, ps: Parameters | None, st: States, whole: StatefulLayer, name: str) -> None:
        super().__init__(model, ps, st)
        self._whole, self._name = whole, name

    def __call__(self, x: Any, ps: Parameters | None = None) -> Any:
        self.read_state()
        y = super().__call__(x, ps)
        self.write_state()
        return y

    def read_state(self) -> None:
        """Copy the state from the outer layer, as other calls may have changed it."""
        if isinstance(self._whole, _Inner):
            self._whole.read_state()
        self.st = self._whole.st[self._name]

    def write_state(self) -> None:
        """Store the new state in the outer layer."""
        self._whole.st = {**self._whole.st, self._name: self.st}
        if isinstance(self._whole, _Inner):
            self._whole.write_state()
