"""MLX's own layers, `mlx.nn`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from luxport.porting.torch.conventions import swap_bilinear_weight, swap_dense_weight, swap_recurrent_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, require_symmetric
from luxport_conformance.peers.layer_tools import (
    count_groups,
    is_training,
    list_kernel_differences,
    list_padding_differences,
    pick_activation,
    require_identity,
    require_indices,
)
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without
from luxport_conformance.peers.mlx_training import FUNCTIONS, INITIALIZERS, LOSSES, OPTIMIZERS

__all__ = ["MLX_NN"]


def _import_core() -> Any:
    import mlx.core as mx

    return mx


def _import_nn() -> Any:
    import mlx.nn as nn

    return nn


def _find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return MLX's function for a layer's activation.

    Raises: NoCounterpartError if the activation is unknown
    """
    nn = _import_nn()
    return pick_activation(layer, {"relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": nn.tanh})


def _call_channels_last(call: Callable[[Any], Any], x: Any) -> Any:
    """Call a function of channels-last arrays with x, whose channels are second, and return y with channels second."""
    mx = _import_core()
    return mx.moveaxis(call(mx.moveaxis(x, 1, -1)), -1, 1)


def _fill_module(module: Any, parameters: dict[str, Any]) -> Any:
    """Set the parameters of a module, except None, and return the module."""
    for name, value in parameters.items():
        if value is not None:
            setattr(module, name, value)
    return module


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    linear, act = _import_nn().Linear(layer.in_dims, layer.out_dims, layer.use_bias), _find_activation(layer)
    return Counterpart(
        lambda x, ps: act(_fill_module(linear, {"weight": swap_dense_weight(ps["weight"]), "bias": ps.get("bias")})(x)),
        differences=("weights (out, in)",),
    )


def _build_bilinear(layer: Any, x: Any, st: Any) -> Counterpart:
    pair = layer.in_dims if isinstance(layer.in_dims, tuple) else (layer.in_dims,) * 2
    bilinear, act = _import_nn().Bilinear(*pair, layer.out_dims, layer.use_bias), _find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        weight = _import_core().swapaxes(swap_bilinear_weight(ps["weight"]), 1, 2)
        return act(
            _fill_module(bilinear, {"weight": weight, "bias": ps.get("bias")})(*(x if isinstance(x, tuple) else (x, x)))
        )

    return Counterpart(call)


def _find_padding(windows: Any, value: float = 0.0) -> tuple[Any, Callable[[Any], Any], str]:
    """Return the padding to pass to MLX's layer, a function that pads the input before the layer, and a remark.

    Padding that differs between two sides is done by that function; otherwise it returns its input.
    """
    if all(low == high for low, high in windows.padding):
        return require_symmetric(windows.padding), lambda x: x, ""
    pairs = [(0, 0), *windows.padding, (0, 0)]
    pad = lambda x: _import_core().pad(x, pairs, constant_values=value)  # noqa: E731
    return (0,) * len(windows.padding), pad, "pads both sides alike: padded by mx.pad before"


def _list_options(windows: Any, padding: Any) -> tuple[Any, ...]:
    """Return window, stride, padding and dilation as MLX takes them: tuples, or numbers if there is one axis."""
    options = (windows.window, windows.stride, padding, windows.dilation)
    return tuple([option[0] for option in options]) if len(windows.window) == 1 else options


