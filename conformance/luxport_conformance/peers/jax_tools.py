"""Functions that the peers of JAX's libraries share, about layouts, windows and activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.porting.keras.conventions import convert_conv_weight_to_keras
from luxport_conformance.peers.jax_conventions import mirror_kernel
from luxport_conformance.peers.layer_tools import pick_activation

__all__ = ["call_channels_last", "convert_kernel", "find_activation", "find_transposed_padding", "make_start"]


def call_channels_last(call: Callable[[Any], Any], x: Any) -> Any:
    """Call a function of channels-last arrays with x, whose channels are second, and return y with channels second."""
    import jax.numpy as jnp

    return jnp.moveaxis(call(jnp.moveaxis(x, 1, -1)), -1, 1)


def convert_kernel(layer: Any, weight: Any) -> Any:
    """Convert luxport's weight (a, b, *kernel) to (*kernel, b, a), flipped unless `cross_correlation`."""
    return convert_conv_weight_to_keras(weight if layer.cross_correlation else mirror_kernel(weight))


def find_transposed_padding(layer: Any) -> list[tuple[int, int]]:
    """Return the padding of a transposed convolution when it is computed as a convolution of its dilated input."""
    windows = layer._windows
    sizes = zip(windows.window, windows.dilation, windows.padding, layer._output_padding, strict=True)
    return [(d * (k - 1) - low, d * (k - 1) - high + more) for k, d, (low, high), more in sizes]


def find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return JAX's function for a layer's activation, because the peers' layers apply none.

    Raises: NoCounterpartError if the activation is unknown
    """
    import jax

    return pick_activation(layer, {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh})


def make_start(layer: Any, ps: Any, samples: int, *, memory: bool) -> tuple[Any, ...]:
    """Return the initial carry of a cell: its trained initial states, or zeros."""
    import jax.numpy as jnp

    zero = jnp.zeros((samples, layer.out_dims), ps["weight_ih"].dtype)
    names = ("hidden_state", "memory")[: 2 if memory else 1]
    return tuple([jnp.broadcast_to(ps[name], zero.shape) if name in ps else zero for name in names])
