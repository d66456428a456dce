"""Examples of every public operation, on which a backend's own version is held against the definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import luxport
from luxport import ops, tree
from luxport.backend import Backend
from luxport.ops import definition_of
from luxport_conformance.arrays import dtype_name, on_backend, on_host
from luxport_conformance.backends import abilities, prepared
from luxport_conformance.cases.activations import ELEMENTWISE, WITH_PARAMETER
from luxport_conformance.compare import Tolerance, Violation, compare
from luxport_conformance.together import Together

__all__ = ["OPERATIONS", "OverrideExample", "Overrides", "operation_names"]


@dataclass(frozen=True)
class OverrideExample:
    """Arrays (None for one that is absent) and options of an operation."""

    arrays: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()


def operation_names() -> list[str]:
    """Name the public operations that a backend may supply itself."""
    return [name for name in ops.__all__ if getattr(getattr(ops, name), "definition", None) is not None]


class Overrides:
    """A backend's own versions and the definitions, run side by side on the examples; kept for a run."""

    def __init__(self) -> None:
        self._groups: dict[Any, Together] = {}

    def compare(self, name: str, position: int, backend: Backend, dtype: str) -> float:
        """Hold values, dtypes and gradients of an operation's override against its definition on the same arrays.

        Returns 0 if the backend has no override. Raises: Violation
        """
        if getattr(backend.ops, name, None) is None:
            return 0.0
        example = OPERATIONS[name][position]
        got, want, got_slopes, want_slopes = self._results(name, position, backend, dtype)
        for leaf, wanted in zip(tree.leaves(got), tree.leaves(want), strict=True):
            if dtype_name(leaf) != dtype_name(wanted):
                raise Violation(f"a result in {dtype_name(wanted)} expected, got {dtype_name(leaf)}")
        got, want = on_host(got, backend), on_host(want, backend)
        worst = compare(got, want, dtype=dtype, tolerance=example.tolerance)
        slopes = on_host(got_slopes, backend), on_host(want_slopes, backend)
        return max(worst, compare(*slopes, dtype=dtype, tolerance=example.tolerance, path="gradient"))

    def _results(self, name: str, position: int, backend: Backend, dtype: str) -> Any:
        if backend.name != "jax":
            program, arrays = _job(name, position, backend, dtype)
            return program(*arrays)
        # Each operation is compiled in any case, see `backends.prepared`: those of one name together.
        key = (name, backend.name, dtype)
        if key not in self._groups:
            jobs = {i: _job(name, i, backend, dtype) for i in range(len(OPERATIONS[name]))}
            self._groups[key] = Together(lambda program: prepared(backend, program), jobs)
        return self._groups[key][position]


