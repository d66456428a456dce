"""Return layers for Julia functions in a model: known functions by name, anonymous ones by their lowered code.

The axes of arrays are those of Julia in reverse. So ``size(x, 1)`` is the size of the last axis, and
``reshape(x, a, b, :)`` is a reshape to ``(-1, b, a)``, which keeps the order of the elements in memory.
"""

from __future__ import annotations

from typing import Any

import luxport
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.porting import julia
from luxport.porting.flux.lowered_functions import MOST_METHODS, compile_function
from luxport.porting.flux.named_functions import find_named_function

__all__ = ["Hole", "make_function_layer"]


def make_function_layer(value: julia.Function) -> Layer:
    """Return a layer for a function in a chain, by its name or its lowered code; a `Hole` if both are unknown."""
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
    """Stands for a function that cannot be read from the file; `load_model(..., functions=...)` replaces it.

    The file has only the function's name, or lowered code that luxport does not understand.

    Shapes: none: it cannot be called
    Params: none
    State:  none
    Raises: LayerError when it is called, with the lowered code if the file has it
    """

    name: str
    code: str = ""
    reason: str = ""
    """Why not even the name can be read; then ``name`` is the path in the model."""

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Raise a LayerError that says how to supply the function."""
        if self.reason:
            raise LayerError(
                f"cannot be read from the file ({self.reason}): "
                f"pass a function as load_model(..., functions={{{self.name!r}: f}})"
            )
        code = f"; in Julia it was: {' ; '.join(line.strip() for line in self.code.splitlines())}" if self.code else ""
        raise LayerError(
            f"is a function of which the file has only the name {self.name!r}: "
            f"pass it as load_model(..., functions={{{self.name!r}: f}}){code}"
        )
