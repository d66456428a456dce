"""Equinox's own layers, which take one sample each and are batched with `vmap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.porting.keras.conventions import convert_momentum
from luxport.porting.torch.conventions import swap_dense_weight, swap_recurrent_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.jax_conventions import add_biases, mirror_kernel, swap_transposed_weight
from luxport_conformance.peers.jax_nn import FUNCTIONS
from luxport_conformance.peers.jax_tools import find_activation, make_start
from luxport_conformance.peers.layer_tools import (
    count_groups,
    is_training,
    list_padding_differences,
    require_identity,
    require_indices,
)
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without

__all__ = ["EQUINOX"]


def _make_module(name: str, *sizes: Any, **options: Any) -> Any:
    import equinox
    import jax

    key = {} if name.endswith("Norm") else {"key": jax.random.key(0)}
    return getattr(equinox.nn, name)(*sizes, **options, **key)


def _replace_arrays(module: Any, **arrays: Any) -> Any:
    """Return the module with these arrays, except None; a double underscore in a name stands for a dot."""
    import equinox

    for name, value in arrays.items():
        path = name.split("__")

        def find_leaf(module: Any, path: list[str] = path) -> Any:
            for part in path:
                module = getattr(module, part)
            return module

        if value is not None:
            module = equinox.tree_at(find_leaf, module, value, is_leaf=lambda found: found is None)
    return module


def _call_each(module: Any, x: Any, batch_axes: int = 1) -> Any:
    import jax

    for _ in range(batch_axes):
        module = jax.vmap(module)
    return module(x)


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    linear, act = _make_module("Linear", layer.in_dims, layer.out_dims, use_bias=layer.use_bias), find_activation(layer)
    return Counterpart(
        lambda x, ps: act(
            _call_each(
                _replace_arrays(linear, weight=swap_dense_weight(ps["weight"]), bias=ps.get("bias")), x, x.ndim - 1
            )
        ),
        differences=("weights (out, in)", "one sample at a time"),
    )


_MODES = {"zeros": "ZEROS", "reflect": "REFLECT", "edge": "REPLICATE", "circular": "CIRCULAR"}


def _build_convolution(name: str, layer: Any, flip: bool, **more: Any) -> Counterpart:
    windows, act = layer._windows, find_activation(layer)
    conv = _make_module(
        name,
        *(len(windows.window), layer.in_channels, layer.out_channels, windows.window, windows.stride),
        padding=windows.padding,
        dilation=windows.dilation,
        groups=count_groups(layer),
        use_bias=layer.use_bias,
        **more,
    )

    def call(x: Any, ps: Any) -> Any:
        weight = mirror_kernel(ps["weight"]) if flip else ps["weight"]
        if name == "ConvTranspose":
            weight = swap_transposed_weight(weight, layer.groups)
        bias = ps["bias"].reshape(-1, *(1,) * (x.ndim - 2)) if "bias" in ps else None
        return act(_call_each(_replace_arrays(conv, weight=weight, bias=bias), x))

    return Counterpart(call, differences=("one sample at a time", *(("flipped kernel",) if flip else ())))


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    return _build_convolution("Conv", layer, not layer.cross_correlation, padding_mode=_MODES[layer.padding_mode])


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    return _build_convolution("ConvTranspose", layer, layer.cross_correlation, output_padding=layer._output_padding)


def _make_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import equinox

        windows = layer._windows
        if max(windows.dilation) > 1:
            raise NoCounterpartError("has no dilation")
        if name == "AvgPool" and any(map(any, windows.padding)) and not layer.count_include_pad:
            raise NoCounterpartError("counts the padding")
        kind = getattr(equinox.nn, f"{name}{len(windows.window)}d")
        pool = kind(windows.window, windows.stride, windows.padding)
        return Counterpart(lambda x, ps: _call_each(pool, x), differences=("one sample at a time",))

    return build


def _make_adaptive_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import equinox

        if any(n % m for n, m in zip(x.shape[2:], layer._sizes, strict=True)):
            raise NoCounterpartError("divides the input into windows of its own where sizes do not divide")
        pool = getattr(equinox.nn, f"{name}{len(layer._sizes)}d")(layer._sizes)
        return Counterpart(lambda x, ps: _call_each(pool, x))

    return build


def _build_batch_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    import equinox
    import jax
    import jax.numpy as jnp

    if not layer.track_stats:
        raise NoCounterpartError("always keeps statistics")
    training, act = is_training(st), find_activation(layer)
    norm, state = equinox.nn.make_with_state(equinox.nn.BatchNorm)(
        *(layer.channels, "batch", layer.epsilon, layer.affine),
        momentum=convert_momentum(layer.momentum),
        mode="batch",
        inference=not training,
    )
    index: Any = norm.batch_state_index
    held = state.set(index, (jnp.asarray(st["running_mean"]), jnp.asarray(st["running_var"])))

    def call(x: Any, ps: Any) -> Any:
        made = _replace_arrays(norm, weight=ps.get("scale"), bias=ps.get("bias"))
        y, ends = jax.vmap(made, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, held)
        if not training:
            return act(y)
        mean, variance = ends.get(index)
        return act(y), {"running_mean": mean, "running_var": variance}

    differences = ("momentum is what is kept", *(("biased running variance",) if training else ()))
    return Counterpart(call, differences=differences)


def _build_layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    bias, act = layer.affine and layer.use_bias, find_activation(layer)
    norm = _make_module("LayerNorm", layer.shape, layer.epsilon, layer.affine, bias)
    return Counterpart(
        lambda x, ps: act(
            _call_each(_replace_arrays(norm, weight=ps.get("scale"), bias=ps.get("bias")), x, x.ndim - len(layer.shape))
        ),
        differences=("one sample at a time",),
    )


def _build_group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    norm, act = (
        _make_module("GroupNorm", layer.groups, layer.channels, layer.epsilon, layer.affine),
        find_activation(layer),
    )
    return Counterpart(
        lambda x, ps: act(_call_each(_replace_arrays(norm, weight=ps.get("scale"), bias=ps.get("bias")), x))
    )


def _build_rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    norm = _make_module("RMSNorm", layer.shape, layer.epsilon, layer.affine, False)
    return Counterpart(
        lambda x, ps: _call_each(_replace_arrays(norm, weight=ps.get("scale")), x, x.ndim - len(layer.shape))
    )


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    table = _make_module("Embedding", layer.in_dims, layer.out_dims)
    return Counterpart(
        lambda x, ps: _call_each(_replace_arrays(table, weight=ps["weight"]), x, x.ndim),
        differences=list_padding_differences(layer),
    )


def _build_attention(layer: Any, x: Any, st: Any) -> Counterpart:
    import jax
    import jax.numpy as jnp

    inputs = x if isinstance(x, tuple) else (x, x, x)
    if layer.return_scores or len(inputs) > 4:
        raise NoCounterpartError("returns no scores")
    heads, size, values = layer.nheads, layer.q_proj.out_dims, layer.v_proj.out_dims
    biases = {f"use_{name}_bias": layer.use_bias for name in ("query", "key", "value", "output")}
    attention = _make_module(
        "MultiheadAttention",
        *(heads, *[part.shape[-1] for part in inputs[:3]], layer.out_proj.out_dims, size // heads, values // heads),
        **biases,
        inference=True,
    )
    names = {"q": "query_proj", "k": "key_proj", "v": "value_proj", "out": "output_proj"}

    def call(x: Any, ps: Any) -> Any:
        query, key, value, *mask = x if isinstance(x, tuple) else (x, x, x)
        arrays = {
            f"{theirs}__weight": swap_dense_weight(ps[f"{ours}_proj"]["weight"]) for ours, theirs in names.items()
        }
        arrays |= {f"{theirs}__bias": ps[f"{ours}_proj"].get("bias") for ours, theirs in names.items()}
        made, causal = _replace_arrays(attention, **arrays), jnp.tri(query.shape[1], key.shape[1], dtype=bool)
        if mask:
            allowed = mask[0][:, 0] & causal if layer.is_causal else mask[0][:, 0]
            return jax.vmap(made)(query, key, value, allowed)
        return jax.vmap(lambda *parts: made(*parts, causal if layer.is_causal else None))(query, key, value)

    return Counterpart(call, differences=("masked rows",) if len(inputs) == 4 else ())


def _make_cell_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import jax

        require_identity(layer, "tanh")
        if layer.__dataclass_fields__.keys() & {"num_layers"}:
            raise NoCounterpartError("has cells alone")
        cell = _make_module(f"{name}Cell", layer.in_dims, layer.out_dims, use_bias=layer.use_bias)

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, make_start(layer, ps, x.shape[0], memory=name == "LSTM"))
            weights = {part: swap_recurrent_weight(ps[part]) for part in ("weight_ih", "weight_hh")}
            made = _replace_arrays(cell, **weights, **_convert_biases(name, layer, ps))
            ends = jax.vmap(made)(x, carry if name == "LSTM" else carry[0])
            ends = ends if name == "LSTM" else (ends,)
            return ends[0], ends

        return Counterpart(call, differences=("weights (out, in)", "one bias"))

    return build


def _convert_biases(name: str, layer: Any, ps: Any) -> dict[str, Any]:
    if not layer.use_bias:
        return {}
    size, into = layer.out_dims, ps["bias_ih"]
    back = ps["bias_hh"] if "bias_hh" in ps else 0.0 * into
    if name == "LSTM":
        return {"bias": add_biases(into, back)}
    return {"bias": into.at[: 2 * size].add(back[: 2 * size]), "bias_n": back[2 * size :]}


def _build_dropout(layer: Any, x: Any, st: Any) -> Counterpart:
    import equinox

    return Counterpart(lambda x, ps: equinox.nn.Dropout(layer.p, inference=True)(x))


def _build_prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    import equinox

    if isinstance(layer.shape, tuple):
        raise NoCounterpartError("has one weight, or one a channel")

    def call(x: Any, ps: Any) -> Any:
        weight = ps["weight"].reshape(() if layer.shape == 1 else (-1, *[1] * (x.ndim - 2)))
        return _call_each(_replace_arrays(equinox.nn.PReLU(), negative_slope=weight), x)

    return Counterpart(call, differences=("one sample at a time",))


def _build_weight_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    import equinox

    if type(layer.layer).__name__ != "Dense" or layer.axes is not None:
        raise NoCounterpartError("is asked of Dense alone")
    inner = layer.layer
    norm = equinox.nn.WeightNorm(_make_module("Linear", inner.in_dims, inner.out_dims, use_bias=inner.use_bias))

    def call(x: Any, ps: Any) -> Any:
        scale, weight = (swap_dense_weight(ps["normalized"][name]) for name in ("weight_g", "weight_v"))
        made = _replace_arrays(norm, layer__weight=weight, layer__bias=ps["unnormalized"].get("bias"), g=scale)
        return _call_each(made, x, x.ndim - 1)

    return Counterpart(call, differences=("weights (out, in)", "one sample at a time"))


LAYERS: dict[str, Callable[..., Counterpart]] = {
    "AdaptiveMaxPool": _make_adaptive_builder("AdaptiveMaxPool"),
    "AdaptiveMeanPool": _make_adaptive_builder("AdaptiveAvgPool"),
    "BatchNorm": _build_batch_norm,
    **dict.fromkeys(("Conv", "CrossCor", "DepthwiseConv"), _build_conv),
    "ConvTranspose": _build_conv_transpose,
    "Dense": _build_dense,
    "Dropout": _build_dropout,
    "Embedding": _build_embedding,
    "GRUCell": _make_cell_builder("GRU"),
    "GroupNorm": _build_group_norm,
    "LSTMCell": _make_cell_builder("LSTM"),
    "LayerNorm": _build_layer_norm,
    "MaxPool": _make_pool_builder("MaxPool"),
    "MeanPool": _make_pool_builder("AvgPool"),
    "MultiHeadAttention": _build_attention,
    "PReLU": _build_prelu,
    "RMSNorm": _build_rms_norm,
    "WeightNorm": _build_weight_norm,
}

_NONE = {
    **COMPOSED,
    **list_without(
        "GaussianDropout GaussianNoise TransformerDecoderLayer TransformerEncoderLayer "
        "AdaptiveLPPool AlphaDropout Bilinear Diagonal EmbeddingBag FlattenLayer GRU GRUv3 GRUv3Cell "
        "GlobalLPPool GlobalMaxPool GlobalMeanPool InstanceNorm LPPool LSTM PixelShuffle RNN RNNCell "
        "ReshapeLayer Scale SinusoidalPositionalEmbedding Upsample VariationalHiddenDropout BidirectionalRNN "
        "Recurrence"
    ),
    "RotaryPositionalEmbedding": "makes its angles itself: those of the suite are other numbers",
    "SpectralNorm": "improves its vectors at each call, and keeps two",
}

EQUINOX = Peer(
    name="equinox",
    backend="jax",
    modules=("equinox",),
    packages=("equinox", "jax"),
    layers=LAYERS,
    none=_NONE,
    operations={"softmax": FUNCTIONS["softmax"]},
)
