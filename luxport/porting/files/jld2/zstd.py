"""Decompress Zstandard without a library: the frames that JLD2's ZstdFilter writes.

Source: RFC 8878; comments and docstrings give its section numbers. Checksums are not compared, and dictionaries are
not supported. About a megabyte per second is decoded.
"""

from __future__ import annotations

from collections.abc import Callable

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.zstd_codes import (
    MOST_ACCURATE,
    BackwardBits,
    DamagedError,
    Row,
    Table,
    build_table,
    read_distribution,
    read_huffman,
)

__all__ = ["decompress_zstd"]


_MAGIC = 0xFD2FB528


_LARGEST_BLOCK = 1 << 17


def decompress_zstd(data: memoryview, size: int, offset: int, step: Callable[[int, int], None]) -> memoryview:
    """Return the ``size`` bytes of a chunk that was compressed with Zstandard; ``step`` counts the decoder's steps.

    Raises: FileFormatError if the data are damaged; what ``step`` raises
    """
    result = bytearray()
    place = 0
    try:
        while place < len(data):
            magic = int.from_bytes(data[place : place + 4], "little")
            if magic & 0xFFFFFFF0 == 0x184D2A50:
                # A skippable frame (3.1.2).
                place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
            elif magic == _MAGIC:
                place = _Frame(data, result, size, lambda steps: step(steps, offset)).decode(place + 4)
            else:
                raise DamagedError
    except (DamagedError, IndexError):
        raise FileFormatError("data compressed with Zstandard are damaged", offset=offset) from None
    return memoryview(result)


# Codes of literal and match lengths: the number of extra bits, and below the base to which they are added
# (3.1.1.3.2.1.1).
_LITERAL_BITS = [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]


_MATCH_BITS = [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]


def _list_bases(first: int, bits: list[int]) -> list[int]:
    bases = [first]
    for count in bits[:-1]:
        bases.append(bases[-1] + (1 << count))
    return bases


_LITERAL_BASES = _list_bases(0, _LITERAL_BITS)


_MATCH_BASES = _list_bases(3, _MATCH_BITS)


# The tables of a block that has none of its own (3.1.1.3.2.2): literal lengths, offsets, match lengths.
_PREDEFINED = (
    build_table([4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
             -1, -1, -1, -1], 6),
    build_table([1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1], 5),
    build_table([1, 4, 3, 2, 2, 2, 2, 2, 2] + [1] * 37 + [-1] * 7, 6),
)  # fmt: skip


_LAST_SYMBOL = (35, 31, 52)


