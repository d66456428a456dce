"""Haiku's own modules, each as a transformed function of one."""

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
    haiku_forget_bias,
    haiku_lstm_gates,
    haiku_update_gate,
    mirrored,
    one_bias,
)
from luxport_conformance.peers.jax_nn import FUNCTIONS
from luxport_conformance.peers.jax_tools import (
    activation_of,
    groups_of,
    in_training,
    kernel_last,
    moved,
    only_identity,
    transposed_padding,
)
from luxport_conformance.peers.without import COMPOSED, nothing_like

__all__ = ["HAIKU"]


def _applied(
    name: str, given: dict[str, Any], *inputs: Any, state: Any = None, call: Any = None, **options: Any
) -> Any:
    """Call a module with these parameters; with `state` return (y, state after)."""
    hk = import_module("haiku")

    call = call or {}
    kind = getattr(hk, name)
    run = hk.without_apply_rng(hk.transform_with_state(lambda *xs: kind(**options, name="m")(*xs, **call)))
    parts = given if any("/" in key or key == "m" for key in given) else {"m": given}
    held = {key: value for key, value in parts.items() if value}
    y, ends = run.apply(held, state or {}, *inputs)
    return y if state is None else (y, ends)


def _named(ps: Any, **names: str) -> dict[str, Any]:
    return {theirs: ps[ours] for ours, theirs in names.items() if ours in ps}


def _dense(layer: Any, x: Any, st: Any) -> Counterpart:
    act, options = activation_of(layer), {"output_size": layer.out_dims, "with_bias": layer.use_bias}
    return Counterpart(lambda x, ps: act(_applied("Linear", _named(ps, weight="w", bias="b"), x, **options)))


def _conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, activation_of(layer)
    if any(map(any, windows.padding)) and layer.padding_mode != "zeros":
        raise NoCounterpartError("pads by zeros alone")
    options = {
        "num_spatial_dims": len(windows.window),
        "output_channels": layer.out_channels,
        "kernel_shape": windows.window,
        "stride": windows.stride,
        "rate": windows.dilation,
        "padding": list(windows.padding),
        "with_bias": layer.use_bias,
        "feature_group_count": groups_of(layer),
        "data_format": "channels_last",
    }

    def call(x: Any, ps: Any) -> Any:
        given = {"w": kernel_last(layer, ps["weight"]), **_named(ps, bias="b")}
        return act(moved(lambda x: _applied("ConvND", given, x, **options), x))

    return Counterpart(call, differences=("channels last", *(() if layer.cross_correlation else ("flipped kernel",))))


def _conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, activation_of(layer)
    if layer.groups > 1 or max(windows.dilation) > 1:
        raise NoCounterpartError("has neither groups nor dilation")
    options = {
        "num_spatial_dims": len(windows.window),
        "output_channels": layer.out_channels,
        "kernel_shape": windows.window,
        "stride": windows.stride,
        "padding": transposed_padding(layer),
        "with_bias": layer.use_bias,
    }

    def call(x: Any, ps: Any) -> Any:
        weight = mirrored(ps["weight"]) if layer.cross_correlation else ps["weight"]
        given = {"w": convert_conv_weight_to_keras(weight), **_named(ps, bias="b")}
        return act(moved(lambda x: _applied("ConvNDTranspose", given, x, **options), x))

    return Counterpart(call, differences=("channels last",))


def _reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(lambda x, ps: _applied("Reshape", {}, x, output_shape=layer.dims))


