"""What comes out where Julia is translated: lines of Python, holes, and what the module needs besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from luxport.porting.errors import FileFormatError
from luxport.text import make_safe

__all__ = ["Hole", "Output", "Piece"]


@dataclass(frozen=True)
class Hole:
    """A piece of Julia that was not ported: where it is, what it is, and why."""

    line: int
    julia: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("julia", "reason"):  # both are shown, and written into comments
            object.__setattr__(self, name, make_safe(getattr(self, name)))


@dataclass
class Piece:
    """Python that is being written, a statement of the file or a function in it, and what is missing in it."""

    lines: list[str] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    uses_xp: bool = False
    layers_used: dict[str, int] = field(default_factory=dict)
    """The layers that the statement at hand uses, each with the place where it does."""
    opening: int = 0
    """How many lines a function's body begins with that are not of its statements."""

    def mark(self) -> tuple[int, int]:
        """Return what `back_to` goes back to: what there is now."""
        return len(self.lines), len(self.holes)

    def roll_back(self, mark: tuple[int, int]) -> None:
        """Take away what was added since."""
        lines, holes = mark
        del self.lines[lines:], self.holes[holes:]

    def add(self, inner: Piece) -> None:
        """Add what was written by itself."""
        self.lines += inner.lines
        self.holes += inner.holes


@dataclass
class Output:
    """What all pieces of a module have in common: functions it shall define, names that are taken, and the work done.

    Nothing is forgotten here, also where a piece is given up: another name, or a helper too many, does no harm.
    """

    most_work: int
    work: int = 0
    helpers: set[str] = field(default_factory=set)
    choosers: set[str] = field(default_factory=set)
    """Functions that are called to choose a struct's constructor."""
    layers_used: dict[str, int] = field(default_factory=dict)
    """Where each layer that a variable of the file has is first a part of another."""
    _julia_of: dict[str, str] = field(default_factory=dict)
    _functions: int = 0

    def reserve_name(self, plain: str, what: str, reserved: Sequence[str] | frozenset[str]) -> str:
        """Return a name, or one that is longer, that nothing but `what` has."""
        while plain in reserved or self._julia_of.setdefault(plain, what) != what:
            plain += "_"
        return plain

    def make_name(self, stem: str) -> str:
        """Return a name for a function that has none in Julia."""
        self._functions += 1
        return f"{stem}_{self._functions}"

    def count_work(self, work: int) -> None:
        """Count work, which could grow with pieces that are looked at again in each of many that are in one another.

        Raises: FileFormatError for more than the source's length can explain
        """
        self.work += work
        if self.work > self.most_work:
            raise FileFormatError("it takes more work than its length can explain")
