"""Infer which version of Flux wrote a file from its structs: the number, names and types of their fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from luxport.porting import julia

__all__ = ["FIRST", "LAST", "describe_flux_generation", "find_flux_versions", "read_version", "find_versions_for"]

FIRST, LAST = 6, 16
"""The minor versions that can be distinguished: Flux 0.6 to 0.16."""

_COUNTS: Mapping[tuple[str, int], tuple[int, int]] = {
    ("BatchNorm", 7): (10, 10),
    ("BatchNorm", 8): (FIRST, 11),
    ("BatchNorm", 11): (12, LAST),
    ("Conv", 6): (FIRST, 12),
    ("Conv", 7): (12, LAST),
    ("ConvTranspose", 6): (8, 12),
    ("ConvTranspose", 7): (12, 14),
    ("ConvTranspose", 8): (14, LAST),
    ("Dropout", 3): (9, 12),
    ("Dropout", 4): (13, LAST),
    ("Embedding", 2): (16, LAST),
    ("GroupNorm", 8): (10, 10),
    ("GroupNorm", 9): (8, 11),
    ("GroupNorm", 12): (12, LAST),
    ("InstanceNorm", 7): (10, 10),
    ("InstanceNorm", 8): (8, 11),
    ("InstanceNorm", 11): (12, LAST),
    ("GRUCell", 3): (15, LAST),
    ("GRUv3Cell", 4): (15, LAST),
    ("LSTMCell", 3): (15, LAST),
    ("LSTMCell", 4): (12, 14),
    ("LSTMCell", 5): (FIRST, 11),
    ("LayerNorm", 1): (FIRST, 11),
    ("LayerNorm", 5): (12, LAST),
    ("RNNCell", 4): (15, LAST),
    ("RNNCell", 5): (FIRST, 14),
    ("Recur", 2): (12, 14),
    ("Recur", 3): (FIRST, 11),
}
"""The first and last minor version in which a struct has this number of fields.

