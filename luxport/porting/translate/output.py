"""What translation produces: Python lines, holes (pieces that are not ported), helpers that the module needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from luxport.porting.errors import FileFormatError
from luxport.text import make_safe

__all__ = ["Hole", "Output", "Piece"]


@dataclass(frozen=True)
class Hole:
    """A piece of Julia that is not ported: its line, its source and the reason."""

    line: int
    julia: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("julia", "reason"):  # both are printed, and written into comments of the module
            object.__setattr__(self, name, make_safe(getattr(self, name)))


@dataclass
class Piece:
    """Python code under construction, for a statement of the file or a function in it, and the holes in it."""

    lines: list[str] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    uses_xp: bool = False
    layers_used: dict[str, int] = field(default_factory=dict)
    """The layers that the current statement uses, each with the position of its first use."""
    opening: int = 0
    """The number of lines at the start of a function's body that unpack its parameters."""

    def mark(self) -> tuple[int, int]:
        """Return the current position, to which `roll_back` returns."""
        return len(self.lines), len(self.holes)

    def roll_back(self, mark: tuple[int, int]) -> None:
        """Remove the lines and holes added since a mark."""
        lines, holes = mark
        del self.lines[lines:], self.holes[holes:]

    def add(self, inner: Piece) -> None:
        """Append the lines and holes of another piece."""
        self.lines += inner.lines
        self.holes += inner.holes


@dataclass
class Output:
    """State shared by all pieces of a module: the helpers it must define, the Python names in use, the work done.

    Nothing is removed when a piece is rolled back: an unused name or helper does no harm.
    """

    most_work: int
    work: int = 0
    helpers: set[str] = field(default_factory=set)
    choosers: set[str] = field(default_factory=set)
    """The functions that choose a struct's constructor and are called somewhere."""
    layers_used: dict[str, int] = field(default_factory=dict)
    """For each variable of the file that is a layer, the position where it first becomes a part of another layer."""
    _julia_of: dict[str, str] = field(default_factory=dict)
    _functions: int = 0

    def reserve_name(self, plain: str, what: str, reserved: Sequence[str] | frozenset[str]) -> str:
        """Return a Python name for `what`, with underscores appended until nothing else has it."""
        while plain in reserved or self._julia_of.setdefault(plain, what) != what:
            plain += "_"
        return plain

    def make_name(self, stem: str) -> str:
        """Return a new name for a function that has no name in Julia."""
        self._functions += 1
        return f"{stem}_{self._functions}"

    def count_work(self, work: int) -> None:
        """Count units of work, which could grow exponentially where nested pieces are translated repeatedly.

        Raises: FileFormatError if there is more than the length of the source can explain
        """
        self.work += work
        if self.work > self.most_work:
            raise FileFormatError("it takes more work than its length can explain")
