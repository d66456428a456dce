"""`Layer`, the base class of all layers.

A layer is an immutable value that holds no arrays. It describes its parameters and states, and is a pure function of
its input and both: ``y, st = layer(x, ps, st)``. Parameters and states are plain nested dicts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, dataclass_transform

import numpy as np

from luxport.backend import (
    find_owner,
)
from luxport.core.comparing import compare_exactly
from luxport.core.construction import complete_when_built
from luxport.core.error_location import locate_errors
from luxport.core.initial_values import check_places
from luxport.core.layer_base import LayerBase, Parameters, States, expect_layer

__all__ = ["Layer", "check_layer", "is_array"]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Layer(LayerBase, ABC):
    """A layer: fields, initial values and a formula.

    Every subclass is made a frozen dataclass. It defines its fields, `initial_parameters` if it has parameters,
    `initial_states` if it has states, and ``__call__``.

    >>> import numpy as np, luxport
    >>> class Shift(Layer):
    ...     dims: int
    ...     def initial_parameters(self, rng):
    ...         return {"shift": luxport.initializers.ones(rng, (self.dims,))}
    ...     def __call__(self, x, ps, st):
    ...         return x + ps["shift"], st
    >>> ps, st = luxport.setup(0, Shift(2))
    >>> Shift(2)(np.zeros((1, 2), np.float32), ps, st)
    (array([[1., 1.]], dtype=float32), {})
    """

    # TensorFlow's AutoGraph looks for this attribute, and does not rewrite the code of what has it.
    autograph_info__ = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls) and not getattr(cls.__call__, "__isabstractmethod__", False):
            cls.__call__ = locate_errors(cls.__call__)
        # A subclass without fields of its own keeps its parent's __init__, which may be written by hand.
        own_fields = "__annotations__" in vars(cls) or cls.__init__ is object.__init__
        equality, hashing = "__eq__" not in vars(cls), "__hash__" not in vars(cls)
        dataclass(frozen=True, repr=False, init=own_fields)(cls)
        type.__setattr__(cls, "__setattr__", _refuse_change)
        type.__setattr__(cls, "__delattr__", _refuse_change)
        _expect_fields_for_layers(cls)
        compare_exactly(cls, equality=equality, hashing=hashing)
        if "__init__" in vars(cls):
            type.__setattr__(cls, "__init__", complete_when_built(cls.__init__))

    @abstractmethod
    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Return the output and the new state without changing the arguments."""

    def __getattr__(self, name: str) -> Any:
        from luxport.hints import make_attribute_error  # imported only when a call fails

        raise make_attribute_error(self, name)

    def __repr__(self) -> str:
        from luxport.core.display import write_on_one_line  # printing alone needs it

        return write_on_one_line(self)

    def __str__(self) -> str:
        from luxport.core.display import display  # printing alone needs it

        return display(self)


def _refuse_change(layer: Any, name: str, value: object = None) -> None:
    """Raise an error that, unlike the one of a frozen dataclass, says how to make another layer."""
    other = (
        f"dataclasses.replace(layer, {name}=...) makes another layer; "
        if name in {f.name for f in fields(layer)}
        else ""
    )
    raise FrozenInstanceError(
        f"{type(layer).__name__} is immutable, as every layer, and its {name} cannot be set or deleted: {other}"
        "what changes in training is in ps and st"
    )


def _expect_fields_for_layers(kind: type) -> None:
    """Expect an annotation on each layer that is a class attribute: without one it is not a field, and not set up."""
    known = {**getattr(kind, "__dataclass_fields__", {}), **vars(kind).get("__annotations__", {})}
    for name, value in vars(kind).items():
        if isinstance(value, LayerBase) and name not in known:
            raise TypeError(
                f"{kind.__name__} has the layer {name} without a type, which is no field: write {name}: luxport.Layer "
                f"= {type(value).__name__}(...) in a class derived from luxport.ContainerLayer"
            )


def check_layer(function: str, model: Any) -> None:
    """Expect a layer."""
    if function == "setup" and isinstance(model, int):
        raise TypeError("setup expects a layer, got int: the seed comes first, setup(0, model)")
    expect_layer(function, model)
    check_places(function, model)


def is_array(value: Any) -> bool:
    """Return whether a value is an array of a backend; NumPy's scalars are not."""
    return not isinstance(value, np.generic) and find_owner(type(value)) is not None
