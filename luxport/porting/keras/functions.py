"""Keras's activations, and the functions that its layers without weights compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.containers import WrapperLayer
from luxport.core.input_checks import shape_of, shape_text
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.porting.torch.functions.resampling import combine_along, find_cubic_weights
from luxport.porting.with_options import WithOptions

__all__ = [
    "SamePadded",
    "find_activation",
    "reverse_time",
    "resize_bicubic",
    "crop",
    "is_elementwise",
    "move_channels",
    "pad",
    "permute",
    "relu",
    "repeat",
    "rescale",
    "compute_same_pads",
]


def find_activation(function: Any) -> Callable[..., Any]:
    """Return luxport's counterpart of a Keras activation.

    Raises: ValueError if there is none
    """
    name = getattr(function, "__name__", type(function).__name__)
    if not getattr(function, "__module__", "").startswith("keras.src.activations") or name not in _ACTIVATIONS:
        raise ValueError(f"it has the activation {name}, which luxport does not have")
    return _ACTIVATIONS[name]


def is_elementwise(function: Any) -> bool:
    """Return whether one of the functions that `find_activation` returns is elementwise."""
    return function not in (ops.softmax, ops.logsoftmax, ops.glu)


def relu(x: Array, max_value: float | None, negative_slope: float, threshold: float) -> Array:
    """Return x, limited to `max_value`, above the threshold, and ``negative_slope (x - threshold)`` elsewhere."""
    xp = namespace(x)
    above = x if max_value is None else xp.minimum(x, xp.full_like(x, max_value))
    # A slope of 0 is not multiplied, since 0 times -inf is NaN.
    below = negative_slope * (x - threshold) if negative_slope else xp.zeros_like(x)
    return xp.where(x > threshold, above, below)


def move_channels(x: Array, to: str) -> Array:
    """Move the channels between the last axis and the first after the batch; `to` is "first" or "last"."""
    ndim = len(shape_of(x))
    axes = (0, ndim - 1, *range(1, ndim - 1)) if to == "first" else (0, *range(2, ndim), 1)
    return namespace(x).permute_dims(x, axes)


def pad(x: Array, padding: tuple[tuple[int, int], ...]) -> Array:
    """Pad the spatial axes with zeros."""
    return ops.pad_constant(x, padding=padding, axes=tuple(range(2, 2 + len(padding))))


def crop(x: Array, cropping: tuple[tuple[int, int], ...]) -> Array:
    """Remove elements at both ends of the spatial axes."""
    places = [slice(low, -high if high else None) for low, high in cropping]
    return x[(slice(None), slice(None), *places)]


def permute(x: Array, dims: tuple[int, ...]) -> Array:
    """Permute the axes of each sample, which are counted from 1."""
    return namespace(x).permute_dims(x, (0, *dims))


def repeat(x: Array, times: int) -> Array:
    """Repeat each vector (N, F) as the steps of a sequence (N, times, F)."""
    n, features = shape_of(x)
    return namespace(x).broadcast_to(x[:, None, :], (n, times, features))


def rescale(x: Array, scale: Any, offset: Any) -> Array:
    """Return ``x * scale + offset``."""
    return x * scale + offset


def reverse_time(x: Any, with_state: bool) -> Any:
    """Reverse the order of the steps (N, T, ...); in a pair with a state, the state is unchanged."""
    if with_state:
        return reverse_time(x[0], False), x[1]
    return namespace(x).flip(x, axis=1)


def resize_bicubic(x: Array, scale: tuple[int, ...], sharp: bool) -> Array:
    """Enlarge images with Keys' cubic kernel, as PyTorch does if `sharp`, else as TensorFlow and JAX do."""
    for axis, times in enumerate(scale, start=2):
        n = shape_of(x)[axis]
        rows = [find_cubic_weights((i + 0.5) / times - 0.5, -0.75 if sharp else -0.5) for i in range(n * times)]
        x = combine_along(x, axis, [_clamp_indices(row, n) if sharp else _drop_outside(row, n) for row in rows])
    return x


def _clamp_indices(row: list[tuple[int, float]], n: int) -> list[tuple[int, float]]:
    """Return indices and weights where indices outside the array are replaced by that of the edge."""
    return [(min(max(j, 0), n - 1), w) for j, w in row]


def _drop_outside(row: list[tuple[int, float]], n: int) -> list[tuple[int, float]]:
    """Return indices and weights where indices outside the array have weight 0, and the others are scaled to sum 1."""
    total = sum(w for j, w in row if 0 <= j < n)
    return [(min(max(j, 0), n - 1), w / total if 0 <= j < n else 0.0) for j, w in row]


def compute_same_pads(sizes: tuple[int, ...], windows: Any) -> tuple[tuple[int, int], ...]:
    """Return Keras's padding "same", with which there are ceil(size / stride) windows: (low, high) for each axis.

    Half of the padding is on each side, and an odd element on the high side.
    """
    pairs = []
    for size, k, stride, dilation in zip(sizes, windows.window, windows.stride, windows.dilation, strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


class SamePadded(WrapperLayer):
    """A convolution or pool with a stride and Keras's padding "same", which depends on the size of the input.

    Shapes: x (N, C, *sizes) -> y (N, out, *ceil(sizes / stride))
    Params: the layer's
    State:  the layer's
    Raises: LayerError as the layer does, or if the sizes of the input are unknown
    """

    layer: Any

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Call the layer with the padding for the size of this input."""
        sizes = tuple(shape_of(x))[2:]
        windows = self.layer._windows
        if None in sizes or len(sizes) != len(windows.window):
            raise LayerError(f"expects (N, C, ...) with {len(windows.window)} known sizes, got {shape_text(x)}")
        return replace(self.layer, padding=compute_same_pads(sizes, windows))(x, ps, st)


def _exponential(x: Array) -> Array:
    return namespace(x).exp(x)


def _hard_shrink(x: Array) -> Array:
    xp = namespace(x)
    return xp.where(xp.abs(x) > 0.5, x, xp.zeros_like(x))


def _sparse_plus(x: Array) -> Array:
    xp = namespace(x)
    return xp.where(x <= -1, xp.zeros_like(x), xp.where(x < 1, (x + 1) ** 2 / 4, x))


def _sparse_sigmoid(x: Array) -> Array:
    return namespace(x).clip((x + 1) / 2, 0.0, 1.0)


def _squareplus(x: Array) -> Array:
    return (x + namespace(x).sqrt(x * x + 4)) / 2


_ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    "celu": ops.celu,
    "elu": ops.elu,
    "exponential": _exponential,
    "gelu": ops.gelu_erf,
    "glu": ops.glu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": ops.hardsigmoid,
    "hard_silu": ops.hardswish,
    "hard_tanh": ops.hardtanh,
    "leaky_relu": WithOptions.with_keywords(ops.leakyrelu, a=0.2),
    "linear": luxport.identity,
    "log_sigmoid": ops.logsigmoid,
    "log_softmax": ops.logsoftmax,
    "mish": ops.mish,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.swish,
    "soft_shrink": ops.softshrink,
    "softmax": ops.softmax,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
    "tanh": ops.tanh,
    "tanh_shrink": ops.tanhshrink,
}
"""luxport's activations by Keras's names, with Keras's default options."""
