"""Flux's structs as luxport's layers, with their parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

import luxport
from luxport.backend import namespace
from luxport.errors import LayerError
from luxport.layer import Layer, initial_parameters, initial_states
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.fields import GENERATIONS, fields_of, number, numbers
from luxport.porting.flux.functions import Hole, function_layer, named_function
from luxport.porting.wrappers import array

__all__ = ["Ported", "is_model", "port"]


@dataclass(frozen=True)
class Ported:
    """A layer with its parameters and states, as NumPy arrays."""

    layer: Layer
    ps: dict[str, Any]
    st: dict[str, Any]


Functions = Mapping[str, Callable[..., Any]]


def is_model(value: Any) -> bool:
    """Whether a value is a layer of Flux."""
    return _kind(value) in _BUILDERS


def port(value: Any, functions: Functions, path: str = "") -> Ported:
    """Build the layer that a value is. `functions` fills holes, by the path in the model or by the Julia name.

    Raises: FileFormatError if a struct is no layer of Flux, or its fields are not what Flux has there
    """
    if isinstance(value, julia.Function):
        given = functions.get(path, functions.get(value.path, functions.get(value.name)))
        return _bare(luxport.WrappedFunction(given) if given is not None else function_layer(value))
    kind = _kind(value)
    if kind not in _BUILDERS:
        given = functions.get(path, functions.get(kind))
        if given is not None:
            return _bare(luxport.WrappedFunction(given))
        what = value.type if isinstance(value, julia.Struct) else type(value).__name__
        raise FileFormatError(f"{path or 'the model'}: {what} is no layer of Flux that luxport knows")
    try:
        return _BUILDERS[kind](_Source(kind, fields_of(value, kind), value, functions, path))
    except KeyError as missing:
        raise FileFormatError(f"{path or 'the model'}: a Flux.{kind} without the field {missing}") from None


@dataclass(frozen=True)
class _Source:
    """A struct on its way: its kind, its fields by name, and where in the model it is."""

    kind: str
    fields: Mapping[str, Any]
    struct: julia.Struct
    functions: Functions
    path: str

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def array(self, name: str) -> Any:
        return array(self.fields[name], self.at(name))

    def numbers(self, name: str, axes: int, default: Any = None) -> tuple[int, ...]:
        if name not in self.fields and default is not None:
            return (default,) * axes
        found = numbers(self.fields[name], self.at(name))
        return found * axes if len(found) == 1 else found

    def bias(self) -> dict[str, Any]:
        """The bias, if there is one: Flux writes ``false`` or ``Zeros`` where there is none."""
        value = self.fields.get("bias")
        if value is None or isinstance(value, bool) or _kind(value) == "Zeros":
            return {}
        return {"bias": self.array("bias")}

    def activation(self) -> Callable[..., Any]:
        value = self.fields.get("σ", self.fields.get("λ"))
        if value is None or (isinstance(value, julia.Function) and value.name == "identity"):
            return luxport.identity
        name = value.path if isinstance(value, julia.Function) else str(value)
        given = self.functions.get(self.at("activation"), self.functions.get(name))
        known = given or named_function(value)
        if known is not None:
            return known
        layer = function_layer(value) if isinstance(value, julia.Function) else Hole(name)
        if isinstance(layer, luxport.WrappedFunction):
            return layer.function
        return _Missing(self.at("activation"), name)


@dataclass(frozen=True)
class _Missing:
    """An activation that the file has only by name."""

    path: str
    name: str

    def __call__(self, x: Any) -> Any:
        raise LayerError(
            f"has an activation that the file has only by the name {self.name!r}: "
            f"hand it over as load(..., functions={{{self.name!r}: f}})"
        )


def _kind(value: Any) -> str:
    """The name of a struct of Flux, or of a package of its layers; nothing for anything else."""
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName):
        return value.type.name
    return ""


def _bare(layer: Layer) -> Ported:
    return Ported(layer, initial_parameters(0, layer), initial_states(0, layer))


def _with(layer: Layer, ps: dict[str, Any], st: dict[str, Any] | None = None) -> Ported:
    """Check the parameters against those that the layer has, and put them in its order."""
    wanted = initial_parameters(0, layer)
    if set(wanted) != set(ps):
        raise FileFormatError(f"{layer} has {', '.join(wanted) or 'no parameters'}, the file {', '.join(ps) or 'none'}")
    for name, value in wanted.items():
        if value.shape != ps[name].shape:
            raise FileFormatError(f"{name} of {layer}: shape {value.shape} expected, got {ps[name].shape}")
    states = initial_states(0, layer)
    return Ported(layer, {name: ps[name] for name in wanted}, {**states, **(st or {})})


def _dense(source: _Source) -> Ported:
    weight, bias = source.array("weight"), source.bias()
    layer = luxport.Dense(weight.shape[0], weight.shape[1], source.activation(), use_bias=bool(bias))
    return _with(layer, {"weight": weight, **bias})


def _scale(source: _Source) -> Ported:
    weight, bias = source.array("scale"), source.bias()
    layer = luxport.Scale(*weight.shape, activation=source.activation(), use_bias=bool(bias))
    return _with(layer, {"weight": weight, **bias})


def _bilinear(source: _Source) -> Ported:
    weight, bias = source.array("weight"), source.bias()
    in2, in1, out = weight.shape
    return _with(
        luxport.Bilinear((in1, in2), out, source.activation(), use_bias=bool(bias)), {"weight": weight, **bias}
    )


def _windows(source: _Source, axes: int) -> dict[str, Any]:
    """Stride and padding; a pad is one number an axis, or a pair."""
    pad = numbers(source["pad"], source.at("pad"))
    if len(pad) == 2 * axes:  # reversed, the pairs are (high, low)
        padding: Any = tuple((low, high) for high, low in zip(pad[::2], pad[1::2], strict=True))
    else:
        padding = pad * axes if len(pad) == 1 else pad
    return {"stride": source.numbers("stride", axes), "padding": padding}


def _conv(source: _Source) -> Ported:
    weight, bias = source.array("weight"), source.bias()
    kernel = weight.shape[2:]
    options: dict[str, Any] = _windows(source, len(kernel))
    options["dilation"] = source.numbers("dilation", len(kernel), 1)
    groups = int(source.fields.get("groups", 1))
    layer = luxport.Conv(
        *(kernel, weight.shape[1] * groups, weight.shape[0], source.activation()),
        **options,
        groups=groups,
        use_bias=bool(bias),
        cross_correlation=source.kind == "CrossCor",
    )
    return _with(layer, {"weight": weight, **bias})


def _depthwise(source: _Source) -> Ported:
    weight, bias = source.array("weight"), source.bias()  # (channels, multiplier, *kernel)
    channels, multiplier, *kernel = weight.shape
    options: dict[str, Any] = _windows(source, len(kernel))
    options["dilation"] = source.numbers("dilation", len(kernel), 1)
    layer = luxport.Conv(
        *(tuple(kernel), channels, channels * multiplier, source.activation()),
        **options,
        groups=channels,
        use_bias=bool(bias),
    )
    return _with(layer, {"weight": weight.reshape(channels * multiplier, 1, *kernel), **bias})


def _conv_transpose(source: _Source) -> Ported:
    weight, bias = source.array("weight"), source.bias()
    kernel = weight.shape[2:]
    groups = int(source.fields.get("groups", 1))
    layer = luxport.ConvTranspose(
        *(kernel, weight.shape[0], weight.shape[1] * groups, source.activation()),
        **_windows(source, len(kernel)),
        dilation=source.numbers("dilation", len(kernel), 1),
        output_padding=source.numbers("outpad", len(kernel), 0),
        groups=groups,
        use_bias=bool(bias),
    )
    return _with(layer, {"weight": weight, **bias})


def _pool(layer: str) -> Callable[[_Source], Ported]:
    def build(source: _Source) -> Ported:
        window = numbers(source["k"], source.at("k"))
        return _bare(getattr(luxport, layer)(window, **_windows(source, len(window))))

    return build


def _adaptive(layer: str) -> Callable[[_Source], Ported]:
    return lambda source: _bare(getattr(luxport, layer)(numbers(source["out"], source.at("out"))))


def _norm(source: _Source, layer: Layer, statistics: Mapping[str, str]) -> Ported:
    affine = bool(source.fields.get("affine", True)) and source.fields.get("γ") is not None
    ps = {"scale": source.array("γ"), "bias": source.array("β")} if affine else {}
    return _with(layer, ps, {ours: source.array(theirs) for ours, theirs in statistics.items()})


_STATISTICS = {"running_mean": "μ", "running_var": "σ²"}


def _norm_options(source: _Source) -> dict[str, Any]:
    affine = bool(source.fields.get("affine", True)) and source.fields.get("γ") is not None
    return {"affine": affine, "epsilon": number(source["ϵ"], source.at("ϵ"))}


def _channels(source: _Source) -> int:
    if "chs" in source.fields:
        return int(source["chs"])
    return source.array("β").shape[0]


def _tracking_norm(name: str) -> Callable[[_Source], Ported]:
    def build(source: _Source) -> Ported:
        tracks = bool(source.fields.get("track_stats", source.fields.get("μ") is not None))
        options = _norm_options(source) | {"momentum": number(source["momentum"], source.at("momentum"))}
        layer = getattr(luxport, name)(_channels(source), source.activation(), track_stats=tracks, **options)
        return _norm(source, layer, _STATISTICS if tracks else {})

    return build


def _group_norm(source: _Source) -> Ported:
    layer = luxport.GroupNorm(_channels(source), int(source["G"]), source.activation(), **_norm_options(source))
    return _norm(source, layer, {})


def _layer_norm(source: _Source) -> Ported:
    diag = source["diag"]
    epsilon = number(source.fields.get("ϵ", 1e-5), source.at("ϵ"))
    if isinstance(diag, julia.Struct):
        kind = _kind(diag)
        fields = fields_of(diag, kind)
        ps = {"scale": array(fields["scale"], source.at("scale")), "bias": array(fields["bias"], source.at("bias"))}
        activation = _Source(kind, fields, diag, source.functions, source.path).activation()
        shape = ps["scale"].shape
        return _with(luxport.LayerNorm(shape, activation, epsilon=epsilon), ps)
    shape = numbers(source["size"], source.at("size"))
    return _bare(luxport.LayerNorm(shape, source.activation(), epsilon=epsilon, affine=False))


def _dropout(source: _Source) -> Ported:
    dims = source.fields.get("dims")
    p = number(source["p"], source.at("p"))
    if dims is None or not isinstance(dims, (int, tuple, list, np.integer)):  # a Colon: every entry by itself
        return _bare(luxport.Dropout(p))
    axes = tuple(sorted(-n for n in (numbers(dims, source.at("dims")))))
    return _bare(luxport.Dropout(p, axes=axes))


def _embedding(source: _Source) -> Ported:
    weight, padding = source.array("weight"), source.fields.get("padding_idx")
    layer = luxport.Embedding(
        weight.shape[0], weight.shape[1], padding_idx=None if padding is None else int(padding) - 1
    )
    return _with(layer, {"weight": weight})


def _embedding_bag(source: _Source) -> Ported:
    weight, reduction = source.array("weight"), source["reduction"]
    name = reduction.name if isinstance(reduction, julia.Function) else str(reduction)
    layer = luxport.EmbeddingBag(weight.shape[0], weight.shape[1], {"maximum": "max"}.get(name, name))
    return _with(layer, {"weight": weight})


def _upsample(source: _Source) -> Ported:
    mode = source.struct.type.params[0]
    name = mode.name if isinstance(mode, julia.Symbol) else str(mode)
    scale, size = source.fields.get("scale"), source.fields.get("size")
    if size is not None:
        return _bare(luxport.Upsample(mode=name, size=numbers(size, source.at("size"))))  # type: ignore[arg-type]
    factors = tuple([number(n, source.at("scale")) for n in scale])[::-1] if isinstance(scale, tuple) else scale
    return _bare(luxport.Upsample(factors, name))  # type: ignore[arg-type]


def _cell_parameters(source: _Source) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and options of a cell of Flux, which has one bias: the one of the input."""
    ps = {"weight_ih": source.array("Wi"), "weight_hh": source.array("Wh")}
    bias = source.fields.get("b")
    if bias is None or isinstance(bias, bool) or _kind(bias) == "Zeros":
        return ps, {"use_bias": False}
    return ps | {"bias_ih": source.array("b")}, {}


