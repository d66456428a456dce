"""What is known of names, as a value: more can be known in one place without its being known in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["Names"]

T = TypeVar("T")


class Names(Mapping[str, T]):
    """A mapping that never changes, to which more can be added soon, however much there is.

    It is a row of dicts, the later before the earlier, each more than twice as large as the next: so a name is found
    in few of them, and is copied few times while names are added one by one.

    >>> names = Names({"a": 1})
    >>> more = names.with_values({"b": 2})
    >>> dict(names), dict(more)
    ({'a': 1}, {'a': 1, 'b': 2})
    """

    __slots__ = ("_dicts",)

    def __init__(self, first: Mapping[str, T] | None = None) -> None:
        self._dicts: tuple[dict[str, T | None], ...] = ({**first},) if first else ()

    def with_values(self, more: Mapping[str, T | None]) -> Names[T]:
        """Return these names and more, or the same ones with other values; None takes a name away."""
        if not more:
            return self
        last, before = {**more}, self._dicts
        while before and len(before[-1]) <= 2 * len(last):
            last, before = {**before[-1], **last}, before[:-1]
        found: Names[T] = Names()
        found._dicts = (*before, last)
        return found

    def with_values_of(self, other: Mapping[str, T], names: Iterable[str]) -> Names[T]:
        """Return these names, but some of them as they are in another mapping, or not at all."""
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
