"""The contract of a layer, and the functions that every layer answers to.

A layer is an immutable value that holds no arrays. It describes its parameters and its states, and is a pure
function of all three: ``y, st = layer(x, ps, st)``. Parameters and states are plain nested dicts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, dataclass_transform

import numpy as np

from luxport import tree
from luxport.abstract import AbstractArray, AbstractRng, ValuesNeededError
from luxport.backend import (
    Array,
    Backend,
    backend_of,
    check_dtype_name,
    default_backend,
    dtype_name,
    find_owner,
    get_backend,
    load_present_backends,
)
from luxport.building import completed
from luxport.entries import Entries, Own
from luxport.errors import LayerError
from luxport.keys import with_places
from luxport.located import located
from luxport.random import Rng, key_words
from luxport.static import Static

__all__ = [
    "ContainerLayer",
    "Layer",
    "NamedLayers",
    "Parameters",
    "States",
    "WrapperLayer",
    "apply",
    "initial_parameters",
    "initial_states",
    "output_shape",
    "parameter_length",
    "setup",
    "state_length",
    "stateless_apply",
    "test_mode",
    "train_mode",
    "update_state",
]

Parameters: TypeAlias = Mapping[str, Any]
"""The parameters of a layer: arrays by name, or dicts of them by the names of the layers inside."""

States: TypeAlias = Mapping[str, Any]
"""The state of a layer, which each call returns anew: like `Parameters`."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Layer(ABC):
    """A layer: fields, initial values and a formula.

    A subclass becomes a frozen dataclass by being one; it gives its fields, `initial_parameters` if it has
    parameters, `initial_states` if it has states, and ``__call__``.

    >>> import numpy as np, luxport
    >>> class Shift(Layer):
    ...     dims: int
    ...     def initial_parameters(self, rng):
    ...         return {"shift": luxport.ones(rng, (self.dims,))}
    ...     def __call__(self, x, ps, st):
    ...         return x + ps["shift"], st
    >>> ps, st = luxport.setup(0, Shift(2))
    >>> Shift(2)(np.zeros((1, 2), np.float32), ps, st)
    (array([[1., 1.]], dtype=float32), {})
    """

    # TensorFlow's AutoGraph finds this by its name, and runs layers as they are written instead of rewriting them.
    autograph_info__ = True

    _entries: ClassVar[Entries | None] = None
    _own: ClassVar[Own | None] = None
    # The field of a layer that is not called but taken apart: its entries are looked at in its place.
    _entries_of: ClassVar[str | None] = None
    # Entries that a layer uses itself, where all others are handed on to a layer that it holds.
    _own_names: ClassVar[Any] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls) and not getattr(cls.__call__, "__isabstractmethod__", False):
            cls.__call__ = located(cls.__call__)
        # A subclass without fields of its own is built as its parent is, whose __init__ may be written by hand.
        own_fields = "__annotations__" in vars(cls) or cls.__init__ is object.__init__
        dataclass(frozen=True, repr=False, init=own_fields)(cls)
        if "__init__" in vars(cls):
            cls.__init__ = completed(cls.__init__)

    @abstractmethod
    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Return the output and the new state; the inputs stay as they were."""

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the initial parameters on the host, in field order."""
        return {}

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the initial states on the host."""
        return {}

    def children(self) -> Mapping[str, Any]:
        """Return the layers inside this one by the keys of their parameters."""
        return {}

    def __repr__(self) -> str:
        from luxport.display import one_line

        return one_line(self)

    def __str__(self) -> str:
        from luxport.display import display

        return display(self)


class NamedLayers(Mapping[str, Layer]):
    """An immutable, hashable, ordered mapping of names to layers: the field of a container that has many."""

    __slots__ = ("_items", "_layers")

    def __init__(self, layers: Mapping[str, Layer] | Iterable[tuple[str, Layer]] = ()) -> None:
        self._layers = dict(layers)
        self._items = tuple(self._layers.items())

    def __getitem__(self, name: str) -> Layer:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedLayers) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"NamedLayers({self._layers!r})"


class ContainerLayer(Layer):
    """A layer made of layers. It finds them in its own fields: layers, and tuples, lists or dicts of layers.

    Params: one entry per such field, under the field's name; inside a tuple ``layer_1``, ``layer_2``, …
    State:  likewise

    >>> import luxport
    >>> class Residual(ContainerLayer):
    ...     inner: Layer
    ...     def __call__(self, x, ps, st):
    ...         y, inner = self.inner(x, ps["inner"], st["inner"])
    ...         return x + y, {"inner": inner}
    >>> luxport.parameter_length(Residual(luxport.Dense(3, 3)))
    12
    """

    def __post_init__(self) -> None:
        _freeze_layers(self)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of the children, in field order."""
        return initial_parameters(rng, self.children())

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make those of the children, in field order."""
        return initial_states(rng, self.children())

    def children(self) -> Mapping[str, Any]:
        """Return the fields that hold layers."""
        return {f.name: value for f in fields(self) if is_layers(value := getattr(self, f.name))}  # type: ignore[arg-type]


class WrapperLayer(Layer):
    """A layer around exactly one field of layers, whose parameters and states are that field's, with no key between.

    Without a ``__call__`` of its own it calls what it wraps.

    Raises: TypeError when it is built, if not exactly one field holds layers

    >>> import luxport
    >>> class Named(WrapperLayer):
    ...     inner: Layer
    ...     note: str = ""
    >>> list(luxport.setup(0, Named(luxport.Dense(2, 3)))[0])
    ['weight', 'bias']
    """

    def __post_init__(self) -> None:
        _freeze_layers(self)
        self._wrapped()

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call what is wrapped."""
        return self._wrapped()(x, ps, st)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of what is wrapped."""
        return initial_parameters(rng, self._wrapped())

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make those of what is wrapped."""
        return initial_states(rng, self._wrapped())

    def children(self) -> Mapping[str, Any]:
        """Return the layers that are wrapped, by the keys of their parameters."""
        wrapped = self._wrapped()
        return wrapped.children() if isinstance(wrapped, Layer) else by_name(wrapped)

    def _wrapped(self) -> Any:
        found = [value for f in fields(self) if is_layers(value := getattr(self, f.name))]  # type: ignore[arg-type]
        if len(found) != 1:
            raise TypeError(f"{type(self).__name__} expects exactly one field of layers, got {len(found)}")
        return found[0]


