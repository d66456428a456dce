"""Checks of peers: the deviation of their values and gradients from luxport's definitions in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import dtype_name, get_backend
from luxport_conformance import backends, compiling
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.compare import EPSILON, sort_keys
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.peers import edges
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, refuse
from luxport_conformance.peers.questions import (
    Question,
    ask_about_layer,
    ask_about_loss,
    ask_about_operation,
    ask_about_rule,
    differentiate,
)
from luxport_conformance.runner import Check, Evidence

__all__ = ["list_peer_checks", "measure_moments"]

HALVES = ("float16", "bfloat16")


def list_peer_checks(peers: tuple[Peer, ...]) -> Iterator[Check]:
    """Yield a check for each example of each layer, operation, loss, rule and initializer in the peers' tables."""
    for peer in peers:
        yield from _list_layer_checks(peer)
        yield from _list_operation_checks(peer)
        for name, build in peer.losses.items():
            for position, (y_hat, targets, options) in enumerate(edges.LOSSES.get(name, ()), start=1):
                question = partial(ask_about_loss, name, y_hat, targets, options)
                yield from _list_both(peer, name, f"{name}_{position}", build, question)
                if position == 1:
                    yield from _list_halves(peer, name, build, question)
        for name, build in peer.optimizers.items():
            for position, rule in enumerate(edges.RULES.get(name, ()), start=1):
                question = partial(ask_about_rule, rule, edges.START, edges.GRADIENTS)
                yield _check(peer, name, f"peer_ten_steps-{name}_{position}", _compare_values, build, question)
        for name in peer.initializers:
            yield _check_moments(peer, name)


def _list_layer_checks(peer: Peer) -> Iterator[Check]:
    told = {**{name: refuse(reason) for name, reason in peer.none.items()}, **peer.layers}
    for subject, build in told.items():
        for position, example in enumerate(EXAMPLES.get(subject, ()), start=1):
            name = f"{subject}_{position}"
            question = partial(ask_about_layer, example)
            yield from _list_both(peer, subject, name, build, question)
            if subject in peer.none:
                break
            if "running_mean" in luxport.setup(1, example.layer, backend="numpy")[1]:
                asked = partial(ask_about_layer, example, training=True)
                yield _check(peer, subject, f"peer_training-{name}", _compare_values, build, asked)
            if position == 1:
                yield from _list_halves(peer, subject, build, question)
        for edge in edges.EDGES.get(subject, ()) if subject in peer.layers else ():
            question = partial(ask_about_layer, edge.make_example(), change=edge.change)
            name = f"{subject}:{edge.what.replace(' ', '_')}"
            yield from _list_both(peer, subject, name, build, question, edge="_edge")


def _list_operation_checks(peer: Peer) -> Iterator[Check]:
    for subject, build in peer.operations.items():
        examples = OPERATIONS.get(subject, ())
        for position, example in enumerate(examples):
            question = partial(ask_about_operation, subject, position)
            yield from _list_both(peer, subject, f"{subject}_{position + 1}", build, question)
            if position == 0:
                yield from _list_halves(peer, subject, build, question)
            if position == 0 and len(example.arrays) == 1 and example.arrays[0].ndim == 1:
                asked = partial(ask_about_operation, subject, 0, x=edges.FAR_OUT)
                yield _check(peer, subject, f"peer_edge-{subject}:far_out", _compare_values, build, asked)


def _list_both(
    peer: Peer, subject: str, name: str, build: Build, question: Callable[..., Question], edge: str = ""
) -> Iterator[Check]:
    yield _check(peer, subject, f"peer{edge}-{name}", _compare_values, build, question)
    yield _check(peer, subject, f"peer{edge}_gradient-{name}", _compare_gradients, build, question)


def _list_halves(peer: Peer, subject: str, build: Build, question: Callable[..., Question]) -> Iterator[Check]:
    for dtype in HALVES:
        if dtype in backends.find_abilities(peer.backend).dtypes:
            asked = partial(question, dtype=dtype)
            yield _check(peer, subject, f"peer_{dtype}-{subject}", _compare_values, build, asked, dtype)


