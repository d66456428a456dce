"""Lux's structs as luxport's layers, with the parameters and states that stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport.porting import julia
from luxport.porting.flux.building import Functions, Ported, Repeats
from luxport.porting.lux import containers, recurrent, weighted, weightless
from luxport.porting.lux.building import Source, build_hole
from luxport.porting.lux.structs import find_kind, read_fields, read_flags

__all__ = ["is_model", "port"]


def is_model(value: Any) -> bool:
    """Whether a value is a layer of Lux."""
    return find_kind(value) in _BUILDERS


def port(value: Any, functions: Functions, ps: Any, st: Any) -> Ported:
    """Build the layer that a value is, with the tree of its parameters, None if there are none, and that of states.

    `functions` fills holes, by the path in the model or by the Julia name: with a function, or with a layer where the
    file has parameters.

    Raises: FileFormatError if the fields of a struct are not what Lux has there, or the parameters do not fit
    """
    repeats = Repeats()

    def build(value: Any, path: str, ps: Any, st: Any) -> Ported:
        repeats.see(value, isinstance(value, julia.Struct) and bool(value.fields))
        return _port(value, path, ps, st)

    def _port(value: Any, path: str, ps: Any, st: Any) -> Ported:
        kind = find_kind(value)
        struct = value if isinstance(value, julia.Struct) else julia.Struct(julia.TypeName((), ""), [], ())
        known_kind = kind in _BUILDERS and kind != "CompactLuxLayer"
        fields = read_fields(value) if known_kind else {}
        flags = read_flags(value, fields) if known_kind else {}
        source = Source(kind, struct, fields, flags, functions, path, ps, st, build)
        return _BUILDERS[kind](source) if known_kind else build_hole(source, value)

    return build(value, "", ps, st)


_POOLS = [f"{where}{what}Pool" for where in ("", "Adaptive", "Global") for what in ("LP", "Max", "Mean")]

_BUILDERS: Mapping[str, Callable[[Source], Ported]] = {
    **dict.fromkeys(_POOLS, weightless.pool),
    **dict.fromkeys(("AlphaDropout", "Dropout", "VariationalHiddenDropout"), weightless.dropout),
    **dict.fromkeys(("AlternatePrecision", "DebugLayer"), containers.build_around),
    **dict.fromkeys(("BatchNorm", "InstanceNorm"), weighted.tracking_norm),
    **dict.fromkeys(("BranchLayer", "Parallel"), containers.build_joined),
    **dict.fromkeys(("Conv", "ConvTranspose", "CrossCor"), weighted.conv),
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell"), recurrent.build_cell),
    **dict.fromkeys(("ActivationFunction", "WrappedFunction"), weightless.wrapped),
    "Bilinear": weighted.bilinear,
    "BidirectionalRNN": recurrent.build_bidirectional,
    "Chain": containers.make_container_builder(lambda source, layers: luxport.Chain(layers)),
    "CompactLuxLayer": lambda source: build_hole(source, source.struct),
    "Dense": weighted.dense,
    "Embedding": weighted.embedding,
    "FlattenLayer": weightless.flatten,
    "FrozenLayer": containers.build_frozen,
    "GroupNorm": weighted.group_norm,
    "LayerNorm": weighted.layer_norm,
    "Maxout": containers.make_container_builder(lambda source, layers: luxport.Maxout(layers)),
    "MultiHeadAttention": weighted.attention,
    "NoOpLayer": lambda source: source.finished(luxport.NoOpLayer()),
    "PairwiseFusion": containers.make_container_builder(
        lambda source, layers: luxport.PairwiseFusion(source.connection(), layers)
    ),
    "RMSNorm": weighted.rms_norm,
    "Recurrence": recurrent.build_recurrence,
    "RepeatedLayer": containers.build_repeated,
    "ReshapeLayer": lambda source: source.finished(luxport.ReshapeLayer(source.sizes("dims"))),
    "ReverseSequence": weightless.reverse,
    "Scale": weighted.scale,
    "SelectDim": weightless.select,
    "SkipConnection": containers.skip,
    "StatefulRecurrentCell": recurrent.build_stateful_cell,
    "Upsample": weightless.upsample,
    "WeightNorm": containers.weight_norm,
}
