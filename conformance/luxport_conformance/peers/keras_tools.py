"""Calling Keras's layers with weights passed as arguments, on any of Keras's backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from luxport_conformance.peers.counterpart import Counterpart, NoCounterpartError

__all__ = ["call_stateless", "check_dilation", "import_layers", "name_activation", "wrap_layer"]


def import_layers() -> Any:
    """Return ``keras.layers``, imported only at the call, because Keras fixes its backend on import."""
    import keras

    return keras.layers


def name_activation(layer: Any) -> str:
    """Return Keras's name for a layer's activation.

    Raises: NoCounterpartError if the activation is unknown
    """
    name = {"identity": "linear"}.get(layer.activation.__name__, layer.activation.__name__)
    if name not in ("linear", "relu", "sigmoid", "tanh"):
        raise NoCounterpartError("is asked of activations linear, relu, sigmoid, tanh")
    return name


def call_stateless(
    built: Any, weights: Sequence[Any], held: Sequence[Any], x: Any, *others: Any, **options: Any
) -> Any:
    """Call a layer with these weights in the dtype of x; return its output and its non-trainable variables.

    Keras computes in the dtype of the layer, float32. For half types the layer gets a mixed-precision policy, as Keras
    recommends, and is called within a `StatelessScope`, because `stateless_call` does not cast weights.
    """
    import keras

    dtype = keras.backend.standardize_dtype(x.dtype)
    if dtype not in ("float16", "bfloat16"):
        return built.stateless_call(weights, held, x, *others, **options)
    for part in built._flatten_layers():
        part.dtype_policy = keras.DTypePolicy(f"mixed_{dtype}")
    variables = [*built.trainable_variables, *built.non_trainable_variables]
    with keras.StatelessScope(state_mapping=list(zip(variables, [*weights, *held], strict=True))):
        return built(x, *others, **options), held


def wrap_layer(
    built: Any,
    shape: tuple[int, ...],
    weights: Callable[[Any], Sequence[Any]] = lambda ps: (),
    *,
    others: Sequence[Any] = (),
    last: bool = False,
    training: bool = False,
) -> Counterpart:
    """Build a layer for inputs of a shape, and return a counterpart that calls it.

    `weights` converts luxport's parameters to a list of the layer's trainable weights, in which None is ignored.
    `others` are values of non-trainable weights; in training the counterpart returns ``(y, statistics)``, as luxport's
    layer does. With `last` the channels of the input are moved to the last axis, and those of the output back.
    """
    import keras

    built.build((None, *shape[2:], shape[1]) if last else (None, *shape[1:]))
    options = {"training": True} if training else {}

    def call(x: Any, ps: Any) -> Any:
        given = [weight for weight in weights(ps) if weight is not None]
        held = [variable.value for variable in built.non_trainable_variables[len(others) :]]
        held = [*[keras.ops.convert_to_tensor(value) for value in others], *held]
        x = keras.ops.moveaxis(x, 1, -1) if last else x
        y, ends = call_stateless(built, given, held, x, **options)
        y = keras.ops.moveaxis(y, -1, 1) if last else y
        return (y, {"running_mean": ends[0], "running_var": ends[1]}) if training else y

    return Counterpart(call)


def check_dilation(windows: Any) -> None:
    """Check that windows do not have both dilation and strides, which TensorFlow and Keras do not support.

    Raises: NoCounterpartError if they have both
    """
    if max(windows.dilation) > 1 < max(windows.stride):
        raise NoCounterpartError("dilates only where it takes no strides")