class _Frame:
    """Decodes one frame, whose tables and recent offsets are kept from block to block."""

    def __init__(self, data: memoryview, result: bytearray, limit: int, step: Callable[[int], None]) -> None:
        self._step = step
        self._data = data
        self._result = result
        self._start = len(result)
        self._limit = limit
        self._offsets = [1, 4, 8]
        self._codes: tuple[list[tuple[int, int]], int] | None = None
        self._tables: list[Table | None] = [None, None, None]

    def decode(self, place: int) -> int:
        """Append the content of the frame to the result, and return the place after the frame (3.1.1)."""
        flags = self._data[place]
        single = flags >> 5 & 1
        place += 1 + (1 - single)
        dictionary = (0, 1, 2, 4)[flags & 3]
        if any(self._data[place : place + dictionary]) or flags & 8:
            raise DamagedError
        place += dictionary + (single, 2, 4, 8)[flags >> 6]
        last = False
        while not last:
            if place + 3 > len(self._data):
                raise DamagedError
            head = int.from_bytes(self._data[place : place + 3], "little")
            last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
            self._step(1)
            place += 3
            if kind == 1:
                self._append(bytes([self._data[place]]) * min(size, self._limit + 1))
                place += 1
                continue
            if kind == 3 or place + size > len(self._data):
                raise DamagedError
            block = self._data[place : place + size]
            if kind == 0:
                self._append(block)
            else:
                self._decode_block(block)
            place += size
        return place + (4 if flags & 4 else 0)

    def _append(self, piece: bytes | memoryview) -> None:
        if len(self._result) + len(piece) > self._limit:
            raise DamagedError
        self._result += piece

    def _decode_block(self, data: memoryview) -> None:
        literals, place = self._read_literals(data)
        count = data[place]
        place += 1
        if count >= 255:
            count = data[place] + (data[place + 1] << 8) + 0x7F00
            place += 2
        elif count >= 128:
            count = (count - 128 << 8) + data[place]
            place += 1
        used = 0
        if count:
            place = self._read_tables(data, place)
            used = self._run_sequences(BackwardBits(data[place:]), count, literals)
        elif place != len(data):
            raise DamagedError
        self._append(literals[used:])

    # Literals (3.1.1.3.1).

    def _read_literals(self, data: memoryview) -> tuple[bytes, int]:
        kind, form = data[0] & 3, data[0] >> 2 & 3
        if kind < 2:
            width = (1, 2, 1, 3)[form]
            size = int.from_bytes(data[:width], "little") >> (3 if width == 1 else 4)
            if size > _LARGEST_BLOCK:
                raise DamagedError
            if kind == 1:
                return bytes([data[width]]) * size, width + 1
            if width + size > len(data):
                raise DamagedError
            return bytes(data[width : width + size]), width + size
        width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        head = int.from_bytes(data[:width], "little") >> 4
        size, stored = head & (1 << bits) - 1, head >> bits
        if size > _LARGEST_BLOCK or width + stored > len(data):
            raise DamagedError
        content = data[width : width + stored]
        place = 0
        self._step(size)
        if kind == 2:
            self._step(2048)
            self._codes, place = read_huffman(content)
        if self._codes is None:
            raise DamagedError
        return self._decode_streams(content[place:], size, 1 if form == 0 else 4), width + stored

    def _decode_streams(self, data: memoryview, size: int, streams: int) -> bytes:
        if streams == 1:
            return self._decode_stream(data, size)
        if len(data) < 6:
            raise DamagedError
        sizes = [int.from_bytes(data[i : i + 2], "little") for i in (0, 2, 4)]
        part = (size + 3) // 4
        result, place = b"", 6
        for length in sizes:
            result += self._decode_stream(data[place : place + length], min(part, size - len(result)))
            place += length
        return result + self._decode_stream(data[place:], size - len(result))

    def _decode_stream(self, data: memoryview, size: int) -> bytes:
        assert self._codes is not None
        table, longest = self._codes
        bits = BackwardBits(data)
        result = bytearray()
        for _ in range(size):
            symbol, length = table[bits.peek(longest)]
            bits.left -= length
            result.append(symbol)
            if bits.left < 0:
                raise DamagedError
        if bits.left:
            raise DamagedError
        return bytes(result)

    # Sequences (3.1.1.3.2).

    def _read_tables(self, data: memoryview, place: int) -> int:
        modes = data[place]
        place += 1
        for i, shift in enumerate((6, 4, 2)):
            match modes >> shift & 3:
                case 0:
                    self._tables[i] = _PREDEFINED[i]
                case 1:
                    if data[place] > _LAST_SYMBOL[i]:
                        raise DamagedError
                    self._tables[i] = [Row(data[place], 0, 0)]
                    place += 1
                case 2:
                    self._step(256)
                    self._tables[i], place = read_distribution(data, place, MOST_ACCURATE[i], _LAST_SYMBOL[i])
        return place

    def _run_sequences(self, bits: BackwardBits, count: int, literals: bytes) -> int:
        """Execute the sequences of a block, and return how many literals they used."""
        lengths, offsets, matches = self._tables
        if lengths is None or offsets is None or matches is None:
            raise DamagedError
        length_state = bits.read(len(lengths).bit_length() - 1)
        offset_state = bits.read(len(offsets).bit_length() - 1)
        match_state = bits.read(len(matches).bit_length() - 1)
        self._step(count)
        used = 0
        for number in range(count):
            length_row, offset_row, match_row = lengths[length_state], offsets[offset_state], matches[match_state]
            offset = (1 << offset_row.symbol) + bits.read(offset_row.symbol)
            match = _MATCH_BASES[match_row.symbol] + bits.read(_MATCH_BITS[match_row.symbol])
            length = _LITERAL_BASES[length_row.symbol] + bits.read(_LITERAL_BITS[length_row.symbol])
            if bits.left < 0 or used + length > len(literals):
                raise DamagedError
            self._append(literals[used : used + length])
            used += length
            self._copy(self._find_distance(offset, length), match)
            if number < count - 1:
                length_state = length_row.base + bits.read(length_row.bits)
                match_state = match_row.base + bits.read(match_row.bits)
                offset_state = offset_row.base + bits.read(offset_row.bits)
        if bits.left:
            raise DamagedError
        return used

    def _find_distance(self, offset: int, literals: int) -> int:
        """Return the distance of a match from its copy; the three latest distances have codes 1 to 3 (3.1.1.5)."""
        recent = self._offsets
        if offset > 3:
            distance = offset - 3
            self._offsets = [distance, *recent[:2]]
            return distance
        which = offset - 1 + (literals == 0)
        distance = recent[0] - 1 if which == 3 else recent[which]
        if which:
            recent.pop(min(which, 2))
            recent.insert(0, distance)
        return distance

    def _copy(self, distance: int, length: int) -> None:
        have = len(self._result)
        if not 0 < distance <= have - self._start or have + length > self._limit:
            raise DamagedError
        # A match may overlap the bytes that it produces: then they repeat.
        piece = bytes(self._result[have - distance : have - distance + length])
        self._result += (piece * (length // len(piece) + 1))[:length]
