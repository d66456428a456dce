"""Read the links of large groups in HDF5's new form: they are in a fractal heap, indexed by a B-tree of version 2.

Source: the HDF5 file format specification, version 3.0, III.A.2 and III.G
"""

from __future__ import annotations

from collections.abc import Iterator

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.headers import read_link
from luxport.porting.files.jld2.superblock import UNDEFINED_ADDRESS, Hdf5

__all__ = ["yield_dense_links"]

_RECORD = 11
"""The size of a record in bytes: the hash of a name, and the kind, offset and length of its link in the heap."""


def yield_dense_links(file: Hdf5, heap: int, tree: int) -> Iterator[tuple[str, int]]:
    """Yield names and addresses of the links of a group, whose heap and tree of names are at these addresses.

    Raises: FileFormatError if they are damaged, or have a depth that only groups of many thousand links need
    """
    source, blocks = file.source, _list_blocks(file, heap)
    for place in _yield_records(file, tree):
        kind, offset, length = source.unpack("BIH", place + 4, "a name's place")
        begin = next((at + offset - first for first, size, at in blocks if 0 <= offset - first < size), None)
        if kind != 0 or begin is None:
            raise FileFormatError("a link is not in its heap", offset=place)
        source.view(begin, length, "a link")
        yield read_link(source, begin, begin + length)


def _list_blocks(file: Hdf5, heap: int) -> list[tuple[int, int, int]]:
    """Return the blocks of a heap: the offset of each in the heap, its size, and its offset in the file."""
    source, start = file.source, file.find_offset(heap)
    if source.view(start, 4, "a heap of links") != b"FRHP":
        raise FileFormatError("a heap of links is damaged", offset=start)
    id_size, filters = source.unpack("HH", start + 5, "a heap of links")
    width, first_size, largest, bits, _, root, rows = source.unpack("HQQHHQH", start + 110, "a heap of links")
    if (id_size, filters, bits) != (7, 0, 32) or not 0 < width <= 64 or not 0 < first_size <= largest <= 1 << 24:
        raise FileFormatError("a heap of links has an unsupported form", offset=start)
    begin = file.find_offset(root)
    if rows == 0:
        return [(0, first_size, begin)]
    if source.view(begin, 4, "a heap of links") != b"FHIB" or first_size << max(rows - 2, 0) > largest:
        raise FileFormatError("a heap of links is damaged, or too large", offset=begin)
    blocks, reached = [], 0
    for number in range(rows * width):
        size = first_size << max(number // width - 1, 0)
        (address,) = source.unpack("Q", begin + 17 + 8 * number, "a heap of links")
        if address != UNDEFINED_ADDRESS:
            blocks.append((reached, size, file.find_offset(address)))
        reached += size
    return blocks


def _yield_records(file: Hdf5, tree: int) -> Iterator[int]:
    """Yield the offsets of the records of a tree."""
    source, start = file.source, file.find_offset(tree)
    if source.view(start, 4, "a tree of names") != b"BTHD":
        raise FileFormatError("a tree of names is damaged", offset=start)
    _, kind, node_size, record, depth = source.unpack("BBIHH", start + 4, "a tree of names")
    root, count = source.unpack("QH", start + 16, "a tree of names")
    if kind != 5 or record != _RECORD or depth > 1 or node_size > 4096:
        raise FileFormatError("a tree of names has an unsupported form", offset=start)
    if root == UNDEFINED_ADDRESS:
        return
    if depth == 0:
        yield from _read_node(file, root, b"BTLF", count)
        return
    yield from _read_node(file, root, b"BTIN", count)
    pointers = file.find_offset(root) + 6 + count * _RECORD
    for number in range(count + 1):
        address, inside = source.unpack("QB", pointers + 9 * number, "a tree of names")
        yield from _read_node(file, address, b"BTLF", inside)


def _read_node(file: Hdf5, address: int, signature: bytes, count: int) -> Iterator[int]:
    start = file.find_offset(address)
    if file.source.view(start, 4, "a tree of names") != signature:
        raise FileFormatError("a tree of names is damaged", offset=start)
    yield from (start + 6 + number * _RECORD for number in range(count))
