"""Functions as layers: `WrappedFunction` and `NoOpLayer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.call_arguments import explain_wrong_call
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.text import show

__all__ = ["NoOpLayer", "WrappedFunction"]


class WrappedFunction(Layer):
    """``function(x)``. Containers such as `Chain` wrap functions automatically.

    Args:
        function: a function of x alone

    Shapes: the function's
    Params: none
    State:  none
    Raises: TypeError when built with something that cannot be called
    Source: Lux.jl ``WrappedFunction``

    >>> import numpy as np
    >>> WrappedFunction(np.negative)(np.array([1.0]), {}, {})[0]
    array([-1.])
    """

    function: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"WrappedFunction expects a function, got {show(self.function)}")
        if explain_wrong_call(self.function, (None,), {}) is not None:
            raise TypeError(f"WrappedFunction expects a function of x, got {show(self.function)}")

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the function."""
        return self.function(x), st


class NoOpLayer(Layer):
    """The identity, ``y = x``: returns x itself.

    Shapes: any
    Params: none
    State:  none
    Source: Lux.jl ``NoOpLayer``

    >>> NoOpLayer()(3, {}, {})
    (3, {})
    """

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Return x."""
        return x, st
