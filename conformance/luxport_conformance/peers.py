"""torch.nn and Keras 3 as peers: what their own layers give on the same inputs and parameters.

A peer's deviation is information, not a failure: where it is large, the two mean different things. Options are the
same on both sides, defaults are not compared. What a peer has no option for is left out of its column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport.backend import get_backend
from luxport_conformance.arrays import on_backend, on_host, widened
from luxport_conformance.compare import EPSILON
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.runner import Check

__all__ = ["PEERS", "peer_checks"]

Forward = Callable[[Any], Any]
"""A peer's layer with its parameters: NumPy arrays in, a NumPy array out."""


def peer_checks(names: tuple[str, ...]) -> Iterator[Check]:
    """Yield a check of every example that has a counterpart in these peers."""
    for peer in names:
        for subject, build in PEERS[peer].items():
            for position, example in enumerate(EXAMPLES.get(subject, ()), start=1):
                yield Check(
                    id=f"peer-{subject}_{position}-{peer}",
                    kind="peer",
                    subject=subject,
                    name="peer",
                    backend=peer,
                    run=partial(_deviation, build, example),
                    dtype="float32",
                    inputs=partial(str, example),
                )


class NoCounterpart(Exception):
    """The peer's layer has no such option."""


def _deviation(build: Callable[[Any, Any, Any], Forward], example: Example) -> float:
    """Tell how far the peer is from the definition in float64, in eps of the largest entry; NaN if it has no such."""
    x, ps, st = example.values()
    x, ps, st = luxport.tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf, (x, ps, st))
    strict = get_backend("strict")
    want = on_host(example.layer(*on_backend(widened((x, ps, luxport.test_mode(st))), strict, "float64"))[0], strict)
    try:
        got = np.asarray(build(example.layer, ps, st)(x))
    except NoCounterpart:
        return float("nan")
    if got.shape != want.shape:
        return float("inf")
    return float(np.abs(got - want).max() / (EPSILON["float32"] * np.abs(want).max()))


def _activated(layer: Any, function: Callable[[Any], Any]) -> Forward:
    """Let luxport's activation, which is not what is compared, follow the peer's layer."""
    return lambda x: np.asarray(layer.activation(np.asarray(function(x))))


def _torch(module: Any, layer: Any = None, **parameters: Any) -> Forward:
    import torch

    module.eval()
    for name, value in parameters.items():
        if value is not None:
            getattr(module, name).data = torch.tensor(np.ascontiguousarray(value))

    def forward(x: Any) -> Any:
        with torch.no_grad():
            return module(*map(torch.tensor, x)) if isinstance(x, tuple) else module(torch.tensor(x))

    return _activated(layer, forward) if layer is not None else forward


def _nn(name: str, axes: int | None = None) -> Any:
    from torch import nn

    return getattr(nn, name if axes is None else f"{name}{axes}d")


def _symmetric(pairs: Any) -> tuple[int, ...]:
    if any(low != high for low, high in pairs):
        raise NoCounterpart
    return tuple(low for low, _ in pairs)


def _torch_conv(layer: Any, ps: Any, st: Any) -> Forward:
    windows, axes = layer._windows, len(layer._windows.window)
    weight = ps["weight"] if layer.cross_correlation else np.flip(ps["weight"], tuple(range(2, axes + 2)))
    if layer.padding_mode == "edge":
        raise NoCounterpart
    module = _nn("Conv", axes)(
        *(layer.in_channels, layer.out_channels, windows.window, windows.stride, _symmetric(windows.padding)),
        *(windows.dilation, layer.groups, "bias" in ps, layer.padding_mode),
    )
    return _torch(module, layer, weight=weight, bias=ps.get("bias"))


def _torch_pool(name: str) -> Callable[[Any, Any, Any], Forward]:
    def build(layer: Any, ps: Any, st: Any) -> Forward:
        windows, padding = layer._windows, _symmetric(layer._windows.padding)
        if any(2 * pad > size for pad, size in zip(padding, windows.window, strict=True)):
            raise NoCounterpart
        counted = {} if name == "MaxPool" else {"count_include_pad": layer.count_include_pad}
        dilated = {"dilation": windows.dilation} if name == "MaxPool" else {}
        return _torch(_nn(name, len(windows.window))(windows.window, windows.stride, padding, **counted, **dilated))

    return build


def _torch_batch_norm(layer: Any, ps: Any, st: Any) -> Forward:
    if not layer.track_stats:
        raise NoCounterpart
    module = _nn("BatchNorm1d")(layer.channels, layer.epsilon, layer.momentum, layer.affine)
    module._check_input_dim = lambda x: None  # a class a rank, all of one formula
    statistics = {"running_mean": st["running_mean"], "running_var": st["running_var"]}
    return _torch(module, layer, weight=ps.get("scale"), bias=ps.get("bias"), **statistics)


