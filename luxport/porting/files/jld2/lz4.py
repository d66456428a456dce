"""Decompress LZ4 without a library: blocks in the framing of HDF5's plugin, and the LZ4 frames of older JLD2."""

from __future__ import annotations

import struct

from luxport.porting.errors import FileFormatError

__all__ = ["decompress_lz4"]

_FRAME = b"\x04\x22\x4d\x18"


def decompress_lz4(data: memoryview, size: int, offset: int) -> memoryview:
    """Return the ``size`` bytes of a chunk that was compressed with LZ4.

    Raises: FileFormatError if the data are damaged
    """
    result = bytearray()
    try:
        if data[:4] == _FRAME:
            _read_frame(data, size, result)
        else:
            _decompress_plugin(data, size, result)
    except (struct.error, IndexError, ValueError):
        raise FileFormatError("data compressed with LZ4 are damaged", offset=offset) from None
    return memoryview(result)


def _decompress_plugin(data: memoryview, size: int, result: bytearray) -> None:
    total, block = struct.unpack_from(">QI", data)
    if total != size or block == 0:
        raise ValueError
    place = 12
    while len(result) < total:
        (stored,) = struct.unpack_from(">I", data, place)
        place += 4
        plain = min(block, total - len(result))
        if stored == plain:
            result += data[place : place + stored]
        else:
            _read_block(data[place : place + stored], result, len(result) + plain)
        if stored == 0:
            raise ValueError
        place += stored


def _read_frame(data: memoryview, size: int, result: bytearray) -> None:
    flags = data[4]
    place = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while True:
        (head,) = struct.unpack_from("<I", data, place)
        place += 4
        stored = head & 0x7FFFFFFF
        if stored == 0:
            return
        if place + stored > len(data):
            raise ValueError
        if head >> 31:
            result += data[place : place + stored]
        else:
            _read_block(data[place : place + stored], result, size)
        if len(result) > size:
            raise ValueError
        place += stored + (4 if flags & 16 else 0)


def _read_block(data: memoryview, result: bytearray, limit: int) -> None:
    """Append the bytes of a block to the result, up to ``limit`` bytes; matches may refer to earlier blocks."""
    place = 0
    while place < len(data):
        token = data[place]
        literal, place = _read_length(data, place + 1, token >> 4)
        if place + literal > len(data) or len(result) + literal > limit:
            raise ValueError
        result += data[place : place + literal]
        place += literal
        if place == len(data):
            return
        back = data[place] | data[place + 1] << 8
        match, place = _read_length(data, place + 2, token & 15)
        match += 4
        if not 0 < back <= len(result) or len(result) + match > limit:
            raise ValueError
        # A match may overlap the bytes that it produces: then they repeat.
        piece = bytes(result[len(result) - back : len(result) - back + match])
        result += (piece * (match // len(piece) + 1))[:match]


def _read_length(data: memoryview, place: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            more = data[place]
            place += 1
            length += more
            if more != 255:
                break
    return length, place
