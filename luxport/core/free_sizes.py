"""Shapes of outputs where inputs have free sizes, not known yet: which sizes of the output depend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from luxport import tree
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.modes import test_mode

__all__ = ["FreeArray", "find_free_output", "find_output_of_free"]

Place: TypeAlias = tuple[int, int]
"""Where a free size is: the position of its array among the inputs, and the axis."""

Sizes: TypeAlias = dict[Place, int]

Wish: TypeAlias = tuple[Place, int, bool]
"""A place and the number that the function wants there; if the flag is true, a multiple of the number."""


@dataclass(frozen=True)
class FreeArray:
    """A shape, whose sizes are None where they are free, and a dtype."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"


def find_output_of_free(model: Layer, inputs: Any) -> Any:
    """Return what `find_free_output` finds for a model in test mode, without computing anything.

    Raises: what the model raises, if no sizes are found that fit it

    >>> import luxport
    >>> find_output_of_free(luxport.MaxPool((2, 2)), FreeArray((None, 3, None, 8)))
    FreeArray(shape=(None, 3, None, 4), dtype='float32')
    """
    ps = describe_values(initial_parameters, model)
    st = test_mode(describe_values(initial_states, model))

    def run(filled: Any) -> Any:
        # NumPy has no bfloat16, and for shapes it does not matter.
        x = tree.map(lambda leaf: AbstractArray(leaf.shape, leaf.dtype.replace("bfloat16", "float32")), filled)
        y, _ = model(x, ps, st)
        return tree.map(lambda leaf: FreeArray(tuple(leaf.shape), leaf.dtype.name), y)

    return find_free_output(run, inputs)


def find_free_output(run: Callable[[Any], Any], inputs: Any) -> Any:
    """Return the tree of `FreeArray` that a function makes of one: sizes that depend on a free size are None.

    The function, from such trees to such trees, is asked for known sizes only. Where it runs, all free sizes are
    varied together (several inputs have one batch), then those of each axis, then each on its own: what is the same
    wherever it does not raise depends on none of them. Where it runs for no common size, as some must be the features
    that a layer expects, those are the numbers with which it has compared them.

    Raises: what the function raises, if no sizes are found for which it does not; ValueError if the number of arrays
            or of their axes depends on a free size

    >>> halved = lambda x: FreeArray((x.shape[0], x.shape[1] // 2, 3))
    >>> find_free_output(halved, FreeArray((None, None))).shape, find_free_output(halved, FreeArray((None, 8))).shape
    ((None, None, 3), (None, 4, 3))
    """
    search = _Search(run, inputs)
    if not search.free:
        return run(inputs)
    outputs = list(search.yield_outputs())
    if not outputs:
        raise search.problems[0]
    first, *others = outputs
    if any([_describe_outline(other) != _describe_outline(first) for other in others]):
        raise ValueError("an output expected whose number of arrays and axes does not depend on sizes that are free")
    return tree.map(_join, first, *others)


_SIZES = (2, 3, 1, 7, 24, 120)
"""Sizes to try first: small ones, for layers that take only few, and some that most windows and strides fit into."""
_LARGE = (10800, 27720, 55440)
"""Sizes to try next: larger than most windows, and multiples of the numbers up to 12 and of many products of these."""
_VARIED = (1, 3, 120, 1000)
_RUNS = 1000


