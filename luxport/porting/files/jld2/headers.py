"""Read HDF5's object headers, whose messages describe an object and give the place of its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.datatypes import Datatype, Shared, parse_datatype
from luxport.porting.files.jld2.superblock import UNDEFINED_ADDRESS, Hdf5
from luxport.porting.files.source import Source

__all__ = ["Attribute", "Dataspace", "Filter", "Header", "read_header", "read_link", "read_message"]

_SIGNATURE = b"OHDR"
_CONTINUATION = b"OCHK"
_MOST_PIECES = 4096


@dataclass(frozen=True)
class Dataspace:
    """The extent of a dataset: ``kind`` is "scalar", "simple" (an array) or "null"; ``shape`` is in C order."""

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Attribute:
    """A small named value of an object; its data begin at ``offset``."""

    name: str
    datatype: Datatype
    dataspace: Dataspace
    offset: int
    end: int


@dataclass(frozen=True)
class Filter:
    """One of the filters that were applied to the data of a chunk when they were written."""

    number: int
    name: str
    values: tuple[int, ...]


@dataclass
class Header:
    """The content of the messages of one object."""

    address: int
    offset: int
    dataspace: Dataspace | None = None
    datatype: Datatype | None = None
    # Where the message about the layout begins and ends.
    layout: tuple[int, int] | None = None
    filters: list[Filter] = field(default_factory=list)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    is_group: bool = False
    # The addresses of the links of a large group: a heap, and a tree of their names.
    dense: tuple[int, int] | None = None


def read_header(file: Hdf5, address: int, *, attributes: bool = True) -> Header:
    """Read all messages of the object at an address, or all but its attributes.

    Raises: FileFormatError if there is no object, or it is damaged, or has a form that JLD2 never writes
    """
    offset = file.find_offset(address)
    header = Header(address, offset)
    for kind, flags, start, end in _yield_messages(file, offset):
        if kind != 0x0C or attributes:
            read_message(header, file.source, kind, flags, start, end)
    if header.dense and attributes:
        raise FileFormatError("a group whose links are in a heap, which JLD2 never writes", offset=offset)
    return header


def read_message(header: Header, source: Source, kind: int, flags: int, start: int, end: int) -> None:
    """Read one message into the header of its object.

    Raises: FileFormatError if it is damaged, or has a form that JLD2 never writes
    """
    match kind:
        case 0x01:
            header.dataspace = _parse_dataspace(source, start, end)
        case 0x02:
            header.is_group = True
            header.dense = _read_link_info(source, start)
        case 0x03:
            header.datatype = _parse_datatype(source, start, end, bool(flags & 2))
        case 0x06:
            header.is_group = True
            name, target = read_link(source, start, end)
            header.links[name] = target
        case 0x08:
            header.layout = (start, end)
        case 0x0A:
            header.is_group = True
        case 0x0B:
            header.filters = _parse_filters(source, start, end)
        case 0x0C:
            attribute = _read_attribute(source, start, end)
            header.attributes[attribute.name] = attribute
        case 0x11:
            raise FileFormatError("a group in HDF5's old form, which JLD2 never writes", offset=start)
        case 0x07:
            raise FileFormatError("data in external files, which luxport does not read", offset=start)
        case _ if flags & 0x80:
            raise FileFormatError(f"a message of unknown kind {kind} that readers must not ignore", offset=start)


def _yield_messages(file: Hdf5, offset: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the kind, the flags, the beginning and the end of each message."""
    source = file.source
    if source.view(offset, 4, "an object") != _SIGNATURE:
        if source.view(offset, 1, "an object") == b"\1":
            raise FileFormatError("an object in HDF5's old form, which JLD2 never writes", offset=offset)
        raise FileFormatError("there is no object where a reference leads: damaged", offset=offset)
    version, flags = source.unpack("BB", offset + 4, "an object")
    if version != 2:
        raise FileFormatError(f"an object header of version {version} is unknown", offset=offset)
    start = offset + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = source.read_unsigned(start, width, "an object")
    start += width
    pieces = [(offset, start, start + size)]
    head = 6 if flags & 4 else 4
    done = 0
    while done < len(pieces):
        checked, place, end = pieces[done]
        done += 1
        file.check_checksum(checked, end, "an object header")
        # A rest that is too small for a message is unused.
        while place + head <= end:
            kind, size, message_flags = source.unpack("BHB", place, "a message")
            place += head
            if place + size > end:
                raise FileFormatError("a message runs over the end of its object header", offset=place)
            if kind == 0x10:
                address, length = source.unpack("QQ", place, "a continuation")
                begin = file.find_offset(address)
                if source.view(begin, 4, "a continuation") != _CONTINUATION or length < 8:
                    raise FileFormatError("an object header has no continuation where it says", offset=begin)
                if len(pieces) >= _MOST_PIECES or any(begin == piece[0] for piece in pieces):
                    raise FileFormatError("the continuations of an object header form a cycle", offset=begin)
                pieces.append((begin, begin + 4, begin + length - 4))
            elif kind:
                yield kind, message_flags, place, place + size
            place += size


