"""TensorFlow's own functions in `tf.nn` and related modules: convolutions, pools, norms, activations, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport.porting.keras.conventions import convert_conv_weight_to_keras, convert_depthwise_weight_to_keras
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, rename_options
from luxport_conformance.peers.keras_tools import check_dilation
from luxport_conformance.peers.layer_tools import (
    count_groups,
    is_training,
    list_kernel_differences,
    list_padding_differences,
    pick_activation,
    require_indices,
)
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without
from luxport_conformance.peers.tf_losses import LOSSES

__all__ = ["TF_NN"]


def _import_tf() -> Any:
    import tensorflow as tf

    return tf


def _call_channels_last(call: Callable[[Any], Any], x: Any) -> Any:
    """Call a function of channels-last arrays with x, whose channels are second, and return y with channels second.

    TensorFlow has no other layout on a CPU.
    """
    tf, rank = _import_tf(), len(x.shape)
    y = call(tf.transpose(x, (0, *range(2, rank), 1)))
    return tf.transpose(y, (0, rank - 1, *range(1, rank - 1)))


def _find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return TensorFlow's function for a layer's activation.

    Raises: NoCounterpartError if the activation is unknown
    """
    nn = _import_tf().nn
    return pick_activation(layer, {"relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": nn.tanh})


def _add_bias(layer: Any, y: Any, ps: Any) -> Any:
    return _find_activation(layer)(_import_tf().nn.bias_add(y, ps["bias"]) if "bias" in ps else y)


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    _find_activation(layer)
    return Counterpart(lambda x, ps: _add_bias(layer, _import_tf().linalg.matmul(x, ps["weight"]), ps))


_MODES = {"zeros": "CONSTANT", "reflect": "REFLECT", "symmetric": "SYMMETRIC"}


def _make_padding(windows: Any, mode: str = "zeros", value: float = 0.0) -> Callable[[Any], Any]:
    """Return a function that pads the spatial axes of a channels-last array."""
    if not any(map(any, windows.padding)):
        return lambda x: x
    if mode not in _MODES:
        raise NoCounterpartError(f"has no padding mode {mode}")
    pairs = ((0, 0), *windows.padding, (0, 0))
    return lambda x: _import_tf().pad(x, pairs, mode=_MODES[mode], constant_values=value)


def _turn(layer: Any, weight: Any) -> Any:
    """Return a convolution's weight, flipped unless `cross_correlation`: TensorFlow's convolutions do not flip it."""
    return weight if layer.cross_correlation else _import_tf().reverse(weight, tuple(range(2, len(weight.shape))))


def _check_pool(windows: Any) -> None:
    check_dilation(windows)
    if any(stride > size for stride, size in zip(windows.stride, windows.window, strict=True)):
        raise NoCounterpartError("refuses strides beyond the window")


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _make_padding(layer._windows, layer.padding_mode)
    check_dilation(windows)
    _find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        filters = convert_conv_weight_to_keras(_turn(layer, ps["weight"]))
        options = {"strides": windows.stride, "padding": "VALID", "dilations": windows.dilation}
        options["data_format"] = ("NWC", "NHWC", "NDHWC")[len(windows.window) - 1]  # needed for gradients in 3-D
        return _call_channels_last(
            lambda x: _add_bias(layer, _import_tf().nn.convolution(pad(x), filters, **options), ps), x
        )

    return Counterpart(call, differences=("channels last", *list_kernel_differences(layer)))


