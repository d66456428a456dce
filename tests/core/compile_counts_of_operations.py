"""Calls of every public operation with sizes that change along one axis, for ``make compile-counts``.

The arguments are the examples that backends are tested with. Each axis of the first array grows: by itself, with the
same axis of the other arrays, or with every axis of the same size, whichever the operation accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, combinations, islice
from typing import Any

import numpy as np
import torch

import luxport
from luxport import ops
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operation_examples.example import OverrideExample, draw
from luxport_conformance.operations import every_operation

__all__ = ["GrowingOperation", "list_growing_operations"]

_SIZES = 12
_STEPS = (1, 2, 4, 6)
"""Steps by which an axis grows; operations on halves, groups and windows need more than 1."""

Axes = frozenset[tuple[int, int]]
"""Pairs (array, axis) that grow together."""

# A table of rotations that is longer than any sequence here.
_TABLE = draw(40, 2)
_PUBLIC: dict[str, tuple[OverrideExample, ...]] = {
    "apply_rotary_embedding": (OverrideExample((draw(2, 3, 2, 4), _TABLE, _TABLE)),),
    "batched_adjoint": (OverrideExample((draw(2, 3, 4),)),),
    "batched_transpose": (OverrideExample((draw(2, 3, 4),)),),
    "compute_rotary_embedding_params": (),
    "conv": (OverrideExample((draw(2, 3, 6, 7), draw(4, 3, 3, 2)), {"padding": 1, "stride": 2}),),
    "conv_transpose": (OverrideExample((draw(2, 3, 6, 7), draw(3, 4, 3, 2)), {"stride": 2}),),
    "fold": (),
    "identity": (OverrideExample((draw(2, 3),)),),
    "lp_pool": (OverrideExample((draw(2, 3, 6, 7),), {"window": (2, 3), "p": 3}),),
    "max_pool": (OverrideExample((draw(2, 3, 6, 7),), {"window": (2, 3), "padding": 1}),),
    "mean_pool": (OverrideExample((draw(2, 3, 6, 7),), {"window": (2, 3), "padding": 1}),),
    "multigate": (OverrideExample((draw(2, 12),), {"n": 3}),),
    "observe": (OverrideExample((draw(2, 3),), {"forward": lambda x: None}),),
    "pad_zeros": (OverrideExample((draw(2, 3, 6, 7),), {"padding": 2}),),
    "reduce_segments": (OverrideExample((draw(6, 3), np.array([0, 1, 0, 2, 1, 2])), {"op": "max", "size": 3}),),
    "stop_gradient": (OverrideExample((draw(2, 3),)),),
    "unfold": (OverrideExample((draw(2, 3, 6, 7),), {"window": (2, 3), "padding": 1}),),
    "upsample_bilinear": (OverrideExample((draw(2, 3, 6, 7),), {"scale": 2}),),
    "upsample_trilinear": (OverrideExample((draw(2, 3, 4, 5, 3),), {"scale": 2}),),
}
"""Public functions that call operations with examples; an empty entry takes sizes and no arrays."""

_KEYS = ("keep_mask", "normal", "random_bits", "threefry_2x32", "uniform")
_FIXED: dict[str, set[int]] = {
    "apply_rotary_embedding": {3},
    "conv_nd": {1},
    "conv_transpose_nd": {1},
    "fold_nd": {2},
    "istft": {1},
    **{name: {0} for name in _KEYS},
}
"""Axes that cannot grow, since a table, a group of a weight, an option or a key fixes their size."""


class GrowingOperation:
    """An operation that is called with one axis longer each time."""

    def __init__(self, name: str, number: int, example: OverrideExample, f: Callable[..., Any], axis: int) -> None:
        self.name, self.kind = name, f"{number} axis {axis}"
        self._f, self._axis, self._options = f, axis, example.options
        self._arrays = [_to_torch(array) for array in example.arrays]
        self.grows = next((choice for choice in self._choices() if self._accepts(*choice)), None)

    def __call__(self, *arrays: Any) -> Any:
        return self._f(*arrays, **self._options)

    def calls(self) -> Iterator[tuple[Any, ...]]:
        """Yield arrays of twelve sizes; 1 is left out because compilers specialize it."""
        assert self.grows is not None, f"{self.name} {self.kind} accepts a single size only, without a known reason"
        first = int(self._arrays[0].shape[self._axis] == 1)
        for more in range(first, first + _SIZES):
            yield self._lengthen(*self.grows, more)

    def _choices(self) -> Iterator[tuple[int, Axes]]:
        """Yield candidate steps and axes: the axis alone, then with others of its size, equal positions first."""
        size = self._arrays[0].shape[self._axis]
        others = [
            (i, k)
            for i, array in enumerate(self._arrays)
            if array is not None
            for k in range(array.ndim)
            if array.shape[k] == size and (i, k) != (0, self._axis)
        ]
        others.sort(key=lambda place: place[1] != self._axis)
        together = chain.from_iterable(combinations(others, n) for n in range(len(others) + 1))
        for axes in islice(together, 256):
            for step in _STEPS:
                yield step, frozenset([(0, self._axis), *axes])

    def _lengthen(self, step: int, axes: Axes, more: int) -> tuple[Any, ...]:
        arrays = list(self._arrays)
        for i, k in axes:
            arrays[i] = torch.cat([arrays[i], *[arrays[i].narrow(k, 0, 1)] * (step * more)], k)
        return tuple(arrays)

    def _accepts(self, step: int, axes: Axes) -> bool:
        try:
            for more in (1, _SIZES):
                self(*self._lengthen(step, axes, more))
        except (luxport.LayerError, ValueError, TypeError, RuntimeError):
            return False
        return True


def _to_torch(array: Any) -> Any:
    if array is None:
        return None
    return luxport.asarray(array, backend="torch", dtype="float32" if np.asarray(array).dtype.kind == "f" else None)


def list_growing_operations(only: str | None = None) -> Iterator[GrowingOperation]:
    """Yield every operation, or the named one, with each axis of the first array of each example."""
    named = {name: (f, OPERATIONS.get(name, ())) for name, f in every_operation().items() if name in ops.__all__}
    named |= {name: (getattr(ops, name), examples) for name, examples in _PUBLIC.items()}
    for name, (f, examples) in sorted(named.items()):
        if only not in (None, name):
            continue
        for number, example in enumerate(examples, 1):
            if example.arrays and example.arrays[0] is not None and not (example.looks or example.tells):
                for axis, size in enumerate(np.shape(example.arrays[0])):
                    growing = GrowingOperation(name, number, example, f, axis) if size > 0 else None
                    if growing and (growing.grows or axis not in _FIXED.get(name, ())):
                        yield growing
