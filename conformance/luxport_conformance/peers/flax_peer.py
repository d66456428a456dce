"""Flax's own layers, nnx and linen: both have the same names and parameters, but are built and called differently."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from luxport.porting.keras.conventions import (
    convert_attention_bias_to_keras,
    convert_attention_out_weight_to_keras,
    convert_attention_weight_to_keras,
    convert_conv_weight_to_keras,
    convert_momentum,
)
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, refuse
from luxport_conformance.peers.flax_recurrent import make_recurrent_builders
from luxport_conformance.peers.jax_conventions import mirror_kernel
from luxport_conformance.peers.jax_nn import FUNCTIONS, INITIALIZERS
from luxport_conformance.peers.jax_tools import (
    call_channels_last,
    convert_kernel,
    find_activation,
    find_transposed_padding,
)
from luxport_conformance.peers.layer_tools import (
    count_groups,
    is_training,
    list_kernel_differences,
    list_padding_differences,
    rename,
    require_indices,
)
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without

__all__ = ["LINEN", "NNX"]

Run = Callable[..., Any]
"""``run(name, options, sizes, ps, *inputs, stats=None, **call)`` calls the layer of this name with these parameters.

`sizes` are the input sizes, which nnx needs to build a layer and linen infers. With `stats` it returns (y, statistics).
"""


def _run_linen(name: str, options: dict[str, Any], sizes: tuple, ps: Any, *inputs: Any, stats: Any = None, **call: Any):
    nn = import_module("flax.linen")

    layer = getattr(nn, name)(**options)
    if stats is None:
        return layer.apply({"params": ps}, *inputs, **call)
    y, ends = layer.apply({"params": ps, "batch_stats": stats}, *inputs, mutable=["batch_stats"], **call)
    return y, dict(ends["batch_stats"])


def _run_nnx(name: str, options: dict[str, Any], sizes: tuple, ps: Any, *inputs: Any, stats: Any = None, **call: Any):
    nnx = import_module("flax.nnx")

    options = {_IN_NNX.get(key, key): value for key, value in options.items()}
    layer = getattr(nnx, _IN_NNX.get(name, name))(*sizes, **options, rngs=nnx.Rngs(0))
    _put(layer, ps)
    for key, value in (stats or {}).items():
        setattr(layer, key, nnx.BatchStat(value))
    y = layer(*inputs, **call)
    return y if stats is None else (y, {key: getattr(layer, key)[...] for key in stats})


_IN_NNX = {"Dense": "Linear", "features": "out_features", "inputs_q": "inputs_q"}


def _put(module: Any, ps: Any) -> None:
    nnx = import_module("flax.nnx")

    for key, value in ps.items():
        if isinstance(value, dict):
            _put(getattr(module, key), value)
        else:
            setattr(module, key, nnx.Param(value))


def _build_dense(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    act, options = find_activation(layer), {"features": layer.out_dims, "use_bias": layer.use_bias}
    return Counterpart(
        lambda x, ps: act(run("Dense", options, (layer.in_dims,), rename(ps, weight="kernel", bias="bias"), x))
    )


_MODES = {"reflect": "REFLECT", "circular": "CIRCULAR"}


def _build_conv(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    windows, act = layer._windows, find_activation(layer)
    padding: Any = list(windows.padding)
    differences = ("channels last", *list_kernel_differences(layer))
    if any(map(any, padding)) and layer.padding_mode != "zeros":
        mode = _MODES.get(layer.padding_mode)
        if mode is None or run is _run_nnx and mode == "REFLECT":
            raise NoCounterpartError(f"has no padding mode {layer.padding_mode}")
        wanted = [
            ((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2)
            for k, d in zip(windows.window, windows.dilation, strict=True)
        ]
        if padding != wanted:
            raise NoCounterpartError(
                f"pads in the mode {layer.padding_mode} by as much as keeps the size, the odd one above"
            )
        padding = mode
    options = {
        "kernel_size": windows.window,
        "strides": windows.stride,
        "padding": padding,
        "kernel_dilation": windows.dilation,
        "feature_group_count": count_groups(layer),
        "use_bias": layer.use_bias,
        "features": layer.out_channels,
    }

    def call(x: Any, ps: Any) -> Any:
        given = {"kernel": convert_kernel(layer, ps["weight"]), **rename(ps, bias="bias")}
        return act(call_channels_last(lambda x: run("Conv", options, (layer.in_channels,), given, x), x))

    return Counterpart(call, differences=differences)


def _build_conv_transpose(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp

    if layer.groups > 1:
        raise NoCounterpartError("has no groups")
    act, windows = find_activation(layer), layer._windows
    options = {
        "kernel_size": windows.window,
        "strides": windows.stride,
        "padding": find_transposed_padding(layer),
        "kernel_dilation": windows.dilation,
        "use_bias": layer.use_bias,
        "features": layer.out_channels,
    }

    def call(x: Any, ps: Any) -> Any:
        weight = mirror_kernel(ps["weight"]) if layer.cross_correlation else ps["weight"]
        given = {"kernel": convert_conv_weight_to_keras(jnp.swapaxes(weight, 0, 1)), **rename(ps, bias="bias")}
        return act(call_channels_last(lambda x: run("ConvTranspose", options, (layer.in_channels,), given, x), x))

    return Counterpart(call, differences=("channels last",))


def _make_pool_builder(name: str) -> Callable[..., Counterpart]:
    def build(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
        windows = layer._windows
        if max(windows.dilation) > 1:
            raise NoCounterpartError("has no dilation")
        options = {"count_include_pad": layer.count_include_pad} if name == "avg_pool" else {}

        def call(x: Any, ps: Any) -> Any:
            linen = import_module("flax.linen")

            pool = getattr(linen, name)
            return call_channels_last(lambda x: pool(x, windows.window, windows.stride, windows.padding, **options), x)

        return Counterpart(call, differences=("channels last",))

    return build


def _build_batch_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    training, act = is_training(st), find_activation(layer)
    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    options = {
        "use_running_average": not training,
        "momentum": convert_momentum(layer.momentum),
        "epsilon": layer.epsilon,
        "use_scale": layer.affine,
        "use_bias": layer.affine,
    }
    differences = ("momentum is what is kept", *(("biased running variance",) if training else ()))

    def call(x: Any, ps: Any) -> Any:
        import jax.numpy as jnp

        stats = {"mean": jnp.asarray(st["running_mean"]), "var": jnp.asarray(st["running_var"])}
        x = jnp.moveaxis(x, 1, -1)
        y, ends = run("BatchNorm", options, (layer.channels,), ps, x, stats=stats)
        y = act(jnp.moveaxis(y, -1, 1))
        return (y, {"running_mean": ends["mean"], "running_var": ends["var"]}) if training else y

    return Counterpart(call, differences=differences)


def _build_layer_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    axes, act = tuple(range(-len(layer.shape), 0)), find_activation(layer)
    if run is _run_nnx and len(axes) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {
        "epsilon": layer.epsilon,
        "use_scale": layer.affine,
        "use_bias": layer.affine and layer.use_bias,
        "reduction_axes": axes,
        "feature_axes": axes,
    }
    return Counterpart(
        lambda x, ps: act(run("LayerNorm", options, layer.shape[-1:], ps, x)), differences=("variance in one pass",)
    )


def _build_group_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    act = find_activation(layer)
    options = {
        "num_groups": layer.groups,
        "epsilon": layer.epsilon,
        "use_scale": layer.affine,
        "use_bias": layer.affine,
    }
    return Counterpart(
        lambda x, ps: act(call_channels_last(lambda x: run("GroupNorm", options, (layer.channels,), ps, x), x)),
        differences=("channels last",),
    )


def _build_instance_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.track_stats:
        raise NoCounterpartError("keeps no statistics of instances")
    act = find_activation(layer)
    options = {"epsilon": layer.epsilon, "use_scale": layer.affine, "use_bias": layer.affine}
    return Counterpart(
        lambda x, ps: act(call_channels_last(lambda x: run("InstanceNorm", options, (layer.channels,), ps, x), x)),
        differences=("channels last",),
    )


def _build_rms_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    axes = tuple(range(-len(layer.shape), 0))
    if run is _run_nnx and len(axes) > 1:
        raise NoCounterpartError("has parameters of one axis")
    options = {"epsilon": layer.epsilon, "use_scale": layer.affine, "reduction_axes": axes, "feature_axes": axes}
    return Counterpart(lambda x, ps: run("RMSNorm", options, layer.shape[-1:], rename(ps, scale="scale"), x))


def _build_embedding(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    options = {"num_embeddings": layer.in_dims, "features": layer.out_dims}
    differences = list_padding_differences(layer)

    def call(x: Any, ps: Any) -> Any:
        given = {"embedding": ps["weight"]}
        if run is _run_linen:
            return run("Embed", options, (), given, x)
        nnx = import_module("flax.nnx")

        table = nnx.Embed(layer.in_dims, layer.out_dims, rngs=nnx.Rngs(0))
        _put(table, given)
        return table(x)

    return Counterpart(call, differences=differences)


def _build_attention(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    x = x if isinstance(x, tuple) else (x, x, x)
    heads, size = layer.nheads, layer.q_proj.out_dims
    if layer.v_proj.out_dims != size or layer.return_scores or len(x) > 4:
        raise NoCounterpartError("has one size for queries and values, and returns no scores")
    if run is _run_nnx and len({part.shape[-1] for part in x[:3]}) > 1:
        raise NoCounterpartError("has one size for the inputs")
    options = {
        "num_heads": heads,
        "qkv_features": size,
        "out_features": layer.out_proj.out_dims,
        "use_bias": layer.use_bias,
        **({} if run is _run_linen else {"in_features": x[0].shape[-1], "decode": False}),
    }

    def convert_parameters(ps: Any) -> dict[str, Any]:
        def convert_part(name: str) -> dict[str, Any]:
            given = ps[f"{name}_proj"]
            found = {"kernel": convert_attention_weight_to_keras(given["weight"], heads)}
            return found | ({"bias": convert_attention_bias_to_keras(given["bias"], heads)} if layer.use_bias else {})

        out = {"kernel": convert_attention_out_weight_to_keras(ps["out_proj"]["weight"], heads)}
        out |= {"bias": ps["out_proj"]["bias"]} if layer.use_bias else {}
        return {"query": convert_part("q"), "key": convert_part("k"), "value": convert_part("v"), "out": out}

    def call(x: Any, ps: Any) -> Any:
        nn = import_module("flax.linen")

        query, key, value, *mask = x if isinstance(x, tuple) else (x, x, x)
        masks = [*mask, *([nn.make_causal_mask(query[..., 0])] if layer.is_causal else [])]
        given = {"mask": nn.combine_masks(*masks, dtype=bool)} if masks else {}
        name = "MultiHeadDotProductAttention" if run is _run_linen else "MultiHeadAttention"
        return run(name, options, (), convert_parameters(ps), query, key, value, **given)

    return Counterpart(call, differences=("masked rows",) if len(x) == 4 else ())


def _build_prelu(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.shape != 1:
        raise NoCounterpartError("has one weight")
    nnx = import_module("flax.nnx")

    def call(x: Any, ps: Any) -> Any:
        given = {"negative_slope": ps["weight"][0]}
        if run is _run_linen:
            return run("PReLU", {}, (), given, x)
        layer = nnx.PReLU()
        _put(layer, given)
        return layer(x)

    return Counterpart(call)


def _build_weight_norm(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    if type(layer.layer).__name__ != "Dense" or layer.axes is not None or run is _run_nnx:
        raise NoCounterpartError("is asked of linen's Dense alone")
    inner, nn = layer.layer, import_module("flax.linen")
    norm = nn.WeightNorm(nn.Dense(inner.out_dims, use_bias=inner.use_bias), variable_filter={"kernel"})

    def call(x: Any, ps: Any) -> Any:
        kernel = {"kernel": ps["normalized"]["weight_v"], **rename(ps["unnormalized"], bias="bias")}
        scale = ps["normalized"]["weight_g"].reshape(-1)
        return norm.apply({"params": {"layer_instance": kernel, "layer_instance/kernel/scale": scale}}, x)

    return Counterpart(call)


def _build_dropout(run: Run, layer: Any, x: Any, st: Any) -> Counterpart:
    return Counterpart(
        lambda x, ps: (
            run("Dropout", {"rate": layer.p, "deterministic": True}, (), {}, x)
            if run is _run_linen
            else _run_nnx_dropout(layer, x)
        )
    )


def _run_nnx_dropout(layer: Any, x: Any) -> Any:
    nnx = import_module("flax.nnx")

    return nnx.Dropout(layer.p, deterministic=True, rngs=nnx.Rngs(0))(x)


_LAYERS: dict[str, Callable[..., Counterpart]] = {
    "BatchNorm": _build_batch_norm,
    **dict.fromkeys(("Conv", "CrossCor", "DepthwiseConv"), _build_conv),
    "ConvTranspose": _build_conv_transpose,
    "Dense": _build_dense,
    "Dropout": _build_dropout,
    "Embedding": _build_embedding,
    "GroupNorm": _build_group_norm,
    "InstanceNorm": _build_instance_norm,
    "LayerNorm": _build_layer_norm,
    "MaxPool": _make_pool_builder("max_pool"),
    "MeanPool": _make_pool_builder("avg_pool"),
    "MultiHeadAttention": _build_attention,
    "PReLU": _build_prelu,
    "RMSNorm": _build_rms_norm,
    "WeightNorm": _build_weight_norm,
}


_NONE = {
    **COMPOSED,
    **list_without(
        "GaussianDropout GaussianNoise TransformerDecoderLayer TransformerEncoderLayer "
        "AdaptiveLPPool AdaptiveMaxPool AdaptiveMeanPool AlphaDropout Bilinear Diagonal EmbeddingBag "
        "FlattenLayer GRUv3Cell GlobalLPPool GlobalMaxPool GlobalMeanPool LPPool PixelShuffle ReshapeLayer "
        "RotaryPositionalEmbedding Scale SinusoidalPositionalEmbedding Upsample VariationalHiddenDropout"
    ),
    "SpectralNorm": "improves its vector at each call, and keeps the singular value for testing",
}


def _make_peer(name: str, run: Run) -> Peer:
    layers: dict[str, Build] = {subject: partial(build, run) for subject, build in _LAYERS.items()}
    return Peer(
        name=name,
        backend="jax",
        modules=("flax",),
        packages=("flax", "jax"),
        layers={**layers, **make_recurrent_builders(name), "GRUv3": refuse("applies the reset gate after the product")},
        none=_NONE,
        operations=FUNCTIONS,
        initializers=INITIALIZERS,
    )


NNX, LINEN = _make_peer("flax.nnx", _run_nnx), _make_peer("flax.linen", _run_linen)
