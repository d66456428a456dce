"""`port`: a saved Flux model as a luxport layer with its parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import luxport
from luxport.backend import namespace
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux._leaf_layers import (
    build_adaptive,
    build_attention,
    build_bilinear,
    build_conv,
    build_conv_transpose,
    build_dense,
    build_depthwise,
    build_dropout,
    build_embedding,
    build_embedding_bag,
    build_pool,
    build_scale,
    build_upsample,
)
from luxport.porting.flux.building import (
    Functions,
    Missing,
    Ported,
    RepeatCounter,
    Source,
    find_kind,
    make_arrayless,
)
from luxport.porting.flux.fields import GENERATIONS, read_fields, read_number
from luxport.porting.flux.functions import Hole, make_function_layer
from luxport.porting.flux.norms import build_batch_norm, build_group_norm, build_instance_norm, build_layer_norm
from luxport.porting.flux.recurrent import build_recur, build_sequence, make_cell_builder
from luxport.porting.flux.weight_norm import build_weight_norm
from luxport.porting.julia.flux_versions import FIRST, LAST

__all__ = ["CONNECTIONS", "is_model", "port"]


def is_model(value: Any) -> bool:
    """Return whether a value is a Flux layer."""
    return find_kind(value) in _BUILDERS


def port(value: Any, functions: Functions, path: str = "", versions: tuple[int, int] = (FIRST, LAST)) -> Ported:
    """Return the layer of a saved value, with its parameters and states.

    `functions` maps a path in the model or the name of a Julia function to the function to use there. `versions` are
    the first and the last minor version of Flux that can have written the value.

    Raises: FileFormatError if a struct is no Flux layer, or its fields are not those of the layer
    """
    repeats = RepeatCounter()

    def build(value: Any, functions: Functions, path: str, versions: tuple[int, int]) -> Ported:
        repeats.count(value, not isinstance(value, julia.Function))
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
        return make_arrayless(luxport.WrappedFunction(given) if given is not None else make_function_layer(value))
    if path and isinstance(value, julia.Unavailable):
        return make_arrayless(
            luxport.WrappedFunction(functions[path]) if path in functions else Hole(path, reason=value.reason)
        )
    kind = find_kind(value)
    if kind not in _BUILDERS:
        custom = value.type if isinstance(value, julia.Struct) else None
        names = (custom.path, custom.name) if isinstance(custom, julia.TypeName) else ()
        given = next((functions[name] for name in (path, *names) if name in functions), None)
        if given is not None:
            return make_arrayless(luxport.WrappedFunction(given))
        what = julia.name_type(value)
        raise FileFormatError(
            f"{path or 'the model'}: {what} is no Flux layer that luxport knows; pass a function as "
            f"load_model(..., functions={{{path or 'the path'!r}: f}}), or load the parts by their names"
        )
    try:
        return _BUILDERS[kind](Source(kind, read_fields(value, kind), value, functions, path, versions, build))
    except KeyError as missing:
        raise FileFormatError(f"{path or 'the model'}: a Flux.{kind} without the field {missing}") from None


def _name_layers(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, julia.NamedTuple):
        if strange := [name for name in value.names if not name.isprintable()]:
            raise FileFormatError(f"a layer has the name {strange[0]!r}, which has characters that do not print")
        return list(zip(value.names, value.values, strict=True))
    if isinstance(value, julia.Struct) or not isinstance(value, (tuple, list)):
        raise FileFormatError(f"expected layers in a tuple, a vector or a named tuple, got {type(value).__name__}")
    return [(f"layer_{i}", entry) for i, entry in enumerate(value, start=1)]


def _port_children(source: Source) -> dict[str, Ported]:
    return {name: source.port(value, name) for name, value in _name_layers(source["layers"])}


def _make_builder(build: Callable[[Source, dict[str, Layer]], Layer]) -> Callable[[Source], Ported]:
    def build_container(source: Source) -> Ported:
        children = _port_children(source)
        layer = build(source, {name: child.layer for name, child in children.items()})
        return Ported(
            layer,
            {name: child.ps for name, child in children.items()},
            {name: child.st for name, child in children.items()},
        )

    return build_container


def _find_connection(source: Source) -> Callable[..., Any]:
    value = source["connection"]
    name = value.path if isinstance(value, julia.Function) else str(value)
    given = source.functions.get(source.join_path("connection"), source.functions.get(name))
    last = name.rpartition(".")[2]
    if given is not None:
        return given
    if last in CONNECTIONS:
        return CONNECTIONS[last]
    return Missing(source.join_path("connection"), name)


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
"""Functions that join outputs, by the last part of their Julia names; Julia's first axis is luxport's last."""


def _build_skip_connection(source: Source) -> Ported:
    inner = source.port(source["layers"], "layers")
    return Ported(luxport.SkipConnection(inner.layer, _find_connection(source)), inner.ps, inner.st)


_BUILDERS: Mapping[str, Callable[[Source], Ported]] = {
    "AdaptiveMaxPool": build_adaptive("AdaptiveMaxPool"),
    "AdaptiveMeanPool": build_adaptive("AdaptiveMeanPool"),
    "AlphaDropout": lambda source: make_arrayless(
        luxport.AlphaDropout(read_number(source["p"], source.join_path("p")))
    ),
    "BatchNorm": build_batch_norm,
    "Bilinear": build_bilinear,
    "Chain": _make_builder(lambda source, layers: luxport.Chain(layers)),
    "Conv": build_conv,
    "ConvTranspose": build_conv_transpose,
    "CrossCor": build_conv,
    "Dense": build_dense,
    "DepthwiseConv": build_depthwise,
    "Diagonal": build_scale,
    "Dropout": build_dropout,
    "Embedding": build_embedding,
    "EmbeddingBag": build_embedding_bag,
    "GRU": build_sequence,
    "GRUCell": make_cell_builder("GRUCell", 3),
    "GRUv3": build_sequence,
    "GRUv3Cell": make_cell_builder("GRUv3Cell", 3),
    "GlobalMaxPool": lambda source: make_arrayless(luxport.GlobalMaxPool()),
    "GlobalMeanPool": lambda source: make_arrayless(luxport.GlobalMeanPool()),
    "GroupNorm": build_group_norm,
    "InstanceNorm": build_instance_norm,
    "LSTM": build_sequence,
    "LSTMCell": make_cell_builder("LSTMCell", 4),
    "LayerNorm": build_layer_norm,
    "MaxPool": build_pool("MaxPool"),
    "Maxout": _make_builder(lambda source, layers: luxport.Maxout(layers)),
    "MeanPool": build_pool("MeanPool"),
    "MultiHeadAttention": build_attention,
    "PairwiseFusion": _make_builder(lambda source, layers: luxport.PairwiseFusion(_find_connection(source), layers)),  # type: ignore[arg-type]
    "Parallel": _make_builder(lambda source, layers: luxport.Parallel(_find_connection(source), layers)),
    "PixelShuffle": lambda source: make_arrayless(luxport.PixelShuffle(int(source["r"]))),
    "RNN": build_sequence,
    "RNNCell": make_cell_builder("RNNCell", 1),
    "Recur": build_recur,
    "Recurrence": build_sequence,
    "Scale": build_scale,
    "SkipConnection": _build_skip_connection,
    "Upsample": build_upsample,
    "WeightNorm": build_weight_norm,
}


assert set(_BUILDERS) == set(GENERATIONS)
