"""`Source`: the bytes of a file, with bounds checks on every read and a limit on the work that a file can cause."""

from __future__ import annotations

import struct
from typing import Any

from luxport.porting.errors import FileFormatError

__all__ = ["MAX_DEPTH", "Source"]

MAX_DEPTH = 100
"""How deep values may be nested; the deepest models in use need about 20 levels."""

# Reading an intact file visits each byte a few times; a hostile file can refer to the same bytes without end.
_READS_PER_BYTE = 32
_READS_OF_ANY_FILE = 400_000
_LEAST_CHARGE = 4
# Trained weights hardly compress, but a few kilobytes of compressed zeros can expand to gigabytes.
_EXPANSION = 4
_EXPANSION_OF_ANY_FILE = 96 << 20
# A few compressed bits can stand for a copy of three bytes or for a whole table, each of which takes a microsecond.
_STEPS_PER_BYTE = 16
_STEPS_OF_ANY_FILE = 300_000

# Compiled formats, by their letters: there is one for each record of a file format, and for some lengths of lists.
_layouts: dict[str, struct.Struct] = {}


class Source:
    """The bytes of a file with bounds-checked access; offsets count from the beginning of the file."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data: memoryview = memoryview(data).toreadonly().cast("B")
        self.size: int = len(self.data)
        whole = self.data.obj
        self.raw: bytes | None = whole if isinstance(whole, bytes) and len(whole) == self.size else None
        """The same data as `bytes`, which have a fast `find`; None if the data are no `bytes` object."""
        self._work_left = _READS_OF_ANY_FILE + _READS_PER_BYTE * self.size
        self._expansion_left = _EXPANSION_OF_ANY_FILE + _EXPANSION * self.size
        self._steps_left = _STEPS_OF_ANY_FILE + _STEPS_PER_BYTE * self.size

    def view(self, offset: int, size: int, what: str = "data") -> memoryview:
        """Return ``size`` bytes from ``offset`` on, without a copy.

        Raises: FileFormatError if the file ends before, or if more has been read than a file of this size allows
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise FileFormatError(
                f"{what} of {size} bytes at byte {offset} is outside the file of {self.size}: truncated or damaged",
                offset=min(max(offset, 0), self.size),
            )
        self.charge_work(size, offset)
        return self.data[offset : offset + size]

    def unpack(self, form: str, offset: int, what: str = "data") -> tuple[Any, ...]:
        """Return little-endian numbers; `form` describes them in the letters of Python's `struct`.

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
        self.charge_work(size, offset)
        return layout.unpack_from(self.data, offset)

    def read_unsigned(self, offset: int, size: int, what: str = "data") -> int:
        """Return a little-endian unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.view(offset, size, what), "little")

    def charge_expansion(self, amount: int, offset: int) -> None:
        """Count decompressed bytes before they are made, and refuse more than a file of this size can hold."""
        self._expansion_left -= amount
        if self._expansion_left < 0:
            raise FileFormatError(f"{amount} bytes cannot come from a file of {self.size} bytes", offset=offset)

    def charge_steps(self, amount: int, offset: int) -> None:
        """Count steps of a decompressor, and refuse more than a file of this size can need."""
        self._steps_left -= amount
        if self._steps_left < 0:
            raise FileFormatError("compressed data repeat the same over and over; the file is damaged", offset=offset)

    def charge_work(self, amount: int, offset: int) -> None:
        """Count bytes that are read, and refuse more than a file of this size can need."""
        self._work_left -= amount if amount > _LEAST_CHARGE else _LEAST_CHARGE
        if self._work_left < 0:
            raise FileFormatError("the file refers to the same bytes over and over; it is damaged", offset=offset)