def _compare_values(peer: Peer, build: Build, question: Question, evidence: Evidence | None, dtype: str) -> float:
    return _compare(peer, build, question, evidence, dtype, lambda: question.values, lambda f, values: f(*values[:3]))


def _compare_gradients(peer: Peer, build: Build, question: Question, evidence: Evidence | None, dtype: str) -> float:
    own = peer.backend
    # The definitions are differentiated by another framework than the peer's, if one is installed.
    others = [name for name in backends.list_differentiating() if name != own]
    if not peer.gradients or not backends.find_abilities(own).gradients:
        return _note_left_out(evidence, f"differentiates nothing on {own}")
    wanted = partial(question.differentiate, (*others, own)[0])
    return _compare(peer, build, question, evidence, dtype, wanted, partial(differentiate, question))


@np.errstate(all="ignore")  # some inputs are infinite on purpose: NumPy would print many warnings
def _compare(
    peer: Peer,
    build: Build,
    question: Question,
    evidence: Evidence | None,
    dtype: str,
    wanted: Callable[[], Any],
    asked: Callable[[Any, Any], Any],
) -> float:
    """Return the peer's deviation in units of eps times the largest expected entry, or NaN without a counterpart."""
    backend = get_backend(peer.backend)
    try:
        counterpart = build(question.subject, question.x, question.st)
    except NoCounterpartError as reason:
        return _note_left_out(evidence, str(reason))
    except Exception as error:
        return _note_error(evidence, error)
    values = move_to_backend((question.x, question.ps, question.st, question.draw_weights()), backend, dtype)
    want = wanted()
    try:
        answers, kinds = _ask(backend, counterpart, asked, values)
        got = move_to_host(answers, backend)
    except NoCounterpartError as reason:
        return _note_left_out(evidence, str(reason))
    except Exception as error:  # an error raised by the peer counts as a difference
        return _note_error(evidence, error)
    other = sorted({kind for kind in kinds if kind in EPSILON and kind != dtype})
    if evidence is not None:
        evidence.note(want, got)
        told = [counterpart.remark, f"gives {', '.join(other)} for {dtype}" if other else ""]
        evidence.remark = "; ".join(filter(None, told))
        evidence.differences = (*counterpart.differences, *_name_lost_limits(question.x, got, want, counterpart))
    return _measure_distance(sort_keys(got), sort_keys(want), question.magnitude, dtype)


def _name_lost_limits(x: Any, got: Any, want: Any, counterpart: Counterpart) -> tuple[str, ...]:
    """Return the difference "formula at infinity" if an infinite input gives NaN where the definition has a limit.

    It is left out if the counterpart names the difference of softmax at infinity.
    """
    infinite = any(np.isinf(leaf).any() for leaf in tree.leaves(x) if np.asarray(leaf).dtype.kind == "f")
    if not infinite or "infinity in softmax" in counterpart.differences:
        return ()
    lost = [np.isnan(a).sum() > np.isnan(b).sum() for a, b in zip(tree.leaves(got), tree.leaves(want), strict=False)]
    return ("formula at infinity",) * any(lost)


def _ask(backend: Any, counterpart: Counterpart, asked: Callable[[Any, Any], Any], values: Any) -> tuple[Any, Any]:
    def program(*values: Any) -> Any:
        return asked(lambda x, ps, st: counterpart.call(x, ps), values)

    answers = compiling.prepare(backend, program)(*values)
    return answers, [dtype_name(leaf) for leaf in tree.leaves(answers)]


def _note_error(evidence: Evidence | None, error: Exception) -> float:
    if evidence is not None:
        evidence.remark = f"raises {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return float("inf")


def _note_left_out(evidence: Evidence | None, reason: str) -> float:
    if evidence is not None:
        evidence.remark = f"no counterpart: {reason}"
    return float("nan")


