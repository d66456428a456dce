"""Flux's structs as luxport's layers, with their parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

import luxport
from luxport.backend import namespace
from luxport.core.initial_values import abstract_values, initial_parameters
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import (
    Functions,
    Missing,
    Ported,
    Repeats,
    Source,
    bare,
    expect_projection,
    kind_of,
    padding_of,
    states_of,
    with_parameters,
)
from luxport.porting.flux.fields import GENERATIONS, fields_of, number, numbers
from luxport.porting.flux.functions import Hole, function_layer
from luxport.porting.flux.norms import batch_norm, group_norm, instance_norm, layer_norm
from luxport.porting.flux.recurrent import cell, recur, sequence
from luxport.porting.flux.weight_norm import weight_norm
from luxport.porting.julia.generation import FIRST, LAST

__all__ = ["CONNECTIONS", "Ported", "is_model", "port"]


def is_model(value: Any) -> bool:
    """Whether a value is a layer of Flux."""
    return kind_of(value) in _BUILDERS


def port(value: Any, functions: Functions, path: str = "", versions: tuple[int, int] = (FIRST, LAST)) -> Ported:
    """Build the layer that a value is. `functions` fills holes, by the path in the model or by the Julia name.

    `versions` are the first and the last minor version of Flux that can have written it.

    Raises: FileFormatError if a struct is no layer of Flux, or its fields are not what Flux has there
    """
    repeats = Repeats()

    def build(value: Any, functions: Functions, path: str, versions: tuple[int, int]) -> Ported:
        repeats.see(value, not isinstance(value, julia.Function))
        return _port(value, functions, path, versions, build)

    return build(value, functions, path, versions)


def _port(
    value: Any,
    functions: Functions,
    path: str,
    versions: tuple[int, int],
    build: Callable[[Any, Functions, str, tuple[int, int]], Ported],
) -> Ported:
    if isinstance(value, julia.Function):
        given = functions.get(path, functions.get(value.path, functions.get(value.name)))
        return bare(luxport.WrappedFunction(given) if given is not None else function_layer(value))
    if path and isinstance(value, julia.Unavailable):
        return bare(luxport.WrappedFunction(functions[path]) if path in functions else Hole(path, reason=value.reason))
    kind = kind_of(value)
    if kind not in _BUILDERS:
        custom = value.type if isinstance(value, julia.Struct) else None
        names = (custom.path, custom.name) if isinstance(custom, julia.TypeName) else ()
        given = next((functions[name] for name in (path, *names) if name in functions), None)
        if given is not None:
            return bare(luxport.WrappedFunction(given))
        what = julia.type_path(value)
        raise FileFormatError(
            f"{path or 'the model'}: {what} is no layer of Flux that luxport knows; hand over a function as "
            f"load_model(..., functions={{{path or 'the path'!r}: f}}), or load the parts by their names"
        )
    try:
        return _BUILDERS[kind](Source(kind, fields_of(value, kind), value, functions, path, versions, build))
    except KeyError as missing:
        raise FileFormatError(f"{path or 'the model'}: a Flux.{kind} without the field {missing}") from None


def _dense(source: Source) -> Ported:
    weight, bias = source.array("weight", 2), source.bias()
    layer = luxport.Dense(weight.shape[0], weight.shape[1], source.activation(), use_bias=bool(bias))
    return with_parameters(layer, {"weight": weight, **bias})


def _scale(source: Source) -> Ported:
    weight, bias = source.array("scale"), source.bias()
    layer = luxport.Scale(*weight.shape, activation=source.activation(), use_bias=bool(bias))
    return with_parameters(layer, {"weight": weight, **bias})


def _bilinear(source: Source) -> Ported:
    weight, bias = source.array("weight", 3), source.bias()
    in2, in1, out = weight.shape
    return with_parameters(
        luxport.Bilinear((in1, in2), out, source.activation(), use_bias=bool(bias)), {"weight": weight, **bias}
    )


def _windows(source: Source, axes: int) -> dict[str, Any]:
    """Stride and padding; a pad is one number an axis, or a pair."""
    padding = padding_of(numbers(source["pad"], source.at("pad")), axes)
    return {"stride": source.numbers("stride", axes), "padding": padding}


def _read_convolution(source: Source, axes: int) -> dict[str, Any]:
    return _windows(source, axes) | {"dilation": source.numbers("dilation", axes, 1)}


def _conv(source: Source) -> Ported:
    weight, bias = source.array("weight", least=3), source.bias()
    kernel = weight.shape[2:]
    groups = int(source.fields.get("groups", 1))
    layer = luxport.Conv(
        *(kernel, weight.shape[1] * groups, weight.shape[0], source.activation()),
        **_read_convolution(source, len(kernel)),
        groups=groups,
        use_bias=bool(bias),
        cross_correlation=source.kind == "CrossCor",
    )
    return with_parameters(layer, {"weight": weight, **bias})


def _depthwise(source: Source) -> Ported:
    weight, bias = source.array("weight", least=3), source.bias()  # (channels, multiplier, *kernel)
    channels, multiplier, *kernel = weight.shape
    layer = luxport.Conv(
        *(tuple(kernel), channels, channels * multiplier, source.activation()),
        **_read_convolution(source, len(kernel)),
        groups=channels,
        use_bias=bool(bias),
    )
    return with_parameters(layer, {"weight": weight.reshape(channels * multiplier, 1, *kernel), **bias})


def _conv_transpose(source: Source) -> Ported:
    weight, bias = source.array("weight", least=3), source.bias()
    kernel = weight.shape[2:]
    groups = int(source.fields.get("groups", 1))
    layer = luxport.ConvTranspose(
        *(kernel, weight.shape[0], weight.shape[1] * groups, source.activation()),
        **_read_convolution(source, len(kernel)),
        output_padding=source.numbers("outpad", len(kernel), 0),
        groups=groups,
        use_bias=bool(bias),
    )
    return with_parameters(layer, {"weight": weight, **bias})


def _pool(layer: str) -> Callable[[Source], Ported]:
    def build(source: Source) -> Ported:
        window = numbers(source["k"], source.at("k"))
        return bare(getattr(luxport, layer)(window, **_windows(source, len(window))))

    return build


def _adaptive(layer: str) -> Callable[[Source], Ported]:
    return lambda source: bare(getattr(luxport, layer)(numbers(source["out"], source.at("out"))))


def _dropout(source: Source) -> Ported:
    dims = source.fields.get("dims")
    if isinstance(dims, bool):  # until 0.8 the second field says whether it is active
        dims = None
    p = number(source["p"], source.at("p"))
    if dims is None or not isinstance(dims, (int, tuple, list, np.integer)):  # a Colon: every entry by itself
        return bare(luxport.Dropout(p))
    axes = tuple(sorted(-n for n in (numbers(dims, source.at("dims")))))
    return bare(luxport.Dropout(p, axes=axes))


def _embedding(source: Source) -> Ported:
    weight, padding = source.array("weight", 2), source.fields.get("padding_idx")
    layer = luxport.Embedding(
        weight.shape[0], weight.shape[1], padding_idx=None if padding is None else int(padding) - 1
    )
    return with_parameters(layer, {"weight": weight})


def _embedding_bag(source: Source) -> Ported:
    weight, reduction = source.array("weight", 2), source["reduction"]
    name = reduction.name if isinstance(reduction, julia.Function) else str(reduction)
    layer = luxport.EmbeddingBag(weight.shape[0], weight.shape[1], {"maximum": "max"}.get(name, name))
    return with_parameters(layer, {"weight": weight})


def _attention(source: Source) -> Ported:
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    parts = {name: source.port(source[name], name) for name in names}
    for name, part in parts.items():
        expect_projection(part.layer, source.at(name))
    dropout = source.port(source["attn_drop"], "attn_drop")
    if not isinstance(dropout.layer, luxport.Dropout):
        raise FileFormatError(f"{source.at('attn_drop')}: a Dropout expected, got {dropout.layer}")
    q, k, v, out = (parts[name].ps["weight"].shape for name in names)
    layer = luxport.MultiHeadAttention(
        *((q[0], k[0], v[0]), (q[1], v[1]), out[1]),
        nheads=int(number(source["nheads"], source.at("nheads"))),
        attention_dropout_probability=dropout.layer.p,
        use_bias="bias" in parts["q_proj"].ps,
    )
    whole = Ported(layer, abstract_values(initial_parameters, layer), states_of(layer, 0))
    ps = {name: parts[name].ps if name in parts else entry for name, entry in whole.ps.items()}
    for name in names:
        if set(ps[name]) != set(whole.ps[name]):
            raise FileFormatError(f"{source.at(name)}: either all projections have a bias or none")
    return Ported(layer, ps, whole.st)


def _upsample(source: Source) -> Ported:
    mode = next(iter(source.struct.type.params), None)
    name = mode.name if isinstance(mode, julia.Symbol) else str(mode)
    scale, size = source.fields.get("scale"), source.fields.get("size")
    if size is not None:
        return bare(luxport.Upsample(mode=name, size=numbers(size, source.at("size"))))  # type: ignore[arg-type]
    factors = tuple([number(n, source.at("scale")) for n in scale])[::-1] if isinstance(scale, tuple) else scale
    return bare(luxport.Upsample(factors, name))  # type: ignore[arg-type]


def _name_layers(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, julia.NamedTuple):
        if strange := [name for name in value.names if not name.isprintable()]:
            raise FileFormatError(f"a layer has the name {strange[0]!r}, which cannot be shown")
        return list(zip(value.names, value.values, strict=True))
    if isinstance(value, julia.Struct) or not isinstance(value, (tuple, list)):
        raise FileFormatError(f"layers in a tuple, a vector or by names expected, got {type(value).__name__}")
    return [(f"layer_{i}", entry) for i, entry in enumerate(value, start=1)]


def _children(source: Source) -> dict[str, Ported]:
    return {name: source.port(value, name) for name, value in _name_layers(source["layers"])}


def _container(build: Callable[[Source, dict[str, Layer]], Layer]) -> Callable[[Source], Ported]:
    def built(source: Source) -> Ported:
        children = _children(source)
        layer = build(source, {name: child.layer for name, child in children.items()})
        return Ported(
            layer,
            {name: child.ps for name, child in children.items()},
            {name: child.st for name, child in children.items()},
        )

    return built


def _connection(source: Source) -> Callable[..., Any]:
    value = source["connection"]
    name = value.path if isinstance(value, julia.Function) else str(value)
    given = source.functions.get(source.at("connection"), source.functions.get(name))
    last = name.rpartition(".")[2]
    if given is not None:
        return given
    if last in CONNECTIONS:
        return CONNECTIONS[last]
    return Missing(source.at("connection"), name)


def _make_join(axis: int) -> Callable[..., Any]:
    def join(*arrays: Any) -> Any:
        return namespace(*arrays).concat(list(arrays), axis=axis)

    return join


CONNECTIONS: Mapping[str, Callable[..., Any]] = {
    "*": lambda *xs: reduce(lambda x, y: x * y, xs),
    "+": lambda *xs: reduce(lambda x, y: x + y, xs),
    "-": lambda x, y: x - y,
    "hcat": _make_join(-2),
    "vcat": _make_join(-1),
}
"""vcat joins along Julia's first axis, our last."""


