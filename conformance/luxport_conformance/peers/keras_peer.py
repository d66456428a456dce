"""Keras's own layers, except recurrent ones."""

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
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.keras_functions import FUNCTIONS
from luxport_conformance.peers.keras_recurrent import RECURRENT
from luxport_conformance.peers.keras_tools import (
    call_stateless,
    check_dilation,
    import_layers,
    name_activation,
    wrap_layer,
)
from luxport_conformance.peers.keras_training import INITIALIZERS, LOSSES, OPTIMIZERS
from luxport_conformance.peers.layer_tools import is_training, list_padding_differences, require_indices
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without

__all__ = ["ON_JAX", "ON_NUMPY", "ON_TF", "ON_TORCH"]


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    dense = import_layers().Dense(layer.out_dims, name_activation(layer), layer.use_bias)
    return wrap_layer(dense, x.shape, lambda ps: [ps["weight"], ps.get("bias")])


def _turn(layer: Any, weight: Any) -> Any:
    """Return a convolution's weight, flipped unless `cross_correlation`: Keras's convolutions do not flip it."""
    import keras

    return weight if layer.cross_correlation else keras.ops.flip(weight, tuple(range(2, len(weight.shape))))


def _is_padded(windows: Any) -> bool:
    return any(map(any, windows.padding))


def _pad_before(windows: Any, x: Any, made: Callable[[tuple[int, ...]], Counterpart]) -> Counterpart:
    """Return a counterpart that pads by Keras's zero padding, and then calls the layer that `made` builds."""
    if not _is_padded(windows):
        return made(x.shape)
    axes = x.ndim - 2
    sizes = [n + low + high for n, (low, high) in zip(x.shape[2:], windows.padding, strict=True)]
    padding = windows.padding[0] if axes == 1 else windows.padding
    zeros = getattr(import_layers(), f"ZeroPadding{axes}D")(padding, data_format="channels_last")
    first, then = wrap_layer(zeros, x.shape, last=True), made((*x.shape[:2], *sizes))
    return Counterpart(lambda x, ps: then.call(first.call(x, ps), ps), f"padded by ZeroPadding{axes}D before")


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    check_dilation(windows)
    if _is_padded(windows) and layer.padding_mode != "zeros":
        raise NoCounterpartError("pads by zeros alone")
    conv = getattr(import_layers(), f"Conv{axes}D")(
        *(layer.out_channels, windows.window, windows.stride),
        data_format="channels_last",
        dilation_rate=windows.dilation,
        groups=layer.groups,
        activation=name_activation(layer),
        use_bias=layer.use_bias,
    )

    def convert_weights(ps: Any) -> list[Any]:
        return [convert_conv_weight_to_keras(_turn(layer, ps["weight"])), ps.get("bias")]

    return _pad_before(windows, x, lambda shape: wrap_layer(conv, shape, convert_weights, last=True))


