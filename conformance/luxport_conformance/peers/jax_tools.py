"""What adapters of JAX's libraries share: layouts, windows, activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.porting.keras.conventions import convert_conv_weight_to_keras
from luxport.tree.static import Static
from luxport_conformance.peers.counterpart import NoCounterpartError
from luxport_conformance.peers.jax_conventions import mirror_kernel

__all__ = [
    "call_channels_last",
    "convert_kernel",
    "count_groups",
    "find_activation",
    "find_transposed_padding",
    "is_training",
    "require_identity",
]


def call_channels_last(call: Callable[[Any], Any], x: Any) -> Any:
    """Call what has its channels last with x, which has them second."""
    import jax.numpy as jnp

    return jnp.moveaxis(call(jnp.moveaxis(x, 1, -1)), -1, 1)


def convert_kernel(layer: Any, weight: Any) -> Any:
    """Turn luxport's weight (a, b, *kernel) into (*kernel, b, a), mirrored for a convolution proper."""
    return convert_conv_weight_to_keras(weight if layer.cross_correlation else mirror_kernel(weight))


def find_transposed_padding(layer: Any) -> list[tuple[int, int]]:
    """Return what is added around an input with zeros in between: what a transposed convolution does not cut away."""
    windows = layer._windows
    sizes = zip(windows.window, windows.dilation, windows.padding, layer._output_padding, strict=True)
    return [(d * (k - 1) - low, d * (k - 1) - high + more) for k, d, (low, high), more in sizes]


def count_groups(layer: Any) -> int:
    """Return the number of groups of a convolution."""
    return layer.in_channels if type(layer).__name__ == "DepthwiseConv" else layer.groups


def find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return JAX's own function in place of a layer's activation, which the peers' layers have not.

    Raises: NoCounterpartError
    """
    import jax

    name = layer.activation.__name__ if "activation" in layer.__dataclass_fields__ else "identity"
    known = {"identity": lambda x: x, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh}
    if name not in known:
        raise NoCounterpartError(f"is asked of activations {', '.join(known)}")
    return known[name]


def require_identity(layer: Any, name: str) -> None:
    """Refuse a cell with another activation than its own.

    Raises: NoCounterpartError
    """
    if "activation" in layer.__dataclass_fields__ and layer.activation.__name__ != name:
        raise NoCounterpartError(f"is asked of the activation {name}")


def is_training(st: Any) -> bool:
    """Tell whether a layer is asked in training."""
    return st.get("training") == Static(True)