def _turn(layer: Any, weight: Any) -> Any:
    """Return a convolution's weight, flipped unless `cross_correlation`: MLX's convolutions do not flip it."""
    whole = (slice(None), slice(None), *[slice(None, None, -1)] * (len(weight.shape) - 2))
    return weight if layer.cross_correlation else weight[whole]


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, _find_activation(layer)
    if any(map(any, windows.padding)) and layer.padding_mode != "zeros":
        raise NoCounterpartError("pads by zeros alone")
    axes, groups = len(windows.window), count_groups(layer)
    if axes == 3 and groups > 1:
        raise NoCounterpartError("has no groups with three axes")
    padding, pad, remark = _find_padding(windows)
    conv = getattr(_import_nn(), f"Conv{axes}d")(
        *(layer.in_channels, layer.out_channels, *_list_options(windows, padding)),
        **({"groups": groups} if axes < 3 else {}),
        bias=layer.use_bias,
    )

    def call(x: Any, ps: Any) -> Any:
        weight = _import_core().moveaxis(_turn(layer, ps["weight"]), 1, -1)
        return act(
            _call_channels_last(lambda x: _fill_module(conv, {"weight": weight, "bias": ps.get("bias")})(pad(x)), x)
        )

    return Counterpart(call, remark, ("channels last", *list_kernel_differences(layer)))


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, _find_activation(layer)
    if layer.groups > 1:
        raise NoCounterpartError("has no groups")
    if any(low != high for low, high in windows.padding):
        raise NoCounterpartError("cuts both sides alike")
    axes, more = len(windows.window), layer._output_padding
    conv = getattr(_import_nn(), f"ConvTranspose{axes}d")(
        *(layer.in_channels, layer.out_channels, *_list_options(windows, require_symmetric(windows.padding))),
        more[0] if axes == 1 else more,
        bias=layer.use_bias,
    )

    def call(x: Any, ps: Any) -> Any:
        mx = _import_core()
        weight = mx.moveaxis(mx.swapaxes(_turn(layer, ps["weight"]), 0, 1), 1, -1)
        return act(_call_channels_last(lambda x: _fill_module(conv, {"weight": weight, "bias": ps.get("bias")})(x), x))

    return Counterpart(call, differences=("channels last", *list_kernel_differences(layer)))


def _make_pool_builder(name: str, value: float) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1:
            raise NoCounterpartError("has no dilation")
        if any(map(any, windows.padding)) and not getattr(layer, "count_include_pad", True):
            raise NoCounterpartError("counts what is padded")
        padding, pad, remark = _find_padding(windows, value)
        pool = getattr(_import_nn(), f"{name}Pool{len(windows.window)}d")(windows.window, windows.stride, padding)
        return Counterpart(lambda x, ps: _call_channels_last(lambda x: pool(pad(x)), x), remark, ("channels last",))

    return build


def _rename_affine(ps: Any) -> dict[str, Any]:
    return {"weight": ps.get("scale"), "bias": ps.get("bias")}


def _build_batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim > 4:
        raise NoCounterpartError("takes two spatial axes at most")
    act, training = _find_activation(layer), is_training(st)
    norm = _import_nn().BatchNorm(layer.channels, layer.epsilon, layer.momentum, layer.affine, layer.track_stats)
    norm.train(training)
    names = ("running_mean", "running_var") if layer.track_stats else ()

    def call(x: Any, ps: Any) -> Any:
        mx = _import_core()
        held = {name: mx.array(np.asarray(st[name]), dtype=x.dtype) for name in names}
        y = act(_call_channels_last(_fill_module(norm, {**_rename_affine(ps), **held}), x))
        return (y, {name: norm[name] for name in names}) if training and names else y

    return Counterpart(call, differences=("channels last",))


def _build_group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    act = _find_activation(layer)
    norm = _import_nn().GroupNorm(layer.groups, layer.channels, layer.epsilon, layer.affine, pytorch_compatible=True)
    return Counterpart(
        lambda x, ps: act(_call_channels_last(_fill_module(norm, _rename_affine(ps)), x)),
        "groups neighbors with pytorch_compatible=True alone",
        ("channels last", "interleaved groups"),
    )


def _build_instance_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    act, norm = _find_activation(layer), _import_nn().InstanceNorm(layer.channels, layer.epsilon, layer.affine)
    return Counterpart(
        lambda x, ps: act(_call_channels_last(_fill_module(norm, _rename_affine(ps)), x)),
        differences=("channels last",),
    )


def _make_last_axis_norm_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        if len(layer.shape) > 1 or (name == "RMSNorm" and not layer.affine):
            raise NoCounterpartError("goes along one axis, and RMSNorm always has a scale")
        options = () if name == "RMSNorm" else (layer.affine, layer.use_bias)
        act, norm = _find_activation(layer), getattr(_import_nn(), name)(layer.shape[0], layer.epsilon, *options)
        return Counterpart(lambda x, ps: act(_fill_module(norm, _rename_affine(ps))(x)))

    return build


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    table = _import_nn().Embedding(layer.in_dims, layer.out_dims)
    return Counterpart(
        lambda x, ps: _fill_module(table, {"weight": ps["weight"]})(x), differences=list_padding_differences(layer)
    )


