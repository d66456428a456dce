"""Julia's functions as Python's: those with a name, and anonymous ones by their lowered code.

Arrays have their axes reversed with respect to Julia's. So ``size(x, 1)`` is the size of the last axis, and
``reshape(x, a, b, :)`` is a reshape to ``(-1, b, a)``: the same elements in the same places of memory.
"""

from __future__ import annotations

from typing import Any

import luxport
from luxport.core.anatomy import Parameters, States
from luxport.core.layer import Layer
from luxport.errors import LayerError
from luxport.porting import julia
from luxport.porting.flux.lowered_functions import MOST_METHODS, compile_function
from luxport.porting.flux.named_functions import find_named_function

__all__ = ["Hole", "make_function_layer"]


def make_function_layer(value: julia.Function) -> Layer:
    """Return a layer for a function in a chain: by its name, or by its lowered code; a `Hole` where neither helps."""
    if value.name == "flatten":
        return luxport.FlattenLayer()
    if value.name == "identity":
        return luxport.NoOpLayer()
    known = find_named_function(value)
    if known is not None:
        return luxport.WrappedFunction(known)
    if len(value.methods) == 1:
        found = compile_function(value.methods[0])
        if found is not None:
            return luxport.WrappedFunction(found)
    code = "\n".join(map(str, value.methods[:MOST_METHODS]))
    return Hole(value.path, code)


class Hole(Layer):
    """A function of which the file has only a name, or code that luxport does not read: the user fills it.

    Shapes: none: it cannot be called
    Params: none
    State:  none
    Raises: LayerError when it is called, with the lowered code if the file has it
    """

    name: str
    code: str = ""
    reason: str = ""
    """Why the file has not even a name, if so; then ``name`` is the path in the model."""

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Say what is missing."""
        if self.reason:
            raise LayerError(
                f"cannot be read from the file ({self.reason}): "
                f"hand a function over as load_model(..., functions={{{self.name!r}: f}})"
            )
        code = f"; in Julia it was: {' ; '.join(line.strip() for line in self.code.splitlines())}" if self.code else ""
        raise LayerError(
            f"is a function that the file has only by the name {self.name!r}: "
            f"hand it over as load_model(..., functions={{{self.name!r}: f}}){code}"
        )
