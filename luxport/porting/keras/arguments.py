"""Layers from the attributes of Keras's layers, each with the arrays it has there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport import ops
from luxport.core.layer import Layer
from luxport.porting.keras import attention, functions, masks, norms, others, recurrent, windows
from luxport.porting.keras.steps import Needs, Step, collect_arrays, copy_to_host, make_function_step, read_layout
from luxport.porting.with_options import WithOptions
from luxport.tree.static import Static

__all__ = ["list_steps"]


def list_steps(layer: Any) -> list[Step]:
    """Return the layers that a layer of Keras is, one after the other.

    Raises: ValueError if there is no counterpart
    """
    if not type(layer).__module__.startswith("keras.src.layers."):
        raise ValueError("is no class of keras.layers")
    if layer.compute_dtype != layer.variable_dtype or getattr(layer, "quantization_mode", None):
        raise ValueError(f"computes in {layer.compute_dtype} with weights in another form")
    name = re.sub("[123]D$|[123]D(?=Transpose$)", "", type(layer).__name__)
    if name in _WITH_ARRAYS:
        if not layer.built:
            raise ValueError("has no weights yet: call it once, or give the model an Input")
        found = _WITH_ARRAYS[name](layer)
    elif name in _WITHOUT_ARRAYS:
        found = _WITHOUT_ARRAYS[name](layer)
    else:
        raise ValueError("luxport has no such layer")
    return found if isinstance(found, list) else [found]


def _dense(layer: Any) -> Step:
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    activation = functions.activation(layer.activation)
    in_dims, out_dims = ps["weight"].shape
    return Step(luxport.Dense(in_dims, out_dims, activation, use_bias="bias" in ps), ps, needs="keras")


def _embedding(layer: Any) -> Step:
    weight = copy_to_host(layer.embeddings)
    return Step(luxport.Embedding(*weight.shape), {"weight": weight}, needs="keras")


def _dropout(kind: Any) -> Callable[[Any], Step]:
    def make(layer: Any) -> Step:
        if getattr(layer, "noise_shape", None) is not None:
            raise ValueError(f"noise_shape={layer.noise_shape}")
        return _drop(kind(float(layer.rate)), "any") if layer.rate else Step(luxport.NoOpLayer())

    return make


def _noise(layer: Any) -> Step:
    noise = luxport.GaussianNoise(float(layer.stddev))
    return _drop(noise, "any") if layer.stddev else Step(noise)


def _spatial_dropout(layer: Any) -> Step:
    if not layer.rate:
        return Step(luxport.NoOpLayer())
    return _drop(luxport.Dropout(float(layer.rate), axes=(0, 1)), read_layout(layer))


def _drop(layer: Layer, needs: Needs) -> Step:
    return Step(layer, {}, {"training": Static(False)}, needs)


def _flatten(layer: Any) -> list[Step]:
    flat = Step(luxport.FlattenLayer(), needs="keras")
    if layer.data_format == "channels_last":
        return [flat]
    # Keras flattens as if the channels were last.
    moved = luxport.WrappedFunction(WithOptions.with_keywords(functions.move_channels, to="last"))
    return [Step(moved, needs="keras", after="moved"), flat]


def _softmax(layer: Any) -> Step:
    axes = tuple(layer.axis) if isinstance(layer.axis, (tuple, list)) else layer.axis
    return make_function_step(ops.softmax, "keras", axis=axes)


def _activation(layer: Any) -> Step:
    found = functions.activation(layer.activation)
    return Step(luxport.WrappedFunction(found), needs="any" if functions.is_elementwise(found) else "keras")


def _relu(layer: Any) -> Step:
    options = (layer.max_value, float(layer.negative_slope), float(layer.threshold))
    if options == (None, 0.0, 0.0):
        return make_function_step(ops.relu)
    return make_function_step(functions.relu, max_value=options[0], negative_slope=options[1], threshold=options[2])


_WITH_ARRAYS: Mapping[str, Callable[[Any], Step | list[Step]]] = {
    "BatchNormalization": norms.batch_norm,
    "EinsumDense": others.einsum_dense,
    "MultiHeadAttention": attention.attention,
    "Normalization": others.normalization,
    "PReLU": others.prelu,
    "Bidirectional": recurrent.bidirectional,
    "AdditiveAttention": attention.scored_attention,
    "Attention": attention.scored_attention,
    "Conv": windows.conv,
    "ConvLSTM": recurrent.recurrent,
    "ConvTranspose": windows.conv_transpose,
    "Dense": _dense,
    "DepthwiseConv": windows.depthwise,
    "Embedding": _embedding,
    "GRU": recurrent.recurrent,
    "GroupNormalization": norms.group_norm,
    "LSTM": recurrent.recurrent,
    "LayerNormalization": norms.layer_norm,
    "RMSNormalization": norms.rms_norm,
    "SeparableConv": windows.separable,
    "SpectralNormalization": norms.spectral(list_steps),
    "SimpleRNN": recurrent.recurrent,
}
"""Layers of Keras that have weights, by their names without the number of axes."""

_WITHOUT_ARRAYS: Mapping[str, Callable[[Any], Step | list[Step]]] = {
    "Activation": _activation,
    "ActivityRegularization": lambda layer: Step(luxport.NoOpLayer()),
    "AlphaDropout": _dropout(luxport.AlphaDropout),
    "AveragePooling": windows.pool(luxport.MeanPool, count_include_pad=False),
    "Cropping": windows.cropping,
    "Dropout": _dropout(luxport.Dropout),
    "ELU": lambda layer: make_function_step(ops.elu, alpha=float(layer.alpha)),
    "Flatten": _flatten,
    "GlobalAveragePooling": windows.global_pool(luxport.GlobalMeanPool),
    "GlobalMaxPooling": windows.global_pool(luxport.GlobalMaxPool),
    "GaussianDropout": _dropout(luxport.GaussianDropout),
    "GaussianNoise": _noise,
    "Identity": lambda layer: Step(luxport.NoOpLayer()),
    "LeakyReLU": lambda layer: make_function_step(ops.leakyrelu, a=float(layer.negative_slope)),
    "Masking": lambda layer: make_function_step(masks.masked, "keras", value=float(layer.mask_value)),
    "MaxPooling": windows.pool(luxport.MaxPool),
    "Permute": lambda layer: make_function_step(functions.permute, "keras", dims=tuple(layer.dims)),
    "ReLU": _relu,
    "RepeatVector": lambda layer: make_function_step(functions.repeat, "keras", times=layer.n),
    "Rescaling": lambda layer: make_function_step(
        functions.rescale, "keras", scale=float(layer.scale), offset=float(layer.offset)
    ),
    "Reshape": lambda layer: Step(luxport.ReshapeLayer(tuple(layer.target_shape)), needs="keras"),
    "Softmax": _softmax,
    "SpatialDropout": _spatial_dropout,
    "UnitNormalization": others.unit_normalization,
    "UpSampling": windows.upsampling,
    "ZeroPadding": windows.zero_padding,
}
"""Layers of Keras that have none."""
