"""Read safetensors files without the safetensors library: a JSON header, then the bytes of the arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from luxport.porting.errors import FileFormatError

__all__ = ["read_safetensors"]

_DTYPES: Mapping[str, str] = {
    "BOOL": "?",
    "C64": "<c8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    **{f"I{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)},
    **{f"U{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
}
_ML_DTYPES: Mapping[str, str] = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}
"""Dtypes that NumPy has only with the package ml_dtypes, which JAX and TensorFlow install."""

_LONGEST_HEADER = 100 << 20
_MOST_AXES = 32


def read_safetensors(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return copies of the arrays by name, and the metadata of a file, texts by name.

    Raises: FileFormatError if the bytes are no safetensors file, or have an unsupported dtype; ModuleNotFoundError
            for a dtype that needs the package ml_dtypes
    """
    header, begin = _read_header(data)
    described = header.pop("__metadata__", None) or {}
    if not isinstance(described, dict) or not all(isinstance(text, str) for text in described.values()):
        raise FileFormatError("its metadata are not texts by name")
    arrays, parts = {}, []
    for name, entry in header.items():
        arrays[name], start, end = _read_array(name, entry, memoryview(data)[begin:])
        parts.append((start, end))
    # The arrays must cover the rest of the file, without gaps and without overlaps.
    reached = 0
    for start, end in sorted(parts):
        if start != reached:
            raise FileFormatError(f"the bytes of the arrays overlap or have a gap at {start}", offset=begin + start)
        reached = end
    if begin + reached != len(data):
        raise FileFormatError(f"the arrays have {reached} bytes, the file has {len(data) - begin}", offset=begin)
    return arrays, described


def _read_header(data: bytes) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, _LONGEST_HEADER):
        raise FileFormatError(f"a header of {size} bytes in a file of {len(data)}: truncated, or no safetensors file")
    try:
        header = json.loads(data[8 : 8 + size].decode(), object_pairs_hook=_refuse_repeated_names)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"its header is no JSON ({error})", offset=8) from error
    if not isinstance(header, dict):
        raise FileFormatError("its header is not a JSON object", offset=8)
    return header, 8 + size


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FileFormatError("its header has a name twice", offset=8)
    return found


def _read_array(name: str, entry: Any, data: memoryview) -> tuple[np.ndarray, int, int]:
    """Return an array, and where its bytes begin and end."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise FileFormatError(f"{name} lacks a dtype, a shape or data_offsets")
    shape, places = entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(places) or len(places) != 2 or len(shape) > _MOST_AXES:
        raise FileFormatError(f"{name} has a shape or data_offsets that are not lists of sizes")
    start, end = places
    dtype = _read_dtype(name, entry["dtype"])
    if end > len(data) or start > end or math.prod(shape) * dtype.itemsize != end - start:
        raise FileFormatError(
            f"{name} of shape {tuple(shape)} and dtype {dtype} has bytes {start} to {end} of {len(data)}"
        )
    if entry["dtype"] == "BOOL" and any(byte > 1 for byte in set(bytes(data[start:end]))):
        raise FileFormatError(f"{name} has truth values other than 0 and 1")
    return np.frombuffer(data[start:end], dtype).reshape(shape).copy(), start, end


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 62 for n in value)


def _read_dtype(name: str, written: Any) -> np.dtype[Any]:
    if isinstance(written, str) and written in _DTYPES:
        return np.dtype(_DTYPES[written])
    if not isinstance(written, str) or written not in _ML_DTYPES:
        raise FileFormatError(f"{name} has the dtype {written!r:.40}, which is not read")
    try:
        import ml_dtypes
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{name} has the dtype {written}, for which NumPy needs ml_dtypes: pip install ml_dtypes",
            name="ml_dtypes",
        ) from None
    found = getattr(ml_dtypes, _ML_DTYPES[written], None)
    if found is None:
        raise FileFormatError(f"{name} has the dtype {written}, which this version of ml_dtypes lacks: update it")
    return np.dtype(found)
