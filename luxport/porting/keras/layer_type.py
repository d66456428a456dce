"""`make_layer_type`: the class of the Keras layers that `to_keras` returns."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import backend_of, dtype_name
from luxport.backend._precision import choose_dtype_at
from luxport.core.free_sizes import FreeArray, find_output_of_free
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.core.modes import test_mode, train_mode
from luxport.porting.keras.layer_config import read_config, write_config
from luxport.random import Rng
from luxport.when_imported import when_imported

__all__ = ["make_layer_type"]


@functools.cache
def make_layer_type() -> Any:
    """Return the class of Keras layers that contain a luxport model, its parameters and its state."""
    # Importing Keras fixes its backend, so it is imported only when the class, which needs its base, is used.
    keras = import_module("keras")
    # A TensorFlow variable must be read to get an array.
    read_variable = keras.ops.copy if keras.backend.backend() == "tensorflow" else keras.ops.convert_to_tensor

    @keras.saving.register_keras_serializable(package="luxport")
    class LuxportLayer(keras.layers.Layer):
        """A luxport model with its parameters and current state as Keras variables; `to_keras` returns it."""

        def __init__(self, model: Layer, ps: Parameters, st: States, *, name: str | None = None) -> None:
            super().__init__(name=name, dtype=_find_half_dtype(ps))
            self._model = model
            self._structures = functools.partial(_restore_structures, tree.structure(ps), tree.structure(st))
            self._ps = [self._make_weight(path, leaf, True) for path, leaf in tree.leaves_with_path(ps, ("ps",))]
            self._st = [self._make_weight(path, leaf, False) for path, leaf in tree.leaves_with_path(st, ("st",))]
            self.built = True

        def get_config(self) -> dict[str, Any]:
            """Return a description of the model, and of the shapes of its parameters and state."""
            trees = tree.map(lambda weight: np.zeros(weight.shape, weight.dtype), self._map_weights())
            return {**super().get_config(), "model": write_config(self._model), "trees": write_config(trees)}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            """Build a layer with initial values, or with zeros if its arrays differ in shape from the initial ones."""
            model, trees = read_config(config["model"]), read_config(config["trees"])
            drawn = initial_parameters(Rng(0), model), initial_states(Rng(0), model)
            if tree.structure(drawn) == tree.structure(trees) and all(
                a.shape == b.shape and a.dtype == b.dtype
                for a, b in zip(tree.leaves(drawn), tree.leaves(trees), strict=True)
            ):
                trees = drawn
            made = cls(model, *trees, name=config["name"])
            made.trainable = config.get("trainable", True)
            return made

        def _make_weight(self, path: tuple[str, ...], leaf: Any, trainable: bool) -> Any:
            host = np.asarray(backend_of(leaf).to_numpy(leaf))
            floating = host.dtype.kind not in "biu"
            weight = self.add_weight(
                shape=host.shape,
                dtype=host.dtype.name,
                trainable=trainable and floating,
                autocast=floating and choose_dtype_at(path, "float16") == "float16",
                initializer="zeros",
                name="-".join(path),
            )
            weight.assign(host)
            return weight

        def trees(self) -> tuple[Any, Any]:
            """Return parameters and state as arrays of Keras's backend."""
            return self._map_weights(read_variable)

        def _map_weights(self, function: Any = lambda weight: weight) -> tuple[Any, Any]:
            return tuple(
                tree.unflatten(structure, map(function, weights))
                for structure, weights in zip(self._structures(), (self._ps, self._st), strict=True)
            )  # type: ignore[return-value]

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            """Call the model, and store its new state."""
            ps, st = self.trees()
            st = train_mode(st) if training else test_mode(st)
            y, new = self._model(tuple(inputs) if isinstance(inputs, list) else inputs, ps, st)
            if tree.structure(new) != tree.structure(st):
                raise ValueError(f"to_keras expects a state that keeps its structure, but that of {self.name} changes")
            for weight, before, after in zip(self._st, tree.leaves(st), tree.leaves(new), strict=True):
                if after is not before:
                    weight.assign(after)
            return y

        def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
            """Return the shapes and dtypes of the output; a size that depends on an unknown size is unknown."""
            given = tuple(inputs) if isinstance(inputs, list) else inputs
            # The shapes do not depend on the precision, so all floats are taken as float32.
            single = lambda x: "float32" if "float" in x.dtype else x.dtype  # noqa: E731
            free = tree.map(lambda x: FreeArray(tuple(x.shape), single(x)), given)
            found = find_output_of_free(self._model, free)
            return tree.map(lambda leaf: keras.KerasTensor(leaf.shape, dtype=self._find_dtype(leaf)), found)

        def _find_dtype(self, leaf: FreeArray) -> str:
            return self.compute_dtype if "float" in leaf.dtype else leaf.dtype

    return LuxportLayer


def _find_half_dtype(ps: Parameters) -> str | None:
    """Return the name of the half-precision dtype of all floating parameters, None if they have another dtype."""
    (kind, *others) = {*[dtype_name(leaf) for leaf in tree.leaves(ps) if "float" in dtype_name(leaf)]} or {None}
    return kind if not others and kind in ("float16", "bfloat16") else None


def _restore_structures(ps: Any, st: Any) -> tuple[Any, Any]:
    """Return the structures; a `partial` of this function hides them from Keras, which tracks attributes of layers."""
    return ps, st


# Keras finds the class by its name when it loads a model.
when_imported("keras", make_layer_type)