def _measure_distance(got: Any, want: Any, magnitude: float, dtype: str) -> float:
    if tree.structure(got) != tree.structure(want):
        return float("inf")
    leaves = [np.asarray(leaf) for leaf in tree.leaves(want)]
    sizes = [float(np.abs(leaf[np.isfinite(leaf)]).max(initial=0.0)) for leaf in leaves]
    most = max(sizes, default=0.0)
    apart = [
        # A leaf that is 0 up to rounding, such as a gradient that cancels, is measured by the largest entry of all.
        _measure_leaf_distance(np.asarray(leaf), wanted, most if size < EPSILON[dtype] * most else magnitude, dtype)
        for leaf, wanted, size in zip(tree.leaves(got), leaves, sizes, strict=True)
    ]
    return max(apart, default=0.0)


def _measure_leaf_distance(got: Any, want: Any, magnitude: float, dtype: str) -> float:
    largest = {"float16": 65504.0, "bfloat16": 3.39e38}.get(dtype, 3.4e38)
    want = np.where(np.abs(want) > largest, np.copysign(np.inf, want), want) if want.dtype.kind == "f" else want
    finite = np.isfinite(want)
    if got.shape != want.shape or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return float("inf")
    got, want = got[finite].astype(np.float64), want[finite].astype(np.float64)
    apart = float(np.abs(got - want).max(initial=0.0))
    scale = max(float(np.abs(want).max(initial=0.0)), magnitude)
    if not apart:
        return 0.0
    return apart / (EPSILON[dtype] * scale) if scale and np.isfinite(apart) else float("inf")


def _check(
    peer: Peer,
    subject: str,
    name: str,
    measure: Callable[..., float],
    build: Build,
    question: Callable[[], Question],
    dtype: str = "float32",
) -> Check:
    def run(evidence: Evidence | None = None) -> float:
        return measure(peer, build, question(), evidence, dtype)

    def describe_inputs() -> str:
        asked = question().subject
        what = f"{subject} with {asked}" if isinstance(asked, Mapping) else repr(asked)
        return f"{what}: x by Philox(7), parameters from seed 1 and moved, weights by Philox(11)"

    return Check(
        id=f"{name}-{peer.name}",
        kind="peer",
        subject=subject,
        name=name.partition("-")[0],
        backend=peer.name,
        run=run,
        dtype=dtype,
        of="backward" if measure is _compare_gradients else "forward",
        inputs=describe_inputs,
    )


SHAPE = (300, 400)


def measure_moments(drawn: Any) -> tuple[float, float, float]:
    """Return the mean, the standard deviation and the largest absolute value of an array."""
    drawn = np.asarray(drawn, np.float64)
    return float(drawn.mean()), float(drawn.std()), float(np.abs(drawn).max())


def _check_moments(peer: Peer, name: str) -> Check:
    def run(evidence: Evidence | None = None) -> float:
        got = measure_moments(peer.initializers[name](SHAPE, 3))
        want = measure_moments(edges.INITIALIZERS[name](luxport.rng(3), SHAPE))
        if evidence is not None:
            words = "mean {:.4f}, standard deviation {:.4f}, largest {:.4f}"
            evidence.expected, evidence.got = words.format(*want), words.format(*got)
            evidence.remark = "moments: alike within 6 standard errors, or different"
        # The standard deviation of n draws has a relative standard error of 1 / sqrt(2 n).
        error = 6.0 / np.sqrt(np.prod(SHAPE))
        alike = abs(got[0] - want[0]) <= error * want[1] * 1.5 and abs(got[1] / want[1] - 1.0) <= error
        as_far = abs(got[2] / want[2] - 1.0) < 0.25
        if evidence is not None and alike and not as_far:
            evidence.differences = ("normal draws cut",)
        return 0.0 if alike and as_far else float("inf")

    return replace(
        _check(peer, name, f"peer_moments-{name}", _compare_values, refuse(""), lambda: ask_about_rule(None, 0.0, 0.0)),
        run=run,
        inputs=lambda: f"a weight {SHAPE}, (in, out)",
    )
