"""Output shapes for inputs with free (unknown) sizes: which sizes of the output depend on the free ones.

The function is run for many known sizes. A size of the output that never changes does not depend on them.
"""

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
"""A free size: the position of its array among the inputs, and the axis."""

Sizes: TypeAlias = dict[Place, int]

Request: TypeAlias = tuple[Place, int, bool]
"""A free size and the number that the function seems to require for it; if the flag is true, a multiple of it."""


@dataclass(frozen=True)
class FreeArray:
    """A shape, in which free sizes are None, and a dtype."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"


def find_output_of_free(model: Layer, inputs: Any) -> Any:
    """Return the output of a model in test mode as a tree of `FreeArray`, without computing anything.

    Raises: what the model raises, if no sizes are found for which it runs

    >>> import luxport
    >>> find_output_of_free(luxport.MaxPool((2, 2)), FreeArray((None, 3, None, 8)))
    FreeArray(shape=(None, 3, None, 4), dtype='float32')
    """
    ps = describe_values(initial_parameters, model)
    st = test_mode(describe_values(initial_states, model))

    def run(filled: Any) -> Any:
        # NumPy has no bfloat16, and shapes do not depend on it.
        x = tree.map(lambda leaf: AbstractArray(leaf.shape, leaf.dtype.replace("bfloat16", "float32")), filled)
        y, _ = model(x, ps, st)
        return tree.map(lambda leaf: FreeArray(tuple(leaf.shape), leaf.dtype.name), y)

    return find_free_output(run, inputs)


def find_free_output(run: Callable[[Any], Any], inputs: Any) -> Any:
    """Return the output of a function of a tree of `FreeArray`, with None for sizes that depend on a free size.

    The function maps trees of `FreeArray` to such trees, and is called with known sizes only. All free sizes are varied
    together (several inputs share a batch), then those of each axis, then each separately: a size of the output that is
    the same in all runs without an error depends on none of them. If the function raises for a common size, as a layer
    does that expects a number of features, the numbers with which it compared the sizes are tried for them.

    Raises: what the function raises, if no sizes are found for which it runs; ValueError if the number of arrays or of
            their axes depends on a free size

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
        raise ValueError("expected an output whose number of arrays and axes does not depend on free sizes")
    return tree.map(_join, first, *others)


_SIZES = (2, 3, 1, 7, 24, 120)
"""Sizes to try first: small ones, and some that are divisible by most windows and strides."""
_LARGE = (10800, 27720, 55440)
"""Sizes to try next: larger than most windows, and divisible by most numbers up to 12 and by many of their products."""
_VARIED = (1, 3, 120, 1000)
"""Sizes to try for some of the free sizes while the others keep sizes for which the function runs."""
_MOST_RUNS = 1000


class _Search:
    """A search for sizes for which a function runs, and its outputs for them."""

    def __init__(self, run: Callable[[Any], Any], inputs: Any) -> None:
        self.run = run
        self.inputs = inputs
        self.free: list[Place] = [
            (i, axis) for i, leaf in enumerate(tree.leaves(inputs)) for axis, n in enumerate(leaf.shape) if n is None
        ]
        self.problems: list[Exception] = []
        self.left = _MOST_RUNS

    def yield_outputs(self) -> Iterator[Any]:
        """Yield outputs while varying all free sizes together, those of each axis, and each separately."""
        start: Sizes | None = None
        known = {n for leaf in tree.leaves(self.inputs) for n in leaf.shape if n} - {*_SIZES}
        for size in (*_SIZES, *sorted(known), *_LARGE):
            if size == _LARGE[0] and start is not None:
                break
            output, sizes = self.run_adjusted(dict.fromkeys(self.free, size), ())
            if output is not None:
                yield output
                start = sizes
        if start is None:
            return
        axes = [[place for place in self.free if place[1] == axis] for axis in sorted({axis for _, axis in self.free})]
        for places in [*axes, *([place] for place in self.free if [place] not in axes)]:
            for size in _VARIED:
                output, _ = self.run_adjusted({**start, **dict.fromkeys(places, size)}, places)
                if output is not None:
                    yield output

    def run_adjusted(self, sizes: Sizes, fixed: Sequence[Place]) -> tuple[Any, Sizes]:
        """Run the function; while it raises, change sizes that are not `fixed` to numbers that it requested.

        Returns the output, None if it still raises, and the sizes for it.
        """
        tried: list[Request] = []
        while True:
            output, requests = self.run_once(sizes)
            request = next((r for r in reversed(requests) if r[0] not in fixed and r not in tried), None)
            if output is not None or request is None or self.left <= 0:
                return output, sizes
            tried.append(request)
            place, number, multiple = request
            sizes = {**sizes, place: number * sizes[place] if multiple else number}

    def run_once(self, sizes: Sizes) -> tuple[Any, list[Request]]:
        """Return the output for these sizes, or None if the function raises, and the sizes that it requested."""
        self.left -= 1
        requests: list[Request] = []
        places = iter(self.free)

        def make_size(place: Place) -> _Size:
            return _Size(sizes[place], place, requests)

        def fill(leaf: FreeArray) -> FreeArray:
            return FreeArray(tuple([make_size(next(places)) if n is None else n for n in leaf.shape]), leaf.dtype)

        try:
            return self.run(tree.map(fill, self.inputs)), requests
        except Exception as error:  # a function may raise any error for sizes that it does not accept
            self.problems.append(error)
            return None, requests


class _Size(int):
    """A size that records the numbers with which it is compared, as the function may require one of them."""

    place: Place
    requests: list[Request]

    def __new__(cls, size: int, place: Place, requests: list[Request]) -> _Size:
        self = super().__new__(cls, size)
        self.place, self.requests = place, requests
        return self

    def __eq__(self, other: object) -> bool:
        equal = int(self) == other
        if not equal and type(other) is int and other:  # many functions compare a size with 0, and none requires 0
            self.requests.append((self.place, other, False))
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

    def _note_bound(self, result: bool, other: Any, if_true: int, if_false: int) -> bool:
        """Record the nearest number for which the comparison would have the opposite result."""
        if type(other) is int:
            self.requests.append((self.place, other + (if_true if result else if_false), False))
        return result

    def __mod__(self, other: int) -> int:
        rest = int(self) % other
        if rest:
            self.requests.append((self.place, int(other), True))
        return rest

    __hash__ = int.__hash__


def _describe_outline(output: Any) -> Any:
    return tree.structure(output), [len(leaf.shape) for leaf in tree.leaves(output)]


def _join(first: FreeArray, *others: FreeArray) -> FreeArray:
    """Return the shape with None for sizes that differ between the outputs."""
    sizes = zip(first.shape, *[other.shape for other in others], strict=True)
    return FreeArray(tuple([int(n) if n is not None and set(more) <= {n} else None for n, *more in sizes]), first.dtype)
