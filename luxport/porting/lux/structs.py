"""Read the fields of Lux's structs by name, and the options that are only in the parameters of their types.

Until Lux 0.5 options such as ``use_bias`` and ``affine`` are parameters of the type; since 0.5.5x they are fields whose
types have only one value. JLD2 before 0.4.54 omits such fields, functions among them: then the type tells the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.julia.type_rules import find_named_tuple_names, is_function, make_instance

__all__ = [
    "read_fields",
    "read_flags",
    "read_ints",
    "find_kind",
    "read_static",
    "find_layer_in_type",
    "read_symbols",
    "read_text",
]

_WINDOWS = ("kernel_size", "stride", "pad")
_CHANNELS = ("activation", "in_chs", "out_chs", *_WINDOWS)
_INITIALIZERS = ("init_weight", "init_bias")
_RECURRENT = ("in_dims", "out_dims", "init_bias", "init_weight", "init_state")
_NORM = ("activation", "epsilon", "momentum", "chs", "init_bias", "init_scale")

_LAYOUTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "ActivationFunction": (("func",),),
    "AdaptiveMaxPool": (("out",),),
    "AdaptiveMeanPool": (("out",),),
    "AlphaDropout": (("p", "alpha", "scale", "bias"),),
    "BatchNorm": (_NORM, (*_NORM, "affine", "track_stats")),
    "Bilinear": tuple(
        ("activation", "in1_dims", "in2_dims", "out_dims", *_INITIALIZERS, *more) for more in ((), ("use_bias",))
    ),
    "BranchLayer": (("layers",), ("layers", "name"), ("layers", "fusion", "name")),
    "Chain": (("layers",), ("layers", "name")),
    "Conv": (
        (*_CHANNELS, "dilation", "groups", "init_weight"),
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS),
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS, "use_bias"),
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS, "use_bias", "cross_correlation"),
    ),
    "ConvTranspose": (
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS),
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS, "use_bias"),
        (*_CHANNELS, "outpad", "dilation", "groups", *_INITIALIZERS, "use_bias", "cross_correlation"),
    ),
    "CrossCor": (
        (*_CHANNELS, "dilation", *_INITIALIZERS),
        (*_CHANNELS, "dilation", "groups", *_INITIALIZERS, "use_bias"),
    ),
    "Dense": tuple(("activation", "in_dims", "out_dims", *_INITIALIZERS, *more) for more in ((), ("use_bias",))),
    "Dropout": (("p", "dims"), ("p", "q", "dims")),
    "Embedding": (("in_dims", "out_dims", "init_weight"),),
    "FlattenLayer": ((), ("N",)),
    "GRUCell": (_RECURRENT,),
    "GroupNorm": ((*_NORM, "groups"), ("activation", "epsilon", "chs", "init_bias", "init_scale", "groups")),
    "InstanceNorm": (("activation", "epsilon", "chs", "init_bias", "init_scale"),),
    "LSTMCell": ((*_RECURRENT, "init_memory"),),
    "LayerNorm": (("shape", "activation", "epsilon", "init_bias", "init_scale", "dims"),),
    "MaxPool": (("layer",), ("k", "pad", "stride")),
    "Maxout": (("layers",),),
    "MeanPool": (("layer",), ("k", "pad", "stride")),
    "PairwiseFusion": (("connection", "layers"), ("connection", "layers", "name")),
    "Parallel": (("connection", "layers"), ("connection", "layers", "name")),
    "RNNCell": (("activation", *_RECURRENT),),
    "Recurrence": (("cell",), ("cell", "ordering")),
    "RepeatedLayer": (("model",),),
    "ReshapeLayer": (("dims",),),
    "Scale": tuple(("activation", "dims", *_INITIALIZERS, *more) for more in ((), ("use_bias",))),
    "SkipConnection": (("layers", "connection"), ("layers", "connection", "name")),
    "StatefulRecurrentCell": (("cell",),),
    "Upsample": (("scale", "size"), ("scale", "size", "upsample_mode")),
    "VariationalHiddenDropout": (("p", "dims"), ("p", "q", "dims")),
    "WrappedFunction": (("func",), ("call_mode", "func")),
}
"""The names of the fields of each struct, for files without names such as BSON.jl's: a tuple for each number of fields.

Source: the structs' definitions at Lux.jl's tags v0.4.0 to v1.31.4
"""

_TYPE_FLAGS: Mapping[str, tuple[str, ...]] = {
    "BatchNorm": ("affine", "track_stats"),
    "GRUCell": ("use_bias", "train_state"),
    "GroupNorm": ("affine", "track_stats"),
    "InstanceNorm": ("affine",),
    "LSTMCell": ("use_bias", "train_state", "train_memory"),
    "LayerNorm": ("affine",),
    "RNNCell": ("use_bias", "train_state"),
    "Recurrence": ("return_sequence",),
    "RepeatedLayer": ("input_injection",),
}
"""The options that a type's boolean parameters are, in order, until Lux 0.5; for other layers it is ``use_bias``."""

