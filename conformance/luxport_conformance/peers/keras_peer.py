"""Keras's own layers: those without recurrence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from luxport.porting.keras.conventions import (
    convert_attention_bias_to_keras,
    convert_attention_out_weight_to_keras,
    convert_attention_weight_to_keras,
    convert_conv_weight_to_keras,
    convert_depthwise_weight_to_keras,
    convert_momentum,
)
from luxport.tree.static import Static
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.keras_functions import FUNCTIONS
from luxport_conformance.peers.keras_recurrent import RECURRENT
from luxport_conformance.peers.keras_tools import activation_of, called, check_dilation, layers, stateless
from luxport_conformance.peers.keras_training import INITIALIZERS, LOSSES, OPTIMIZERS
from luxport_conformance.peers.without import COMPOSED, nothing_like

__all__ = ["ON_JAX", "ON_NUMPY", "ON_TF", "ON_TORCH"]


def _dense(layer: Any, x: Any, st: Any) -> Counterpart:
    dense = layers().Dense(layer.out_dims, activation_of(layer), layer.use_bias)
    return called(dense, x.shape, lambda ps: [ps["weight"], ps.get("bias")])


def _turned(layer: Any, weight: Any) -> Any:
    """Return the weight of a layer that does not flip it."""
    import keras

    return weight if layer.cross_correlation else keras.ops.flip(weight, tuple(range(2, len(weight.shape))))


def _is_padded(windows: Any) -> bool:
    return any(map(any, windows.padding))


def _padded(windows: Any, x: Any, made: Callable[[tuple[int, ...]], Counterpart]) -> Counterpart:
    """Let Keras's layer of zeros go before a layer that is made for the shape of its input."""
    if not _is_padded(windows):
        return made(x.shape)
    axes = x.ndim - 2
    sizes = [n + low + high for n, (low, high) in zip(x.shape[2:], windows.padding, strict=True)]
    padding = windows.padding[0] if axes == 1 else windows.padding
    zeros = getattr(layers(), f"ZeroPadding{axes}D")(padding, data_format="channels_last")
    first, then = called(zeros, x.shape, last=True), made((*x.shape[:2], *sizes))
    return Counterpart(lambda x, ps: then.call(first.call(x, ps), ps), f"padded by ZeroPadding{axes}D before")


def _conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    check_dilation(windows)
    if _is_padded(windows) and layer.padding_mode != "zeros":
        raise NoCounterpartError("pads by zeros alone")
    conv = getattr(layers(), f"Conv{axes}D")(
        *(layer.out_channels, windows.window, windows.stride),
        data_format="channels_last",
        dilation_rate=windows.dilation,
        groups=layer.groups,
        activation=activation_of(layer),
        use_bias=layer.use_bias,
    )

    def weights(ps: Any) -> list[Any]:
        return [convert_conv_weight_to_keras(_turned(layer, ps["weight"])), ps.get("bias")]

    return _padded(windows, x, lambda shape: called(conv, shape, weights, last=True))


