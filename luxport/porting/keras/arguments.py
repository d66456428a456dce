"""`list_steps`: build luxport layers from the attributes and weights of a Keras layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport import ops
from luxport.core.layer import Layer
from luxport.porting.keras import attention, functions, masks, norms, other_layers, recurrent, windows
from luxport.porting.keras.steps import Layout, Step, collect_arrays, copy_to_host, make_function_step, read_layout
from luxport.porting.with_options import WithOptions
from luxport.tree.static import Static

__all__ = ["list_steps"]


def list_steps(layer: Any) -> list[Step]:
    """Return the steps (luxport layers with their arrays) that together compute what a Keras layer does.

    Raises: ValueError if there is no counterpart
    """
    if not type(layer).__module__.startswith("keras.src.layers."):
        raise ValueError("it is no class of keras.layers")
    if layer.compute_dtype != layer.variable_dtype or getattr(layer, "quantization_mode", None):
        raise ValueError(f"it computes in {layer.compute_dtype}, but its weights have another dtype or are quantized")
    name = re.sub("[123]D$|[123]D(?=Transpose$)", "", type(layer).__name__)
    if name in _WITH_ARRAYS:
        if not layer.built:
            raise ValueError("it has no weights yet: call it once, or give the model an Input")
        found = _WITH_ARRAYS[name](layer)
    elif name in _WITHOUT_ARRAYS:
        found = _WITHOUT_ARRAYS[name](layer)
    else:
        raise ValueError("luxport has no such layer")
    return found if isinstance(found, list) else [found]


def _port_dense(layer: Any) -> Step:
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    activation = functions.find_activation(layer.activation)
    in_dims, out_dims = ps["weight"].shape
    return Step(luxport.Dense(in_dims, out_dims, activation, use_bias="bias" in ps), ps, layout="keras")


def _port_embedding(layer: Any) -> Step:
    weight = copy_to_host(layer.embeddings)
    return Step(luxport.Embedding(*weight.shape), {"weight": weight}, layout="keras")


def _make_dropout_port(kind: Any) -> Callable[[Any], Step]:
    def make(layer: Any) -> Step:
        if getattr(layer, "noise_shape", None) is not None:
            raise ValueError(f"it has noise_shape={layer.noise_shape}")
        return _make_dropout_step(kind(float(layer.rate)), "any") if layer.rate else Step(luxport.NoOpLayer())

    return make


def _port_noise(layer: Any) -> Step:
    noise = luxport.GaussianNoise(float(layer.stddev))
    return _make_dropout_step(noise, "any") if layer.stddev else Step(noise)


def _port_spatial_dropout(layer: Any) -> Step:
    if not layer.rate:
        return Step(luxport.NoOpLayer())
    return _make_dropout_step(luxport.Dropout(float(layer.rate), axes=(0, 1)), read_layout(layer))


def _make_dropout_step(layer: Layer, layout: Layout) -> Step:
    return Step(layer, {}, {"training": Static(False)}, layout)


def _port_flatten(layer: Any) -> list[Step]:
    flat = Step(luxport.FlattenLayer(), layout="keras")
    if layer.data_format == "channels_last":
        return [flat]
    # Keras moves the channels to the end before it flattens.
    moved = luxport.WrappedFunction(WithOptions.with_keywords(functions.move_channels, to="last"))
    return [Step(moved, layout="keras", suffix="moved"), flat]


def _port_softmax(layer: Any) -> Step:
    axes = tuple(layer.axis) if isinstance(layer.axis, (tuple, list)) else layer.axis
    return make_function_step(ops.softmax, "keras", axis=axes)


def _port_activation(layer: Any) -> Step:
    found = functions.find_activation(layer.activation)
    return Step(luxport.WrappedFunction(found), layout="any" if functions.is_elementwise(found) else "keras")


def _port_relu(layer: Any) -> Step:
    options = (layer.max_value, float(layer.negative_slope), float(layer.threshold))
    if options == (None, 0.0, 0.0):
        return make_function_step(ops.relu)
    return make_function_step(functions.relu, max_value=options[0], negative_slope=options[1], threshold=options[2])


_WITH_ARRAYS: Mapping[str, Callable[[Any], Step | list[Step]]] = {
    "BatchNormalization": norms.port_batch_norm,
    "EinsumDense": other_layers.port_einsum_dense,
    "MultiHeadAttention": attention.port_attention,
    "Normalization": other_layers.port_normalization,
    "PReLU": other_layers.port_prelu,
    "Bidirectional": recurrent.port_bidirectional,
    "AdditiveAttention": attention.port_scored_attention,
    "Attention": attention.port_scored_attention,
    "Conv": windows.port_conv,
    "ConvLSTM": recurrent.port_recurrent,
    "ConvTranspose": windows.port_conv_transpose,
    "Dense": _port_dense,
    "DepthwiseConv": windows.port_depthwise,
    "Embedding": _port_embedding,
    "GRU": recurrent.port_recurrent,
    "GroupNormalization": norms.port_group_norm,
    "LSTM": recurrent.port_recurrent,
    "LayerNormalization": norms.port_layer_norm,
    "RMSNormalization": norms.port_rms_norm,
    "SeparableConv": windows.port_separable,
    "SpectralNormalization": norms.make_spectral_norm_port(list_steps),
    "SimpleRNN": recurrent.port_recurrent,
}
"""Functions that port Keras layers with weights, by the names of their classes without the number of axes."""

_WITHOUT_ARRAYS: Mapping[str, Callable[[Any], Step | list[Step]]] = {
    "Activation": _port_activation,
    "ActivityRegularization": lambda layer: Step(luxport.NoOpLayer()),
    "AlphaDropout": _make_dropout_port(luxport.AlphaDropout),
    "AveragePooling": windows.make_pool_port(luxport.MeanPool, count_include_pad=False),
    "Cropping": windows.port_cropping,
    "Dropout": _make_dropout_port(luxport.Dropout),
    "ELU": lambda layer: make_function_step(ops.elu, alpha=float(layer.alpha)),
    "Flatten": _port_flatten,
    "GlobalAveragePooling": windows.make_global_pool_port(luxport.GlobalMeanPool),
    "GlobalMaxPooling": windows.make_global_pool_port(luxport.GlobalMaxPool),
    "GaussianDropout": _make_dropout_port(luxport.GaussianDropout),
    "GaussianNoise": _port_noise,
    "Identity": lambda layer: Step(luxport.NoOpLayer()),
    "LeakyReLU": lambda layer: make_function_step(ops.leakyrelu, a=float(layer.negative_slope)),
    "Masking": lambda layer: make_function_step(masks.zero_masked_steps, "keras", value=float(layer.mask_value)),
    "MaxPooling": windows.make_pool_port(luxport.MaxPool),
    "Permute": lambda layer: make_function_step(functions.permute, "keras", dims=tuple(layer.dims)),
    "ReLU": _port_relu,
    "RepeatVector": lambda layer: make_function_step(functions.repeat, "keras", times=layer.n),
    "Rescaling": lambda layer: make_function_step(
        functions.rescale, "keras", scale=float(layer.scale), offset=float(layer.offset)
    ),
    "Reshape": lambda layer: Step(luxport.ReshapeLayer(tuple(layer.target_shape)), layout="keras"),
    "Softmax": _port_softmax,
    "SpatialDropout": _port_spatial_dropout,
    "UnitNormalization": other_layers.port_unit_normalization,
    "UpSampling": windows.port_upsampling,
    "ZeroPadding": windows.port_zero_padding,
}
"""Functions that port Keras layers without weights, by the names of their classes without the number of axes."""
