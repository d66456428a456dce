"""Haiku's own modules, each called within a function that `haiku.transform` makes pure."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from luxport.porting.keras.conventions import (
    convert_conv_weight_to_keras,
    convert_momentum,
    convert_reset_first_weights_to_keras,
    swap_gru_gates,
)
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.jax_conventions import (
    add_biases,
    lower_forget_bias,
    mirror_kernel,
    negate_update_gate,
    swap_lstm_gates,
)
from luxport_conformance.peers.jax_nn import FUNCTIONS
from luxport_conformance.peers.jax_tools import (
    call_channels_last,
    convert_kernel,
    find_activation,
    find_transposed_padding,
    make_start,
)
from luxport_conformance.peers.layer_tools import (
    count_groups,
    is_training,
    list_kernel_differences,
    list_levels,
    list_padding_differences,
    rename,
    require_identity,
    require_indices,
)
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without

__all__ = ["HAIKU"]


def _apply(name: str, given: dict[str, Any], *inputs: Any, state: Any = None, call: Any = None, **options: Any) -> Any:
    """Call a module with these parameters and return its output, or with `state` (output, new state)."""
    hk = import_module("haiku")

    call = call or {}
    kind = getattr(hk, name)
    run = hk.without_apply_rng(hk.transform_with_state(lambda *xs: kind(**options, name="m")(*xs, **call)))
    parts = given if any("/" in key or key == "m" for key in given) else {"m": given}
    held = {key: value for key, value in parts.items() if value}
    y, ends = run.apply(held, state or {}, *inputs)
    return y if state is None else (y, ends)


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    act, options = find_activation(layer), {"output_size": layer.out_dims, "with_bias": layer.use_bias}
    return Counterpart(lambda x, ps: act(_apply("Linear", rename(ps, weight="w", bias="b"), x, **options)))


def _list_conv_options(layer: Any) -> dict[str, Any]:
    windows = layer._windows
    return {
        "num_spatial_dims": len(windows.window),
        "output_channels": layer.out_channels,
        "kernel_shape": windows.window,
        "stride": windows.stride,
        "with_bias": layer.use_bias,
    }


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, find_activation(layer)
    if any(map(any, windows.padding)) and layer.padding_mode != "zeros":
        raise NoCounterpartError("pads by zeros alone")
    options = {
        **_list_conv_options(layer),
        "rate": windows.dilation,
        "padding": list(windows.padding),
        "feature_group_count": count_groups(layer),
        "data_format": "channels_last",
    }

    def call(x: Any, ps: Any) -> Any:
        given = {"w": convert_kernel(layer, ps["weight"]), **rename(ps, bias="b")}
        return act(call_channels_last(lambda x: _apply("ConvND", given, x, **options), x))

    return Counterpart(call, differences=("channels last", *list_kernel_differences(layer)))


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, find_activation(layer)
    if layer.groups > 1 or max(windows.dilation) > 1:
        raise NoCounterpartError("has neither groups nor dilation")
    options = {**_list_conv_options(layer), "padding": find_transposed_padding(layer)}

    def call(x: Any, ps: Any) -> Any:
        weight = mirror_kernel(ps["weight"]) if layer.cross_correlation else ps["weight"]
        given = {"w": convert_conv_weight_to_keras(weight), **rename(ps, bias="b")}
        return act(call_channels_last(lambda x: _apply("ConvNDTranspose", given, x, **options), x))

    return Counterpart(call, differences=("channels last",))


def _build_reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(lambda x, ps: _apply("Reshape", {}, x, output_shape=layer.dims))


def _make_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1 or any(map(any, windows.padding)):
            raise NoCounterpartError("has no dilation, and pads to the same size or not at all")
        options = {"window_shape": (*windows.window, 1), "strides": (*windows.stride, 1), "padding": "VALID"}
        return Counterpart(lambda x, ps: call_channels_last(lambda x: _apply(name, {}, x, **options), x))

    return build


def _list_affine_options(layer: Any) -> dict[str, Any]:
    return {"create_scale": layer.affine, "create_offset": layer.affine, "eps": layer.epsilon}


def _build_batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training, act = is_training(st), find_activation(layer)
    if training:
        raise NoCounterpartError("keeps running statistics without the bias of their start: no state is like luxport's")

    def call(x: Any, ps: Any) -> Any:
        import jax.numpy as jnp

        def make_average(value: Any) -> dict[str, Any]:
            shape = (*(1,) * (x.ndim - 1), layer.channels)
            value = jnp.asarray(value).reshape(shape)
            return {"average": value, "hidden": value, "counter": jnp.asarray(1, jnp.int32)}

        state = {"m/~/mean_ema": make_average(st["running_mean"]), "m/~/var_ema": make_average(st["running_var"])}
        shape = (*(1,) * (x.ndim - 1), layer.channels)
        given = {name: value.reshape(shape) for name, value in rename(ps, scale="scale", bias="offset").items()}
        options = _list_affine_options(layer) | {"decay_rate": convert_momentum(layer.momentum)}
        flags = {"is_training": False}
        return act(
            call_channels_last(lambda x: _apply("BatchNorm", given, x, state=state, call=flags, **options)[0], x)
        )

    return Counterpart(call, differences=("momentum is what is kept", "channels last"))


def _build_layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    act, axes = find_activation(layer), tuple(range(-len(layer.shape), 0))
    if len(axes) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {**_list_affine_options(layer), "axis": axes, "create_offset": layer.affine and layer.use_bias}
    return Counterpart(lambda x, ps: act(_apply("LayerNorm", rename(ps, scale="scale", bias="offset"), x, **options)))


def _build_group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    act, options = find_activation(layer), {**_list_affine_options(layer), "groups": layer.groups}
    return Counterpart(
        lambda x, ps: act(
            call_channels_last(lambda x: _apply("GroupNorm", rename(ps, scale="scale", bias="offset"), x, **options), x)
        )
    )


def _build_instance_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    act, options = find_activation(layer), _list_affine_options(layer)
    return Counterpart(
        lambda x, ps: act(
            call_channels_last(
                lambda x: _apply("InstanceNorm", rename(ps, scale="scale", bias="offset"), x, **options), x
            )
        )
    )


def _build_rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if len(layer.shape) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {"axis": -1, "eps": layer.epsilon, "create_scale": layer.affine}
    return Counterpart(lambda x, ps: _apply("RMSNorm", rename(ps, scale="scale"), x, **options))


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    options = {"vocab_size": layer.in_dims, "embed_dim": layer.out_dims}
    differences = list_padding_differences(layer)
    return Counterpart(
        lambda x, ps: _apply("Embed", {"embeddings": ps["weight"]}, x, **options), differences=differences
    )


def _build_attention(layer: Any, x: Any, st: Any) -> Counterpart:
    hk = import_module("haiku")
    import jax.numpy as jnp

    inputs = x if isinstance(x, tuple) else (x, x, x)
    if layer.return_scores or len(inputs) > 4:
        raise NoCounterpartError("returns no scores")
    heads, size, values = layer.nheads, layer.q_proj.out_dims, layer.v_proj.out_dims
    options = {
        "num_heads": heads,
        "key_size": size // heads,
        "value_size": values // heads,
        "model_size": layer.out_proj.out_dims,
        "w_init": hk.initializers.Constant(0.0),
        "with_bias": layer.use_bias,
    }
    names = {"q_proj": "m/query", "k_proj": "m/key", "v_proj": "m/value", "out_proj": "m/linear"}

    def call(x: Any, ps: Any) -> Any:
        query, key, value, *mask = x if isinstance(x, tuple) else (x, x, x)
        given = {theirs: rename(ps[ours], weight="w", bias="b") for ours, theirs in names.items()}
        allowed = mask[0] if mask else None
        if layer.is_causal:
            causal = jnp.tri(query.shape[1], key.shape[1], dtype=bool)[None, None]
            allowed = causal if allowed is None else allowed & causal
        return _apply("MultiHeadAttention", given, query, key, value, allowed, **options)

    return Counterpart(call, differences=("masked rows",) if len(inputs) == 4 else ())


def _make_cell_builder(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        hk = import_module("haiku")
        import jax.numpy as jnp

        require_identity(layer, "relu" if kind == "RNN" else "tanh")
        if not layer.use_bias:
            raise NoCounterpartError("always has a bias")
        size = layer.out_dims

        def make_core(ps: Any) -> Any:
            bias = add_biases(ps["bias_ih"], ps.get("bias_hh", 0.0))
            into, back = ps["weight_ih"], ps["weight_hh"]
            if kind == "RNN":
                given = {"m/linear": {"w": into, "b": bias}, "m/linear_1": {"w": back, "b": 0.0 * bias}}
                return "VanillaRNN", given
            if kind == "LSTM":
                weight = swap_lstm_gates(jnp.concatenate([into, back]))
                return "LSTM", {"m/linear": {"w": weight, "b": swap_lstm_gates(lower_forget_bias(bias))}}
            back = convert_reset_first_weights_to_keras(back, ps["weight_hn"])
            parts = {"w_i": into, "w_h": back, "b": bias}
            return "GRU", {"m": {name: negate_update_gate(swap_gru_gates(part)) for name, part in parts.items()}}

        def step(x: Any, carry: Any, ps: Any) -> Any:
            name, given = make_core(ps)
            start = hk.LSTMState(*carry) if kind == "LSTM" else carry[0]
            _, end = _apply(name, given, x, start, hidden_size=size)
            return tuple(end) if kind == "LSTM" else (end,)

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, make_start(layer, ps, x.shape[0], memory=kind == "LSTM"))
            carry = step(x, carry, ps)
            return carry[0], carry

        def run_sequence(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, None)
            x = jnp.moveaxis(x, 0, 1) if layer.time_major else x
            for level in list_levels(layer, ps):
                if carry is None or layer.num_layers > 1:
                    carry = make_start(layer, level, x.shape[0], memory=kind == "LSTM")
                found = []
                for i in range(x.shape[1]):
                    carry = step(x[:, i], carry, level)
                    found.append(carry[0])
                x = jnp.stack(found, axis=1)
            y = jnp.moveaxis(x, 0, 1) if layer.time_major else x
            return (y, carry) if layer.return_state else y

        whole = "num_layers" in layer.__dataclass_fields__
        if whole and (layer.masked or layer.train_state or layer.bidirectional):
            raise NoCounterpartError("has no masks, no two directions and no initial states that are trained")
        differences = {"LSTM": ("gate order", "forget gate plus 1"), "GRU": ("gate order", "update gate reversed")}
        return Counterpart(run_sequence if whole else call, differences=("one bias", *differences.get(kind, ())))

    return build


def _build_flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is not None:
        raise NoCounterpartError("merges all axes")
    return Counterpart(lambda x, ps: _apply("Flatten", {}, x))


_NONE = {
    **COMPOSED,
    **list_without(
        "GaussianDropout GaussianNoise TransformerDecoderLayer TransformerEncoderLayer PReLU "
        "AdaptiveLPPool AdaptiveMaxPool AdaptiveMeanPool AlphaDropout Bilinear Diagonal EmbeddingBag GRU "
        "GRUCell GlobalLPPool GlobalMaxPool GlobalMeanPool LPPool PixelShuffle RotaryPositionalEmbedding "
        "Scale SinusoidalPositionalEmbedding Upsample VariationalHiddenDropout WeightNorm"
    ),
    "Dropout": "has a function, which testing does not call",
    "Recurrence": "runs cores by haiku.dynamic_unroll, without masks: its cells are asked",
    "BidirectionalRNN": "has no layer of two directions",
    "SpectralNorm": "improves its vector at each call, and keeps the singular value for testing",
}

HAIKU = Peer(
    name="haiku",
    backend="jax",
    modules=("haiku",),
    packages=("dm-haiku", "jax"),
    layers={
        "BatchNorm": _build_batch_norm,
        **dict.fromkeys(("Conv", "CrossCor", "DepthwiseConv"), _build_conv),
        "ConvTranspose": _build_conv_transpose,
        "Dense": _build_dense,
        "Embedding": _build_embedding,
        "FlattenLayer": _build_flatten,
        "GRUv3": _make_cell_builder("GRU"),
        "GRUv3Cell": _make_cell_builder("GRU"),
        "GroupNorm": _build_group_norm,
        "InstanceNorm": _build_instance_norm,
        "LSTM": _make_cell_builder("LSTM"),
        "LSTMCell": _make_cell_builder("LSTM"),
        "LayerNorm": _build_layer_norm,
        "MaxPool": _make_pool_builder("MaxPool"),
        "MeanPool": _make_pool_builder("AvgPool"),
        "MultiHeadAttention": _build_attention,
        "RMSNorm": _build_rms_norm,
        "ReshapeLayer": _build_reshape,
        "RNN": _make_cell_builder("RNN"),
        "RNNCell": _make_cell_builder("RNN"),
    },
    none=_NONE,
    operations={"softmax": FUNCTIONS["softmax"]},
)
