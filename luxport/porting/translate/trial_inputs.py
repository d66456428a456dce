"""Find inputs that a model accepts, by calling it with arrays that have shapes but no values."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import luxport
from luxport.backend import adopt_type, backend_of
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.initial_values import describe_values, initial_parameters, initial_states

__all__ = ["Inputs", "Whole", "find_shapes", "write_first_line"]


class Whole(AbstractArray):
    """An array that cannot be iterated over, so that no layer takes it for several inputs."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(_SEVERAL)


_SEVERAL = "several inputs, of which this is one"
adopt_type(Whole, backend_of(AbstractArray((1,))))

Inputs: TypeAlias = "Whole | tuple[Inputs, ...] | Mapping[str, Inputs]"

_MOST = 600
_BATCH = 2


@dataclass(frozen=True)
class _Taken:
    """Shapes that a model accepts, as text, and whether its outputs keep the size of the batch."""

    shapes: str
    keeps_batch: bool


def find_shapes(model: luxport.Layer, tried: Iterable[Inputs], seconds: float = 2.0) -> str:
    """Return the shapes of inputs that a model accepts and of its outputs, or why none was found.

    Args:
        model: the layer
        tried: inputs in its source, which are tried first
        seconds: the longest time of the search
    """
    return _Search(model, seconds).run(list(tried))


class _Search:
    """A search for inputs that a model accepts, limited in time."""

    def __init__(self, model: luxport.Layer, seconds: float) -> None:
        self.model = model
        self.ps = describe_values(initial_parameters, model)
        self.st = luxport.test_mode(describe_values(initial_states, model))
        self.end = time.monotonic() + seconds
        self.left = _MOST
        self.failed: Exception | None = None
        self.other: _Taken | None = None
        self.hole = ""

    def run(self, tried: list[Inputs]) -> str:
        for inputs in self._yield_all(tried):
            if time.monotonic() > self.end or not self.left:
                break
            self.left -= 1
            taken = self._call(inputs)
            if self.hole:
                return self.hole
            if taken is not None and taken.keeps_batch:
                return taken.shapes
            self.other = self.other or taken
        if self.other is not None:
            return self.other.shapes
        reason = f": {write_first_line(self.failed)}" if self.failed else ""
        return f"no input found that it takes{reason}"

    def _call(self, inputs: Inputs) -> _Taken | None:
        try:
            y, _ = self.model(inputs, self.ps, self.st)
        except NotImplementedError as error:  # a piece that was not ported
            self.hole = write_first_line(error)
        except Exception as error:  # an input of another shape may be accepted
            if _is_floating(inputs) and (self.failed is None or _SEVERAL in str(self.failed)):
                self.failed = error
        else:
            outputs = [leaf for leaf in luxport.tree.leaves(y) if isinstance(leaf, AbstractArray)]
            sizes = {leaf.shape[0] for leaf in luxport.tree.leaves(inputs) if len(leaf.shape) > 1}
            keeps = bool(sizes) and all(not leaf.shape or leaf.shape[0] in sizes for leaf in outputs)
            one = isinstance(inputs, Whole) and len(inputs.shape) == 1 and all(len(leaf.shape) < 2 for leaf in outputs)
            shown = luxport.tree.map(lambda leaf: tuple(leaf.shape) if isinstance(leaf, AbstractArray) else leaf, y)
            return _Taken(f"{_write_shapes(inputs)} -> {shown}", keeps or one)
        return None

    def _yield_all(self, tried: list[Inputs]) -> Iterator[Inputs]:
        """Yield inputs to try: the source's, then single arrays that fit the weights, then several such arrays."""
        yield from tried
        singles = [one for one in tried if isinstance(one, Whole)]
        for one in singles:
            yield Whole(one.shape, np.int64)
        weights = _find_weights(self.model, self.ps)
        yield from weights[0].yield_inputs() if weights else _yield_vectors(self.ps)
        for weight in weights[1:]:  # the order of the weights does not tell which part is called first
            yield from itertools.islice(weight.yield_inputs(), 3)
        pool = _keep_distinct([*singles, *_find_entries(weights)])
        if keys := self._find_keys(pool):
            yield from ({**dict(zip(keys, found, strict=True))} for found in itertools.product(pool, repeat=len(keys)))
            return
        counts = self._find_counts(pool)
        for count in counts:
            yield from _order_by_likeness(pool, count)
        for one, other, third in itertools.product(pool[:7], repeat=3):  # two inputs, of which one has two parts
            yield one, (other, third)

    def _find_counts(self, pool: list[Whole]) -> list[int]:
        """Return how many inputs there may be: the number in the model's error message, or 2 and 3."""
        try:
            self.model((pool[0],), self.ps, self.st)
        except Exception as error:
            if found := re.search(r"expected (\d+), got 1\b|(\d+) inputs? expected|expects (\d+) inputs", str(error)):
                return [int(next(filter(None, found.groups())))]
        return [2, 3]

    def _find_keys(self, pool: list[Whole]) -> list[str]:
        """Return the names of inputs, if the model takes a dict: a KeyError names each in turn."""
        keys: dict[str, Any] = {}
        for _ in range(8):
            try:
                self.model(keys, self.ps, self.st)
            except Exception as error:
                key = _find_missing(error)
                if key is None or key in keys:
                    break
                keys[key] = pool[0]
            else:
                break
        return list(keys)