def _job(name: str, position: int, backend: Backend, dtype: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a program of the arrays of an example: override and definition, and the gradients of both if any."""
    example = OPERATIONS[name][position]
    versions = getattr(backend.ops, name), definition_of(getattr(ops, name))
    floating = tuple(i for i, array in enumerate(example.arrays) if array is not None and array.dtype.kind == "f")
    differentiates = abilities(backend.name).gradients and bool(floating)

    def program(*arrays: Any) -> Any:
        results = [version(*arrays, **example.options) for version in versions]
        if not differentiates:
            return (*results, None, None)
        losses = [_loss(version, example.options) for version in versions]
        return (*results, *[luxport.grad(loss, floating)(*arrays) for loss in losses])

    return program, tuple([on_backend(array, backend, dtype) for array in example.arrays])


def _loss(version: Any, options: Mapping[str, Any]) -> Any:
    def loss(*arrays: Any) -> Any:
        y = tree.leaves(version(*arrays, **options))[0]
        xp = luxport.namespace(y)
        # Weights that differ from entry to entry: a plain sum would not see a gradient that went to the wrong one.
        weights = xp.cos(xp.astype(xp.reshape(xp.arange(int(np.prod(y.shape))), tuple(y.shape)), y.dtype))
        return xp.sum(y * weights)

    return loss


def _draw(*shape: int, seed: int = 3) -> Any:
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


_KEY, _COUNTER = np.array([1, 2], np.int32), np.array(5, np.int32)

# Away from the kinks of activations, on both sides of them, and far out.
_POINTS = np.array([-20.0, -5.5, -3.2, -1.5, -0.7, -0.2, 0.1, 0.4, 0.9, 1.6, 2.5, 3.3, 6.5, 20.0])


_CONVOLUTIONS: tuple[dict[str, Any], ...] = (
    {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1, "flip": True},
    {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1, "flip": False},
    {"stride": (2, 1), "padding": ((2, 0), (0, 1)), "dilation": (1, 2), "groups": 2, "flip": True},
    {"stride": (1, 3), "padding": ((0, 0), (1, 2)), "dilation": (2, 1), "groups": 4, "flip": False},
)
_WINDOWS: tuple[dict[str, Any], ...] = (
    {"window": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    {"window": (3, 2), "stride": (1, 2), "padding": ((1, 0), (0, 1)), "dilation": (1, 1)},
    {"window": (2, 3), "stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (2, 1)},
)


OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    **dict.fromkeys((*ELEMENTWISE, "sigmoid_fast", "tanh_fast", "thresholdrelu"), (OverrideExample((_POINTS,)),)),
    **{
        name: (OverrideExample((_POINTS,)), OverrideExample((_POINTS,), {parameter: 0.3}))
        for name, parameter in WITH_PARAMETER.items()
    },
    "rrelu": (OverrideExample((_POINTS, _KEY, _COUNTER)),),
    "glu": (OverrideExample((_draw(3, 6),)), OverrideExample((_draw(4, 3, 2),), {"axis": 0})),
    "erf": (OverrideExample((_POINTS / 4,)),),
    "conv": tuple(
        OverrideExample(
            (_draw(2, 4, 7, 6), _draw(4, 4 // options["groups"], 3, 2), _draw(4) if bias else None),
            options,
            Tolerance(reduction=4 * 6 * 12),
        )
        for options in _CONVOLUTIONS
        for bias in (True, False)
    ),
    "max_pool": tuple(OverrideExample((_draw(2, 2, 6, 7),), options) for options in _WINDOWS),
    "mean_pool": tuple(
        OverrideExample((_draw(2, 2, 6, 7),), {**options, "count_include_pad": counted}, Tolerance(reduction=6))
        for options in _WINDOWS
        for counted in (True, False)
    ),
    "dense": (
        OverrideExample((_draw(4, 3), _draw(3, 2), _draw(2)), tolerance=Tolerance(reduction=4)),
        OverrideExample((_draw(2, 4, 3), _draw(3, 2), None), tolerance=Tolerance(reduction=8)),
        OverrideExample((_draw(3), _draw(3, 2), _draw(2)), tolerance=Tolerance(reduction=3)),
    ),
    "batch_norm": tuple(
        OverrideExample(
            (_draw(*shape), _draw(3), _draw(3), _draw(3), np.abs(_draw(3)) + 0.1),
            {"training": training, "momentum": 0.1, "epsilon": 1e-5},
            Tolerance(reduction=6 * 4),
        )
        for shape in ((6, 3), (6, 3, 2, 2))
        for training in (True, False)
    ),
    "dropout": (
        OverrideExample((_draw(5, 7), _KEY, _COUNTER), {"p": 0.4}),
        OverrideExample((_draw(5, 7), _KEY, _COUNTER), {"p": 0.4, "axes": (0,)}),
    ),
    "threefry_2x32": (
        OverrideExample(
            (_KEY, np.arange(10, dtype=np.int32).reshape(5, 2)),
        ),
    ),
    "random_bits": (OverrideExample((_KEY, _COUNTER), {"shape": (3, 5)}),),
    "keep_mask": (OverrideExample((_KEY, _COUNTER), {"shape": (3, 5), "p": 0.3}),),
    "uniform": (OverrideExample((_KEY, _COUNTER), {"shape": (3, 5)}),),
    "normal": (OverrideExample((_KEY, _COUNTER), {"shape": (3, 5)}),),
}
