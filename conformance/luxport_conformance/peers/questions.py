"""`Question`: a function and inputs on which a peer is compared with luxport's definition in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops, optimizers, tree
from luxport.backend import get_backend
from luxport.ops import definition_of
from luxport_conformance import backends
from luxport_conformance.arrays import move_to_backend, move_to_host, widen_floats
from luxport_conformance.evaluation import list_floats, replace_floats, sum_weighted
from luxport_conformance.examples import Example
from luxport_conformance.operation_examples import OPERATIONS

__all__ = [
    "Question",
    "ask_about_layer",
    "ask_about_loss",
    "ask_about_operation",
    "ask_about_rule",
    "differentiate",
    "round_floats",
]


@dataclass(frozen=True)
class Question:
    """A comparison of a peer with luxport: a definition ``f(x, ps, st)`` and its float32 inputs on the host.

    `subject` is the argument of the peer's builder: luxport's layer or rule, or the options of an operation or a loss.
    `magnitude` is the size of terms that cancel in sums. Gradients are with respect to x and, unless `targets`, to
    `ps`; with `targets`, `ps` are the targets of a loss.
    """

    subject: Any
    definition: Callable[[Any, Any, Any], Any]
    x: Any
    ps: Any
    st: Any
    magnitude: float = 0.0
    targets: bool = False

    @cached_property
    def values(self) -> Any:
        """The result of the definition in float64 on `array_api_strict`, which overrides no operations."""
        strict = get_backend("strict")
        inputs = move_to_backend(widen_floats((self.x, self.ps, self.st)), strict, "float64")
        return move_to_host(self.definition(*inputs), strict)

    def draw_weights(self) -> Any:
        """Draw weights for the outputs, whose weighted sum is the scalar that is differentiated."""
        draw = np.random.Generator(np.random.Philox(11))
        return tree.map(lambda leaf: draw.normal(size=np.shape(leaf)).astype(np.float32), self.values)

    def differentiate(self, backend_name: str) -> Any:
        """Differentiate the definition in float64 on a backend."""
        backend = get_backend(backend_name)
        with backends.hold_dtype(backend, "float64"):
            values = move_to_backend(widen_floats((self.x, self.ps, self.st, self.draw_weights())), backend, "float64")
            return move_to_host(differentiate(self, self.definition, values), backend)


def differentiate(question: Question, f: Callable[[Any, Any, Any], Any], values: Any) -> Any:
    """Differentiate the weighted sum of f's outputs with respect to x's floats and the parameters."""
    x, ps, st, weights = values

    def loss(leaves: Any, ps: Any, x: Any, st: Any, weights: Any) -> Any:
        return sum_weighted(f(replace_floats(x, leaves), ps, st), weights)

    return luxport.grad(loss, (0,) if question.targets else (0, 1))(list_floats(x), ps, x, st, weights)


def ask_about_layer(
    example: Example, *, training: bool = False, change: Callable[[Any], Any] = lambda x: x, dtype: str = "float32"
) -> Question:
    """Return the question about a layer on an example; `change` is applied to the example's input."""
    x, ps, st = round_floats(example.draw_values(), dtype)
    st = (luxport.train_mode if training else luxport.test_mode)(st)

    def definition(x: Any, ps: Any, st: Any) -> Any:
        y, st = example.layer(x, ps, st)
        return (y, {name: st[name] for name in ("running_mean", "running_var")}) if training else y

    return Question(example.layer, definition, change(x), ps, st, example.tolerance.magnitude)


def ask_about_operation(name: str, position: int, *, dtype: str = "float32", x: Any = None) -> Question:
    """Return the question about an operation on one of its examples, or on `x` instead of the example's arrays."""
    example = OPERATIONS[name][position]
    definition = definition_of(getattr(ops, name))
    arrays = round_floats(example.arrays, dtype)
    x = round_floats(x, dtype) if x is not None else arrays[0] if len(arrays) == 1 else arrays

    def call(x: Any, ps: Any, st: Any) -> Any:
        return definition(*(x if isinstance(x, tuple) else (x,)), **example.options)

    return Question(dict(example.options), call, x, {}, {})


def ask_about_loss(
    name: str, y_hat: Any, targets: tuple[Any, ...], options: Mapping[str, Any], *, dtype: str = "float32"
) -> Question:
    """Return the question about a loss with these predictions, targets and options."""
    loss = getattr(losses, name)
    y_hat, targets = round_floats((y_hat, targets), dtype)
    return Question(
        dict(options), lambda x, ps, st: loss(x, *ps, **options), y_hat, targets, {}, magnitude=1.0, targets=True
    )


def ask_about_rule(rule: Any, x: Any, gradients: Any) -> Question:
    """Return the question about an optimizer rule: the values of x after each step with these gradients."""

    def definition(x: Any, gradients: Any, st: Any) -> Any:
        state, reached = optimizers.setup(rule, {"x": x}), []
        ps = {"x": x}
        for i in range(gradients.shape[0]):
            state, ps = optimizers.update(state, ps, {"x": gradients[i, ...]})
            reached.append(ps["x"])
        return tuple(reached)

    x, gradients = round_floats((x, gradients))
    return Question(rule, definition, x, gradients, {})


def round_floats(values: Any, dtype: str = "float32") -> Any:
    """Round the floating leaves of a host tree to a dtype, and return them as float32."""

    def round_leaf(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        if leaf.dtype.kind != "f":
            return leaf
        if dtype == "bfloat16":
            bits = leaf.astype(np.float32).view(np.uint32)
            bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
            return np.where(np.isfinite(leaf), bits.view(np.float32), leaf.astype(np.float32))
        return leaf.astype(dtype).astype(np.float32)

    return tree.map(round_leaf, values)
