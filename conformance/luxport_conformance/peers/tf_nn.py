"""TensorFlow's own functions, `tf.nn` and what belongs to it: convolutions, pools, norms, activations, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport.porting.keras.conventions import convert_conv_weight_to_keras, convert_depthwise_weight_to_keras
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, rename_options
from luxport_conformance.peers.jax_tools import groups_of, in_training
from luxport_conformance.peers.keras_tools import check_dilation
from luxport_conformance.peers.tf_losses import LOSSES
from luxport_conformance.peers.without import COMPOSED, nothing_like

__all__ = ["TF_NN"]


def _tf() -> Any:
    import tensorflow as tf

    return tf


def _moved(call: Callable[[Any], Any], x: Any) -> Any:
    """Call what has its channels last, as all of it on a CPU, with x, which has them second."""
    tf, rank = _tf(), len(x.shape)
    y = call(tf.transpose(x, (0, *range(2, rank), 1)))
    return tf.transpose(y, (0, rank - 1, *range(1, rank - 1)))


def _activation(layer: Any) -> Callable[[Any], Any]:
    """Return TensorFlow's function in place of a layer's activation.

    Raises: NoCounterpartError
    """
    tf, name = _tf(), layer.activation.__name__ if "activation" in layer.__dataclass_fields__ else "identity"
    known = {"identity": lambda x: x, "relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh}
    if name not in known:
        raise NoCounterpartError(f"is asked of activations {', '.join(known)}")
    return known[name]


def _biased(layer: Any, y: Any, ps: Any) -> Any:
    return _activation(layer)(_tf().nn.bias_add(y, ps["bias"]) if "bias" in ps else y)


def _dense(layer: Any, x: Any, st: Any) -> Counterpart:
    _activation(layer)
    return Counterpart(lambda x, ps: _biased(layer, _tf().linalg.matmul(x, ps["weight"]), ps))


_MODES = {"zeros": "CONSTANT", "reflect": "REFLECT", "symmetric": "SYMMETRIC"}


def _padded(windows: Any, mode: str = "zeros", value: float = 0.0) -> Callable[[Any], Any]:
    """Return what pads the spatial axes of an array with its channels last."""
    if not any(map(any, windows.padding)):
        return lambda x: x
    if mode not in _MODES:
        raise NoCounterpartError(f"has no padding mode {mode}")
    pairs = ((0, 0), *windows.padding, (0, 0))
    return lambda x: _tf().pad(x, pairs, mode=_MODES[mode], constant_values=value)


def _turned(layer: Any, weight: Any) -> Any:
    """Return the weight of a function that does not flip it."""
    return weight if layer.cross_correlation else _tf().reverse(weight, tuple(range(2, len(weight.shape))))


def _check_pool(windows: Any) -> None:
    check_dilation(windows)
    if any(stride > size for stride, size in zip(windows.stride, windows.window, strict=True)):
        raise NoCounterpartError("refuses strides beyond the window")


def _differences(layer: Any) -> tuple[str, ...]:
    return ("channels last", *(() if layer.cross_correlation else ("flipped kernel",)))


def _conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _padded(layer._windows, layer.padding_mode)
    check_dilation(windows)
    _activation(layer)

    def call(x: Any, ps: Any) -> Any:
        filters = convert_conv_weight_to_keras(_turned(layer, ps["weight"]))
        options = {"strides": windows.stride, "padding": "VALID", "dilations": windows.dilation}
        options["data_format"] = ("NWC", "NHWC", "NDHWC")[len(windows.window) - 1]  # no gradient of 3 axes without it
        return _moved(lambda x: _biased(layer, _tf().nn.convolution(pad(x), filters, **options), ps), x)

    return Counterpart(call, differences=_differences(layer))


def _depthwise(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _padded(layer._windows)
    if len(windows.window) != 2 or len(set(windows.stride)) > 1:
        raise NoCounterpartError("has two spatial axes, and one stride")
    _activation(layer)

    def call(x: Any, ps: Any) -> Any:
        filters = convert_depthwise_weight_to_keras(_turned(layer, ps["weight"]), groups_of(layer))
        options = {"strides": (1, *windows.stride, 1), "padding": "VALID", "dilations": windows.dilation}
        return _moved(lambda x: _biased(layer, _tf().nn.depthwise_conv2d(pad(x), filters, **options), ps), x)

    return Counterpart(call, differences=_differences(layer))


def _conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, range(len(layer._windows.window))
    if layer.groups > 1 or max(windows.dilation) > 1:
        raise NoCounterpartError("has neither groups nor dilation")
    _activation(layer)

    def call(x: Any, ps: Any) -> Any:
        tf, (samples, _, *sizes) = _tf(), x.shape
        whole = [(sizes[i] - 1) * windows.stride[i] + windows.window[i] + layer._output_padding[i] for i in axes]
        # What is added above is output that no window reaches: a longer window of zeros there.
        more = [(0, 0), (0, 0), *[(0, layer._output_padding[i]) for i in axes]]
        filters = convert_conv_weight_to_keras(tf.pad(_turned(layer, ps["weight"]), more))
        shape = (samples, *whole, layer.out_channels)

        def run(x: Any) -> Any:
            y = tf.nn.conv_transpose(x, filters, shape, windows.stride, padding="VALID")
            cut = [slice(low, size - high) for (low, high), size in zip(windows.padding, whole, strict=True)]
            return _biased(layer, y[(slice(None), *cut)], ps)

        return _moved(run, x)

    return Counterpart(call, "cuts by a rule of its own: cut afterward", ("channels last",))


def _max_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _padded(layer._windows, value=-np.inf)
    _check_pool(windows)
    options = {"strides": windows.stride, "padding": "VALID", "dilations": windows.dilation}
    return Counterpart(
        lambda x, ps: _moved(lambda x: _tf().nn.pool(pad(x), windows.window, "MAX", **options), x),
        differences=("channels last",),
    )


def _mean_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, pad = layer._windows, _padded(layer._windows)
    if any(map(any, windows.padding)) and not layer.count_include_pad:
        raise NoCounterpartError("is asked of padding that it counts: what it does not count is added by SAME alone")
    _check_pool(windows)
    options = {"strides": windows.stride, "padding": "VALID", "dilations": windows.dilation}
    return Counterpart(
        lambda x, ps: _moved(lambda x: _tf().nn.pool(pad(x), windows.window, "AVG", **options), x),
        differences=("channels last",),
    )


def _global_pool(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        return Counterpart(
            lambda x, ps: _moved(lambda x: _tf().nn.pool(x, x.shape[1:-1], kind, padding="VALID"), x),
            differences=("channels last",),
        )

    return build


def _batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training = in_training(st)
    activation = _activation(layer)

    def parameters(x: Any, ps: Any) -> tuple[Any, ...]:
        tf, kept = _tf(), [st["running_mean"], st["running_var"]]
        wide = tf.float32 if x.dtype in (tf.float16, tf.bfloat16) and training else x.dtype
        ones = tf.ones((layer.channels,), wide)
        named = [ps.get("scale", ones), ps.get("bias", 0.0 * ones)]
        return tuple([tf.cast(value, wide) for value in (*named, *kept)])

    def tested(x: Any, ps: Any) -> Any:
        scale, bias, mean, variance = parameters(x, ps)
        normalized = _moved(lambda x: _tf().nn.batch_normalization(x, mean, variance, bias, scale, layer.epsilon), x)
        return activation(normalized)

    def trained(x: Any, ps: Any) -> Any:
        scale, bias, mean, variance = parameters(x, ps)
        tf, ends = _tf(), []
        sizes = (x.shape[0], layer.channels, int(np.prod(x.shape[2:])), 1)

        def run(x: Any) -> Any:
            y, *statistics = tf.compat.v1.nn.fused_batch_norm(
                *(x, scale, bias, mean, variance, layer.epsilon),
                exponential_avg_factor=layer.momentum,
            )
            ends.extend(statistics)
            return y

        y = tf.reshape(_moved(run, tf.reshape(x, sizes)), x.shape)
        return activation(y), {"running_mean": ends[0], "running_var": ends[1]}

    return Counterpart(trained if training else tested, differences=("channels last",))


def _by_moments(axes_of: Callable[[Any, Any], tuple[int, ...]], shape_of: Callable[[Any, Any], Any]) -> Build:
    """Build a norm of samples: `tf.nn.moments` over axes, and `tf.nn.batch_normalization` with what they are."""

    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        if "running_mean" in st:
            raise NoCounterpartError("keeps no statistics of instances")
        activation = _activation(layer)

        def call(x: Any, ps: Any) -> Any:
            tf = _tf()
            shape, axes = shape_of(layer, x), axes_of(layer, x)
            apart = tf.reshape(x, shape)
            mean, variance = tf.nn.moments(apart, axes, keepdims=True)
            named = [_along(layer, x, ps[name]) if name in ps else None for name in ("bias", "scale")]
            if tuple(shape) == tuple(x.shape):
                return activation(tf.nn.batch_normalization(x, mean, variance, *named, layer.epsilon))
            y = tf.reshape(tf.nn.batch_normalization(apart, mean, variance, None, None, layer.epsilon), x.shape)
            y = y if named[1] is None else y * named[1]
            return activation(y if named[0] is None else y + named[0])

        return Counterpart(call, differences=("mean subtracted after scaling",))

    return build


def _along(layer: Any, x: Any, value: Any) -> Any:
    """Bring a parameter of channels to the second axis; one of trailing axes stays."""
    trailing = "shape" in layer.__dataclass_fields__
    return value if trailing else _tf().reshape(value, (1, -1, *(1,) * (len(x.shape) - 2)))


def _trailing(layer: Any, x: Any) -> tuple[int, ...]:
    rank = len(x.shape)
    return tuple(range(rank - len(layer.shape), rank))


_layer_norm = _by_moments(_trailing, lambda layer, x: tuple(x.shape))
_group_norm = _by_moments(
    lambda layer, x: tuple(range(2, len(x.shape) + 1)),
    lambda layer, x: (x.shape[0], layer.groups, -1, *x.shape[2:]),
)
_instance_norm = _by_moments(lambda layer, x: tuple(range(2, len(x.shape))), lambda layer, x: tuple(x.shape))


def _embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")
    return Counterpart(
        lambda x, ps: _tf().nn.embedding_lookup(ps["weight"], x),
        differences=("no padding row",) if layer.padding_idx is not None else (),
    )


def _embedding_bag(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.dtype.kind != "i" or layer.reduction not in ("mean", "sum"):
        raise NoCounterpartError("takes indices, and their mean or sum")

    def call(x: Any, ps: Any) -> Any:
        tf = _tf()
        bags = tf.RaggedTensor.from_tensor(tf.cast(x, tf.int64))
        return tf.nn.embedding_lookup_sparse(ps["weight"], bags, None, combiner=layer.reduction)

    return Counterpart(call)


def _pixel_shuffle(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4:
        raise NoCounterpartError("takes two spatial axes")

    def call(x: Any, ps: Any) -> Any:
        tf, (samples, depth, *sizes) = _tf(), x.shape
        apart = tf.reshape(x, (samples, -1, layer.factor**2, *sizes))
        blocks_first = tf.reshape(tf.transpose(apart, (0, 2, 1, 3, 4)), (samples, depth, *sizes))
        return _moved(lambda x: tf.nn.depth_to_space(x, layer.factor), blocks_first)

    return Counterpart(call, differences=("channels last", "blocks before channels"))


def _upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4 or (layer.mode != "nearest" and layer.align_corners):
        raise NoCounterpartError("has two spatial axes, and aligns no corners")
    scales = layer.scale if isinstance(layer.scale, tuple) else (layer.scale or 1,) * 2
    sizes = layer.size or tuple([int(size * scale) for size, scale in zip(x.shape[2:], scales, strict=True)])
    method = "nearest" if layer.mode == "nearest" else "bilinear"
    return Counterpart(
        lambda x, ps: _moved(lambda x: _tf().image.resize(x, sizes, method), x), differences=("channels last",)
    )


def _dropout(layer: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(lambda x, ps: _tf().nn.dropout(x, 0.0), "is told a rate of 0 where luxport is in test mode")


def _function(name: str, module: str = "nn", *, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return a function of this name, with luxport's options by their names there."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        function = getattr(getattr(_tf(), module), name)
        given = fixed | rename_options(options, renamed)
        return Counterpart(lambda x, ps: function(x, **given))

    return build


def _softmax(name: str) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        axis = options.get("axis", -1)
        if not isinstance(axis, int):
            raise NoCounterpartError("goes along one axis")
        function = getattr(_tf().nn, name)
        differences = () if np.isfinite(x).all() else ("infinity in softmax",)
        return Counterpart(lambda x, ps: function(x, axis=axis), differences=differences)

    return build


def _unit(options: Any, x: Any, st: Any) -> Counterpart:
    tf = _tf()
    axes = options.get("axis", 0)

    def call(x: Any, ps: Any) -> Any:
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, None, None, options.get("epsilon", 1e-5))

    return Counterpart(call)


def _xlogy(options: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(lambda x, ps: _tf().math.xlogy(*x))


FUNCTIONS: dict[str, Build] = {
    "elu": _function("elu"),
    "gelu_erf": _function("gelu", approximate=False),
    "gelu_tanh": _function("gelu", approximate=True),
    "leakyrelu": _function("leaky_relu", renamed={"a": "alpha"}, alpha=0.01),
    "logsigmoid": _function("log_sigmoid", "math"),
    "logsoftmax": _softmax("log_softmax"),
    "logsumexp": _function("reduce_logsumexp", "math", renamed={"axis": "axis"}),
    "normalize": _unit,
    "relu": _function("relu"),
    "relu6": _function("relu6"),
    "selu": _function("selu"),
    "sigmoid": _function("sigmoid"),
    "softmax": _softmax("softmax"),
    "softplus": _function("softplus"),
    "softsign": _function("softsign"),
    "swish": _function("silu"),
    "tanh": _function("tanh"),
    "xlogy": _xlogy,
}


_NONE = {
    **COMPOSED,
    **nothing_like(
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
        "BatchNorm": _batch_norm,
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        "CrossCor": _conv,
        "Dense": _dense,
        "DepthwiseConv": _depthwise,
        "Dropout": _dropout,
        "Embedding": _embedding,
        "EmbeddingBag": _embedding_bag,
        "GlobalMaxPool": _global_pool("MAX"),
        "GlobalMeanPool": _global_pool("AVG"),
        "GroupNorm": _group_norm,
        "InstanceNorm": _instance_norm,
        "LayerNorm": _layer_norm,
        "MaxPool": _max_pool,
        "MeanPool": _mean_pool,
        "PixelShuffle": _pixel_shuffle,
        "Upsample": _upsample,
    },
    none=_NONE,
    operations=FUNCTIONS,
    losses=LOSSES,
)
