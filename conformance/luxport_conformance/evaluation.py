"""The outputs, states and gradients of examples on a backend, computed once and shared by all laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, dtype_name
from luxport_conformance import compiling
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.joint_programs import Together

__all__ = [
    "Evaluation",
    "Evaluations",
    "derive_gradient_tolerance",
    "draw_weights",
    "list_floats",
    "place_inputs",
    "replace_floats",
    "sum_weighted",
]


class Evaluation(NamedTuple):
    """The results of an example as host trees.

    `train` and `test` are ``(output, new state)`` in each mode; the gradients are with respect to the floating leaves
    of x and to ps, or None. `dtypes` are the dtypes of the outputs on the backend.
    """

    train: Any
    test: Any
    train_gradients: Any
    test_gradients: Any
    dtypes: tuple[str, ...]

    @classmethod
    def collect(cls, results: Any, backend: Backend) -> Evaluation:
        """Copy the results of a program to the host."""
        (trained, _), (tested, _) = results[:2]
        dtypes = tuple(dtype_name(leaf) for leaf in tree.leaves((trained, tested)))
        return cls(*move_to_host(results, backend), dtypes)  # type: ignore[call-arg]


class Evaluations:
    """A cache of the evaluations of examples for one run.

    On a backend that compiles each operation, only the first example of each layer runs operation by operation,
    unless `thorough`. On other backends, with `share` only the first example of each layer is compiled.
    """

    def __init__(self, *, thorough: bool = False, share: bool = False) -> None:
        self._thorough = thorough
        self._share = share
        self._kept: dict[Any, Any] = {}

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the cached value of this key; make and cache it on the first call."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def make_layer(self, example: Example, backend: Backend) -> Callable[..., Any]:
        """Return the example's layer, compiled on a backend that would otherwise compile each of its operations."""
        if self._thorough or example in _FIRST:
            return example.layer
        prepared = self.keep(("layer", example, backend.name), lambda: compiling.prepare(backend, example.layer))
        if prepared is example.layer:
            return prepared

        def call_in_order(x: Any, ps: Any, st: Any) -> Any:
            y, new = prepared(x, ps, st)
            return y, _order_keys(st, new)

        return call_in_order

    def evaluate(
        self, example: Example, backend: Backend, dtype: str, *, gradients: bool, rounded: str = ""
    ) -> Evaluation:
        """Evaluate an example eagerly, or compiled on a backend that compiles each operation anyway.

        `rounded` is the dtype that inputs are rounded to before they are converted to `dtype`; by default `dtype`.
        """
        if compiling.compiles_operations(backend.name):
            return self.evaluate_compiled(example, backend, dtype, gradients=gradients, rounded=rounded)
        return self.evaluate_eagerly(example, backend, dtype, gradients=gradients, rounded=rounded)

    def evaluate_eagerly(
        self, example: Example, backend: Backend, dtype: str, *, gradients: bool, rounded: str = ""
    ) -> Evaluation:
        """Evaluate an example operation by operation."""
        rounded = rounded or dtype

        def run() -> Evaluation:
            program, inputs = _make_job(example, backend, dtype, gradients, rounded)
            return Evaluation.collect(program(*inputs), backend)

        return self.keep(("eager", example, backend.name, dtype, gradients, rounded), run)

    def evaluate_compiled(
        self, example: Example, backend: Backend, dtype: str, *, gradients: bool, rounded: str = ""
    ) -> Evaluation:
        """Evaluate an example compiled, in one program with the examples of its group."""
        rounded = rounded or dtype
        few = self._share and not compiling.compiles_operations(backend.name) and example in _FIRST
        groups = _FIRST_GROUPS if few else _GROUPS
        group = next(group for group in groups if example in group) if example in _GROUPED else (example,)

        def run_together() -> Together:
            jobs = {member: _make_job(member, backend, dtype, gradients, rounded) for member in group}
            return Together(lambda program: compiling.compile_quickly(backend, program), jobs)

        results = self.keep(("compiled", group, backend.name, dtype, gradients, rounded), run_together)
        return Evaluation.collect(results[example], backend)


