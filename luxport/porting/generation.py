"""Which Flux wrote a model: what its structs have says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luxport.porting import julia

__all__ = ["flux_generation"]

_FIRST, _LAST = 6, 16  # Flux 0.6 to 0.16

_COUNTS: Mapping[tuple[str, int], tuple[int, int]] = {
    ("BatchNorm", 7): (10, 10),
    ("BatchNorm", 8): (_FIRST, 11),
    ("BatchNorm", 11): (12, _LAST),
    ("Conv", 6): (_FIRST, 12),
    ("Conv", 7): (12, _LAST),
    ("ConvTranspose", 6): (8, 12),
    ("ConvTranspose", 7): (12, 14),
    ("ConvTranspose", 8): (14, _LAST),
    ("Dropout", 2): (_FIRST, 10),
    ("Dropout", 3): (9, 12),
    ("Dropout", 4): (12, _LAST),
    ("Embedding", 2): (16, _LAST),
    ("LSTMCell", 3): (15, _LAST),
    ("LSTMCell", 4): (12, 14),
    ("LSTMCell", 5): (_FIRST, 11),
    ("LayerNorm", 1): (_FIRST, 11),
    ("LayerNorm", 5): (12, _LAST),
    ("Recur", 2): (12, 14),
    ("Recur", 3): (_FIRST, 11),
}
"""The minor versions, first and last, in which a struct has so many fields.

Source: the structs' definitions at Flux.jl's tags v0.6.10 to v0.15.0
"""

_NAMES: Mapping[tuple[str, str], tuple[int, int]] = {
    ("BatchNorm", "track_stats"): (12, _LAST),
    ("Conv", "groups"): (12, _LAST),
    ("ConvTranspose", "outpad"): (14, _LAST),
    ("Dense", "W"): (_FIRST, 11),
    ("Dense", "weight"): (12, _LAST),
    ("Dropout", "rng"): (12, _LAST),
    ("LSTMCell", "state0"): (12, 14),
    ("LayerNorm", "affine"): (12, _LAST),
    ("Recur", "init"): (_FIRST, 11),
}
"""Likewise for a field of that name, where the file has names: it may leave some out, so their number says nothing."""


def flux_generation(values: Any) -> tuple[str, list[str]]:
    """Return the versions of Flux that can have written values, and what says so; ``""`` if nothing does.

    >>> call = julia.TypeName(("Flux",), "Recur")
    >>> flux_generation({"model": julia.Struct(call, [None, None])})
    ('Flux 0.12 to 0.14', ['Recur has 2 fields'])
    """
    first, last, reasons = _FIRST, _LAST, []
    for reason, (low, high) in _signs(values):
        if reason not in reasons:
            reasons.append(reason)
            first, last = max(first, low), min(last, high)
    if not reasons:
        return "", []
    if first > last:
        return "several versions of Flux, or changed structs", reasons
    return f"Flux 0.{first}" if first == last else f"Flux 0.{first} to 0.{last}", reasons


def _signs(values: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    for _, value in julia.walk(values):
        if not isinstance(value, julia.Struct) or not isinstance(value.type, julia.TypeName):
            continue
        name, module = value.type.name, value.type.module
        if module[:1] == ("Tracker",) or (module[:1] == ("Flux",) and name.startswith("Tracked")):
            yield "its arrays are Tracker's, which Flux had until 0.9", (_FIRST, 9)
        if module[:1] != ("Flux",):
            continue
        if value.names is None and (name, len(value.fields)) in _COUNTS:
            yield f"{name} has {len(value.fields)} fields", _COUNTS[name, len(value.fields)]
        for field in value.names or ():
            if (name, field) in _NAMES:
                yield f"{name} has a field {field}", _NAMES[name, field]
