"""The entropy codes of Zstandard: tables of finite-state entropy, Huffman codes, and bits that are read backwards."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "MOST_ACCURATE",
    "BackwardBits",
    "DamagedError",
    "Row",
    "Table",
    "build_table",
    "read_distribution",
    "read_huffman",
]


class DamagedError(Exception):
    """The data are damaged: no encoder writes them."""


class Row(NamedTuple):
    """One state of a table: its symbol, and the number of bits and the base that give the next state."""

    symbol: int
    bits: int
    base: int


Table = list[Row]


class BackwardBits:
    """Reads bits from the end of the data to the beginning; before the beginning, there are zeros (4.1)."""

    def __init__(self, data: memoryview) -> None:
        if not data or not data[-1]:
            raise DamagedError
        self._data = data
        # The highest set bit of the last byte marks the end, and is not part of the content.
        self.left = 8 * len(data) - 9 + data[-1].bit_length()

    def peek(self, count: int) -> int:
        """Return the next bits as a number, without consuming them."""
        low = self.left - count
        if low < 0:
            return int.from_bytes(self._data[: self.left + 7 >> 3], "little") % (1 << max(self.left, 0)) << -low
        return int.from_bytes(self._data[low >> 3 : self.left + 7 >> 3], "little") >> (low & 7) & ((1 << count) - 1)

    def read(self, count: int) -> int:
        """Return the next bits as a number, and consume them."""
        value = self.peek(count)
        self.left -= count
        return value


def build_table(distribution: list[int], accuracy: int) -> Table:
    """Build the decoding table of a distribution of symbols (4.1.1)."""
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
        raise DamagedError
    table = []
    for symbol in symbols:
        number = counts[symbol]
        counts[symbol] += 1
        bits = accuracy + 1 - number.bit_length()
        table.append(Row(symbol, bits, (number << bits) - size))
    return table


MOST_ACCURATE = (9, 8, 9)


def read_distribution(data: memoryview, place: int, most_accurate: int, last: int) -> tuple[Table, int]:
    """Read a distribution, and return its table and the place after it (4.1.1)."""
    # A distribution is short, so its bits are taken from one integer.
    bits = int.from_bytes(data[place : place + 256], "little")
    accuracy = (bits & 15) + 5
    used = 4
    if accuracy > most_accurate:
        raise DamagedError
    remaining = 1 << accuracy
    shares: list[int] = []
    while remaining > 0:
        if len(shares) > last:
            raise DamagedError
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
                    raise DamagedError
    if remaining < 0 or len(shares) > last + 1 or place + (used + 7 >> 3) > len(data):
        raise DamagedError
    return build_table(shares, accuracy), place + (used + 7 >> 3)


def read_huffman(data: memoryview) -> tuple[tuple[list[tuple[int, int]], int], int]:
    """Read a Huffman code: a table of symbol and length by the next bits, how many bits these are, and the place after.

    Raises: DamagedError
    """
    head = data[0]
    if head >= 128:
        # Uncompressed weights, two per byte (4.2.1.1).
        count = head - 127
        weights = [data[1 + i // 2] >> (0 if i % 2 else 4) & 15 for i in range(count)]
        place = 1 + (count + 1) // 2
    else:
        place = 1 + head
        if place > len(data):
            raise DamagedError
        weights = _read_compressed_weights(data[1:place])
    total = sum(1 << weight >> 1 for weight in weights)
    longest = total.bit_length()
    rest = (1 << longest) - total
    # The last weight is not stored: the sum with it is the next power of two.
    if not 0 < longest <= 11 or rest & rest - 1 or len(weights) > 255 or max(weights) > longest:
        raise DamagedError
    weights.append(rest.bit_length())
    table: list[tuple[int, int]] = []
    for weight in range(1, longest + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                table += [(symbol, longest + 1 - weight)] * (1 << weight - 1)
    if len(table) != 1 << longest:
        raise DamagedError
    return (table, longest), place


def _read_compressed_weights(data: memoryview) -> list[int]:
    """Read the weights of a Huffman code, which two states give in turn (4.2.1.2)."""
    table, place = read_distribution(data, 0, 6, 12)
    bits = BackwardBits(data[place:])
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
    raise DamagedError
