"""Read the fields of Flux's structs by name, for any version of Flux, and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["GENERATIONS", "read_fields", "detect_standard_deviation", "read_number", "read_numbers", "compute_variance"]

_NORM = ("λ", "β", "γ", "μ", "σ²", "ϵ", "momentum")
_TRACKED_NORM = (*_NORM, "affine", "track_stats", "active", "chs")
_CONV = ("σ", "weight", "bias", "stride", "pad")

GENERATIONS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "AdaptiveMaxPool": (("out",),),
    "AdaptiveMeanPool": (("out",),),
    "AlphaDropout": (("p",), ("p", "active"), ("p", "active", "rng")),
    "BatchNorm": (_NORM, (*_NORM, "active"), _TRACKED_NORM),
    "Bilinear": (("weight", "bias", "σ"),),
    "Chain": (("layers",),),
    "Conv": (_CONV, (*_CONV, "dilation"), (*_CONV, "dilation", "groups")),
    "ConvTranspose": (
        (*_CONV, "dilation"),
        (*_CONV, "dilation", "groups"),
        (*_CONV, "outpad", "dilation", "groups"),
    ),
    "CrossCor": ((*_CONV, "dilation"),),
    "Dense": (("weight", "bias", "σ"),),
    "DepthwiseConv": (_CONV, (*_CONV, "dilation")),
    "Diagonal": (("scale", "bias"),),
    "Dropout": (("p", "dims"), ("p", "dims", "active"), ("p", "dims", "active", "rng")),
    "Embedding": (("weight",), ("weight", "padding_idx")),
    "EmbeddingBag": (("weight", "reduction"),),
    "GRU": (("cell",),),
    "GRUCell": (("Wi", "Wh", "b"), ("Wi", "Wh", "b", "state0")),
    "GRUv3": (("cell",),),
    "GRUv3Cell": (("Wi", "Wh", "b", "Wh_h̃"), ("Wi", "Wh", "b", "Wh_h̃", "state0")),
    "GlobalMaxPool": ((),),
    "GlobalMeanPool": ((),),
    "GroupNorm": (("G", *_NORM), ("G", *_NORM, "active"), ("G", *_TRACKED_NORM)),
    "InstanceNorm": (_NORM, (*_NORM, "active"), _TRACKED_NORM),
    "LSTM": (("cell",),),
    "LSTMCell": (("Wi", "Wh", "b"), ("Wi", "Wh", "b", "state0"), ("Wi", "Wh", "b", "h", "c")),
    "LayerNorm": (("diag",), ("λ", "diag", "ϵ", "size", "affine")),
    "MaxPool": (("k", "pad", "stride"),),
    "Maxout": (("layers",),),
    "MeanPool": (("k", "pad", "stride"),),
    "MultiHeadAttention": (("nheads", "q_proj", "k_proj", "v_proj", "attn_drop", "out_proj"),),
    "PairwiseFusion": (("connection", "layers"),),
    "Parallel": (("connection", "layers"),),
    "PixelShuffle": (("r",),),
    "RNN": (("cell",),),
    "RNNCell": (("σ", "Wi", "Wh", "b"), ("σ", "Wi", "Wh", "b", "state0")),
    "Recur": (("cell", "state"), ("cell", "init", "state")),
    "Recurrence": (("cell",),),
    "Scale": (("scale", "bias", "σ"),),
    "SkipConnection": (("layers", "connection"),),
    "Upsample": (("scale", "size"),),
    "WeightNorm": (("layer", "g", "which", "dims"),),
}
"""The fields of each struct in Flux 0.6 to 0.16, once for each number of fields, by their latest names."""

_RENAMED = {"W": "weight", "α": "scale", "over": "layers", "h": "state0"}


def read_fields(struct: julia.Struct, kind: str) -> dict[str, Any]:
    """Return the fields of a struct by their latest names.

    A JLD2 file has the names, but omits fields without data, such as functions: these come from the type's parameters.
    A BSON file has no names: the number of fields tells which they are.

    Raises: FileFormatError if no version of Flux has a struct with so many fields
    """
    if struct.names is not None:
        fields = dict(zip(struct.names, struct.fields, strict=True))
        renamed = {_RENAMED.get(name, name): value for name, value in fields.items()}
        if kind == "BatchNorm" and "σ²" not in fields and "σ" in fields:  # Flux 0.6 kept a standard deviation
            renamed["σ²"] = compute_variance(unwrap_array(renamed.pop("σ"), "σ"), read_number(renamed.get("ϵ", 0), "ϵ"))
        if "β" in renamed and kind == "Diagonal":
            renamed["bias"] = renamed.pop("β")
        if "bias" in renamed and kind.endswith("Cell"):
            renamed["b"] = renamed.pop("bias")
        return _add_functions(struct, renamed)
    for names in GENERATIONS[kind]:
        if len(names) == len(struct.fields):
            return dict(zip(names, struct.fields, strict=True))
    known = " or ".join(str(len(names)) for names in GENERATIONS[kind])
    raise FileFormatError(f"a Flux.{kind} with {len(struct.fields)} fields; in Flux 0.6 to 0.16 it has {known}")


def _add_functions(struct: julia.Struct, fields: dict[str, Any]) -> dict[str, Any]:
    if "σ" not in fields:
        for parameter in struct.type.params:
            if isinstance(parameter, julia.TypeName) and parameter.name.startswith("#"):
                return {**fields, "σ": julia.Function(parameter)}
    return fields


def detect_standard_deviation(
    struct: julia.Struct, fields: Mapping[str, Any], versions: tuple[int, int]
) -> tuple[bool, bool]:
    """Return whether a BatchNorm has a moving standard deviation, as until Flux 0.6, and whether that is certain.

    Until 0.6 it had 8 fields, and so it has in some later versions, with a moving variance. `versions` are the first
    and the last minor version that can have written it. If they leave it open, the default epsilon decides: 1e-8 until
    0.6, 1e-5 since.
    """
    first, last = versions
    if struct.names is not None or len(struct.fields) != len(_NORM) + 1:  # with names, `read_fields` has converted it
        return False, True
    if first >= 7:
        return False, True
    if last <= 6:
        return True, True
    epsilon = read_number(fields["ϵ"], "ϵ")
    old, new = (math.isclose(epsilon, default, rel_tol=1e-5) for default in (1e-8, 1e-5))
    return old, new


def compute_variance(deviation: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the variance for which ``sqrt(variance + epsilon)`` is the given standard deviation."""
    return np.maximum(np.square(deviation) - epsilon, 0).astype(deviation.dtype)


def read_number(value: Any, what: str) -> Any:
    """Return a real number.

    Raises: FileFormatError
    """
    if isinstance(value, julia.Struct) and len(value.fields) >= 1:  # a TrackedReal of Tracker.jl
        return read_number(value.fields[0], what)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return float(str(value)) if isinstance(value, np.floating) else value
    raise FileFormatError(f"{what}: expected a number, got {julia.name_type(value)}")


def read_numbers(value: Any, what: str) -> tuple[int, ...]:
    """Return ints, one for each spatial axis, in NumPy's order: Julia's last axis first.

    Raises: FileFormatError
    """
    if isinstance(value, (int, np.integer)):
        return (int(value),)
    if isinstance(value, (tuple, list, np.ndarray)) and all(isinstance(n, (int, np.integer)) for n in value):
        return tuple([int(n) for n in value])[::-1]
    raise FileFormatError(f"{what}: expected ints, got {julia.name_type(value)}")