def initial_parameters(rng: int | Rng, layers: Any) -> Any:
    """Draw the initial parameters of a layer, or of a mapping or sequence of layers, as NumPy arrays.

    >>> import luxport
    >>> {k: v.shape for k, v in initial_parameters(0, luxport.Dense(2, 3)).items()}
    {'weight': (2, 3), 'bias': (3,)}
    """
    rng = Rng.of(rng)
    if isinstance(layers, Layer):
        return _drawn(layers, layers.initial_parameters(rng), "initial_parameters")
    return {name: initial_parameters(rng, layer) for name, layer in by_name(layers).items()}


def initial_states(rng: int | Rng, layers: Any) -> Any:
    """Make the initial states of a layer, or of a mapping or sequence of layers, as NumPy arrays."""
    rng = Rng.of(rng)
    if isinstance(layers, Layer):
        return _drawn(layers, layers.initial_states(rng), "initial_states")
    return {name: initial_states(rng, layer) for name, layer in by_name(layers).items()}


def _drawn(layer: Layer, values: Any, method: str) -> Any:
    """Expect a dict of a layer's initial values, and arrays of the shapes that the layer has said."""
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{type(layer).__name__}.{method} returned {type(values).__name__}: return a dict of arrays by their names"
        )
    if layer._entries is not None and layer._entries_of is None and method == "initial_parameters":
        for name, wanted, _ in layer._entries.parameters:
            shape = getattr(values.get(name), "shape", None)
            if shape is None or tuple(shape) != wanted:
                got = type(values.get(name)).__name__ if shape is None else tuple(shape)
                raise TypeError(f"{type(layer).__name__} expects {name} {wanted} of its initialiser, got {got}")
    return values


