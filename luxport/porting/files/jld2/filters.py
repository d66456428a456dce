"""Undo the filters that were applied to a chunk when it was written: shuffling, compression, checksums."""

from __future__ import annotations

import bz2
import zlib

import numpy as np

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.headers import Filter
from luxport.porting.files.jld2.lz4 import decompress_lz4
from luxport.porting.files.jld2.zstd import decompress_zstd
from luxport.porting.files.source import Source

__all__ = ["undo_filters"]

_KNOWN = {4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "LZF", 32001: "Blosc"}


def undo_filters(
    data: memoryview, filters: list[Filter], size: int, element_size: int, offset: int, source: Source
) -> memoryview:
    """Return the ``size`` bytes that a chunk had before the filters were applied.

    Raises: FileFormatError if a filter is not supported, or the data are damaged
    """
    for used in reversed(filters):
        match used.number:
            case 1:
                data = _inflate(zlib.decompressobj(), data, size, offset)
            case 2:
                data = _unshuffle(data, used.values[0] if used.values else element_size, offset)
            case 3:
                # The last four bytes are a checksum, which is not compared.
                data = data[: max(len(data) - 4, 0)]
            case 307:
                data = _inflate(bz2.BZ2Decompressor(), data, size, offset)
            case 32004:
                data = decompress_lz4(data, size, offset)
            case 32015:
                data = decompress_zstd(data, size, offset, source.charge_steps)
            case number:
                name = _KNOWN.get(number) or used.name or f"number {number}"
                raise FileFormatError(
                    f"an array is compressed with {name}, which luxport does not read; in Julia, save it uncompressed",
                    offset=offset,
                )
    if len(data) != size:
        raise FileFormatError(f"a chunk has {len(data)} bytes but should have {size}", offset=offset)
    return data


def _inflate(codec: zlib._Decompress | bz2.BZ2Decompressor, data: memoryview, size: int, offset: int) -> memoryview:
    # A checksum of 4 bytes may follow the data; 1 more byte shows that the data are longer than they should be.
    try:
        plain = codec.decompress(data, size + 5)
    except (zlib.error, OSError, ValueError, EOFError) as error:
        raise FileFormatError(f"compressed data are damaged ({error})", offset=offset) from None
    return memoryview(plain)


def _unshuffle(data: memoryview, width: int, offset: int) -> memoryview:
    if width < 1 or len(data) % width:
        raise FileFormatError(f"{len(data)} shuffled bytes do not divide into elements of {width} bytes", offset=offset)
    planes = np.frombuffer(data, np.uint8).reshape(width, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).data
