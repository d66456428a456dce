"""`Names`, an immutable mapping from names to what is known of them, cheap to extend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["Names"]

T = TypeVar("T")


class Names(Mapping[str, T]):
    """An immutable mapping. Extending it returns a new one in amortized logarithmic time, however large it is.

    It is a sequence of dicts, newest last, each at least twice as large as the next: so few dicts are searched for a
    name, and a name is copied few times while names are added one by one.

    >>> names = Names({"a": 1})
    >>> more = names.with_values({"b": 2})
    >>> dict(names), dict(more)
    ({'a': 1}, {'a': 1, 'b': 2})
    """

    __slots__ = ("_dicts",)

    def __init__(self, first: Mapping[str, T] | None = None) -> None:
        self._dicts: tuple[dict[str, T | None], ...] = ({**first},) if first else ()

    def with_values(self, more: Mapping[str, T | None]) -> Names[T]:
        """Return a mapping with these values added or replaced; None removes a name."""
        if not more:
            return self
        last, before = {**more}, self._dicts
        while before and len(before[-1]) <= 2 * len(last):
            last, before = {**before[-1], **last}, before[:-1]
        found: Names[T] = Names()
        found._dicts = (*before, last)
        return found

    def with_values_of(self, other: Mapping[str, T], names: Iterable[str]) -> Names[T]:
        """Return a mapping where some names have their values in another mapping, or are removed if it lacks them."""
        return self.with_values({name: other.get(name) for name in names})

    def __getitem__(self, name: str) -> T:
        for names in reversed(self._dicts):
            if name in names:
                value = names[name]
                if value is None:
                    break
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        every = {name: None for names in self._dicts for name in names}
        return (name for name in every if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