def _build_depthwise(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _make_padding(layer._windows)
    if len(windows.window) != 2 or len(set(windows.stride)) > 1:
        raise NoCounterpartError("has two spatial axes, and one stride")
    _find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        filters = convert_depthwise_weight_to_keras(_turn(layer, ps["weight"]), count_groups(layer))
        options = {"strides": (1, *windows.stride, 1), "padding": "VALID", "dilations": windows.dilation}
        return _call_channels_last(
            lambda x: _add_bias(layer, _import_tf().nn.depthwise_conv2d(pad(x), filters, **options), ps), x
        )

    return Counterpart(call, differences=("channels last", *list_kernel_differences(layer)))


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, range(len(layer._windows.window))
    if layer.groups > 1 or max(windows.dilation) > 1:
        raise NoCounterpartError("has neither groups nor dilation")
    _find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        tf, (samples, _, *sizes) = _import_tf(), x.shape
        whole = [(sizes[i] - 1) * windows.stride[i] + windows.window[i] + layer._output_padding[i] for i in axes]
        # Output padding adds positions at the end that no window reaches, so the window is extended by zeros.
        more = [(0, 0), (0, 0), *[(0, layer._output_padding[i]) for i in axes]]
        filters = convert_conv_weight_to_keras(tf.pad(_turn(layer, ps["weight"]), more))
        shape = (samples, *whole, layer.out_channels)

        def run(x: Any) -> Any:
            y = tf.nn.conv_transpose(x, filters, shape, windows.stride, padding="VALID")
            cut = [slice(low, size - high) for (low, high), size in zip(windows.padding, whole, strict=True)]
            return _add_bias(layer, y[(slice(None), *cut)], ps)

        return _call_channels_last(run, x)

    return Counterpart(call, "cuts by a rule of its own: cut afterward", ("channels last",))


def _make_pool_builder(kind: str, value: float) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows, pad = layer._windows, _make_padding(layer._windows, value=value)
        if any(map(any, windows.padding)) and not getattr(layer, "count_include_pad", True):
            raise NoCounterpartError(
                "is asked of padding that it counts: what it does not count is added by SAME alone"
            )
        _check_pool(windows)
        options = {"strides": windows.stride, "padding": "VALID", "dilations": windows.dilation}
        return Counterpart(
            lambda x, ps: _call_channels_last(
                lambda x: _import_tf().nn.pool(pad(x), windows.window, kind, **options), x
            ),
            differences=("channels last",),
        )

    return build


def _make_global_pool_builder(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        return Counterpart(
            lambda x, ps: _call_channels_last(
                lambda x: _import_tf().nn.pool(x, x.shape[1:-1], kind, padding="VALID"), x
            ),
            differences=("channels last",),
        )

    return build


def _build_batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training = is_training(st)
    activation = _find_activation(layer)

    def widen_parameters(x: Any, ps: Any) -> tuple[Any, ...]:
        tf, kept = _import_tf(), [st["running_mean"], st["running_var"]]
        wide = tf.float32 if x.dtype in (tf.float16, tf.bfloat16) and training else x.dtype
        ones = tf.ones((layer.channels,), wide)
        named = [ps.get("scale", ones), ps.get("bias", 0.0 * ones)]
        return tuple([tf.cast(value, wide) for value in (*named, *kept)])

    def call_in_testing(x: Any, ps: Any) -> Any:
        scale, bias, mean, variance = widen_parameters(x, ps)
        normalized = _call_channels_last(
            lambda x: _import_tf().nn.batch_normalization(x, mean, variance, bias, scale, layer.epsilon), x
        )
        return activation(normalized)

    def call_in_training(x: Any, ps: Any) -> Any:
        scale, bias, mean, variance = widen_parameters(x, ps)
        tf, ends = _import_tf(), []
        sizes = (x.shape[0], layer.channels, int(np.prod(x.shape[2:])), 1)

        def run(x: Any) -> Any:
            y, *statistics = tf.compat.v1.nn.fused_batch_norm(
                *(x, scale, bias, mean, variance, layer.epsilon), exponential_avg_factor=layer.momentum
            )
            ends.extend(statistics)
            return y

        y = tf.reshape(_call_channels_last(run, tf.reshape(x, sizes)), x.shape)
        return activation(y), {"running_mean": ends[0], "running_var": ends[1]}

    return Counterpart(call_in_training if training else call_in_testing, differences=("channels last",))


def _make_moments_builder(axes_of: Callable[[Any, Any], tuple[int, ...]], shape_of: Callable[[Any, Any], Any]) -> Build:
    """Return a builder of a norm by each sample's own statistics, with `tf.nn.moments` and `batch_normalization`."""

    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        if "running_mean" in st:
            raise NoCounterpartError("keeps no statistics of instances")
        activation = _find_activation(layer)

        def call(x: Any, ps: Any) -> Any:
            tf = _import_tf()
            shape, axes = shape_of(layer, x), axes_of(layer, x)
            apart = tf.reshape(x, shape)
            mean, variance = tf.nn.moments(apart, axes, keepdims=True)
            named = [_align(layer, x, ps[name]) if name in ps else None for name in ("bias", "scale")]
            if tuple(shape) == tuple(x.shape):
                return activation(tf.nn.batch_normalization(x, mean, variance, *named, layer.epsilon))
            y = tf.reshape(tf.nn.batch_normalization(apart, mean, variance, None, None, layer.epsilon), x.shape)
            y = y if named[1] is None else y * named[1]
            return activation(y if named[0] is None else y + named[0])

        return Counterpart(call, differences=("mean subtracted after scaling",))

    return build


def _align(layer: Any, x: Any, value: Any) -> Any:
    """Reshape a parameter of channels so that it broadcasts along axis 1; return one of trailing axes unchanged."""
    trailing = "shape" in layer.__dataclass_fields__
    return value if trailing else _import_tf().reshape(value, (1, -1, *(1,) * (len(x.shape) - 2)))


def _list_trailing_axes(layer: Any, x: Any) -> tuple[int, ...]:
    rank = len(x.shape)
    return tuple(range(rank - len(layer.shape), rank))


_layer_norm = _make_moments_builder(_list_trailing_axes, lambda layer, x: tuple(x.shape))
_group_norm = _make_moments_builder(
    lambda layer, x: tuple(range(2, len(x.shape) + 1)), lambda layer, x: (x.shape[0], layer.groups, -1, *x.shape[2:])
)
_instance_norm = _make_moments_builder(lambda layer, x: tuple(range(2, len(x.shape))), lambda layer, x: tuple(x.shape))


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    return Counterpart(
        lambda x, ps: _import_tf().nn.embedding_lookup(ps["weight"], x), differences=list_padding_differences(layer)
    )


def _build_embedding_bag(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.dtype.kind != "i" or layer.reduction not in ("mean", "sum"):
        raise NoCounterpartError("takes indices, and their mean or sum")

    def call(x: Any, ps: Any) -> Any:
        tf = _import_tf()
        bags = tf.RaggedTensor.from_tensor(tf.cast(x, tf.int64))
        return tf.nn.embedding_lookup_sparse(ps["weight"], bags, None, combiner=layer.reduction)

    return Counterpart(call)


def _build_pixel_shuffle(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4:
        raise NoCounterpartError("takes two spatial axes")

    def call(x: Any, ps: Any) -> Any:
        tf, (samples, depth, *sizes) = _import_tf(), x.shape
        apart = tf.reshape(x, (samples, -1, layer.factor**2, *sizes))
        blocks_first = tf.reshape(tf.transpose(apart, (0, 2, 1, 3, 4)), (samples, depth, *sizes))
        return _call_channels_last(lambda x: tf.nn.depth_to_space(x, layer.factor), blocks_first)

    return Counterpart(call, differences=("channels last", "blocks before channels"))


def _build_upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4 or (layer.mode != "nearest" and layer.align_corners):
        raise NoCounterpartError("has two spatial axes, and aligns no corners")
    scales = layer.scale if isinstance(layer.scale, tuple) else (layer.scale or 1,) * 2
    sizes = layer.size or tuple([int(size * scale) for size, scale in zip(x.shape[2:], scales, strict=True)])
    method = "nearest" if layer.mode == "nearest" else "bilinear"
    return Counterpart(
        lambda x, ps: _call_channels_last(lambda x: _import_tf().image.resize(x, sizes, method), x),
        differences=("channels last",),
    )


def _build_dropout(layer: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(
        lambda x, ps: _import_tf().nn.dropout(x, 0.0), "is told a rate of 0 where luxport is in test mode"
    )


def _make_function_builder(
    name: str, module: str = "nn", *, renamed: dict[str, str] | None = None, **fixed: Any
) -> Build:
    """Return a builder of TensorFlow's function of this name; `renamed` gives luxport's options TensorFlow's names."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        function = getattr(getattr(_import_tf(), module), name)
        given = fixed | rename_options(options, renamed)
        return Counterpart(lambda x, ps: function(x, **given))

    return build


def _make_softmax_builder(name: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        axis = options.get("axis", -1)
        if not isinstance(axis, int):
            raise NoCounterpartError("goes along one axis")
        function = getattr(_import_tf().nn, name)
        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return Counterpart(lambda x, ps: function(x, axis=axis), differences=differences)

    return build


def _build_normalize(options: Any, x: Any, st: Any) -> Counterpart:
    tf = _import_tf()
    axes = options.get("axis", 0)

    def call(x: Any, ps: Any) -> Any:
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, None, None, options.get("epsilon", 1e-5))

    return Counterpart(call)


def _build_xlogy(options: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(lambda x, ps: _import_tf().math.xlogy(*x))


FUNCTIONS: dict[str, Build] = {
    **{
        name: _make_function_builder(name)
        for name in (*("elu", "relu", "relu6", "selu"), *("sigmoid", "softplus", "softsign", "tanh"))
    },
    "gelu_erf": _make_function_builder("gelu", approximate=False),
    "gelu_tanh": _make_function_builder("gelu", approximate=True),
    "leakyrelu": _make_function_builder("leaky_relu", renamed={"a": "alpha"}, alpha=0.01),
    "logsigmoid": _make_function_builder("log_sigmoid", "math"),
    "logsoftmax": _make_softmax_builder("log_softmax"),
    "logsumexp": _make_function_builder("reduce_logsumexp", "math", renamed={"axis": "axis"}),
    "normalize": _build_normalize,
    "softmax": _make_softmax_builder("softmax"),
    "swish": _make_function_builder("silu"),
    "xlogy": _build_xlogy,
}


_NONE = {
    **COMPOSED,
    **list_without(
        "AdaptiveLPPool AdaptiveMaxPool AdaptiveMeanPool AlphaDropout BidirectionalRNN Bilinear Diagonal FlattenLayer "
        "GaussianDropout GaussianNoise "
        "GRU GRUCell GRUv3 GRUv3Cell GlobalLPPool LPPool LSTM LSTMCell MultiHeadAttention PReLU RMSNorm RNN RNNCell "
        "Recurrence ReshapeLayer RotaryPositionalEmbedding Scale SinusoidalPositionalEmbedding SpectralNorm "
        "TransformerDecoderLayer TransformerEncoderLayer VariationalHiddenDropout WeightNorm"
    ),
}

TF_NN = Peer(
    name="tf.nn",
    backend="tf",
    modules=("tensorflow",),
    packages=("tensorflow-cpu", "tensorflow"),
    layers={
        "BatchNorm": _build_batch_norm,
        "Conv": _build_conv,
        "ConvTranspose": _build_conv_transpose,
        "CrossCor": _build_conv,
        "Dense": _build_dense,
        "DepthwiseConv": _build_depthwise,
        "Dropout": _build_dropout,
        "Embedding": _build_embedding,
        "EmbeddingBag": _build_embedding_bag,
        "GlobalMaxPool": _make_global_pool_builder("MAX"),
        "GlobalMeanPool": _make_global_pool_builder("AVG"),
        "GroupNorm": _group_norm,
        "InstanceNorm": _instance_norm,
        "LayerNorm": _layer_norm,
        "MaxPool": _make_pool_builder("MAX", -np.inf),
        "MeanPool": _make_pool_builder("AVG", 0.0),
        "PixelShuffle": _build_pixel_shuffle,
        "Upsample": _build_upsample,
    },
    none=_NONE,
    operations=FUNCTIONS,
    losses=LOSSES,
)