def _pool(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1 or any(map(any, windows.padding)):
            raise NoCounterpartError("has no dilation, and pads to the same size or not at all")
        options = {
            "window_shape": (*windows.window, 1),
            "strides": (*windows.stride, 1),
            "padding": "VALID",
        }
        return Counterpart(lambda x, ps: moved(lambda x: _applied(name, {}, x, **options), x))

    return build


def _affine(layer: Any) -> dict[str, Any]:
    return {"create_scale": layer.affine, "create_offset": layer.affine, "eps": layer.epsilon}


def _batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training, act = in_training(st), activation_of(layer)
    if training:
        raise NoCounterpartError("keeps running statistics without the bias of their start: no state is like luxport's")

    def call(x: Any, ps: Any) -> Any:
        import jax.numpy as jnp

        def average(value: Any) -> dict[str, Any]:
            shape = (*(1,) * (x.ndim - 1), layer.channels)
            value = jnp.asarray(value).reshape(shape)
            return {"average": value, "hidden": value, "counter": jnp.asarray(1, jnp.int32)}

        state = {"m/~/mean_ema": average(st["running_mean"]), "m/~/var_ema": average(st["running_var"])}
        shape = (*(1,) * (x.ndim - 1), layer.channels)
        given = {name: value.reshape(shape) for name, value in _named(ps, scale="scale", bias="offset").items()}
        options = _affine(layer) | {"decay_rate": convert_momentum(layer.momentum)}
        flags = {"is_training": False}
        return act(moved(lambda x: _applied("BatchNorm", given, x, state=state, call=flags, **options)[0], x))

    return Counterpart(call, differences=("momentum is what is kept", "channels last"))


def _layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    act, axes = activation_of(layer), tuple(range(-len(layer.shape), 0))
    if len(axes) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {**_affine(layer), "axis": axes, "create_offset": layer.affine and layer.use_bias}
    return Counterpart(lambda x, ps: act(_applied("LayerNorm", _named(ps, scale="scale", bias="offset"), x, **options)))


def _group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    act, options = activation_of(layer), {**_affine(layer), "groups": layer.groups}
    return Counterpart(
        lambda x, ps: act(
            moved(lambda x: _applied("GroupNorm", _named(ps, scale="scale", bias="offset"), x, **options), x)
        )
    )


def _instance_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    act, options = activation_of(layer), _affine(layer)
    return Counterpart(
        lambda x, ps: act(
            moved(lambda x: _applied("InstanceNorm", _named(ps, scale="scale", bias="offset"), x, **options), x)
        )
    )


def _rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if len(layer.shape) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {"axis": -1, "eps": layer.epsilon, "create_scale": layer.affine}
    return Counterpart(lambda x, ps: _applied("RMSNorm", _named(ps, scale="scale"), x, **options))


def _embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")
    options = {"vocab_size": layer.in_dims, "embed_dim": layer.out_dims}
    differences = ("no padding row",) if layer.padding_idx is not None else ()
    return Counterpart(
        lambda x, ps: _applied("Embed", {"embeddings": ps["weight"]}, x, **options), differences=differences
    )


def _attention(layer: Any, x: Any, st: Any) -> Counterpart:
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
        given = {theirs: _named(ps[ours], weight="w", bias="b") for ours, theirs in names.items()}
        allowed = mask[0] if mask else None
        if layer.is_causal:
            causal = jnp.tri(query.shape[1], key.shape[1], dtype=bool)[None, None]
            allowed = causal if allowed is None else allowed & causal
        return _applied("MultiHeadAttention", given, query, key, value, allowed, **options)

    return Counterpart(call, differences=("masked rows",) if len(inputs) == 4 else ())


def _cell(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        hk = import_module("haiku")
        import jax.numpy as jnp

        only_identity(layer, "relu" if kind == "RNN" else "tanh")
        if not layer.use_bias:
            raise NoCounterpartError("always has a bias")
        size = layer.out_dims

        def core(ps: Any) -> Any:
            bias = one_bias(ps["bias_ih"], ps.get("bias_hh", 0.0))
            into, back = ps["weight_ih"], ps["weight_hh"]
            if kind == "RNN":
                given = {
                    "m/linear": {"w": into, "b": bias},
                    "m/linear_1": {"w": back, "b": 0.0 * bias},
                }
                return "VanillaRNN", given
            if kind == "LSTM":
                weight = haiku_lstm_gates(jnp.concatenate([into, back]))
                return "LSTM", {"m/linear": {"w": weight, "b": haiku_lstm_gates(haiku_forget_bias(bias))}}
            back = convert_reset_first_weights_to_keras(back, ps["weight_hn"])
            parts = {"w_i": into, "w_h": back, "b": bias}
            return "GRU", {"m": {name: haiku_update_gate(swap_gru_gates(part)) for name, part in parts.items()}}

        def step(x: Any, carry: Any, ps: Any) -> Any:
            name, given = core(ps)
            start = hk.LSTMState(*carry) if kind == "LSTM" else carry[0]
            _, end = _applied(name, given, x, start, hidden_size=size)
            return tuple(end) if kind == "LSTM" else (end,)

        def zero(x: Any, ps: Any) -> Any:
            names = ("hidden_state", "memory")[: 2 if kind == "LSTM" else 1]
            start = jnp.zeros((x.shape[0], size), x.dtype)
            return tuple([jnp.broadcast_to(ps[name], start.shape) if name in ps else start for name in names])

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, zero(x, ps))
            carry = step(x, carry, ps)
            return carry[0], carry

        def sequence(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, None)
            x = jnp.moveaxis(x, 0, 1) if layer.time_major else x
            for level in [ps] if layer.num_layers == 1 else [ps[f"layer_{i + 1}"] for i in range(layer.num_layers)]:
                carry = zero(x, level) if carry is None or layer.num_layers > 1 else carry
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
        return Counterpart(sequence if whole else call, differences=("one bias", *differences.get(kind, ())))

    return build


def _flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is not None:
        raise NoCounterpartError("merges all axes")
    return Counterpart(lambda x, ps: _applied("Flatten", {}, x))


_NONE = {
    **COMPOSED,
    **nothing_like(
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
        "BatchNorm": _batch_norm,
        "Conv": _conv,
        "CrossCor": _conv,
        "ConvTranspose": _conv_transpose,
        "Dense": _dense,
        "DepthwiseConv": _conv,
        "Embedding": _embedding,
        "FlattenLayer": _flatten,
        "GRUv3": _cell("GRU"),
        "GRUv3Cell": _cell("GRU"),
        "GroupNorm": _group_norm,
        "InstanceNorm": _instance_norm,
        "LSTM": _cell("LSTM"),
        "LSTMCell": _cell("LSTM"),
        "LayerNorm": _layer_norm,
        "MaxPool": _pool("MaxPool"),
        "MeanPool": _pool("AvgPool"),
        "MultiHeadAttention": _attention,
        "RMSNorm": _rms_norm,
        "ReshapeLayer": _reshape,
        "RNN": _cell("RNN"),
        "RNNCell": _cell("RNN"),
    },
    none=_NONE,
    operations={"softmax": FUNCTIONS["softmax"]},
)