def _depthwise(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    if axes == 3 or max(windows.dilation) > 1:
        raise NoCounterpartError("is asked of one or two spatial axes without dilation")
    conv = getattr(layers(), f"DepthwiseConv{axes}D")(
        *(windows.window, windows.stride),
        depth_multiplier=layer.out_channels // layer.in_channels,
        data_format="channels_last",
        activation=activation_of(layer),
        use_bias=layer.use_bias,
    )

    def weights(ps: Any) -> list[Any]:
        return [convert_depthwise_weight_to_keras(_turned(layer, ps["weight"]), layer.in_channels), ps.get("bias")]

    return _padded(windows, x, lambda shape: called(conv, shape, weights, last=True))


def _conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    if _is_padded(windows) or layer.groups > 1 or any(layer._output_padding):
        raise NoCounterpartError("has no groups, and cuts and adds by a rule of its own")
    check_dilation(windows)
    if any(stride > size for stride, size in zip(windows.stride, windows.window, strict=True)):
        raise NoCounterpartError("adds to the output where a stride is longer than the window")
    conv = getattr(layers(), f"Conv{axes}DTranspose")(
        *(layer.out_channels, windows.window, windows.stride),
        data_format="channels_last",
        dilation_rate=windows.dilation,
        activation=activation_of(layer),
        use_bias=layer.use_bias,
    )

    def weights(ps: Any) -> list[Any]:
        return [convert_conv_weight_to_keras(_turned(layer, ps["weight"])), ps.get("bias")]

    return called(conv, x.shape, weights, last=True)


def _pool(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1 or (_is_padded(windows) and not _is_same(windows, x)):
            raise NoCounterpartError("has no dilation, and pads by as much as it takes for the same size")
        if _is_padded(windows) and getattr(layer, "count_include_pad", False):
            raise NoCounterpartError("counts no padding")
        padding = "same" if _is_padded(windows) else "valid"
        pool = getattr(layers(), f"{name}{x.ndim - 2}D")(windows.window, windows.stride, padding, "channels_last")
        return called(pool, x.shape, last=True)

    return build


def _is_same(windows: Any, x: Any) -> bool:
    """Whether the padding is what TensorFlow calls the same: for as many windows as strides fit, the odd one above."""
    sizes = zip(x.shape[2:], windows.window, windows.stride, strict=True)
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n, size, stride in sizes]
    return tuple(windows.padding) == tuple([(total // 2, total - total // 2) for total in totals])


def _global_pool(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        return called(
            getattr(layers(), f"{name}{x.ndim - 2}D")(data_format="channels_last", keepdims=True), x.shape, last=True
        )

    return build


def _adaptive_pool(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        if not layer.variable_windows and any(n % m for n, m in zip(x.shape[2:], layer._sizes, strict=True)):
            raise NoCounterpartError("has windows of several sizes where the output's does not divide the input's")
        return called(
            getattr(layers(), f"{name}{x.ndim - 2}D")(layer._sizes, data_format="channels_last"), x.shape, last=True
        )

    return build


def _norm(ps: Any) -> list[Any]:
    return [ps.get("scale"), ps.get("bias")]


def _batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training = st["training"] == Static(True)
    norm = layers().BatchNormalization(
        axis=1,
        momentum=convert_momentum(layer.momentum),
        epsilon=layer.epsilon,
        center=layer.affine,
        scale=layer.affine,
    )
    made = called(norm, x.shape, _norm, others=(st["running_mean"], st["running_var"]), training=training)
    return replace(
        _activated(made, layer, training),
        differences=("momentum is what is kept", *(("biased running variance",) if training else ())),
    )


def _activated(made: Counterpart, layer: Any, training: bool = False) -> Counterpart:
    """Let Keras's own activation follow."""
    import keras

    activation = keras.activations.get(activation_of(layer))

    def call(x: Any, ps: Any) -> Any:
        if not training:
            return activation(made.call(x, ps))
        y, statistics = made.call(x, ps)
        return activation(y), statistics

    return Counterpart(call, made.remark)


def _group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    norm = layers().GroupNormalization(
        layer.groups, axis=1, epsilon=layer.epsilon, center=layer.affine, scale=layer.affine
    )
    return _activated(called(norm, x.shape, _norm), layer)


def _instance_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    norm = layers().GroupNormalization(
        -1, axis=1, epsilon=layer.epsilon, center=layer.affine and layer.use_bias, scale=layer.affine
    )
    return _activated(called(norm, x.shape, _norm), layer)


def _layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    axes = tuple(range(-len(layer.shape), 0))
    norm = layers().LayerNormalization(
        axis=axes, epsilon=layer.epsilon, center=layer.affine and layer.use_bias, scale=layer.affine
    )
    return _activated(called(norm, x.shape, _norm), layer)


def _rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.affine:
        raise NoCounterpartError("always has a scale")
    axes = tuple(range(-len(layer.shape), 0))
    return called(layers().RMSNormalization(axis=axes, epsilon=layer.epsilon), x.shape, lambda ps: [ps["scale"]])


def _embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")
    made = called(layers().Embedding(layer.in_dims, layer.out_dims), x.shape, lambda ps: [ps["weight"]])
    return replace(made, differences=("no padding row",) if layer.padding_idx is not None else ())


def _upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4 or layer.scale is None or any(scale != int(scale) for scale in layer.scale):
        raise NoCounterpartError("is asked of two spatial axes and whole scales")
    if layer.mode != "nearest" and layer.align_corners:
        raise NoCounterpartError("does not align corners")
    sizes = tuple(map(int, layer.scale))
    return called(
        layers().UpSampling2D(sizes, data_format="channels_last", interpolation=layer.mode), x.shape, last=True
    )


def _attention(layer: Any, x: Any, st: Any) -> Counterpart:
    x = x if isinstance(x, tuple) else (x, x, x)
    heads, keys, values = layer.nheads, layer.q_proj.out_dims, layer.v_proj.out_dims
    if len(x) > 4:
        raise NoCounterpartError("adds nothing to the scores but a mask")
    attention = layers().MultiHeadAttention(
        *(heads, keys // heads, values // heads),
        use_bias=layer.use_bias,
        output_shape=layer.out_proj.out_dims,
    )
    attention.build(x[0].shape, x[2].shape, x[1].shape)

    def weights(ps: Any) -> list[Any]:
        found = []
        for name in ("q_proj", "k_proj", "v_proj"):
            found.append(convert_attention_weight_to_keras(ps[name]["weight"], heads))
            found += [convert_attention_bias_to_keras(ps[name]["bias"], heads)] if layer.use_bias else []
        found.append(convert_attention_out_weight_to_keras(ps["out_proj"]["weight"], heads))
        return [*found, ps["out_proj"]["bias"]] if layer.use_bias else found

    def call(x: Any, ps: Any) -> Any:
        query, key, value, *mask = x if isinstance(x, tuple) else (x, x, x)
        held = [variable.value for variable in attention.non_trainable_variables]
        options = {"attention_mask": mask[0][:, 0]} if mask else {}
        y, _ = stateless(
            *(attention, weights(ps), held, query, value, key),
            return_attention_scores=layer.return_scores,
            use_causal_mask=layer.is_causal,
            **options,
        )
        return tuple(y) if layer.return_scores else y

    return Counterpart(call)


def _prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.shape == 1:
        raise NoCounterpartError("has one weight an entry, or those of axes that are shared")
    sizes = layer.shape if isinstance(layer.shape, tuple) else (layer.shape, *(1,) * (x.ndim - 2))
    if len(sizes) != x.ndim - 1:
        raise NoCounterpartError("has one weight an entry, or those of axes that are shared")
    shared = [axis for axis, size in enumerate(sizes, start=1) if size == 1]

    def weights(ps: Any) -> list[Any]:
        import keras

        return [keras.ops.reshape(ps["weight"], sizes)]

    return called(layers().PReLU(shared_axes=shared or None), x.shape, weights)


def _flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is not None:
        raise NoCounterpartError("merges all axes")
    return called(layers().Flatten(data_format="channels_last"), x.shape)


def _reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    return called(layers().Reshape(layer.dims), x.shape)


def _dropout(name: str) -> Build:
    return lambda layer, x, st: called(getattr(layers(), name)(layer.p), x.shape)


LAYERS: dict[str, Build] = {
    "AdaptiveMaxPool": _adaptive_pool("AdaptiveMaxPooling"),
    "AdaptiveMeanPool": _adaptive_pool("AdaptiveAveragePooling"),
    "AlphaDropout": _dropout("AlphaDropout"),
    "BatchNorm": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "CrossCor": _conv,
    "Dense": _dense,
    "DepthwiseConv": _depthwise,
    "Dropout": _dropout("Dropout"),
    "GaussianDropout": _dropout("GaussianDropout"),
    "GaussianNoise": lambda layer, x, st: called(layers().GaussianNoise(layer.std), x.shape),
    "Embedding": _embedding,
    "FlattenLayer": _flatten,
    "GlobalMaxPool": _global_pool("GlobalMaxPooling"),
    "GlobalMeanPool": _global_pool("GlobalAveragePooling"),
    "GroupNorm": _group_norm,
    "InstanceNorm": _instance_norm,
    "LayerNorm": _layer_norm,
    "MaxPool": _pool("MaxPooling"),
    "MeanPool": _pool("AveragePooling"),
    "MultiHeadAttention": _attention,
    "PReLU": _prelu,
    "RMSNorm": _rms_norm,
    "ReshapeLayer": _reshape,
    "Upsample": _upsample,
    **RECURRENT,
}


_NONE = {
    **COMPOSED,
    **nothing_like(
        "TransformerDecoderLayer TransformerEncoderLayer "
        "AdaptiveLPPool Bilinear Diagonal EmbeddingBag GlobalLPPool LPPool PixelShuffle "
        "RotaryPositionalEmbedding Scale SinusoidalPositionalEmbedding VariationalHiddenDropout WeightNorm"
    ),
    "SpectralNorm": "improves its vectors at each call in training, and keeps the weight divided for testing",
}


def _on(backend: str, module: str) -> Peer:
    """Return Keras on a backend, which it fixes when it is imported: each in a process of its own."""
    return Peer(
        name=f"keras@{backend}",
        backend=backend,
        modules=("keras", module),
        packages=("keras", *{"tf": ("tensorflow-cpu", "tensorflow")}.get(backend, (module,))),
        layers=LAYERS,
        none=_NONE,
        operations=FUNCTIONS,
        losses=LOSSES,
        optimizers=OPTIMIZERS,
        initializers=INITIALIZERS,
        environment={"KERAS_BACKEND": module},
    )


ON_JAX, ON_TORCH, ON_TF = _on("jax", "jax"), _on("torch", "torch"), _on("tf", "tensorflow")
ON_NUMPY = _on("numpy", "numpy")