class _Search:
    """Sizes for which a function runs, and its outputs for them."""

    def __init__(self, run: Callable[[Any], Any], inputs: Any) -> None:
        self.run = run
        self.inputs = inputs
        self.free: list[Place] = [
            (i, axis) for i, leaf in enumerate(tree.leaves(inputs)) for axis, n in enumerate(leaf.shape) if n is None
        ]
        self.problems: list[Exception] = []
        self.left = _RUNS

    def yield_outputs(self) -> Iterator[Any]:
        """Yield the outputs for sizes that differ in all, in those of one axis, or in one."""
        start: Sizes | None = None
        known = {n for leaf in tree.leaves(self.inputs) for n in leaf.shape if n} - {*_SIZES}
        for size in (*_SIZES, *sorted(known), *_LARGE):
            if size == _LARGE[0] and start is not None:
                break
            output, sizes = self.mend(dict.fromkeys(self.free, size), ())
            if output is not None:
                yield output
                start = sizes
        if start is None:
            return
        axes = [[place for place in self.free if place[1] == axis] for axis in sorted({axis for _, axis in self.free})]
        for places in [*axes, *([place] for place in self.free if [place] not in axes)]:
            for size in _VARIED:
                output, _ = self.mend({**start, **dict.fromkeys(places, size)}, places)
                if output is not None:
                    yield output

    def mend(self, sizes: Sizes, kept: Sequence[Place]) -> tuple[Any, Sizes]:
        """Return an output and the sizes for it, of which those that did not fit are what the function asked for."""
        tried: list[Wish] = []
        while True:
            output, asked = self.try_out(sizes)
            wish = next((wish for wish in reversed(asked) if wish[0] not in kept and wish not in tried), None)
            if output is not None or wish is None or self.left <= 0:
                return output, sizes
            tried.append(wish)
            place, number, multiple = wish
            sizes = {**sizes, place: number * sizes[place] if multiple else number}

    def try_out(self, sizes: Sizes) -> tuple[Any, list[Wish]]:
        """Return the output for these sizes, or None if they do not fit, and the sizes that the function asked for."""
        self.left -= 1
        asked: list[Wish] = []
        places = iter(self.free)

        def size(place: Place) -> _Size:
            return _Size(sizes[place], place, asked)

        def fill(leaf: FreeArray) -> FreeArray:
            return FreeArray(tuple([size(next(places)) if n is None else n for n in leaf.shape]), leaf.dtype)

        try:
            return self.run(tree.map(fill, self.inputs)), asked
        except Exception as error:  # a function may raise anything for sizes that do not fit
            self.problems.append(error)
            return None, asked


class _Size(int):
    """A size that records the numbers with which it is compared: the sizes that the function wants."""

    place: Place
    asked: list[Wish]

    def __new__(cls, size: int, place: Place, asked: list[Wish]) -> _Size:
        self = super().__new__(cls, size)
        self.place, self.asked = place, asked
        return self

    def __eq__(self, other: object) -> bool:
        equal = int(self) == other
        if not equal and type(other) is int and other:  # functions ask whether a size is 0, but none wants that
            self.asked.append((self.place, other, False))
        return equal

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return self._note_bound(int(self) < other, other, 0, -1)

    def __le__(self, other: Any) -> bool:
        return self._note_bound(int(self) <= other, other, 1, 0)

    def __gt__(self, other: Any) -> bool:
        return self._note_bound(int(self) > other, other, 0, 1)

    def __ge__(self, other: Any) -> bool:
        return self._note_bound(int(self) >= other, other, -1, 0)

    def _note_bound(self, holds: bool, other: Any, if_so: int, if_not: int) -> bool:
        """Record the nearest number for which the comparison would turn out the other way."""
        if type(other) is int:
            self.asked.append((self.place, other + (if_so if holds else if_not), False))
        return holds

    def __mod__(self, other: int) -> int:
        rest = int(self) % other
        if rest:
            self.asked.append((self.place, int(other), True))
        return rest

    __hash__ = int.__hash__


def _describe_outline(output: Any) -> Any:
    return tree.structure(output), [len(leaf.shape) for leaf in tree.leaves(output)]


def _join(first: FreeArray, *others: FreeArray) -> FreeArray:
    """Keep the sizes that are the same everywhere."""
    sizes = zip(first.shape, *[other.shape for other in others], strict=True)
    return FreeArray(tuple([int(n) if n is not None and set(more) <= {n} else None for n, *more in sizes]), first.dtype)
