"""The bytes of a file, read with every size checked, and a bound on the work that they may cause."""

from __future__ import annotations

import struct
from typing import Any

from luxport.porting.errors import FileFormatError

__all__ = ["MAX_DEPTH", "Source"]

MAX_DEPTH = 100
"""How deep values may be nested; the deepest models in use need some twenty."""

# A sound file has each of its bytes read a few times, a hostile one the same bytes for ever.
_READS_PER_BYTE = 32
_READS_OF_ANY_FILE = 400_000
_LEAST_CHARGE = 4
# Weights hardly compress, and zeros do without end: a file's arrays fit into memory beside whatever it is.
_EXPANSION = 4
_EXPANSION_OF_ANY_FILE = 96 << 20
# What compressed bytes say in few bits, a copy of three bytes or a table, takes a microsecond.
_STEPS_PER_BYTE = 16
_STEPS_OF_ANY_FILE = 300_000

# One for each arrangement of numbers that the formats have, and for a few lengths of lists.
_layouts: dict[str, struct.Struct] = {}


class Source:
    """Bytes with checked access; offsets count from the beginning of the file."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data: memoryview = memoryview(data).toreadonly().cast("B")
        self.size: int = len(self.data)
        whole = self.data.obj
        self.raw: bytes | None = whole if isinstance(whole, bytes) and len(whole) == self.size else None
        """The same bytes where they can be searched, None where they cannot."""
        self._work_left = _READS_OF_ANY_FILE + _READS_PER_BYTE * self.size
        self._expansion_left = _EXPANSION_OF_ANY_FILE + _EXPANSION * self.size
        self._steps_left = _STEPS_OF_ANY_FILE + _STEPS_PER_BYTE * self.size

    def view(self, offset: int, size: int, what: str = "data") -> memoryview:
        """Return ``size`` bytes from ``offset`` on, without a copy.

        Raises: FileFormatError if the file has fewer, or if the same bytes have been read out of all proportion
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise FileFormatError(
                f"{what} of {size} bytes at byte {offset} is outside the file of {self.size}: truncated or damaged",
                offset=min(max(offset, 0), self.size),
            )
        self.work(size, offset)
        return self.data[offset : offset + size]

    def unpack(self, form: str, offset: int, what: str = "data") -> tuple[Any, ...]:
        """Return little-endian numbers by ``struct``'s letters.

        Raises: FileFormatError as `view`
        """
        layout = _layouts.get(form)
        if layout is None:
            layout = struct.Struct("<" + form)
            if len(_layouts) < 1000:
                _layouts[form] = layout
        size = layout.size
        if offset < 0 or offset + size > self.size:
            self.view(offset, size, what)
        self.work(size, offset)
        return layout.unpack_from(self.data, offset)

    def unsigned(self, offset: int, size: int, what: str = "data") -> int:
        """Return a little-endian unsigned number of any size."""
        return int.from_bytes(self.view(offset, size, what), "little")

    def expand(self, amount: int, offset: int) -> None:
        """Count bytes that are about to be made of compressed ones against what the file can hold."""
        self._expansion_left -= amount
        if self._expansion_left < 0:
            raise FileFormatError(f"{amount} bytes cannot come from a file of {self.size}", offset=offset)

    def step(self, amount: int, offset: int) -> None:
        """Count steps that compressed bytes ask for against what so many bytes can mean."""
        self._steps_left -= amount
        if self._steps_left < 0:
            raise FileFormatError("compressed data say the same over and over; the file is damaged", offset=offset)

    def work(self, amount: int, offset: int) -> None:
        """Count work against the bound that the size of the file sets."""
        self._work_left -= amount if amount > _LEAST_CHARGE else _LEAST_CHARGE
        if self._work_left < 0:
            raise FileFormatError("the file refers to the same bytes over and over; it is damaged", offset=offset)
