"""Read the bytes of a dataset, which are in its header, in one piece, or in chunks that filters may have compressed."""

from __future__ import annotations

import math

import numpy as np

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.chunks import Chunk, read_chunks_of_btree, read_chunks_of_fixed_array
from luxport.porting.files.jld2.filters import undo_filters
from luxport.porting.files.jld2.headers import Filter, Header
from luxport.porting.files.jld2.superblock import UNDEFINED_ADDRESS, Hdf5

__all__ = ["read_raw_data"]

_INDEXES = {4: "extensible array", 5: "B-tree of version 2"}


def read_raw_data(file: Hdf5, header: Header, shape: tuple[int, ...], element_size: int) -> tuple[memoryview, int]:
    """Return the bytes of a dataset in C order, and their offset in the file (for error messages).

    Their number is that of an array of the shape. Data that are not in chunks are a view of the file.

    Raises: FileFormatError if they are missing, or have another size
    """
    if header.layout is None:
        raise FileFormatError("a dataset has no data", offset=header.offset)
    start, end = header.layout
    source = file.source
    version, kind = source.unpack("BB", start, "a layout")
    expected = math.prod(shape) * element_size
    if version not in (3, 4):
        raise FileFormatError(f"a layout of version {version}, which JLD2 never writes", offset=start)
    if header.filters and kind != 2:
        raise FileFormatError("filtered data that are not in chunks", offset=start)
    if kind == 0:
        (size,) = source.unpack("H", start + 2, "a layout")
        if start + 4 + size > end:
            raise FileFormatError("data in an object header run over its end", offset=start)
        place = start + 4
    elif kind == 1:
        address, size = source.unpack("QQ", start + 2, "a layout")
        if address == UNDEFINED_ADDRESS:
            if expected:
                raise FileFormatError("the data of an array were never written", offset=start)
            return memoryview(b""), start
        place = file.find_offset(address)
    elif kind == 2:
        return _read_chunks(file, header, shape, element_size, version)
    else:
        raise FileFormatError(f"a layout of class {kind}, which JLD2 never writes", offset=start)
    if size != expected:
        raise FileFormatError(f"an array of shape {shape} should have {expected} bytes, got {size}", offset=start)
    return source.view(place, size, "an array"), place


def _read_chunks(
    file: Hdf5, header: Header, shape: tuple[int, ...], element_size: int, version: int
) -> tuple[memoryview, int]:
    assert header.layout is not None
    start, end = header.layout
    total = math.prod(shape) * element_size
    chunk_shape, chunks = _read_chunk_index(file, start, end, shape, bool(header.filters), element_size, version)
    # Charged twice, since a chunk is in memory a second time while it is decompressed.
    file.source.charge_expansion(2 * total, start)
    if len(chunks) == 1 and chunk_shape == shape:
        return _read_chunk(file, chunks[0], header.filters, total, element_size), chunks[0].offset
    chunk_size = math.prod(chunk_shape) * element_size
    expected = math.prod(-(-n // c) for n, c in zip(shape, chunk_shape, strict=True))
    if len(chunks) != expected:
        raise FileFormatError(f"an array of {expected} chunks has {len(chunks)} in the file", offset=start)
    result = np.zeros((*shape, element_size), np.uint8)
    filled: set[tuple[int, ...]] = set()
    file.source.charge_expansion(chunk_size * len(chunks), start)
    for chunk in chunks:
        at = chunk.index
        outside = any(i >= n or i % c for i, n, c in zip(at, shape, chunk_shape, strict=True))
        if outside or at in filled:
            raise FileFormatError(
                f"a chunk at {at} of an array of shape {shape} in chunks {chunk_shape} has no place there",
                offset=chunk.offset,
            )
        filled.add(at)
        data = _read_chunk(file, chunk, header.filters, chunk_size, element_size)
        part = np.frombuffer(data, np.uint8).reshape(*chunk_shape, element_size)
        inside = tuple(slice(0, min(c, n - i)) for i, n, c in zip(at, shape, chunk_shape, strict=True))
        result[tuple(slice(i, i + s.stop) for i, s in zip(at, inside, strict=True))] = part[inside]
    result.flags.writeable = False
    return result.reshape(-1).data if total else memoryview(b""), start


def _read_chunk(file: Hdf5, chunk: Chunk, filters: list[Filter], size: int, element_size: int) -> memoryview:
    stored = chunk.size if filters else size
    if filters and chunk.skipped >> len(filters):
        raise FileFormatError("a chunk skips filters that do not exist", offset=chunk.offset)
    data = file.source.view(chunk.offset, stored, "a chunk")
    used = [f for i, f in enumerate(filters) if not chunk.skipped >> i & 1]
    return undo_filters(data, used, size, element_size, chunk.offset, file.source)


def _read_chunk_index(
    file: Hdf5, start: int, end: int, shape: tuple[int, ...], filtered: bool, element_size: int, version: int
) -> tuple[tuple[int, ...], list[Chunk]]:
    """Return the shape of the chunks, and the chunks with their places."""
    source = file.source
    if version == 3:
        rank, address = source.unpack("BQ", start + 2, "a layout")
        dims = source.unpack(f"{rank}I", start + 11, "a layout")
        chunk_shape = _check_chunk_shape(dims, element_size, shape, start)
        return chunk_shape, [] if address == UNDEFINED_ADDRESS else read_chunks_of_btree(file, address, len(shape))
    flags, rank, width = source.unpack("BBB", start + 2, "a layout")
    if not 1 <= width <= 8 or rank > 33 or start + 5 + rank * width + 1 > end:
        raise FileFormatError("a layout in chunks runs over its end", offset=start)
    dims = tuple(source.read_unsigned(start + 5 + i * width, width, "a layout") for i in range(rank))
    chunk_shape = _check_chunk_shape(dims, element_size, shape, start)
    place = start + 5 + rank * width
    kind = source.read_unsigned(place, 1, "a layout")
    place += 1
    size = math.prod(chunk_shape) * element_size
    if kind == 1:
        skipped = 0
        if flags & 2:
            size, skipped = source.unpack("QI", place, "a layout")
            place += 12
        elif filtered:
            raise FileFormatError("a filtered chunk without its size", offset=start)
        (address,) = source.unpack("Q", place, "a layout")
        return chunk_shape, [Chunk((0,) * len(chunk_shape), file.find_offset(address), size, skipped)]
    if kind == 3:
        (address,) = source.unpack("Q", place + 1, "a layout")
        return chunk_shape, read_chunks_of_fixed_array(file, address, shape, chunk_shape, filtered, size)
    raise FileFormatError(
        f"chunks in an {_INDEXES.get(kind, f'index of kind {kind}')}, which JLD2 never writes", offset=start
    )


def _check_chunk_shape(
    dims: tuple[int, ...], element_size: int, shape: tuple[int, ...], offset: int
) -> tuple[int, ...]:
    """Return the shape of the chunks of an array; `dims` is that shape, then the size of an element.

    Raises: FileFormatError if it does not fit the array
    """
    if len(dims) != len(shape) + 1 or dims[-1] != element_size or not all(dims) or math.prod(dims) >= 2**62:
        raise FileFormatError(
            f"chunks {dims} of an array of shape {shape} with elements of {element_size} bytes", offset=offset
        )
    return dims[:-1]