def _build_attention(layer: Any, x: Any, st: Any) -> Counterpart:
    inputs = x if isinstance(x, tuple) else (x, x, x)
    if len(inputs) > 4:
        raise NoCounterpartError("adds nothing to the scores but a mask")
    if layer.return_scores:
        raise NoCounterpartError("returns no scores")
    attention = _import_nn().MultiHeadAttention(
        *(layer.q_proj.out_dims, layer.nheads, *[part.shape[-1] for part in inputs[:3]]),
        value_dims=layer.v_proj.out_dims,
        value_output_dims=layer.out_proj.out_dims,
        bias=layer.use_bias,
    )

    def call(x: Any, ps: Any) -> Any:
        mx = _import_core()
        query, key, value, *mask = x if isinstance(x, tuple) else (x, x, x)
        for name in ("query", "key", "value", "out"):
            part = ps["out_proj" if name == "out" else f"{name[0]}_proj"]
            _fill_module(
                attention[f"{name}_proj"], {"weight": swap_dense_weight(part["weight"]), "bias": part.get("bias")}
            )
        allowed = mask[0] if mask else None
        if layer.is_causal:
            causal = mx.tri(query.shape[1], key.shape[1], dtype=mx.bool_)
            allowed = causal if allowed is None else allowed & causal
        return attention(query, key, value, allowed)

    return Counterpart(call, differences=("masked rows",) if len(inputs) == 4 else ())


def _make_recurrent_builder(kind: str, cell: bool = False) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        mx = _import_core()
        require_identity(layer, "tanh")
        if not cell and (layer.masked or layer.bidirectional or layer.train_state):
            raise NoCounterpartError("has no masks, no two directions and no initial states that are trained")
        levels = 1 if cell else layer.num_layers
        sizes = [layer.in_dims, *[layer.out_dims] * (levels - 1)]
        runs = [getattr(_import_nn(), kind)(size, layer.out_dims, layer.use_bias) for size in sizes]

        def convert_parameters(ps: Any) -> dict[str, Any]:
            names = ("Wxh", "Whh", "bias") if kind == "RNN" else ("Wx", "Wh", "b" if kind == "GRU" else "bias")
            given = [swap_recurrent_weight(ps["weight_ih"]), swap_recurrent_weight(ps["weight_hh"]), ps.get("bias_ih")]
            if kind == "GRU" and layer.use_bias:
                size, more = layer.out_dims, ps.get("bias_hh", 0.0 * ps["bias_ih"])
                gates = mx.concatenate([more[: 2 * size], 0.0 * more[2 * size :]])
                return {**dict(zip(names, [*given[:2], given[2] + gates], strict=True)), "bhn": more[2 * size :]}
            if "bias_hh" in ps:
                given[2] = given[2] + ps["bias_hh"]
            return dict(zip(names, given, strict=True))

        def start(ps: Any, samples: int) -> tuple[Any, ...]:
            found = [ps[name] for name in ("hidden_state", "memory") if name in ps]
            return tuple([mx.broadcast_to(value, (samples, layer.out_dims)) for value in found])

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, start(ps, x.shape[0]))
            x = x[:, None] if cell else mx.swapaxes(x, 0, 1) if layer.time_major else x
            ends: Any = ()
            for i, run in enumerate(runs):
                ends = _fill_module(run, convert_parameters(ps if levels == 1 else ps[f"layer_{i + 1}"]))(x, *carry)
                ends = ends if isinstance(ends, tuple) else (ends,)
                x = ends[0]
            last = tuple([states[:, -1] for states in ends])
            if cell:
                return last[0], last
            y = mx.swapaxes(x, 0, 1) if layer.time_major else x
            return (y, last) if layer.return_state else y

        two = layer.use_bias and layer.use_recurrent_bias
        made = Counterpart(call, differences=("one bias",) if two and kind != "GRU" else ())
        return replace(made, remark="has no cell: a sequence of one step") if cell else made

    return build