def place_inputs(example: Example, backend: Backend, dtype: str, rounded: str = "") -> tuple[Any, Any, Any]:
    """Return an example's x, parameters and states on the backend; the states are in training mode.

    `rounded` is the dtype that floats are rounded to on the host before they are converted to `dtype`.
    """
    x, ps, st = example.draw_values()
    if rounded in ("float16", "float32"):
        x, ps, st = tree.map(lambda leaf: leaf.astype(rounded) if leaf.dtype.kind == "f" else leaf, (x, ps, st))
    return move_to_backend(x, backend, dtype), move_to_backend(ps, backend, dtype), move_to_backend(st, backend, dtype)


def draw_weights(example: Example) -> Any:
    """Draw weights for the outputs; the weighted sum of all outputs is the scalar that is differentiated."""
    draw = np.random.Generator(np.random.Philox(11))
    return tree.map(lambda leaf: draw.normal(size=leaf.shape), _call_in_testing(example))


def sum_weighted(y: Any, weights: Any) -> Any:
    """Return the sum over all leaves of y times their weights."""
    products = [leaf * weight for leaf, weight in zip(tree.leaves(y), tree.leaves(weights), strict=True)]
    xp = luxport.namespace(*products)
    return sum([xp.sum(product) for product in products[1:]], start=xp.sum(products[0]))


def derive_gradient_tolerance(example: Example) -> Tolerance:
    """Return the tolerance of an example's gradients, which sum at most one term for each entry of the output."""
    entries = sum(leaf.size for leaf in tree.leaves(_call_in_testing(example)))
    return replace(example.tolerance, reduction=example.tolerance.reduction + entries)


def list_floats(x: Any) -> tuple[Any, ...]:
    """Return the floating leaves of x, which are differentiated; indices and booleans are not."""
    return tuple([leaf for leaf in tree.leaves(x) if "float" in dtype_name(leaf)])


def replace_floats(x: Any, leaves: tuple[Any, ...]) -> Any:
    """Return x with its floating leaves replaced by these."""
    given = iter(leaves)
    return tree.map(lambda leaf: next(given) if "float" in dtype_name(leaf) else leaf, x)


def _order_keys(like: Any, values: Any) -> Any:
    """Return `values` with its keys in the order of `like`: JAX sorts the keys of dicts."""
    if isinstance(like, Mapping) and isinstance(values, Mapping) and like.keys() == values.keys():
        return {key: _order_keys(like[key], values[key]) for key in like}
    return values


def _call_in_testing(example: Example) -> Any:
    x, ps, st = example.draw_values()
    return example.layer(x, ps, luxport.test_mode(st))[0]


def _make_job(
    example: Example, backend: Backend, dtype: str, gradients: bool, rounded: str
) -> tuple[Any, tuple[Any, ...]]:
    def loss(leaves: Any, ps: Any, x: Any, st: Any, weights: Any) -> Any:
        return sum_weighted(example.layer(replace_floats(x, leaves), ps, st)[0], weights)

    def program(x: Any, ps: Any, train: Any, test: Any, weights: Any) -> Any:
        x = compiling.forget_sizes(backend, x)
        modes = (train,) if tree.structure(train) == tree.structure(test) else (train, test)
        results = [example.layer(x, ps, st) for st in modes]
        gradient = luxport.grad(loss, (0, 1)) if gradients else lambda *inputs: None
        slopes = [gradient(list_floats(x), ps, x, st, weights) for st in modes]
        return results[0], results[-1], slopes[0], slopes[-1]

    x, ps, st = place_inputs(example, backend, dtype, rounded)
    weights = draw_weights(example)
    if rounded in ("float16", "float32"):
        weights = tree.map(lambda leaf: leaf.astype(rounded), weights)
    weights = move_to_backend(weights, backend, dtype)
    return program, (x, ps, luxport.train_mode(st), luxport.test_mode(st), weights)


_ALL = tuple(example for examples in EXAMPLES.values() for example in examples)
_GROUPED = frozenset(_ALL)
_FIRSTS = tuple(examples[0] for examples in EXAMPLES.values())
_FIRST = frozenset(_FIRSTS)
_GROUPS, _FIRST_GROUPS = (tuple(listed[i : i + 8] for i in range(0, len(listed), 8)) for listed in (_ALL, _FIRSTS))