def setup(
    rng: int | Rng | Array,
    model: Layer,
    *,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the parameters and make the states of a model: ``ps, st``, in training mode.

    Both are plain dicts in the order of the model, which is that of `luxport.flatten` too, even after JAX has sorted
    their keys: these know their places.

    The values are drawn in float32 on the host and are the same on every backend; `dtype` converts those that
    are floating. Without `backend` they go to the default one (see `luxport.default_backend`).

    A key of JAX stands for the seed that its words are (that of ``jax.random.key(0)`` is 0), and the arrays are JAX's
    then. Under `jax.vmap` and `jax.jit`, which show no words, the program calls the host as it runs:
    ``jax.vmap(lambda key: luxport.setup(key, model)[0])(keys)`` is as many models.

    Raises: TypeError if rng is neither a seed, an `Rng` nor one key; ValueError if `dtype` is not floating or the
            backend cannot hold it

    >>> import luxport
    >>> ps, st = setup(0, luxport.Dense(2, 1), dtype="float64")
    >>> ps["weight"].shape, str(ps["weight"].dtype)
    ((2, 1), 'float64')
    """
    _check_layer("setup", model)
    key = rng
    words = None if isinstance(key, (int, np.integer, Rng)) else key_words(key)
    if words is None or isinstance(words, tuple):
        rng = Rng.of(rng if words is None else Rng.of_words(words))
    check_dtype_name(dtype, floating=True)
    load_present_backends()
    if backend is not None:
        owner = get_backend(backend)
    else:
        owner = default_backend() if words is None else backend_of(key)

    def drawn(rng: Rng) -> tuple[Any, Any]:
        return initial_parameters(rng, model), initial_states(rng, model)

    def place(path: tuple[str, ...], value: Any) -> Array:
        name = getattr(getattr(value, "dtype", None), "name", None) or type(value).__name__
        if isinstance(value, (float, int)) and not isinstance(value, bool):
            value, name = np.asarray(value), f"{type(value).__name__}64"
        elif not _is_array(value) and not isinstance(value, (np.generic, bool)):
            raise TypeError(f"setup expects arrays as initial values, got {name} at {'.'.join(path)}")
        wanted = dtype if "float" in name or "complex" in name else None
        # Values that a layer of one's own makes with NumPy's defaults are in single precision, as all others.
        return owner.asarray(value, dtype=wanted or _SINGLE.get(name), device=device)

    if isinstance(rng, Rng):
        ps, st = drawn(rng)
    else:
        like = drawn(Rng(0))
        later: Any = backend_of(key)
        arrays = later.draw_later(lambda words: _in_single(drawn(Rng.of_words(words))), words, _in_single(like))
        ps, st = tree.unflatten(tree.structure(like), iter(arrays))
    known = getattr(owner, "sorts_keys", False)
    return with_places(tree.map_with_path(place, ps), known=known), with_places(
        tree.map_with_path(place, st), known=known
    )


_SINGLE = {"float64": "float32", "complex128": "complex64"}


def _in_single(values: Any) -> list[Any]:
    arrays = [np.asarray(leaf) for leaf in tree.leaves(values)]
    return [array.astype(_SINGLE.get(array.dtype.name, array.dtype)) for array in arrays]


def apply(model: Layer, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
    """Return ``model(x, ps, st)``."""
    _check_layer("apply", model)
    return model(x, ps, st)


def stateless_apply(model: Layer, x: Any, ps: Parameters) -> Any:
    """Return only the output of a model that has no states.

    Raises: LayerError if the model has states

    >>> import numpy as np, luxport
    >>> stateless_apply(luxport.NoOpLayer(), np.ones(2), {})
    array([1., 1.])
    """
    _check_layer("stateless_apply", model)
    st = initial_states(AbstractRng(), model)
    if state_length(st):
        raise LayerError(
            "has states, and stateless_apply expects a model without any: call model(x, ps, st)",
            culprit=type(model).__name__,
        )
    return model(x, ps, st)[0]


def parameter_length(model: Layer | Parameters) -> int:
    """Count the scalars among the parameters of a layer, or in a tree of parameters.

    >>> import luxport
    >>> parameter_length(luxport.Dense(128, 256))
    33024
    """
    ps = abstract_values(initial_parameters, model) if isinstance(model, Layer) else model
    return sum(_size(leaf) for leaf in tree.leaves(ps))


def state_length(model: Layer | States) -> int:
    """Count the entries of the states of a layer, or of a tree of states.

    An array counts its scalars; a `Static`, a None and a generator (an entry named ``rng``) count one each.

    >>> import luxport
    >>> state_length(luxport.BatchNorm(128)), state_length(luxport.Dropout(0.5))
    (257, 2)
    """
    st = abstract_values(initial_states, model) if isinstance(model, Layer) else model
    if isinstance(st, Mapping):
        return sum(1 if name == "rng" else state_length(value) for name, value in st.items())
    if isinstance(st, (tuple, list)):
        return sum(state_length(value) for value in st)
    return 1 if st is None or isinstance(st, Static) else _size(st)


def output_shape(model: Layer, input_shape: Any, *, dtype: str = "float32") -> Any:
    """Return the shape of the output for an input of this shape (batch included), without computing anything.

    The model runs on arrays without values, in test mode. A tree of shapes (tuples of ints) stands for a tree
    of inputs; an array stands for its own shape and dtype.

    Raises: LayerError as the model itself does; TypeError if a function in the model needs values, or if this
            is no shape; ValueError if a size is negative

    >>> import luxport
    >>> output_shape(luxport.Chain(luxport.Dense(3, 5), luxport.Dense(5, 2)), (64, 3))
    (64, 2)
    """
    _check_layer("output_shape", model)
    ps = abstract_values(initial_parameters, model)
    st = test_mode(abstract_values(initial_states, model))
    y, _ = model(_abstract_inputs(input_shape, dtype), ps, st)
    return tree.map(lambda leaf: tuple(leaf.shape), y)


def train_mode(st: States) -> dict[str, Any]:
    """Return the state with every ``training`` entry set.

    >>> import luxport
    >>> ps, st = luxport.setup(0, luxport.Dropout(0.5))
    >>> test_mode(st)["training"], train_mode(test_mode(st))["training"]
    (Static(False), Static(True))
    """
    _check_states("train_mode", st)
    return update_state(st, "training", Static(True))


def test_mode(st: States) -> dict[str, Any]:
    """Return the state with every ``training`` entry cleared."""
    _check_states("test_mode", st)
    return update_state(st, "training", Static(False))


test_mode.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it for its name


def update_state(
    st: States, name: str, value: Any, *, exclude: Callable[[Any], bool] = lambda entry: False
) -> dict[str, Any]:
    """Return the state with every entry of this name replaced, at any depth.

    Subtrees for which `exclude` holds stay as they are.

    >>> update_state({"a": {"carry": 1}, "carry": 2, "b": 3}, "carry", None)
    {'a': {'carry': None}, 'carry': None, 'b': 3}
    """
    _check_states("update_state", st)

    def replace(entry: Any) -> Any:
        if exclude(entry):
            return entry
        if isinstance(entry, Mapping):
            return {key: value if key == name else replace(inner) for key, inner in entry.items()}
        if isinstance(entry, (tuple, list)):
            return tree.like_sequence(entry, [replace(inner) for inner in entry])
        return entry

    return replace(st)


def _check_layer(function: str, model: Any) -> None:
    if not isinstance(model, Layer):
        raise TypeError(f"{function} expects a layer, got {type(model).__name__}")


def _check_states(function: str, st: Any) -> None:
    if isinstance(st, Layer):
        raise TypeError(
            f"{function} expects states, got the layer {type(st).__name__}: a model has no mode, its states have: "
            f"st = luxport.{function}(st), then model(x, ps, st)"
        )
    if not isinstance(st, (Mapping, tuple, list)):
        raise TypeError(f"{function} expects states, as luxport.setup returns them, got {type(st).__name__}")


def abstract_values(initial: Callable[[Any, Any], Any], layer: Layer) -> Any:
    """Describe the initial values by shape and dtype, drawing them only if an initialiser needs to see them."""
    try:
        values = initial(AbstractRng(), layer)
    except ValuesNeededError:
        values = initial(Rng(0), layer)
    return tree.map(AbstractArray.like, values)


def _abstract_inputs(shape: Any, dtype: str) -> Any:
    if isinstance(shape, Mapping):
        return {key: _abstract_inputs(value, dtype) for key, value in shape.items()}
    if not isinstance(shape, (tuple, list)):
        if _is_array(shape) and shape is not None:
            return AbstractArray(tuple(shape.shape), _abstract_dtype(shape))
        raise TypeError(f"output_shape expects a shape, a tuple of ints, or a tree of them, got {shape!r}")
    if any(isinstance(entry, (Mapping, tuple, list)) or _is_array(entry) for entry in shape):
        return tuple(_abstract_inputs(entry, dtype) for entry in shape)
    if not all(isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) for entry in shape):
        raise TypeError(f"output_shape expects ints as sizes, got {tuple(shape)}")
    if any(entry < 0 for entry in shape):
        raise ValueError(f"output_shape expects sizes of at least 0, got {tuple(shape)}")
    return AbstractArray(tuple(int(entry) for entry in shape), np.dtype(dtype))


def _is_array(value: Any) -> bool:
    return not isinstance(value, np.generic) and find_owner(type(value)) is not None


def _abstract_dtype(array: Array) -> Any:
    # NumPy has no bfloat16; for shapes it does not matter.
    name = dtype_name(array)
    return np.dtype("float32" if name == "bfloat16" else name)


def _size(leaf: Any) -> int:
    size, shape = 1, getattr(leaf, "shape", None)
    if shape is None:
        raise TypeError(f"a layer or a tree of arrays expected, got {type(leaf).__name__}")
    for dim in shape:
        size *= int(dim)
    return size


def is_layers(value: Any) -> bool:
    if isinstance(value, Layer):
        return True
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(is_layers(entry) for entry in value)


def _has_layers(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, Layer) or (isinstance(value, (tuple, list)) and any(_has_layers(entry) for entry in value))


def by_name(layers: Any) -> Mapping[str, Any]:
    if isinstance(layers, Mapping):
        return layers
    return {f"layer_{i}": layer for i, layer in enumerate(layers, start=1)}


def _freeze_layers(container: Layer) -> None:
    """Make fields of layers given as lists or dicts hashable."""

    def freeze(value: Any) -> Any:
        if isinstance(value, Mapping) and not isinstance(value, NamedLayers):
            return NamedLayers({name: freeze(entry) for name, entry in value.items()})
        if isinstance(value, (tuple, list)):
            return tuple(freeze(entry) for entry in value)
        return value

    for f in fields(container):  # type: ignore[arg-type]
        value = getattr(container, f.name)
        if isinstance(value, Layer):
            continue
        if is_layers(value):
            object.__setattr__(container, f.name, freeze(value))
        elif _has_layers(value):
            raise TypeError(
                f"{type(container).__name__} expects nothing but layers in {f.name}, got {value!r}: "
                "wrap functions in luxport.WrappedFunction"
            )
