"""`to_keras`: a model with its parameters and states as a layer of Keras 3, on whichever backend Keras runs."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import backend_of
from luxport.layer import Layer, Parameters, States, output_shape, test_mode, train_mode

__all__ = ["to_keras"]


def to_keras(model: Layer, ps: Parameters, st: States, *, name: str | None = None) -> Any:
    """Return a `keras.layers.Layer` of a model, with copies of its parameters and states, from whichever backend.

    It runs on the backend that Keras runs on, inside `keras.Model` and `fit` like any layer. Its weights are
    called ``ps-layer_1-weight`` and so on; the arrays of the state are not trainable, and are renewed by each call.
    Keras's `training` sets the mode of every layer. A model that takes a tuple takes a tuple or list of inputs.
    ``layer.trees()`` are parameters and states as luxport's layers take them.

    Weights can be saved by Keras (``save_weights``); the whole model cannot, as Keras would have to build it from
    its configuration.

    Raises: TypeError if this is no layer; ModuleNotFoundError without Keras; ValueError, when called, if the state
            takes another structure (a carry that comes with the first call, say)
    """
    if not isinstance(model, Layer):
        raise TypeError(f"to_keras expects a layer, got {type(model).__name__}")
    try:
        layer_type = _layer_type()
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise
        raise ModuleNotFoundError(
            "to_keras needs Keras 3, which is not installed: pip install keras", name="keras"
        ) from None
    return layer_type(model, ps, st, name=name)


@functools.cache
def _layer_type() -> Any:
    # Keras fixes its backend when it is imported, and a class needs its base: both wait until they are wanted.
    keras = import_module("keras")
    # TensorFlow's variables are no arrays until they are read.
    read = keras.ops.copy if keras.backend.backend() == "tensorflow" else keras.ops.convert_to_tensor

    class LuxportLayer(keras.layers.Layer):
        """A layer, its parameters and its current state as Keras holds them: made by `luxport.to_keras`."""

        def __init__(self, model: Layer, ps: Parameters, st: States, *, name: str | None = None) -> None:
            super().__init__(name=name)
            self._model = model
            self._structures = functools.partial(_structures, tree.structure(ps), tree.structure(st))
            self._ps = [self._weight(path, leaf, True) for path, leaf in tree.leaves_with_path(ps, ("ps",))]
            self._st = [self._weight(path, leaf, False) for path, leaf in tree.leaves_with_path(st, ("st",))]
            self.built = True

        def _weight(self, path: tuple[str, ...], leaf: Any, trainable: bool) -> Any:
            host = np.asarray(backend_of(leaf).to_numpy(leaf))
            floating = host.dtype.kind not in "biu"
            weight = self.add_weight(
                shape=host.shape,
                dtype=host.dtype.name,
                trainable=trainable and floating,
                autocast=floating,
                initializer="zeros",
                name="-".join(path),
            )
            weight.assign(host)
            return weight

        def trees(self) -> tuple[Any, Any]:
            """Return the parameters and the state, on Keras's backend."""
            return tuple(
                tree.unflatten(structure, map(read, weights))
                for structure, weights in zip(self._structures(), (self._ps, self._st), strict=True)
            )  # type: ignore[return-value]

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            """Call the model, and keep its new state."""
            ps, st = self.trees()
            st = train_mode(st) if training else test_mode(st)
            y, new = self._model(tuple(inputs) if isinstance(inputs, list) else inputs, ps, st)
            if tree.structure(new) != tree.structure(st):
                raise ValueError(f"to_keras expects a state that keeps its structure, and that of {self.name} does not")
            for weight, before, after in zip(self._st, tree.leaves(st), tree.leaves(new), strict=True):
                if after is not before:
                    weight.assign(after)
            return y

        def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
            """Describe the output; a size that depends on an unknown one is unknown, too."""
            one, other = (
                output_shape(self._model, tree.map(lambda x: _known(x.shape, size), inputs))  # noqa: B023
                for size in (2, 3)
            )
            return _unknown(one, other, lambda shape: keras.KerasTensor(shape, dtype=self.compute_dtype))

    return LuxportLayer


def _structures(ps: Any, st: Any) -> tuple[Any, Any]:
    """Bring back what Keras, which looks into the attributes of layers, is to leave alone."""
    return ps, st


def _known(shape: Any, size: int) -> tuple[int, ...]:
    return tuple([size if n is None else n for n in shape])


def _unknown(one: Any, other: Any, make: Any) -> Any:
    """Turn shapes for two sizes of what is unknown into descriptions."""
    if isinstance(one, dict):
        return {key: _unknown(one[key], other[key], make) for key in one}
    if one and not isinstance(one[0], int):
        return tuple([_unknown(*pair, make) for pair in zip(one, other, strict=True)])
    return make(tuple([n if n == m else None for n, m in zip(one, other, strict=True)]))
