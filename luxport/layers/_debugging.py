"""Finding the layer that first computes a NaN: `debug`, `DebugLayer`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from functools import partial
from typing import Any, Literal

from luxport import ops, tree
from luxport.backend import Array, dtype_name, find_owner, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.containers import WrapperLayer
from luxport.core.error_location import mark_located
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States, expect_layer
from luxport.core.surgery import layer_map
from luxport.text import show

__all__ = ["DebugLayer", "debug"]

Check = Literal["both", "forward", "backward", "none"]


class DebugLayer(WrapperLayer):
    """A layer that raises an error at the first NaN in its inputs, outputs, and their gradients.

    ``y = layer(x)``

    The FloatingPointError names the layer by its path in the model, and says whether it made the NaN or was given it:
    ``Dense at layer_2 made 3 NaN of 10 entries in its output``. Other errors get a note that says where they occurred.

    Values can be checked in eager programs only: in a compiled one (by `luxport.jit` or by a framework) and under
    ``vmap`` the layer is merely called. The checks are slow, and on JAX rule out forward-mode derivatives: remove them
    when the NaN is found.

    Args:
        layer: a layer
        location: the layer's path in the model, for the message
        check: "forward" checks values, "backward" gradients, "both" both, "none" neither
        infinities: whether infinite numbers are errors, too

    Shapes: the layer's
    Params: the layer's
    State:  the layer's
    Raises: FloatingPointError, as above; ValueError when built with an unknown check
    Source: Lux.jl ``DebugLayer``

    >>> import numpy as np, luxport
    >>> model = DebugLayer(luxport.WrappedFunction(np.sqrt))
    >>> y, st = model(np.array([4.0]), *luxport.setup(0, model))
    >>> y
    array([2.])
    """

    layer: Layer
    location: tuple[str, ...] = ()
    _: KW_ONLY
    check: Check = "both"
    infinities: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.check not in ("both", "forward", "backward", "none"):
            raise ValueError(
                f"DebugLayer expects 'both', 'forward', 'backward' or 'none' as check, got {show(self.check)}"
            )

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer, and check its inputs and outputs."""
        x = self._watch(x, "was given", "in its input", "made", "in the gradient of its input")
        ps = self._watch(ps, "was given", "in its parameter", "made", "in the gradient of its parameter")
        st = self._watch(st, "was given", "in its state", "", "")
        y, st = self.layer(x, ps, st)
        y = self._watch(y, "made", "in its output", "was given", "in the gradient of its output")
        return y, self._watch(st, "made", "in its new state", "", "")

    def __getattr__(self, name: str) -> Any:
        # Containers may read fields of their layers, as `BidirectionalRNN` reads `time_major`.
        if name.startswith("__") or name == "name" or "layer" not in self.__dict__:
            raise AttributeError(f"DebugLayer has no attribute {show(name)}")
        return getattr(self.layer, name)

    def _watch(self, values: Any, verb: str, place: str, back_verb: str, back_place: str) -> Any:
        """Return the same values, of which floats are checked in the forward pass, and if `back_verb` backward."""

        def watch(path: tuple[str, ...], leaf: Any) -> Any:
            kind = dtype_name(leaf) if find_owner(type(leaf)) is not None else ""
            if "float" not in kind and "complex" not in kind:
                return leaf
            name = f" {'.'.join(path)}" if path else ""
            forward = self._look(verb, place + name) if self.check in ("both", "forward") else None
            backward = self._look(back_verb, back_place + name) if self.check in ("both", "backward") else None
            return ops.observe(leaf, forward=forward, backward=backward if back_verb else None)

        return tree.map_with_path(watch, values)

    def _look(self, verb: str, place: str) -> Callable[[Array], None]:
        return partial(_look, infinities=self.infinities, verb=verb, place=place, where=self._say_where())

    def _say_where(self) -> str:
        return type(self.layer).__name__ + (f" at {'.'.join(self.location)}" if self.location else "")


@explain_call_errors
def debug(model: Layer, *, check: Check = "both", infinities: bool = False) -> Layer:
    """Wrap every layer of a model that contains no others in a `DebugLayer`; parameters and states do not change.

    Args:
        model: a layer
        check: "forward" checks values, "backward" gradients, "both" both, "none" neither
        infinities: whether infinite numbers are errors, too

    Source: Lux.jl ``Experimental.@debug_mode``

    >>> import numpy as np, luxport
    >>> model = debug(luxport.Chain(luxport.NoOpLayer(), luxport.WrappedFunction(lambda x: x / x)))
    >>> model(np.zeros(2), *luxport.setup(0, model))
    Traceback (most recent call last):
    FloatingPointError: WrappedFunction at layer_2 made 2 NaN of 2 entries in its output
    """

    def wrap(layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> tuple[Layer, Any, Any]:
        return DebugLayer(layer, path, check=check, infinities=infinities), ps, st

    expect_layer("debug", model)
    ps, st = describe_values(initial_parameters, model), describe_values(initial_states, model)
    return layer_map(wrap, model, ps, st)[0]


def _look(x: Array, *, infinities: bool, verb: str, place: str, where: str) -> None:
    if isinstance(x, AbstractArray):  # it has no values
        return
    xp = namespace(x)
    odd = ~xp.isfinite(x) if infinities else xp.isnan(x)
    if bool(xp.any(odd)):
        count, size = int(xp.sum(xp.astype(odd, xp.int32))), 1
        for n in x.shape:
            size *= int(n)
        kind = "NaN or infinite" if infinities else "NaN"
        raise mark_located(
            FloatingPointError(f"{where} {verb} {count} {kind} of {size} {'entry' if size == 1 else 'entries'} {place}")
        )
