"""Write safetensors files: the length of a header, the header in JSON, and the bytes of the arrays.

The safetensors library is not used: its writer leaves a temporary file behind when the process is killed, gives the
file a mode that only its owner can read, and cannot write to a pipe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

__all__ = ["write_safetensors"]

DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
}
"""The format's name of each dtype."""


def write_safetensors(file: BinaryIO, arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write arrays, which are in C order and little-endian, and have dtypes that the format has.

    Source: the format's description in the documentation of safetensors
    """
    # The widest dtypes first, so that each array begins at a multiple of its item size.
    ordered = sorted(arrays.items(), key=lambda entry: (-entry[1].dtype.itemsize, entry[0]))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    place = 0
    for name, array in ordered:
        end = place + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, array in ordered:
        if array.size:
            file.write(array.reshape(-1).view(np.uint8).data)
