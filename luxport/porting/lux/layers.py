"""`port`: build luxport's layers from Lux's saved structs, with the parameters and states stored beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport.porting import julia
from luxport.porting.flux.building import Functions, Ported, RepeatCounter
from luxport.porting.lux import containers, layers_with_weights, layers_without_weights, recurrent
from luxport.porting.lux.building import Source, build_hole
from luxport.porting.lux.structs import find_kind, read_fields, read_flags

__all__ = ["is_model", "port"]


def is_model(value: Any) -> bool:
    """Return whether a value is a layer of Lux."""
    return find_kind(value) in _BUILDERS


def port(value: Any, functions: Functions, ps: Any, st: Any) -> Ported:
    """Build the layer that a value describes, with its parameters (None if the file has none) and states.

    `functions` replaces what cannot be ported, by its path in the model or its Julia name: with a function, or with a
    layer where the file has parameters.

    Raises: FileFormatError if a struct has fields that Lux's does not have, or the parameters have wrong shapes
    """
    repeats = RepeatCounter()

    def build(value: Any, path: str, ps: Any, st: Any) -> Ported:
        repeats.count(value, isinstance(value, julia.Struct) and bool(value.fields))
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
    **dict.fromkeys(_POOLS, layers_without_weights.build_pool),
    **dict.fromkeys(("AlphaDropout", "Dropout", "VariationalHiddenDropout"), layers_without_weights.build_dropout),
    **dict.fromkeys(("AlternatePrecision", "DebugLayer"), containers.build_around),
    **dict.fromkeys(("BatchNorm", "InstanceNorm"), layers_with_weights.build_tracking_norm),
    **dict.fromkeys(("BranchLayer", "Parallel"), containers.build_joined),
    **dict.fromkeys(("Conv", "ConvTranspose", "CrossCor"), layers_with_weights.build_conv),
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell"), recurrent.build_cell),
    **dict.fromkeys(("ActivationFunction", "WrappedFunction"), layers_without_weights.build_wrapped_function),
    "Bilinear": layers_with_weights.build_bilinear,
    "BidirectionalRNN": recurrent.build_bidirectional,
    "Chain": containers.make_container_builder(lambda source, layers: luxport.Chain(layers)),
    "CompactLuxLayer": lambda source: build_hole(source, source.struct),
    "Dense": layers_with_weights.build_dense,
    "Embedding": layers_with_weights.build_embedding,
    "FlattenLayer": layers_without_weights.build_flatten,
    "FrozenLayer": containers.build_frozen,
    "GroupNorm": layers_with_weights.build_group_norm,
    "LayerNorm": layers_with_weights.build_layer_norm,
    "Maxout": containers.make_container_builder(lambda source, layers: luxport.Maxout(layers)),
    "MultiHeadAttention": layers_with_weights.build_attention,
    "NoOpLayer": lambda source: source.finish(luxport.NoOpLayer()),
    "PairwiseFusion": containers.make_container_builder(
        lambda source, layers: luxport.PairwiseFusion(source.read_connection(), layers)
    ),
    "RMSNorm": layers_with_weights.build_rms_norm,
    "Recurrence": recurrent.build_recurrence,
    "RepeatedLayer": containers.build_repeated,
    "ReshapeLayer": lambda source: source.finish(luxport.ReshapeLayer(source.read_sizes("dims"))),
    "ReverseSequence": layers_without_weights.build_reverse_sequence,
    "Scale": layers_with_weights.build_scale,
    "SelectDim": layers_without_weights.build_select_dim,
    "SkipConnection": containers.build_skip_connection,
    "StatefulRecurrentCell": recurrent.build_stateful_cell,
    "Upsample": layers_without_weights.build_upsample,
    "WeightNorm": containers.build_weight_norm,
}
