"""Parameters that are not trained: `freeze`, `unfreeze`, `FrozenLayer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, overload

from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer, is_array
from luxport.core.layer_base import Parameters, States, expect_layer
from luxport.random import Rng
from luxport.text import name_kind, show
from luxport.tree import paths
from luxport.tree.paths import Path

__all__ = ["FrozenLayer", "freeze", "unfreeze"]


class FrozenLayer(Layer):
    """A layer with some of its parameters moved to the state, so that no gradient is taken of them.

    ``y = layer(x, ps | frozen, st)``. `freeze` makes one of a layer with its parameters and states.

    Args:
        layer: a layer
        which: paths of the parameters to freeze, such as ``("layer_1", "layer_2.weight")``; None for all

    Shapes: the layer's
    Params: the layer's without those that are frozen
    State:  frozen_params: those that are; states: the layer's
    Raises: ValueError when built with a path that the layer's parameters do not have; LayerError as the layer does
    Source: Lux.jl ``FrozenLayer``, which takes names at the top level only

    >>> import luxport
    >>> model = FrozenLayer(luxport.Dense(2, 3), ("weight",))
    >>> luxport.parameter_length(model), luxport.state_length(model)
    (3, 6)
    """

    layer: Layer
    which: tuple[Path, ...] | None = None

    def __post_init__(self) -> None:
        expect_layer("FrozenLayer", self.layer)
        if self.which is None:
            return
        if not isinstance(self.which, (str, tuple, list)):
            raise TypeError(f"FrozenLayer expects paths, such as ('layer_1.weight',), got {show(self.which)}")
        which = (self.which,) if isinstance(self.which, str) else tuple(self.which)
        described = describe_values(initial_parameters, self.layer)
        for path in which:
            paths.find_entry(described, path)
        object.__setattr__(self, "which", which)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer with all its parameters."""
        y, states = self.layer(x, paths.merge(ps, st["frozen_params"]), st["states"])
        return y, {**st, "states": states}

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw all the layer's parameters, and leave out the frozen ones."""
        return self._split(initial_parameters(rng, self.layer))[0]

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw new values of the frozen parameters; to keep given ones, use `freeze`."""
        frozen = self._split(initial_parameters(rng, self.layer))[1]
        return {"frozen_params": frozen, "states": initial_states(rng, self.layer)}

    def _split(self, ps: Parameters) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.which is None:
            return {}, dict(ps)
        return paths.leave_out(ps, self.which), paths.select(ps, self.which)


@overload
def freeze(model: Layer, *, which: str | Iterable[Path] | None = None) -> FrozenLayer: ...
@overload
def freeze(
    model: Layer, ps: Parameters, st: States, which: str | Iterable[Path] | None = None
) -> tuple[FrozenLayer, dict[str, Any], dict[str, Any]]: ...
@explain_call_errors
def freeze(model: Layer, ps: Any = None, st: Any = None, which: str | Iterable[Path] | None = None) -> Any:
    """Freeze parameters of a layer: return the layer; if given parameters and states, ``model, ps, st``.

    Args:
        model: a layer
        ps: its parameters, which give the frozen ones their values
        st: its states
        which: paths of the parameters to freeze, such as ``("layer_1", "layer_2.weight")``; None for all

    Raises: ValueError if a path is no parameter's
    Source: Lux.jl ``Experimental.freeze``

    >>> import luxport
    >>> model = luxport.Dense(2, 3)
    >>> frozen, ps, st = freeze(model, *luxport.setup(0, model), which=["weight"])
    >>> list(ps), list(st["frozen_params"])
    (['bias'], ['weight'])
    """
    if isinstance(which, Iterable) and not isinstance(which, (str, range)) and not is_array(which):
        which = tuple(which)
    expect_layer("freeze", model)
    frozen = FrozenLayer(model, which)  # type: ignore[arg-type]
    if ps is None:
        return frozen
    if not isinstance(ps, Mapping):
        raise TypeError(f"freeze expects the parameters of {type(model).__name__}, got {name_kind(ps)}")
    kept, fixed = frozen._split(ps)
    return frozen, kept, {"frozen_params": fixed, "states": st}


@overload
def unfreeze(model: FrozenLayer) -> Layer: ...
@overload
def unfreeze(model: FrozenLayer, ps: Parameters, st: States) -> tuple[Layer, dict[str, Any], dict[str, Any]]: ...
@explain_call_errors
def unfreeze(model: FrozenLayer, ps: Parameters | None = None, st: States | None = None) -> Any:
    """Undo `freeze`: return the layer inside; if given parameters and states, ``layer, ps, st`` in their first order.

    Args:
        model: what `freeze` returned
        ps: its parameters
        st: its states

    Source: Lux.jl ``Experimental.unfreeze``
    """
    if not isinstance(model, FrozenLayer):
        raise TypeError(f"unfreeze expects a FrozenLayer, got {name_kind(model)}")
    if ps is None:
        return model.layer
    if not isinstance(st, Mapping) or set(st) != {"frozen_params", "states"}:
        raise TypeError(f"unfreeze expects the state that freeze returned, got {show(st)}")
    described = describe_values(initial_parameters, model.layer)
    return model.layer, paths.sort_like(paths.merge(ps, st["frozen_params"]), described), st["states"]
