"""Checks of peers: how far their values and gradients are from those of the definitions in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import ops, tree
from luxport.backend import get_backend
from luxport.ops import definition_of
from luxport_conformance import backends
from luxport_conformance.arrays import on_backend, on_host, widened
from luxport_conformance.compare import EPSILON
from luxport_conformance.evaluation import floats, weighted_sum, with_floats
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.peers.counterpart import Build, NoCounterpartError, Peer
from luxport_conformance.runner import Check, Evidence

__all__ = ["peer_checks"]


def peer_checks(peers: tuple[Peer, ...]) -> Iterator[Check]:
    """Yield the checks of every example that these peers have a counterpart for: values, gradients, statistics."""
    for peer in peers:
        for subject, build in peer.layers.items():
            for position, example in enumerate(EXAMPLES.get(subject, ()), start=1):
                name = f"{subject}_{position}"
                yield _check(peer, subject, f"peer-{name}", _values, build, partial(_of_layer, example))
                yield _check(peer, subject, f"peer_gradient-{name}", _gradients, build, partial(_of_layer, example))
                if "running_mean" in luxport.setup(1, example.layer, backend="numpy")[1]:
                    question = partial(_of_layer, example, training=True)
                    yield _check(peer, subject, f"peer_training-{name}", _values, build, question)
        for subject, build in peer.operations.items():
            for position in range(len(OPERATIONS.get(subject, ()))):
                name, question = f"{subject}_{position + 1}", partial(_of_operation, subject, position)
                yield _check(peer, subject, f"peer-{name}", _values, build, question)
                yield _check(peer, subject, f"peer_gradient-{name}", _gradients, build, question)


@dataclass(frozen=True)
class _Question:
    """What is asked of both: a definition ``f(x, ps, st)`` at float32 inputs on the host.

    `subject` is what the builder is given: luxport's layer, or the options of an operation. Sums that cancel are as
    inexact as terms of size `magnitude`.
    """

    subject: Any
    definition: Callable[[Any, Any, Any], Any]
    x: Any
    ps: Any
    st: Any
    magnitude: float = 0.0

    def values(self) -> Any:
        """Run the definition in float64, on arrays for which no backend has operations of its own."""
        strict = get_backend("strict")
        inputs = on_backend(widened((self.x, self.ps, self.st)), strict, "float64")
        return on_host(self.definition(*inputs), strict)

    def weights(self) -> Any:
        """Draw weights for the outputs: their weighted sum is what is differentiated."""
        draw = np.random.Generator(np.random.Philox(11))
        return tree.map(lambda leaf: draw.normal(size=np.shape(leaf)).astype(np.float32), self.values())

    def gradients(self, backend_name: str) -> Any:
        """Differentiate the definition in float64 on a backend."""
        backend = get_backend(backend_name)
        with backends.holding(backend, "float64"):
            values = on_backend(widened((self.x, self.ps, self.st, self.weights())), backend, "float64")
            return on_host(_differentiated(self.definition, values), backend)


def _of_layer(example: Example, training: bool = False) -> _Question:
    x, ps, st = _rounded(example.values())
    st = (luxport.train_mode if training else luxport.test_mode)(st)

    def definition(x: Any, ps: Any, st: Any) -> Any:
        y, st = example.layer(x, ps, st)
        return (y, {name: st[name] for name in ("running_mean", "running_var")}) if training else y

    return _Question(example.layer, definition, x, ps, st, example.tolerance.magnitude)


def _of_operation(name: str, position: int) -> _Question:
    example = OPERATIONS[name][position]
    definition = definition_of(getattr(ops, name))
    arrays = _rounded(example.arrays)
    x = arrays[0] if len(arrays) == 1 else arrays

    def of(x: Any, ps: Any, st: Any) -> Any:
        return definition(*(x if isinstance(x, tuple) else (x,)), **example.options)

    return _Question(dict(example.options), of, x, {}, {})


def _rounded(values: Any) -> Any:
    return tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf, values)


def _differentiated(f: Callable[[Any, Any, Any], Any], values: Any) -> Any:
    """Differentiate the weighted sum of f's outputs with respect to x's floats and the parameters."""
    x, ps, st, weights = values

    def loss(leaves: Any, ps: Any, x: Any, st: Any, weights: Any) -> Any:
        return weighted_sum(f(with_floats(x, leaves), ps, st), weights)

    return luxport.grad(loss, (0, 1))(floats(x), ps, x, st, weights)


def _values(peer: Peer, build: Build, question: _Question, evidence: Evidence | None) -> float:
    return _compared(peer, build, question, evidence, question.values, lambda f, values: f(*values[:3]))


def _gradients(peer: Peer, build: Build, question: _Question, evidence: Evidence | None) -> float:
    own = peer.backend()
    # Gradients of the definitions come from another framework, where there is one.
    others = [name for name in backends.differentiating() if name != own]
    if own not in backends.differentiating():
        return _left_out(evidence, f"differentiates nothing on {own}")
    wanted = partial(question.gradients, (*others, own)[0])
    return _compared(peer, build, question, evidence, wanted, _differentiated)


def _compared(
    peer: Peer,
    build: Build,
    question: _Question,
    evidence: Evidence | None,
    wanted: Callable[[], Any],
    asked: Callable[[Any, Any], Any],
) -> float:
    """Tell how far the peer is off, in eps of the largest entry wanted; NaN if it cannot be asked."""
    backend = get_backend(peer.backend())
    try:
        counterpart = build(question.subject, question.x, question.st)
    except NoCounterpartError as reason:
        return _left_out(evidence, str(reason))
    values = on_backend((question.x, question.ps, question.st, question.weights()), backend, "float32")
    want = wanted()
    try:
        got = on_host(asked(lambda x, ps, st: counterpart.call(x, ps), values), backend)
    except NoCounterpartError as reason:
        return _left_out(evidence, str(reason))
    except Exception as error:  # of the peer's own: one more way to differ
        if evidence is not None:
            evidence.remark = f"raises {type(error).__name__}: {error}"
        return float("inf")
    if evidence is not None:
        evidence.note(want, got)
        evidence.remark = counterpart.remark
    return _distance(_sorted(got), _sorted(want), question.magnitude)


def _left_out(evidence: Evidence | None, reason: str) -> float:
    if evidence is not None:
        evidence.remark = f"no counterpart: {reason}"
    return float("nan")


def _distance(got: Any, want: Any, magnitude: float) -> float:
    if tree.structure(got) != tree.structure(want):
        return float("inf")
    pairs = zip(tree.leaves(got), tree.leaves(want), strict=True)
    return max([_leaf_distance(np.asarray(leaf), np.asarray(wanted), magnitude) for leaf, wanted in pairs], default=0.0)


def _leaf_distance(got: Any, want: Any, magnitude: float) -> float:
    finite = np.isfinite(want)
    if got.shape != want.shape or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return float("inf")
    apart = float(np.abs(got[finite] - want[finite]).max(initial=0.0))
    scale = max(float(np.abs(want[finite]).max(initial=0.0)), magnitude)
    if not apart:
        return 0.0
    return apart / (EPSILON["float32"] * scale) if scale and np.isfinite(apart) else float("inf")


def _sorted(values: Any) -> Any:
    """Put the keys of dicts in order: JAX sorts them."""
    if isinstance(values, Mapping):
        return {key: _sorted(values[key]) for key in sorted(values)}
    return tuple(map(_sorted, values)) if isinstance(values, (tuple, list)) else values


def _check(
    peer: Peer,
    subject: str,
    name: str,
    measure: Callable[[Peer, Build, _Question, Evidence | None], float],
    build: Build,
    question: Callable[[], _Question],
) -> Check:
    def run(evidence: Evidence | None = None) -> float:
        return measure(peer, build, question(), evidence)

    def inputs() -> str:
        asked = question()
        what = repr(asked.subject) if isinstance(asked.subject, luxport.Layer) else f"{subject} with {asked.subject}"
        return f"{what}: x by Philox(7), parameters from seed 1 and moved, weights by Philox(11)"

    return Check(
        id=f"{name}-{peer.name}",
        kind="peer",
        subject=subject,
        name=name.partition("-")[0],
        backend=peer.name,
        run=run,
        dtype="float32",
        of="backward" if measure is _gradients else "forward",
        inputs=inputs,
    )