def _skip_connection(source: Source) -> Ported:
    inner = source.port(source["layers"], "layers")
    return Ported(luxport.SkipConnection(inner.layer, _connection(source)), inner.ps, inner.st)


_BUILDERS: Mapping[str, Callable[[Source], Ported]] = {
    "AdaptiveMaxPool": _adaptive("AdaptiveMaxPool"),
    "AdaptiveMeanPool": _adaptive("AdaptiveMeanPool"),
    "AlphaDropout": lambda source: bare(luxport.AlphaDropout(number(source["p"], source.at("p")))),
    "BatchNorm": batch_norm,
    "Bilinear": _bilinear,
    "Chain": _container(lambda source, layers: luxport.Chain(layers)),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "CrossCor": _conv,
    "Dense": _dense,
    "DepthwiseConv": _depthwise,
    "Diagonal": _scale,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding_bag,
    "GRU": sequence,
    "GRUCell": cell("GRUCell", 3),
    "GRUv3": sequence,
    "GRUv3Cell": cell("GRUv3Cell", 3),
    "GlobalMaxPool": lambda source: bare(luxport.GlobalMaxPool()),
    "GlobalMeanPool": lambda source: bare(luxport.GlobalMeanPool()),
    "GroupNorm": group_norm,
    "InstanceNorm": instance_norm,
    "LSTM": sequence,
    "LSTMCell": cell("LSTMCell", 4),
    "LayerNorm": layer_norm,
    "MaxPool": _pool("MaxPool"),
    "Maxout": _container(lambda source, layers: luxport.Maxout(layers)),
    "MeanPool": _pool("MeanPool"),
    "MultiHeadAttention": _attention,
    "PairwiseFusion": _container(lambda source, layers: luxport.PairwiseFusion(_connection(source), layers)),  # type: ignore[arg-type]
    "Parallel": _container(lambda source, layers: luxport.Parallel(_connection(source), layers)),
    "PixelShuffle": lambda source: bare(luxport.PixelShuffle(int(source["r"]))),
    "RNN": sequence,
    "RNNCell": cell("RNNCell", 1),
    "Recur": recur,
    "Recurrence": sequence,
    "Scale": _scale,
    "SkipConnection": _skip_connection,
    "Upsample": _upsample,
    "WeightNorm": weight_norm,
}
assert set(_BUILDERS) == set(GENERATIONS)