def _parse_dataspace(source: Source, start: int, end: int) -> Dataspace:
    version, rank, flags, kind = source.unpack("BBBB", start, "a dataspace")
    if version == 1:
        kind = 1 if rank else 0
        place = start + 8
    elif version == 2:
        place = start + 4
    else:
        raise FileFormatError(f"a dataspace of version {version} is unknown", offset=start)
    if rank > 32 or kind > 2:
        raise FileFormatError(f"a dataspace of kind {kind} with {rank} axes", offset=start)
    if place + 8 * rank > end:
        raise FileFormatError("a dataspace runs over its end", offset=start)
    shape = source.unpack(f"{rank}Q", place, "a dataspace")
    if any(extent >= 2**62 for extent in shape):
        raise FileFormatError(f"an array has the shape {shape}, which is too large", offset=start)
    return Dataspace(("scalar", "simple", "null")[kind], shape)


def _parse_datatype(source: Source, start: int, end: int, shared: bool) -> Datatype:
    if not shared:
        return parse_datatype(source, start, end)[0]
    version, kind, address = source.unpack("BBQ", start, "a shared datatype")
    if version not in (2, 3) or (version == 3 and kind != 2):
        raise FileFormatError(f"a shared datatype of version {version}, kind {kind}", offset=start)
    return Shared(address)


def _read_attribute(source: Source, start: int, end: int) -> Attribute:
    version, flags, name_size, type_size, space_size = source.unpack("BBHHH", start, "an attribute")
    if version not in (1, 2, 3):
        raise FileFormatError(f"an attribute of version {version} is unknown", offset=start)
    if flags & 2:
        raise FileFormatError("an attribute with a shared dataspace, which JLD2 never writes", offset=start)
    step = 8 if version == 1 else 1
    name_at = start + (9 if version == 3 else 8)
    type_at = name_at + -(-name_size // step) * step
    space_at = type_at + -(-type_size // step) * step
    data_at = space_at + -(-space_size // step) * step
    if data_at > end:
        raise FileFormatError("an attribute runs over its end", offset=start)
    name = bytes(source.view(name_at, name_size, "an attribute")).rstrip(b"\0")
    datatype = _parse_datatype(source, type_at, type_at + type_size, bool(flags & 1))
    dataspace = _parse_dataspace(source, space_at, space_at + space_size)
    return Attribute(name.decode("utf-8", "replace"), datatype, dataspace, data_at, end)


def _read_link_info(source: Source, start: int) -> tuple[int, int] | None:
    _, flags = source.unpack("BB", start, "a group")
    heap, tree = source.unpack("QQ", start + (10 if flags & 1 else 2), "a group")
    return None if heap == UNDEFINED_ADDRESS else (heap, tree)


def read_link(source: Source, start: int, end: int) -> tuple[str, int]:
    """Return the name of a link, and the address that it leads to.

    Raises: FileFormatError if it is damaged, or is a soft or external link
    """
    version, flags = source.unpack("BB", start, "a link")
    place = start + 2
    if version != 1:
        raise FileFormatError(f"a link of version {version} is unknown", offset=start)
    kind = 0
    if flags & 8:
        kind = source.read_unsigned(place, 1, "a link")
        place += 1
    place += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    size = source.read_unsigned(place, width, "a link")
    place += width
    if place + size > end:
        raise FileFormatError("a link runs over its end", offset=start)
    try:
        name = bytes(source.view(place, size, "a link")).decode()
    except UnicodeDecodeError:
        raise FileFormatError("the name of a link is no UTF-8", offset=place) from None
    if kind:
        raise FileFormatError(f"{name!r} is a soft or external link, which is not followed", offset=start)
    (target,) = source.unpack("Q", place + size, "a link")
    return name, target


def _parse_filters(source: Source, start: int, end: int) -> list[Filter]:
    version, count = source.unpack("BB", start, "the filters")
    if version not in (1, 2) or count > 32:
        raise FileFormatError(f"{count} filters, version {version}", offset=start)
    place = start + (8 if version == 1 else 2)
    filters = []
    for _ in range(count):
        (number,) = source.unpack("H", place, "a filter")
        place += 2
        name_size = 0
        if version == 1 or number >= 256:
            (name_size,) = source.unpack("H", place, "a filter")
            place += 2
        _, values = source.unpack("HH", place, "a filter")
        place += 4
        padded = -(-name_size // 8) * 8 if version == 1 else name_size
        if place + padded + 4 * values > end:
            raise FileFormatError("a filter runs over its end", offset=place)
        name = bytes(source.view(place, name_size, "a filter")).partition(b"\0")[0].decode("ascii", "replace")
        place += padded
        filters.append(Filter(number, name, source.unpack(f"{values}I", place, "a filter")))
        place += 4 * values + (4 if version == 1 and values % 2 else 0)
    return filters