_STATIC_FLAGS: Mapping[str, tuple[str, ...]] = {
    "BatchNorm": ("affine", "track_stats", "use_decomposed_implementation"),
    "Conv": ("use_bias", "cross_correlation"),
    "ConvTranspose": ("use_bias", "cross_correlation"),
    "GRUCell": ("train_state", "use_bias"),
    "GroupNorm": ("affine",),
    "InstanceNorm": ("affine", "track_stats"),
    "LSTMCell": ("train_state", "train_memory", "use_bias"),
    "LayerNorm": ("affine",),
    "RMSNorm": ("affine",),
    "RNNCell": ("train_state", "use_bias"),
    "Recurrence": ("return_sequence",),
    "RepeatedLayer": ("input_injection",),
}
"""The same since then, for parameters that are the types ``True`` and ``False`` of Static.jl."""

_PACKAGES = ("Lux", "LuxCore", "LuxLib")


def find_kind(value: Any) -> str:
    """Return the name of a struct of Lux, "" for any other value, also if it has the same name as a layer of Lux."""
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName):
        return value.type.name if value.type.module[:1] and value.type.module[0] in _PACKAGES else ""
    return ""


def read_fields(struct: julia.Struct) -> dict[str, Any]:
    """Return the fields by name, including those that a file omits because the type tells their values.

    Raises: FileFormatError if no generation of Lux has a struct with so many fields
    """
    kind = struct.type.name
    if struct.names is None and struct.fields:
        layouts = _LAYOUTS.get(kind, ())
        names = next((names for names in layouts if len(names) == len(struct.fields)), None)
        if names is None:
            counts = " or ".join(str(len(names)) for names in layouts) or "none"
            raise FileFormatError(f"a Lux.{kind} with {len(struct.fields)} fields; luxport knows {counts}")
    else:
        names = struct.names or ()
    fields = dict(zip(names, struct.fields, strict=True))
    functions = [param for param in struct.type.params if is_function(param) or _is_broadcast(param)]
    first = {"WrappedFunction": "func", "ActivationFunction": "func"}.get(
        kind, "connection" if kind in ("Parallel", "PairwiseFusion", "SkipConnection") else "activation"
    )
    if first not in fields and functions:
        fields[first] = make_instance(functions[0], 0)
    if "layers" not in fields:
        named = next((param for param in struct.type.params if find_named_tuple_names(param) is not None), None)
        if named is not None:
            fields["layers"] = make_instance(named, 0)
    return fields


def _is_broadcast(param: Any) -> bool:
    return isinstance(param, julia.TypeName) and param.name == "BroadcastFunction"


def find_layer_in_type(struct: julia.Struct, position: int = 0) -> Any:
    """Return a layer without fields that a file omits, read from the type of its container; None if there is none."""
    found = [
        param for param in struct.type.params if isinstance(param, julia.TypeName) and param.module[:1] == ("Lux",)
    ]
    return julia.Struct(found[position], [], ()) if position < len(found) else None


def read_flags(struct: julia.Struct, fields: Mapping[str, Any]) -> dict[str, bool]:
    """Return the options that are true or false, read from the fields and the parameters of the type."""
    kind, params = struct.type.name, struct.type.params
    plain = [param for param in params if isinstance(param, bool)]
    static = [
        read_static(param) for param in params if isinstance(read_static(param), bool) and not isinstance(param, bool)
    ]
    flags = dict(zip(_TYPE_FLAGS.get(kind, ("use_bias",)), plain, strict=False))
    flags |= dict(zip(_STATIC_FLAGS.get(kind, ("use_bias",)), static, strict=False))
    return flags | {name: read_static(value) for name, value in fields.items() if isinstance(read_static(value), bool)}


def read_static(value: Any) -> Any:
    """Return the value that a value or type of Static.jl stands for; other values are returned unchanged.

    >>> read_static(julia.TypeName(("Static",), "StaticInt", (3,))), read_static(julia.TypeName(("Static",), "True"))
    (3, True)
    """
    kind = value.type if isinstance(value, julia.Struct) else value
    if not isinstance(kind, julia.TypeName) or kind.module[:1] != ("Static",):
        return value
    match kind.name, kind.params:
        case (("True" | "False"), _):
            return kind.name == "True"
        case (("StaticInt" | "StaticSymbol" | "StaticBool" | "StaticFloat64"), (inner,)):
            return inner
    return value


def read_ints(value: Any, what: str) -> tuple[int, ...]:
    """Return one or several ints, in Julia's order, from an int, a tuple, an array or a range.

    Raises: FileFormatError for anything else
    """
    value = read_static(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return (int(value),)
    if isinstance(value, julia.Struct) and julia.name_type(value).endswith("UnitRange"):
        first, last = (read_static(end) for end in value.fields) if len(value.fields) == 2 else (1, 0)
        if isinstance(first, int) and isinstance(last, int) and 0 < first <= last <= 16:
            return tuple(range(first, last + 1))
    if isinstance(value, (tuple, list, np.ndarray)):
        found = [read_static(entry) for entry in value]
        if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in found):
            return tuple(map(int, found))
    raise FileFormatError(f"{what}: ints expected, got {julia.name_type(value)}")


def read_text(value: Any) -> str:
    """Return the text of a symbol or a string, "" for anything else."""
    value = read_static(value)
    if isinstance(value, julia.Symbol):
        return value.name
    return value if isinstance(value, str) else ""


def read_symbols(values: Any) -> Iterable[str]:
    """Return the names in a tuple of symbols, or of a single symbol."""
    return [read_text(value) for value in (values if isinstance(values, (tuple, list)) else (values,))]