def _cell(name: str, gates: int) -> Callable[[_Source], Ported]:
    def build(source: _Source) -> Ported:
        ps, options = _cell_parameters(source)
        if name == "GRUv3Cell":
            ps["weight_hn"] = source.array("Wh_h̃")
        else:
            options["use_recurrent_bias"] = False
        if name == "RNNCell":
            options["activation"] = source.activation()
        in_dims, width = ps["weight_ih"].shape
        return _with(getattr(luxport, name)(in_dims, width // gates, **options), ps)

    return build


def _sequence(source: _Source) -> Ported:
    """Flux 0.15's layers run a cell over a sequence (T, F) or (N, T, F) and return all outputs."""
    inner = port(source["cell"], source.functions, source.at("cell"))
    return Ported(luxport.Recurrence(inner.layer, return_sequence=True), inner.ps, inner.st)  # type: ignore[arg-type]


def _recur(source: _Source) -> Ported:
    """Flux's Recur until 0.14 takes one step a call and remembers: so does StatefulRecurrentCell."""
    inner = port(source["cell"], source.functions, source.at("cell"))
    layer = luxport.StatefulRecurrentCell(inner.layer)  # type: ignore[arg-type]
    return Ported(layer, inner.ps, initial_states(0, layer))


def _named_layers(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, julia.NamedTuple):
        return list(zip(value.names, value.values, strict=True))
    if isinstance(value, julia.Struct) or not isinstance(value, (tuple, list)):
        raise FileFormatError(f"layers in a tuple, a vector or by names expected, got {type(value).__name__}")
    return [(f"layer_{i}", entry) for i, entry in enumerate(value, start=1)]


def _children(source: _Source) -> dict[str, Ported]:
    return {name: port(value, source.functions, source.at(name)) for name, value in _named_layers(source["layers"])}


def _container(build: Callable[[_Source, dict[str, Layer]], Layer]) -> Callable[[_Source], Ported]:
    def built(source: _Source) -> Ported:
        children = _children(source)
        layer = build(source, {name: child.layer for name, child in children.items()})
        return Ported(
            layer,
            {name: child.ps for name, child in children.items()},
            {name: child.st for name, child in children.items()},
        )

    return built


def _connection(source: _Source) -> Callable[..., Any]:
    value = source["connection"]
    name = value.path if isinstance(value, julia.Function) else str(value)
    given = source.functions.get(source.at("connection"), source.functions.get(name))
    last = name.rpartition(".")[2]
    if given is not None:
        return given
    if last in _CONNECTIONS:
        return _CONNECTIONS[last]
    return _Missing(source.at("connection"), name)


def _joined(axis: int) -> Callable[..., Any]:
    def join(*arrays: Any) -> Any:
        return namespace(*arrays).concat(list(arrays), axis=axis)

    return join


_CONNECTIONS: Mapping[str, Callable[..., Any]] = {
    "*": lambda *xs: reduce(lambda x, y: x * y, xs),
    "+": lambda *xs: reduce(lambda x, y: x + y, xs),
    "-": lambda x, y: x - y,
    "hcat": _joined(-2),
    "vcat": _joined(-1),
}
"""vcat joins along Julia's first axis, our last."""


def _skip_connection(source: _Source) -> Ported:
    inner = port(source["layers"], source.functions, source.at("layers"))
    return Ported(luxport.SkipConnection(inner.layer, _connection(source)), inner.ps, inner.st)


_BUILDERS: Mapping[str, Callable[[_Source], Ported]] = {
    "AdaptiveMaxPool": _adaptive("AdaptiveMaxPool"),
    "AdaptiveMeanPool": _adaptive("AdaptiveMeanPool"),
    "AlphaDropout": lambda source: _bare(luxport.AlphaDropout(number(source["p"], source.at("p")))),
    "BatchNorm": _tracking_norm("BatchNorm"),
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
    "GRU": _sequence,
    "GRUCell": _cell("GRUCell", 3),
    "GRUv3": _sequence,
    "GRUv3Cell": _cell("GRUv3Cell", 3),
    "GlobalMaxPool": lambda source: _bare(luxport.GlobalMaxPool()),
    "GlobalMeanPool": lambda source: _bare(luxport.GlobalMeanPool()),
    "GroupNorm": _group_norm,
    "InstanceNorm": _tracking_norm("InstanceNorm"),
    "LSTM": _sequence,
    "LSTMCell": _cell("LSTMCell", 4),
    "LayerNorm": _layer_norm,
    "MaxPool": _pool("MaxPool"),
    "Maxout": _container(lambda source, layers: luxport.Maxout(layers)),
    "MeanPool": _pool("MeanPool"),
    "PairwiseFusion": _container(lambda source, layers: luxport.PairwiseFusion(_connection(source), layers)),
    "Parallel": _container(lambda source, layers: luxport.Parallel(_connection(source), layers)),
    "PixelShuffle": lambda source: _bare(luxport.PixelShuffle(int(source["r"]))),
    "RNN": _sequence,
    "RNNCell": _cell("RNNCell", 1),
    "Recur": _recur,
    "Scale": _scale,
    "SkipConnection": _skip_connection,
    "Upsample": _upsample,
}
assert set(_BUILDERS) == set(GENERATIONS)