def _find_missing(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
            return error.args[0]
        error = error.__cause__
    return None


def _order_by_likeness(pool: list[Whole], count: int) -> Iterator[tuple[Whole, ...]]:
    """Yield tuples of inputs, those of equal ones first."""
    alike = [(one,) * count for one in pool]
    yield from alike
    yield from (found for found in itertools.product(pool, repeat=count) if len(set(map(id, found))) > 1)


def _keep_distinct(found: Iterable[Whole]) -> list[Whole]:
    known = {(one.shape, one.dtype.name): one for one in found}
    return list(known.values())[:12] or [Whole((_BATCH, 8))]


@dataclass(frozen=True)
class _Weight:
    """A weight of a layer that may be the first of a model, or of a part of it."""

    part: str
    shape: tuple[int, ...]
    kind: str
    """"table" for an embedding, "sequence" for a layer over sequences, "" for any other."""

    def yield_inputs(self) -> Iterator[Whole]:
        """Yield inputs that the layer may accept, the likeliest first."""
        if len(self.shape) > 2:
            for channels in dict.fromkeys((self.shape[1], self.shape[0])):
                yield from (Whole((_BATCH, channels, *[size] * (len(self.shape) - 2))) for size in _SIZES)
            yield from (Whole((_BATCH, *[size] * (len(self.shape) - 2), self.shape[1])) for size in _SIZES[:2])
            return
        size, tokens = next(iter(self.shape)), Whole((_BATCH, _LENGTH), np.int64)
        flat, series = Whole((_BATCH, size)), Whole((_BATCH, _LENGTH, size))
        yield from {"table": (tokens, flat), "sequence": (series, flat, tokens)}.get(self.kind, (flat, series, tokens))
        for channels in (1, 3):  # images that are flattened first
            side = math.isqrt(size // channels)
            if channels * side * side == size:
                yield Whole((_BATCH, channels, side, side))
        yield Whole((_BATCH, *self.shape))  # an array that the weight is added to or multiplied with
        yield Whole((_BATCH, size, *_SIZES[:1] * 2))  # images that are averaged first


def _find_weights(model: luxport.Layer, ps: Any) -> list[_Weight]:
    layers = dict(luxport.named_modules(model))
    found = []
    leaves = [(path, leaf) for path, leaf in luxport.tree.leaves_with_path(ps) if leaf.ndim > 1]
    named = [(path, leaf) for path, leaf in leaves if path[-1] in ("weight", "weight_ih")]
    for path, leaf in named or leaves:  # a model's own matrices have any names
        around = [layers[path[:end]] for end in range(len(path)) if path[:end] in layers]
        kinds = [name for kinds, name in _KINDS.items() if any(isinstance(one, kinds) for one in around)]
        kind = kinds[0] if kinds else ""
        found.append(_Weight(path[0], tuple(leaf.shape), kind))
    return found


_KINDS = {
    (luxport.Embedding, luxport.EmbeddingBag): "table",
    (luxport.MultiHeadAttention, luxport.Recurrence): "sequence",
}


def _find_entries(weights: list[_Weight]) -> list[Whole]:
    """Return inputs of the first layer of each part, then of the other layers."""
    firsts = {weight.part: weight for weight in reversed(weights)}
    found = [_list_likeliest(weight) for weight in reversed(firsts.values())]
    found += [_list_likeliest(weight)[:1] for weight in weights]
    return [one for some in found for one in some]


def _list_likeliest(weight: _Weight) -> list[Whole]:
    """Return the two likeliest inputs of a layer; for a convolution each number of channels, in two sizes."""
    if len(weight.shape) < 3:
        return list(itertools.islice(weight.yield_inputs(), 2))
    space = len(weight.shape) - 2
    channels = dict.fromkeys((weight.shape[1], weight.shape[0]))
    return [Whole((_BATCH, count, *[size] * space)) for count in channels for size in (_SIZES[0], _SIZES[0] // 2)]


def _yield_vectors(ps: Any) -> Iterator[Whole]:
    """Yield inputs for a model without matrices: with the size of its vectors last, or some common shapes."""
    sizes = [leaf.shape[-1] for leaf in luxport.tree.leaves(ps) if leaf.ndim and leaf.shape[-1] > 1][:1]
    more = ((28, 28), (32, 32), (16,), (64, 64))
    shapes: list[tuple[int, ...]] = [(*sizes, *one) for one in more] if sizes else []
    shapes += [tuple(sizes), (_LENGTH, *sizes)] if sizes else []
    shapes += [(4, 8, 8), (8, 8), (8,), (3, 28, 28), (4, 4, 4, 4)]
    yield from (Whole((_BATCH, *shape)) for shape in shapes)


_LENGTH = 5
_SIZES = (28, 32, 64, 224, 128, 256, 16, 96, 100, 48, 160, 299, 1024, 8, *range(9, 41))


def _is_floating(inputs: Inputs) -> bool:
    return all(leaf.dtype.kind == "f" for leaf in luxport.tree.leaves(inputs))


def _write_shapes(inputs: Inputs) -> str:
    """Return the shapes of inputs as text; those of integers say so."""
    if isinstance(inputs, Mapping):
        return f"{{{', '.join(f'{key!r}: {_write_shapes(value)}' for key, value in inputs.items())}}}"
    if isinstance(inputs, tuple):
        return f"({', '.join(map(_write_shapes, inputs))})"
    return f"{inputs.shape} of ints" if inputs.dtype.kind == "i" else str(inputs.shape)


def write_first_line(error: Exception | None) -> str:
    """Return the type and the first line of the message of an error."""
    return f"{type(error).__name__}: {error}".split("\n")[0]
