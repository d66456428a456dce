"""Read the indexes of chunked arrays, which give the place of each chunk in the file."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.superblock import UNDEFINED_ADDRESS, Hdf5

__all__ = ["Chunk", "read_chunks_of_btree", "read_chunks_of_fixed_array"]


class Chunk(NamedTuple):
    """A chunk: the index of its first element, the offset and number of its bytes, and a mask of skipped filters."""

    index: tuple[int, ...]
    offset: int
    size: int
    skipped: int


def read_chunks_of_btree(file: Hdf5, address: int, rank: int) -> list[Chunk]:
    """Return the chunks of a B-tree of version 1, the index that layouts of version 3 use.

    Raises: FileFormatError if the tree is damaged, or does not index chunks
    """
    source = file.source
    chunks: list[Chunk] = []
    pending = [(address, -1)]
    seen: set[int] = set()
    while pending:
        address, level = pending.pop()
        start = file.find_offset(address)
        if address in seen or source.view(start, 4, "an index of chunks") != b"TREE":
            raise FileFormatError("an index of chunks is damaged", offset=start)
        seen.add(address)
        kind, own_level, entries = source.unpack("BBH", start + 4, "an index of chunks")
        if kind != 1 or (level >= 0 and own_level != level - 1):
            raise FileFormatError("an index of chunks is damaged", offset=start)
        place = start + 24
        for _ in range(entries):
            size, skipped, *index = source.unpack(f"II{rank + 1}Q", place, "an index of chunks")
            place += 8 + 8 * (rank + 1)
            (child,) = source.unpack("Q", place, "an index of chunks")
            place += 8
            if own_level:
                pending.append((child, own_level))
            else:
                chunks.append(Chunk(tuple(index[:-1]), file.find_offset(child), size, skipped))
    return chunks


def read_chunks_of_fixed_array(
    file: Hdf5, address: int, shape: tuple[int, ...], chunk_shape: tuple[int, ...], filtered: bool, chunk_size: int
) -> list[Chunk]:
    """Return the chunks of a fixed array, an index that layouts of version 4 use.

    Raises: FileFormatError if it is damaged, or has so many chunks that it is divided into pages
    """
    source, start = file.source, file.find_offset(address)
    if source.view(start, 4, "an index of chunks") != b"FAHD":
        raise FileFormatError("an index of chunks is damaged", offset=start)
    _, client, entry_size, page_bits, count, block = source.unpack("BBBBQQ", start + 4, "an index of chunks")
    file.check_checksum(start, start + 24, "an index of chunks")
    grid = tuple(-(-n // c) for n, c in zip(shape, chunk_shape, strict=True)) if all(chunk_shape) else ()
    if count != math.prod(grid) or client != int(filtered) or count > 1 << page_bits or block == UNDEFINED_ADDRESS:
        raise FileFormatError("an index of chunks has an unsupported form, or is damaged", offset=start)
    width = entry_size - 12 if filtered else 0
    if not 8 <= entry_size <= 20 or (filtered and not 1 <= width <= 8):
        raise FileFormatError("an index of chunks is damaged", offset=start)
    begin = file.find_offset(block)
    entries = source.view(begin, 14 + count * entry_size, "an index of chunks")
    if entries[:4] != b"FADB":
        raise FileFormatError("an index of chunks is damaged", offset=begin)
    chunks = []
    for number in range(count):
        place = begin + 14 + number * entry_size
        (target,) = source.unpack("Q", place, "an index of chunks")
        size, skipped = chunk_size, 0
        if filtered:
            size = source.read_unsigned(place + 8, width)
            (skipped,) = source.unpack("I", place + 8 + width)
        index = tuple(int(i) * c for i, c in zip(np.unravel_index(number, grid), chunk_shape, strict=True))
        chunks.append(Chunk(index, file.find_offset(target), size, skipped))
    return chunks