def _build_upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.scale is None:
        raise NoCounterpartError("takes scales alone")
    scales = layer.scale if isinstance(layer.scale, tuple) else (layer.scale,) * (x.ndim - 2)
    mode = "nearest" if layer.mode == "nearest" else "linear"
    module = _import_nn().Upsample(tuple(map(float, scales)), mode, layer.align_corners if mode == "linear" else False)
    return Counterpart(lambda x, ps: _call_channels_last(module, x), differences=("channels last",))


def _build_prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(layer.shape, tuple):
        raise NoCounterpartError("has one weight, or one a channel")
    module = _import_nn().PReLU(layer.shape)
    return Counterpart(lambda x, ps: _call_channels_last(_fill_module(module, {"weight": ps["weight"]}), x))


def _build_sinusoidal(layer: Any, x: Any, st: Any) -> Counterpart:
    module = _import_nn().SinusoidalPositionalEncoding(layer.dims, scale=layer.scale)

    def call(x: Any, ps: Any) -> Any:
        return _fill_module(module, {"_sigmas": _import_core().array(np.asarray(st["sigmas"]), dtype=x.dtype)})(x)

    return Counterpart(call)


def _build_dropout(layer: Any, x: Any, st: Any) -> Counterpart:
    module = _import_nn().Dropout(layer.p)
    module.eval()
    return Counterpart(lambda x, ps: module(x))


_NONE = {
    **COMPOSED,
    **list_without(
        "AdaptiveLPPool AdaptiveMaxPool AdaptiveMeanPool AlphaDropout BidirectionalRNN Diagonal EmbeddingBag "
        "GaussianDropout GaussianNoise "
        "FlattenLayer GlobalLPPool GlobalMaxPool GlobalMeanPool LPPool PixelShuffle Recurrence ReshapeLayer Scale "
        "SpectralNorm VariationalHiddenDropout WeightNorm"
    ),
    **dict.fromkeys(("GRUv3", "GRUv3Cell"), "applies the reset gate after the product"),
    "RotaryPositionalEmbedding": "makes its angles itself: those of the suite are other numbers",
    **dict.fromkeys(
        ("TransformerDecoderLayer", "TransformerEncoderLayer"), "has attention without biases, luxport's have them"
    ),
}

MLX_NN = Peer(
    name="mlx.nn",
    backend="mlx",
    modules=("mlx",),
    packages=("mlx",),
    layers={
        "BatchNorm": _build_batch_norm,
        "Bilinear": _build_bilinear,
        **dict.fromkeys(("Conv", "CrossCor", "DepthwiseConv"), _build_conv),
        "ConvTranspose": _build_conv_transpose,
        "Dense": _build_dense,
        "Dropout": _build_dropout,
        "Embedding": _build_embedding,
        "GRU": _make_recurrent_builder("GRU"),
        "GRUCell": _make_recurrent_builder("GRU", cell=True),
        "GroupNorm": _build_group_norm,
        "InstanceNorm": _build_instance_norm,
        "LSTM": _make_recurrent_builder("LSTM"),
        "LSTMCell": _make_recurrent_builder("LSTM", cell=True),
        "LayerNorm": _make_last_axis_norm_builder("LayerNorm"),
        "MaxPool": _make_pool_builder("Max", -np.inf),
        "MeanPool": _make_pool_builder("Avg", 0.0),
        "MultiHeadAttention": _build_attention,
        "PReLU": _build_prelu,
        "RMSNorm": _make_last_axis_norm_builder("RMSNorm"),
        "RNN": _make_recurrent_builder("RNN"),
        "RNNCell": _make_recurrent_builder("RNN", cell=True),
        "SinusoidalPositionalEmbedding": _build_sinusoidal,
        "Upsample": _build_upsample,
    },
    none=_NONE,
    operations=FUNCTIONS,
    losses=LOSSES,
    optimizers=OPTIMIZERS,
    initializers=INITIALIZERS,
    # On a CPU MLX runs a C++ compiler for each compiled function; the results are the same without it.
    environment={"MLX_DISABLE_COMPILE": "1"},
)
