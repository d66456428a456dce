"""Zstandard without a library: the frames that JLD2's ZstdFilter writes.

Source: RFC 8878, whose section numbers stand at the parts. Checksums of contents are not compared, and there are no
dictionaries. Python decodes about a megabyte a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from luxport.porting.errors import FileFormatError

__all__ = ["zstd_chunk"]

_MAGIC = 0xFD2FB528
_LARGEST_BLOCK = 1 << 17


class _DamagedError(Exception):
    """Something that no encoder writes."""


def zstd_chunk(data: memoryview, size: int, offset: int, step: Callable[[int, int], None]) -> memoryview:
    """Return the ``size`` bytes of a chunk that was compressed with Zstandard; ``step`` counts what that takes.

    Raises: FileFormatError if the data are damaged; what ``step`` raises
    """
    result = bytearray()
    place = 0
    try:
        while place < len(data):
            magic = int.from_bytes(data[place : place + 4], "little")
            if magic & 0xFFFFFFF0 == 0x184D2A50:
                # A frame to be skipped (3.1.2).
                place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
            elif magic == _MAGIC:
                place = _Frame(data, result, size, lambda steps: step(steps, offset)).decode(place + 4)
            else:
                raise _DamagedError
    except (_DamagedError, IndexError):
        raise FileFormatError("data compressed with Zstandard are damaged", offset=offset) from None
    return memoryview(result)


class _Row(NamedTuple):
    """One state of a table: its symbol, and how the next state is found."""

    symbol: int
    bits: int
    base: int


_Table = list[_Row]


class _Backward:
    """Bits read from the end of the data to the beginning; before that there are zeros (4.1)."""

    def __init__(self, data: memoryview) -> None:
        if not data or not data[-1]:
            raise _DamagedError
        self._data = data
        # The highest bit of the last byte marks the end and is not part of the content.
        self.left = 8 * len(data) - 9 + data[-1].bit_length()

    def peek(self, count: int) -> int:
        low = self.left - count
        if low < 0:
            return int.from_bytes(self._data[: self.left + 7 >> 3], "little") % (1 << max(self.left, 0)) << -low
        return int.from_bytes(self._data[low >> 3 : self.left + 7 >> 3], "little") >> (low & 7) & ((1 << count) - 1)

    def read(self, count: int) -> int:
        value = self.peek(count)
        self.left -= count
        return value


# Codes of literal and match lengths: how many bits follow, and what these are added to (3.1.1.3.2.1.1).
_LITERAL_BITS = [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
_MATCH_BITS = [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]


def _bases(first: int, bits: list[int]) -> list[int]:
    bases = [first]
    for count in bits[:-1]:
        bases.append(bases[-1] + (1 << count))
    return bases


_LITERAL_BASES = _bases(0, _LITERAL_BITS)
_MATCH_BASES = _bases(3, _MATCH_BITS)


def _spread(distribution: list[int], accuracy: int) -> _Table:
    """Make the table of a distribution of symbols (4.1.1)."""
    size = 1 << accuracy
    symbols = [0] * size
    counts = [0] * len(distribution)
    high = size
    for symbol, share in enumerate(distribution):
        if share == -1:
            high -= 1
            symbols[high] = symbol
            counts[symbol] = 1
    place = 0
    for symbol, share in enumerate(distribution):
        if share > 0:
            counts[symbol] = share
            for _ in range(share):
                symbols[place] = symbol
                place = place + (size >> 1) + (size >> 3) + 3 & size - 1
                while place >= high:
                    place = place + (size >> 1) + (size >> 3) + 3 & size - 1
    if place:
        raise _DamagedError
    table = []
    for symbol in symbols:
        number = counts[symbol]
        counts[symbol] += 1
        bits = accuracy + 1 - number.bit_length()
        table.append(_Row(symbol, bits, (number << bits) - size))
    return table


# What a block means that sends no tables (3.1.1.3.2.2): literal lengths, offsets, match lengths.
_PREDEFINED = (
    _spread([4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
             -1, -1, -1, -1], 6),
    _spread([1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1], 5),
    _spread([1, 4, 3, 2, 2, 2, 2, 2, 2] + [1] * 37 + [-1] * 7, 6),
)  # fmt: skip
_MOST_ACCURATE = (9, 8, 9)
_LAST_SYMBOL = (35, 31, 52)


def _distribution(data: memoryview, place: int, most_accurate: int, last: int) -> tuple[_Table, int]:
    """Read a distribution, and return its table and the place after it (4.1.1)."""
    # Bits are taken from a number: a distribution is short.
    bits = int.from_bytes(data[place : place + 256], "little")
    accuracy = (bits & 15) + 5
    used = 4
    if accuracy > most_accurate:
        raise _DamagedError
    remaining = 1 << accuracy
    shares: list[int] = []
    while remaining > 0:
        if len(shares) > last:
            raise _DamagedError
        width = (remaining + 1).bit_length()
        value = bits >> used & (1 << width) - 1
        lower = value & (1 << width - 1) - 1
        threshold = (1 << width) - 2 - remaining
        if lower < threshold:
            value = lower
            used += width - 1
        else:
            if value >= 1 << width - 1:
                value -= threshold
            used += width
        share = value - 1
        remaining -= abs(share)
        shares.append(share)
        if share == 0:
            more = 3
            while more == 3:
                more = bits >> used & 3
                used += 2
                shares += [0] * more
                if len(shares) > last + 1:
                    raise _DamagedError
    if remaining < 0 or len(shares) > last + 1 or place + (used + 7 >> 3) > len(data):
        raise _DamagedError
    return _spread(shares, accuracy), place + (used + 7 >> 3)


class _Frame:
    """One frame; tables and offsets live from block to block."""

    def __init__(self, data: memoryview, result: bytearray, limit: int, step: Callable[[int], None]) -> None:
        self._step = step
        self._data = data
        self._result = result
        self._start = len(result)
        self._limit = limit
        self._offsets = [1, 4, 8]
        self._codes: tuple[list[tuple[int, int]], int] | None = None
        self._tables: list[_Table | None] = [None, None, None]

    def decode(self, place: int) -> int:
        """Append the frame's content, and return the place after it (3.1.1)."""
        flags = self._data[place]
        single = flags >> 5 & 1
        place += 1 + (1 - single)
        dictionary = (0, 1, 2, 4)[flags & 3]
        if any(self._data[place : place + dictionary]) or flags & 8:
            raise _DamagedError
        place += dictionary + (single, 2, 4, 8)[flags >> 6]
        last = False
        while not last:
            if place + 3 > len(self._data):
                raise _DamagedError
            head = int.from_bytes(self._data[place : place + 3], "little")
            last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
            self._step(1)
            place += 3
            if kind == 1:
                self._append(bytes([self._data[place]]) * min(size, self._limit + 1))
                place += 1
                continue
            if kind == 3 or place + size > len(self._data):
                raise _DamagedError
            block = self._data[place : place + size]
            if kind == 0:
                self._append(block)
            else:
                self._block(block)
            place += size
        return place + (4 if flags & 4 else 0)

    def _append(self, piece: bytes | memoryview) -> None:
        if len(self._result) + len(piece) > self._limit:
            raise _DamagedError
        self._result += piece

    def _block(self, data: memoryview) -> None:
        literals, place = self._literals(data)
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
            used = self._sequences(_Backward(data[place:]), count, literals)
        elif place != len(data):
            raise _DamagedError
        self._append(literals[used:])

    # Literals (3.1.1.3.1).

    def _literals(self, data: memoryview) -> tuple[bytes, int]:
        kind, form = data[0] & 3, data[0] >> 2 & 3
        if kind < 2:
            width = (1, 2, 1, 3)[form]
            size = int.from_bytes(data[:width], "little") >> (3 if width == 1 else 4)
            if size > _LARGEST_BLOCK:
                raise _DamagedError
            if kind == 1:
                return bytes([data[width]]) * size, width + 1
            if width + size > len(data):
                raise _DamagedError
            return bytes(data[width : width + size]), width + size
        width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        head = int.from_bytes(data[:width], "little") >> 4
        size, stored = head & (1 << bits) - 1, head >> bits
        if size > _LARGEST_BLOCK or width + stored > len(data):
            raise _DamagedError
        content = data[width : width + stored]
        place = 0
        self._step(size)
        if kind == 2:
            self._step(2048)
            self._codes, place = _huffman(content)
        if self._codes is None:
            raise _DamagedError
        return self._decode(content[place:], size, 1 if form == 0 else 4), width + stored

    def _decode(self, data: memoryview, size: int, streams: int) -> bytes:
        if streams == 1:
            return self._stream(data, size)
        if len(data) < 6:
            raise _DamagedError
        sizes = [int.from_bytes(data[i : i + 2], "little") for i in (0, 2, 4)]
        part = (size + 3) // 4
        result, place = b"", 6
        for length in sizes:
            result += self._stream(data[place : place + length], min(part, size - len(result)))
            place += length
        return result + self._stream(data[place:], size - len(result))

    def _stream(self, data: memoryview, size: int) -> bytes:
        assert self._codes is not None
        table, longest = self._codes
        bits = _Backward(data)
        result = bytearray()
        for _ in range(size):
            symbol, length = table[bits.peek(longest)]
            bits.left -= length
            result.append(symbol)
            if bits.left < 0:
                raise _DamagedError
        if bits.left:
            raise _DamagedError
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
                        raise _DamagedError
                    self._tables[i] = [_Row(data[place], 0, 0)]
                    place += 1
                case 2:
                    self._step(256)
                    self._tables[i], place = _distribution(data, place, _MOST_ACCURATE[i], _LAST_SYMBOL[i])
        return place

    def _sequences(self, bits: _Backward, count: int, literals: bytes) -> int:
        """Carry out the sequences, and return how many literals they used."""
        lengths, offsets, matches = self._tables
        if lengths is None or offsets is None or matches is None:
            raise _DamagedError
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
                raise _DamagedError
            self._append(literals[used : used + length])
            used += length
            self._copy(self._distance(offset, length), match)
            if number < count - 1:
                length_state = length_row.base + bits.read(length_row.bits)
                match_state = match_row.base + bits.read(match_row.bits)
                offset_state = offset_row.base + bits.read(offset_row.bits)
        if bits.left:
            raise _DamagedError
        return used

    def _distance(self, offset: int, literals: int) -> int:
        """Return how far back a match is; the three latest distances have short codes (3.1.1.5)."""
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
            raise _DamagedError
        # A match may overlap what it makes: then its bytes repeat.
        piece = bytes(self._result[have - distance : have - distance + length])
        self._result += (piece * (length // len(piece) + 1))[:length]


def _huffman(data: memoryview) -> tuple[tuple[list[tuple[int, int]], int], int]:
    """Read a Huffman code: symbol and length for each of the bits that may come, how many these are, and the place."""
    head = data[0]
    if head >= 128:
        # Weights as they are, two a byte (4.2.1.1).
        count = head - 127
        weights = [data[1 + i // 2] >> (0 if i % 2 else 4) & 15 for i in range(count)]
        place = 1 + (count + 1) // 2
    else:
        place = 1 + head
        if place > len(data):
            raise _DamagedError
        weights = _read_compressed_weights(data[1:place])
    total = sum(1 << weight >> 1 for weight in weights)
    longest = total.bit_length()
    rest = (1 << longest) - total
    # The last weight is not sent: it fills the code up to a power of two.
    if not 0 < longest <= 11 or rest & rest - 1 or len(weights) > 255 or max(weights) > longest:
        raise _DamagedError
    weights.append(rest.bit_length())
    table: list[tuple[int, int]] = []
    for weight in range(1, longest + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                table += [(symbol, longest + 1 - weight)] * (1 << weight - 1)
    if len(table) != 1 << longest:
        raise _DamagedError
    return (table, longest), place


def _read_compressed_weights(data: memoryview) -> list[int]:
    """Read the weights of a Huffman code, two states taking turns (4.2.1.2)."""
    table, place = _distribution(data, 0, 6, 12)
    bits = _Backward(data[place:])
    width = len(table).bit_length() - 1
    this, other = table[bits.read(width)], table[bits.read(width)]
    weights: list[int] = []
    while len(weights) < 255:
        weights.append(this.symbol)
        following = this.base + bits.read(this.bits)
        if bits.left < 0:
            weights.append(other.symbol)
            return weights
        this, other = other, table[following]
    raise _DamagedError