def _build_depthwise(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    if axes == 3 or max(windows.dilation) > 1:
        raise NoCounterpartError("is asked of one or two spatial axes without dilation")
    conv = getattr(import_layers(), f"DepthwiseConv{axes}D")(
        *(windows.window, windows.stride),
        depth_multiplier=layer.out_channels // layer.in_channels,
        data_format="channels_last",
        activation=name_activation(layer),
        use_bias=layer.use_bias,
    )

    def convert_weights(ps: Any) -> list[Any]:
        return [convert_depthwise_weight_to_keras(_turn(layer, ps["weight"]), layer.in_channels), ps.get("bias")]

    return _pad_before(windows, x, lambda shape: wrap_layer(conv, shape, convert_weights, last=True))


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, x.ndim - 2
    if _is_padded(windows) or layer.groups > 1 or any(layer._output_padding):
        raise NoCounterpartError("has no groups, and cuts and adds by a rule of its own")
    check_dilation(windows)
    if any(stride > size for stride, size in zip(windows.stride, windows.window, strict=True)):
        raise NoCounterpartError("adds to the output where a stride is longer than the window")
    conv = getattr(import_layers(), f"Conv{axes}DTranspose")(
        *(layer.out_channels, windows.window, windows.stride),
        data_format="channels_last",
        dilation_rate=windows.dilation,
        activation=name_activation(layer),
        use_bias=layer.use_bias,
    )

    def convert_weights(ps: Any) -> list[Any]:
        return [convert_conv_weight_to_keras(_turn(layer, ps["weight"])), ps.get("bias")]

    return wrap_layer(conv, x.shape, convert_weights, last=True)


def _make_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1 or (_is_padded(windows) and not _is_same(windows, x)):
            raise NoCounterpartError("has no dilation, and pads by as much as it takes for the same size")
        if _is_padded(windows) and getattr(layer, "count_include_pad", False):
            raise NoCounterpartError("counts no padding")
        padding = "same" if _is_padded(windows) else "valid"
        pool = getattr(import_layers(), f"{name}{x.ndim - 2}D")(
            windows.window, windows.stride, padding, "channels_last"
        )
        return wrap_layer(pool, x.shape, last=True)

    return build


def _is_same(windows: Any, x: Any) -> bool:
    """Return whether the padding equals TensorFlow's "same": ceil(size / stride) windows, an odd element at the end."""
    sizes = zip(x.shape[2:], windows.window, windows.stride, strict=True)
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n, size, stride in sizes]
    return tuple(windows.padding) == tuple([(total // 2, total - total // 2) for total in totals])


def _make_global_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        return wrap_layer(
            getattr(import_layers(), f"{name}{x.ndim - 2}D")(data_format="channels_last", keepdims=True),
            x.shape,
            last=True,
        )

    return build


def _make_adaptive_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        if not layer.variable_windows and any(n % m for n, m in zip(x.shape[2:], layer._sizes, strict=True)):
            raise NoCounterpartError("has windows of several sizes where the output's does not divide the input's")
        return wrap_layer(
            getattr(import_layers(), f"{name}{x.ndim - 2}D")(layer._sizes, data_format="channels_last"),
            x.shape,
            last=True,
        )

    return build


def _list_scale_and_bias(ps: Any) -> list[Any]:
    return [ps.get("scale"), ps.get("bias")]


def _build_batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training = is_training(st)
    norm = import_layers().BatchNormalization(
        axis=1,
        momentum=convert_momentum(layer.momentum),
        epsilon=layer.epsilon,
        center=layer.affine,
        scale=layer.affine,
    )
    made = wrap_layer(
        norm, x.shape, _list_scale_and_bias, others=(st["running_mean"], st["running_var"]), training=training
    )
    return replace(
        _activate(made, layer, training),
        differences=("momentum is what is kept", *(("biased running variance",) if training else ())),
    )


def _activate(made: Counterpart, layer: Any, training: bool = False) -> Counterpart:
    """Return a counterpart that applies Keras's activation to the output of `made`."""
    import keras

    activation = keras.activations.get(name_activation(layer))

    def call(x: Any, ps: Any) -> Any:
        if not training:
            return activation(made.call(x, ps))
        y, statistics = made.call(x, ps)
        return activation(y), statistics

    return Counterpart(call, made.remark)


def _build_group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    norm = import_layers().GroupNormalization(
        layer.groups, axis=1, epsilon=layer.epsilon, center=layer.affine, scale=layer.affine
    )
    return _activate(wrap_layer(norm, x.shape, _list_scale_and_bias), layer)


def _build_instance_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    norm = import_layers().GroupNormalization(
        -1, axis=1, epsilon=layer.epsilon, center=layer.affine and layer.use_bias, scale=layer.affine
    )
    return _activate(wrap_layer(norm, x.shape, _list_scale_and_bias), layer)


def _build_layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    axes = tuple(range(-len(layer.shape), 0))
    norm = import_layers().LayerNormalization(
        axis=axes, epsilon=layer.epsilon, center=layer.affine and layer.use_bias, scale=layer.affine
    )
    return _activate(wrap_layer(norm, x.shape, _list_scale_and_bias), layer)


def _build_rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.affine:
        raise NoCounterpartError("always has a scale")
    axes = tuple(range(-len(layer.shape), 0))
    return wrap_layer(
        import_layers().RMSNormalization(axis=axes, epsilon=layer.epsilon), x.shape, lambda ps: [ps["scale"]]
    )


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    made = wrap_layer(import_layers().Embedding(layer.in_dims, layer.out_dims), x.shape, lambda ps: [ps["weight"]])
    return replace(made, differences=list_padding_differences(layer))


def _build_upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4 or layer.scale is None or any(scale != int(scale) for scale in layer.scale):
        raise NoCounterpartError("is asked of two spatial axes and whole scales")
    if layer.mode != "nearest" and layer.align_corners:
        raise NoCounterpartError("does not align corners")
    sizes = tuple(map(int, layer.scale))
    return wrap_layer(
        import_layers().UpSampling2D(sizes, data_format="channels_last", interpolation=layer.mode), x.shape, last=True
    )


def _build_attention(layer: Any, x: Any, st: Any) -> Counterpart:
    x = x if isinstance(x, tuple) else (x, x, x)
    heads, keys, values = layer.nheads, layer.q_proj.out_dims, layer.v_proj.out_dims
    if len(x) > 4:
        raise NoCounterpartError("adds nothing to the scores but a mask")
    attention = import_layers().MultiHeadAttention(
        *(heads, keys // heads, values // heads), use_bias=layer.use_bias, output_shape=layer.out_proj.out_dims
    )
    attention.build(x[0].shape, x[2].shape, x[1].shape)

    def convert_weights(ps: Any) -> list[Any]:
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
        y, _ = call_stateless(
            *(attention, convert_weights(ps), held, query, value, key),
            return_attention_scores=layer.return_scores,
            use_causal_mask=layer.is_causal,
            **options,
        )
        return tuple(y) if layer.return_scores else y

    return Counterpart(call)


def _build_prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.shape == 1:
        raise NoCounterpartError("has one weight an entry, or those of axes that are shared")
    sizes = layer.shape if isinstance(layer.shape, tuple) else (layer.shape, *(1,) * (x.ndim - 2))
    if len(sizes) != x.ndim - 1:
        raise NoCounterpartError("has one weight an entry, or those of axes that are shared")
    shared = [axis for axis, size in enumerate(sizes, start=1) if size == 1]

    def convert_weights(ps: Any) -> list[Any]:
        import keras

        return [keras.ops.reshape(ps["weight"], sizes)]

    return wrap_layer(import_layers().PReLU(shared_axes=shared or None), x.shape, convert_weights)


def _build_flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is not None:
        raise NoCounterpartError("merges all axes")
    return wrap_layer(import_layers().Flatten(data_format="channels_last"), x.shape)


def _build_reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    return wrap_layer(import_layers().Reshape(layer.dims), x.shape)


def _make_dropout_builder(name: str) -> Build:
    return lambda layer, x, st: wrap_layer(getattr(import_layers(), name)(layer.p), x.shape)


LAYERS: dict[str, Build] = {
    "AdaptiveMaxPool": _make_adaptive_pool_builder("AdaptiveMaxPooling"),
    "AdaptiveMeanPool": _make_adaptive_pool_builder("AdaptiveAveragePooling"),
    "AlphaDropout": _make_dropout_builder("AlphaDropout"),
    "BatchNorm": _build_batch_norm,
    "Conv": _build_conv,
    "ConvTranspose": _build_conv_transpose,
    "CrossCor": _build_conv,
    "Dense": _build_dense,
    "DepthwiseConv": _build_depthwise,
    "Dropout": _make_dropout_builder("Dropout"),
    "GaussianDropout": _make_dropout_builder("GaussianDropout"),
    "GaussianNoise": lambda layer, x, st: wrap_layer(import_layers().GaussianNoise(layer.std), x.shape),
    "Embedding": _build_embedding,
    "FlattenLayer": _build_flatten,
    "GlobalMaxPool": _make_global_pool_builder("GlobalMaxPooling"),
    "GlobalMeanPool": _make_global_pool_builder("GlobalAveragePooling"),
    "GroupNorm": _build_group_norm,
    "InstanceNorm": _build_instance_norm,
    "LayerNorm": _build_layer_norm,
    "MaxPool": _make_pool_builder("MaxPooling"),
    "MeanPool": _make_pool_builder("AveragePooling"),
    "MultiHeadAttention": _build_attention,
    "PReLU": _build_prelu,
    "RMSNorm": _build_rms_norm,
    "ReshapeLayer": _build_reshape,
    "Upsample": _build_upsample,
    **RECURRENT,
}


_NONE = {
    **COMPOSED,
    **list_without(
        "TransformerDecoderLayer TransformerEncoderLayer "
        "AdaptiveLPPool Bilinear Diagonal EmbeddingBag GlobalLPPool LPPool PixelShuffle "
        "RotaryPositionalEmbedding Scale SinusoidalPositionalEmbedding VariationalHiddenDropout WeightNorm"
    ),
    "SpectralNorm": "improves its vectors at each call in training, and keeps the weight divided for testing",
}


def _make_peer(backend: str, module: str) -> Peer:
    """Return the peer of Keras on a backend, run in its own process because Keras fixes its backend on import."""
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


ON_JAX, ON_TORCH, ON_TF = _make_peer("jax", "jax"), _make_peer("torch", "torch"), _make_peer("tf", "tensorflow")
ON_NUMPY = _make_peer("numpy", "numpy")