Source: the structs' definitions at Flux.jl's tags v0.6.0 to v0.16.11
"""

_NAMES: Mapping[tuple[str, str], tuple[int, int]] = {
    ("BatchNorm", "track_stats"): (12, LAST),
    ("BatchNorm", "σ"): (FIRST, 6),
    ("BatchNorm", "σ²"): (7, LAST),
    ("Conv", "groups"): (12, LAST),
    ("ConvTranspose", "outpad"): (14, LAST),
    ("Dense", "W"): (FIRST, 11),
    ("Dense", "weight"): (12, LAST),
    ("Dropout", "rng"): (13, LAST),
    ("LSTMCell", "state0"): (12, 14),
    ("LayerNorm", "affine"): (12, LAST),
    ("Maxout", "over"): (8, 12),
    ("Recur", "init"): (FIRST, 11),
}
"""The versions in which a struct has a field of this name. A file with names may omit fields, so it is not counted."""

_KINDS: Mapping[str, tuple[int, int]] = {
    "AlphaDropout": (8, LAST),
    "Bilinear": (12, LAST),
    "CrossCor": (9, LAST),
    "DepthwiseConv": (7, 12),
    "Diagonal": (FIRST, 12),
    "Embedding": (12, LAST),
    "EmbeddingBag": (13, LAST),
    "GRU": (15, LAST),
    "GRUv3": (15, LAST),
    "LSTM": (15, LAST),
    "MultiHeadAttention": (13, LAST),
    "PairwiseFusion": (13, LAST),
    "Parallel": (12, LAST),
    "PixelShuffle": (12, LAST),
    "RNN": (15, LAST),
    "Recur": (FIRST, 14),
    "Recurrence": (16, LAST),
    "Scale": (13, LAST),
    "SkipConnection": (9, LAST),
    "Upsample": (12, LAST),
    "WeightNorm": (16, LAST),
}
"""The versions that have this struct, for structs that not all versions have."""


def find_flux_versions(values: Any) -> tuple[int, int, list[str]]:
    """Return the first and last minor version of Flux that can have written values, and the evidence.

    Without evidence, or if it is contradictory, these are 6 and 16: any version.
    """
    first, last, reasons = FIRST, LAST, []
    for reason, (low, high) in _yield_signs(values):
        if reason not in reasons:
            reasons.append(reason)
            first, last = max(first, low), min(last, high)
    return (first, last, reasons) if first <= last else (FIRST, LAST, reasons)


def find_versions_for(value: Any, values: Any) -> tuple[int, int]:
    """Return the first and last minor version of Flux that can have written one of the values of a file.

    The whole file is evidence. If it is contradictory, because it has models of two versions, only the value is used.
    """
    found = find_flux_versions(values)[:2]
    return found if found != (FIRST, LAST) else find_flux_versions(value)[:2]


def read_version(caller: str, flux: str) -> tuple[int, int]:
    """Parse a version of Flux such as '0.14' that a caller gave, as the pair of first and last minor version.

    Raises: ValueError if it is not one of the versions that can be distinguished
    """
    found = re.fullmatch(r"v?0\.([1-9][0-9]?)(\.[0-9]+)?", flux)
    if found is None or not FIRST <= int(found[1]) <= LAST:
        raise ValueError(f"{caller} expects a version of Flux as flux, '0.{FIRST}' to '0.{LAST}', got {flux!r}")
    return int(found[1]), int(found[1])


def describe_flux_generation(values: Any) -> tuple[str, list[str]]:
    """Return the versions of Flux that can have written values, and the evidence; ``""`` without any.

    >>> call = julia.TypeName(("Flux",), "Recur")
    >>> describe_flux_generation({"model": julia.Struct(call, [None, None])})
    ('Flux 0.12 to 0.14', ['Recur has 2 fields'])
    """
    first, last, reasons = find_flux_versions(values)
    if not reasons:
        return "", []
    if (first, last) == (FIRST, LAST):
        return "several versions of Flux, or changed structs", reasons
    return f"Flux 0.{first}" if first == last else f"Flux 0.{first} to 0.{last}", reasons


def _yield_signs(values: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each piece of evidence in a tree of values, with the first and last version that it allows."""
    for value in julia.yield_values(values):
        if not isinstance(value, julia.Struct) or not isinstance(value.type, julia.TypeName):
            continue
        name, module, fields = value.type.name, value.type.module, value.fields
        if module[:1] == ("Tracker",):
            yield "its arrays are of the package Tracker, which Flux had in 0.8 and 0.9", (8, 9)
        elif module[:2] == ("Flux", "Tracker") or (module[:1] == ("Flux",) and name.startswith("Tracked")):
            yield "its arrays are of Flux's own Tracker, which it had until 0.7", (FIRST, 7)
        if module[:1] != ("Flux",):
            continue
        if value.names is None and (name, len(fields)) in _COUNTS:
            yield f"{name} has {len(fields)} fields", _COUNTS[name, len(fields)]
        elif name in _KINDS:
            yield f"it has a {name}", _KINDS[name]
        for field in value.names or ():
            if (name, field) in _NAMES:
                yield f"{name} has a field {field}", _NAMES[name, field]
        if name == "BatchNorm" and value.names is None and len(fields) == 8 and fields[7] is None:
            yield "BatchNorm has an active field that is nothing", (10, 11)
        if name == "Dropout" and value.names is None and len(fields) == 2:
            yield ("Dropout has no axes", (FIRST, 8)) if isinstance(fields[1], bool) else ("Dropout has axes", (10, 10))
        if name == "Chain" and len(fields) == 1:
            if isinstance(fields[0], list) and not value.type.params:
                yield "Chain has no type parameters", (FIRST, 6)
            elif isinstance(fields[0], tuple):
                yield "Chain has its layers in a tuple", (7, LAST)
            elif isinstance(fields[0], julia.NamedTuple):
                yield "Chain has names for its layers", (12, LAST)
