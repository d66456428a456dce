"""Writing a safetensors file, array by array.

The library's own writer puts a file of its own name beside the target, private to its owner, which stays there when
the process is killed; and it cannot write to a pipe. The format is a length, a header in JSON, and the bytes.
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
"""What the format calls a dtype."""


def write_safetensors(file: BinaryIO, arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write arrays, in C order and little-endian, of dtypes that the format has.

    Source: the format's description in the documentation of safetensors
    """
    # The widest first, so that each begins at a multiple of its own size.
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
