"""Read groups and numeric arrays of HDF5 files without the HDF5 library, so that files need not be trusted.

With the library, a file can make the program read any other file of the machine (by external storage, external links
or virtual datasets), load a plugin for a filter, or allocate memory for data that were never written. Here, soft links,
references, texts and unknown filters are refused with their place in the file, and no array is larger than the size of
the file allows.

Source: the HDF5 file format specification, version 3.0 (superblocks 0 to 3, object headers 1 and 2)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from luxport.porting.errors import FileFormatError
from luxport.porting.files.detect import find_hdf5_offset
from luxport.porting.files.jld2.datatypes import Number
from luxport.porting.files.jld2.headers import Header, read_header, read_message
from luxport.porting.files.jld2.storage import read_raw_data
from luxport.porting.files.jld2.superblock import Hdf5, check_extent, read_superblock
from luxport.porting.files.source import Source
from luxport.porting.petab.dense_links import yield_dense_links

__all__ = ["ArrayFile"]

_MOST_PIECES = 4096
_MOST_LINKS = 100_000


class ArrayFile:
    """Reads groups and arrays of a file by the addresses of their headers; each header is read once.

    Raises: FileFormatError if the bytes are no HDF5 file
    """

    def __init__(self, data: bytes) -> None:
        source = Source(data)
        offset = find_hdf5_offset(source)
        if offset is None:
            raise FileFormatError("not an HDF5 file: its signature is missing", offset=0)
        (version,) = source.unpack("B", offset + 8, "the superblock")
        self._file = (
            _read_old_superblock(source, offset, version) if version in (0, 1) else read_superblock(source, offset)
        )
        self._headers: dict[int, Header] = {}

    @property
    def root(self) -> int:
        """The address of the root group."""
        return self._file.root

    def read_group(self, address: int) -> dict[str, int]:
        """Return the addresses of the entries of a group by name; {} for an array.

        Raises: FileFormatError if it is neither a group nor an array, or has soft or external links
        """
        header = self._read_header(address)
        return header.links if header.is_group else {}

    def read_array(self, address: int) -> np.ndarray:
        """Return the numbers of a dataset as a new array.

        Raises: FileFormatError if its entries are not numbers, or are not in the file
        """
        header, source = self._read_header(address), self._file.source
        if header.is_group or not isinstance(header.datatype, Number) or header.datatype.dtype is None:
            raise FileFormatError("expected an array of numbers of at most 64 bits", offset=header.offset)
        space, dtype = header.dataspace, header.datatype.dtype
        if space is None or space.kind == "null":
            raise FileFormatError("an array without a shape", offset=header.offset)
        data, _ = read_raw_data(self._file, header, space.shape, dtype.itemsize)
        # Charged for each array, since a file can have the same numbers under any number of names.
        source.charge_expansion(len(data), header.offset)
        return np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(space.shape)

    def read_arrays(self, address: int) -> dict[str, np.ndarray]:
        """Return the arrays of a group by name."""
        return {name: self.read_array(target) for name, target in self.read_group(address).items()}

    def _read_header(self, address: int) -> Header:
        if address not in self._headers:
            file = self._file
            offset = file.find_offset(address)
            is_old = file.source.view(offset, 1, "an object") == b"\1"
            header = _read_old_header(file, address, offset) if is_old else read_header(file, address, attributes=False)
            if header.dense:
                header.links.update(yield_dense_links(file, *header.dense))
            self._headers[address] = header
        return self._headers[address]


def _read_old_superblock(source: Source, offset: int, version: int) -> Hdf5:
    """Read a superblock of version 0 or 1, which h5py writes by default."""
    if source.unpack("BB", offset + 13, "the superblock") != (8, 8):
        raise FileFormatError("expected addresses and lengths of 8 bytes", offset=offset)
    place = offset + 24 + 4 * version
    base, _, end, _, _, root = source.unpack("QQQQQQ", place, "the superblock")
    check_extent(source, offset, base, end)
    return Hdf5(source, base, root, "")


def _read_old_header(file: Hdf5, address: int, offset: int) -> Header:
    """Read an object header of version 1."""
    header = Header(address, offset)
    for kind, flags, start, end in _read_old_messages(file, offset):
        if kind == 0x11:
            header.is_group = True
            tree, heap = file.source.unpack("QQ", start, "a group")
            for name, target in _read_old_links(file, tree, heap):
                header.links[name] = target
        elif kind != 0x0C:
            read_message(header, file.source, kind, flags, start, end)
    return header


def _read_old_messages(file: Hdf5, offset: int) -> Iterator[tuple[int, int, int, int]]:
    source = file.source
    _, _, size = source.unpack("HIQ", offset + 2, "an object")
    size &= 0xFFFFFFFF  # the size has four bytes, followed by four bytes of padding
    pieces = [(offset + 16, offset + 16 + size)]
    done = 0
    while done < len(pieces):
        place, end = pieces[done]
        done += 1
        while place + 8 <= end:
            kind, size, flags = source.unpack("HHB", place, "a message")
            place += 8
            if place + size > end:
                raise FileFormatError("a message runs over the end of its object header", offset=place)
            if kind == 0x10:
                address, length = source.unpack("QQ", place, "a continuation")
                begin = file.find_offset(address)
                if len(pieces) >= _MOST_PIECES or any(begin == piece[0] for piece in pieces):
                    raise FileFormatError("the continuations of an object header form a cycle", offset=begin)
                pieces.append((begin, begin + length))
            elif kind:
                yield kind, flags, place, place + size
            place += size


def _read_old_links(file: Hdf5, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """Yield names and addresses of a group's entries in HDF5's old form: a B-tree of tables, and a heap of names."""
    source = file.source
    start = file.find_offset(heap)
    if source.view(start, 4, "a heap of names") != b"HEAP":
        raise FileFormatError("a heap of names is damaged", offset=start)
    size, _, address = source.unpack("QQQ", start + 8, "a heap of names")
    names_at = file.find_offset(address)
    if names_at + size > source.size:
        raise FileFormatError("a heap of names runs over the end of the file", offset=start)
    pending, seen, count = [tree], set(), 0
    while pending:
        node = pending.pop()
        start = file.find_offset(node)
        if node in seen:
            raise FileFormatError("the tree of a group has a cycle", offset=start)
        seen.add(node)
        signature = bytes(source.view(start, 4, "a group's tree"))
        if signature == b"TREE":
            kind, _, entries = source.unpack("BBH", start + 4, "a group's tree")
            if kind != 0:
                raise FileFormatError("the tree of a group is a tree of chunks", offset=start)
            pending += [source.unpack("Q", start + 32 + 16 * i, "a group's tree")[0] for i in range(entries)][::-1]
            continue
        if signature != b"SNOD":
            raise FileFormatError("the tree of a group is damaged", offset=start)
        (entries,) = source.unpack("H", start + 6, "a table of names")
        for i in range(entries):
            place = start + 8 + 40 * i
            name_at, target, cache = source.unpack("QQI", place, "a table of names")
            name = _read_name(source, names_at, size, name_at)
            if cache == 2:
                raise FileFormatError(f"{name!r} is a soft link, which is not followed", offset=place)
            count += 1
            if count > _MOST_LINKS:
                raise FileFormatError(f"a group has more than {_MOST_LINKS} entries", offset=start)
            yield name, target


def _read_name(source: Source, begin: int, size: int, at: int) -> str:
    if at >= size:
        raise FileFormatError("a name is outside its heap", offset=begin)
    found, end, _ = bytes(source.view(begin + at, min(size - at, 1024), "a name")).partition(b"\0")
    try:
        if end:
            return found.decode()
    except UnicodeDecodeError:
        pass
    raise FileFormatError("a name has no end, or is no UTF-8", offset=begin + at)