def _torch_dense(layer: Any, ps: Any, st: Any) -> Forward:
    module = _nn("Linear")(layer.in_dims, layer.out_dims, "bias" in ps)
    return _torch(module, layer, weight=ps["weight"].T, bias=ps.get("bias"))


def _torch_layer_norm(layer: Any, ps: Any, st: Any) -> Forward:
    module = _nn("LayerNorm")(layer.shape, layer.epsilon, layer.affine)
    return _torch(module, layer, weight=ps.get("scale"), bias=ps.get("bias"))


def _torch_group_norm(layer: Any, ps: Any, st: Any) -> Forward:
    module = _nn("GroupNorm")(layer.groups, layer.channels, layer.epsilon, layer.affine)
    return _torch(module, layer, weight=ps.get("scale"), bias=ps.get("bias"))


def _keras(
    layer: Any, module: Any, shape: tuple[int | None, ...], weights: list[Any], *, last: bool = False
) -> Forward:
    """Build a Keras layer for inputs of a shape, set its weights and call it; `last` puts the channels there."""
    module.build(shape)
    module.set_weights([weight for weight in weights if weight is not None])

    def forward(x: Any) -> Any:
        y = np.asarray(module(np.moveaxis(x, 1, -1) if last else x, training=False))
        return np.moveaxis(y, -1, 1) if last else y

    return _activated(layer, forward) if layer is not None else forward


def _layers() -> Any:
    import keras

    return keras.layers


def _keras_dense(layer: Any, ps: Any, st: Any) -> Forward:
    module = _layers().Dense(layer.out_dims, use_bias="bias" in ps)
    return _keras(layer, module, (None, layer.in_dims), [ps["weight"], ps.get("bias")])


def _keras_conv(layer: Any, ps: Any, st: Any) -> Forward:
    windows, axes = layer._windows, len(layer._windows.window)
    if any(map(any, windows.padding)) or max(windows.stride) > 1 < max(windows.dilation):
        raise NoCounterpart
    weight = ps["weight"] if layer.cross_correlation else np.flip(ps["weight"], tuple(range(2, axes + 2)))
    module = getattr(_layers(), f"Conv{axes}D")(
        *(layer.out_channels, windows.window, windows.stride),
        dilation_rate=windows.dilation,
        groups=layer.groups,
        use_bias="bias" in ps,
        data_format="channels_last",
    )
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    return _keras(layer, module, (None, *(None,) * axes, layer.in_channels), [kernel, ps.get("bias")], last=True)


def _keras_pool(name: str) -> Callable[[Any, Any, Any], Forward]:
    def build(layer: Any, ps: Any, st: Any) -> Forward:
        windows, axes = layer._windows, len(layer._windows.window)
        if any(map(any, windows.padding)) or max(windows.dilation) > 1:
            raise NoCounterpart
        module = getattr(_layers(), f"{name}{axes}D")(windows.window, windows.stride, data_format="channels_last")
        return _keras(None, module, (None, *(None,) * axes, 1), [], last=True)

    return build


def _keras_batch_norm(layer: Any, ps: Any, st: Any) -> Forward:
    if not layer.track_stats:
        raise NoCounterpart
    options = {"center": layer.affine, "scale": layer.affine, "epsilon": layer.epsilon}
    module = _layers().BatchNormalization(axis=1, momentum=1 - layer.momentum, **options)
    weights = [ps.get("scale"), ps.get("bias"), st["running_mean"], st["running_var"]]
    return lambda x: _keras(layer, module, (None, *x.shape[1:]), weights)(x)


def _keras_layer_norm(layer: Any, ps: Any, st: Any) -> Forward:
    if len(layer.shape) != 1 or not layer.affine:
        raise NoCounterpart
    module = _layers().LayerNormalization(axis=-1, epsilon=layer.epsilon)
    return _keras(layer, module, (None, *layer.shape), [ps["scale"], ps["bias"]])


PEERS: Mapping[str, Mapping[str, Callable[[Any, Any, Any], Forward]]] = {
    "torch.nn": {
        "BatchNorm": _torch_batch_norm,
        "Conv": _torch_conv,
        "CrossCor": _torch_conv,
        "Dense": _torch_dense,
        "GroupNorm": _torch_group_norm,
        "LayerNorm": _torch_layer_norm,
        "MaxPool": _torch_pool("MaxPool"),
        "MeanPool": _torch_pool("AvgPool"),
    },
    "keras": {
        "BatchNorm": _keras_batch_norm,
        "Conv": _keras_conv,
        "CrossCor": _keras_conv,
        "Dense": _keras_dense,
        "LayerNorm": _keras_layer_norm,
        "MaxPool": _keras_pool("MaxPooling"),
        "MeanPool": _keras_pool("AveragePooling"),
    },
}
