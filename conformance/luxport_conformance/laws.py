"""Laws: what holds for every layer, without being written for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, backend_of, get_backend
from luxport_conformance import backends
from luxport_conformance.arrays import dtype_name, on_backend, on_host, widened
from luxport_conformance.compare import Tolerance, Violation, compare
from luxport_conformance.examples import Example

__all__ = ["LAWS", "Law"]


@dataclass(frozen=True)
class Law:
    """A function of an example, a backend and a dtype that returns a deviation or raises `Violation`."""

    holds: Callable[[Example, Backend, str], float]
    dtypes: tuple[str, ...] = ("float32",)
    gradients: bool = False
    compiles: bool = False
    on_host: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return self.holds.__name__


def counts(example: Example, backend: Backend, dtype: str) -> float:
    """Parameters and states are as many as the formulas say, and as many as `setup` makes."""
    ps, st = luxport.setup(0, example.layer, backend="numpy")
    for what, wanted, counted, made in (
        ("parameters", example.parameters, luxport.parameter_length(example.layer), luxport.parameter_length(ps)),
        ("states", example.states, luxport.state_length(example.layer), luxport.state_length(st)),
    ):
        if not wanted == counted == made:
            raise Violation(f"{wanted} {what} expected, got {counted} announced and {made} made")
    return 0.0


def shape(example: Example, backend: Backend, dtype: str) -> float:
    """`output_shape` tells the shape of the output without computing it."""
    x, ps, st = _placed(example, backend, dtype)
    y, _ = example.layer(x, ps, luxport.test_mode(st))
    told = luxport.output_shape(example.layer, example.x)
    if tree.map(lambda leaf: tuple(leaf.shape), y) != told:
        raise Violation(f"output_shape {told} expected, got {tree.map(lambda leaf: tuple(leaf.shape), y)}")
    return 0.0


def values(example: Example, backend: Backend, dtype: str) -> float:
    """Output and new state are those of the definitions in float64, and the output has the input's dtype."""
    worst = 0.0
    for mode in _MODES:
        x, ps, st = _placed(example, backend, dtype)
        got = backends.prepared(backend, lambda x, ps, st: example.layer(x, ps, st))(x, ps, mode(st))
        for leaf in tree.leaves(got[0]):
            if dtype_name(leaf) != dtype:
                raise Violation(f"an output in {dtype} expected, as the input, got {dtype_name(leaf)}")
        want = _oracle(example, on_host((x, ps, mode(st)), backend))
        worst = max(worst, _compare(on_host(got, backend), want, dtype, example.tolerance))
    return worst


def repeats(example: Example, backend: Backend, dtype: str) -> float:
    """Called twice with the same inputs, a layer returns the same, bit for bit."""
    for mode in _MODES:
        x, ps, st = _placed(example, backend, dtype)
        first = on_host(example.layer(x, ps, mode(st)), backend)
        second = on_host(example.layer(x, ps, mode(st)), backend)
        _expect_equal(second, first, "the second call")
    return 0.0


def inputs_untouched(example: Example, backend: Backend, dtype: str) -> float:
    """Input, parameters and states are after the call what they were before it."""
    for mode in _MODES:
        inputs = _placed(example, backend, dtype)
        inputs = (*inputs[:2], mode(inputs[2]))
        before = on_host(inputs, backend)
        example.layer(*inputs)
        _expect_equal(on_host(inputs, backend), before, "an input after the call")
    return 0.0


def state_kept(example: Example, backend: Backend, dtype: str) -> float:
    """The new state has the structure, the shapes and the dtypes of the old one, and serves the next call."""
    for mode in _MODES:
        x, ps, st = _placed(example, backend, dtype)
        st = mode(st)
        _, new = example.layer(x, ps, st)
        _, newer = example.layer(x, ps, new)
        for later in (new, newer):
            if tree.structure(later) != tree.structure(st):
                raise Violation(f"a state like {tree.structure(st)} expected, got {tree.structure(later)}")
            for (path, old_leaf), leaf in zip(tree.leaves_with_path(st), tree.leaves(later), strict=True):
                old_kind, kind = (_kind(old_leaf), _kind(leaf))
                if old_kind != kind:
                    raise Violation(f"state {'.'.join(path)} as {old_kind} expected, got {kind}")
                if backend_of(leaf) is not backend:
                    raise Violation(f"state {'.'.join(path)} on {backend.name} expected")
    return 0.0


def modes(example: Example, backend: Backend, dtype: str) -> float:
    """Setting the modes changes ``training`` entries only; testing leaves the state, and each counter counts."""
    x, ps, st = _placed(example, backend, dtype)
    test = luxport.test_mode(st)
    _expect_equal(on_host(luxport.train_mode(test), backend), on_host(st, backend), "train_mode after test_mode")
    _expect_equal(on_host(example.layer(x, ps, test)[1], backend), on_host(test, backend), "the state in testing")
    trained = on_host(example.layer(x, ps, st)[1], backend)
    for (path, old), new in zip(tree.leaves_with_path(on_host(st, backend)), tree.leaves(trained), strict=True):
        if path[-1] == "counter" and int(new) != int(old) + 1:
            raise Violation(f"{'.'.join(path)} one higher after a call in training expected, got {new} after {old}")
    return 0.0


def samples_apart(example: Example, backend: Backend, dtype: str) -> float:
    """In testing, a sample's output does not depend on the others in its batch."""
    if not example.per_sample:
        return 0.0
    x, ps, st = _placed(example, backend, dtype)
    st = luxport.test_mode(st)
    together = on_host(example.layer(x, ps, st)[0], backend)
    alone = on_host(example.layer(x[1:2, ...], ps, st)[0], backend)
    return _compare(alone, tree.map(lambda leaf: leaf[1:2, ...], together), dtype, example.tolerance)


def jit_is_eager(example: Example, backend: Backend, dtype: str) -> float:
    """Compiled, a layer returns what it returns eagerly in both modes, and so do its gradients."""
    x, ps, st = _placed(example, backend, dtype)

    def program(x: Any, ps: Any, train: Any, test: Any, cotangent: Any) -> Any:
        gradients = luxport.grad(_loss(example), (0, 1))(x, ps, train, cotangent)
        return example.layer(x, ps, train), example.layer(x, ps, test), gradients

    inputs = (x, ps, luxport.train_mode(st), luxport.test_mode(st), on_backend(_cotangent(example), backend, dtype))
    eager = program(*inputs)
    compiled = backends.compiled(backend, program)(*inputs)
    return _compare(on_host(compiled, backend), on_host(eager, backend), dtype, _of_gradients(example))


def gradient_is_slope(example: Example, backend: Backend, dtype: str) -> float:
    """Gradients with respect to input and parameters are the slopes of the definitions in float64."""
    for mode in _MODES:
        x, ps, st = _placed(example, backend, dtype)
        cotangent = _cotangent(example)
        gradients = on_host(_gradients(example, x, ps, mode(st), cotangent, backend, dtype), backend)
        host = widened(on_host((x, ps, mode(st)), backend))
        _compare_slopes(example, tree.map(lambda leaf, gradient: gradient, host[:2], gradients), host, cotangent)
    return 0.0  # a slope is less exact than a gradient: how far apart they are says nothing about the backend


def gradients_agree(example: Example, backend: Backend, dtype: str) -> float:
    """Gradients are those of another backend, entry by entry."""
    other = get_backend("jax" if backend.name == "torch" else "torch")
    worst = 0.0
    for mode in _MODES:
        found = []
        for owner in (backend, other):
            with backends.holding(owner, dtype):
                x, ps, st = _placed(example, owner, dtype)
                gradients = _gradients(example, x, ps, mode(st), _cotangent(example), owner, dtype)
                found.append(on_host(gradients, owner))
        worst = max(worst, _compare(found[0], found[1], dtype, _of_gradients(example)))
    return worst


_WIDE = ("float32", "float64")

LAWS: Mapping[str, Law] = {
    law.name: law
    for law in (
        Law(counts, on_host=True),
        Law(shape),
        Law(values, dtypes=("float16", "bfloat16", "float32", "float64")),
        Law(repeats),
        Law(inputs_untouched),
        Law(state_kept),
        Law(modes),
        Law(samples_apart),
        Law(jit_is_eager, compiles=True, gradients=True),
        Law(gradient_is_slope, dtypes=("float64",), gradients=True),
        Law(gradients_agree, dtypes=_WIDE, gradients=True),
    )
}

_MODES = (luxport.train_mode, luxport.test_mode)


def _placed(example: Example, backend: Backend, dtype: str) -> tuple[Any, Any, Any]:
    x, ps, st = example.values()
    return on_backend(x, backend, dtype), on_backend(ps, backend, dtype), on_backend(st, backend, dtype)


def _oracle(example: Example, inputs: Any) -> Any:
    """Run the definitions in float64, on arrays for which no backend has operations of its own."""
    strict = get_backend("strict")
    return on_host(example.layer(*on_backend(widened(inputs), strict, "float64")), strict)


def _compare(got: Any, want: Any, dtype: str, tolerance: Tolerance) -> float:
    """Compare two results of one structure; keys of dicts may come in any order, as JAX sorts them."""
    got, want = _sorted(got), _sorted(want)
    if tree.structure(got) != tree.structure(want):
        raise Violation(f"a result like {tree.structure(want)} expected, got {tree.structure(got)}")
    return max(
        [
            compare(leaf, wanted, dtype=dtype, tolerance=tolerance, path=".".join(path))
            for (path, wanted), leaf in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True)
        ],
        default=0.0,
    )


def _sorted(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _sorted(values[key]) for key in sorted(values)}
    return tuple(map(_sorted, values)) if isinstance(values, (tuple, list)) else values


def _of_gradients(example: Example) -> Tolerance:
    """A gradient adds up at most one term per entry of the output, each as inexact as the layer itself."""
    entries = math.prod(luxport.output_shape(example.layer, example.x))
    return replace(example.tolerance, reduction=example.tolerance.reduction + entries)


def _expect_equal(got: Any, want: Any, what: str) -> None:
    if tree.structure(got) != tree.structure(want):
        raise Violation(f"{what}: {tree.structure(want)} expected, got {tree.structure(got)}")
    for (path, wanted), leaf in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True):
        if leaf.dtype != wanted.dtype or leaf.shape != wanted.shape or leaf.tobytes() != wanted.tobytes():
            raise Violation(f"{what} at {'.'.join(path)}: {wanted!r} expected, got {leaf!r}")


def _kind(leaf: Any) -> str:
    return f"{dtype_name(leaf)} {tuple(leaf.shape)}"


def _cotangent(example: Example) -> Any:
    """Draw weights for the outputs: their weighted sum is the scalar that is differentiated."""
    draw = np.random.Generator(np.random.Philox(11))
    wanted = luxport.output_shape(example.layer, example.x)
    return draw.normal(size=wanted)


def _loss(example: Example) -> Callable[..., Any]:
    def loss(x: Any, ps: Any, st: Any, cotangent: Any) -> Any:
        y, _ = example.layer(x, ps, st)
        return luxport.namespace(y).sum(y * cotangent)

    return loss


def _gradients(example: Example, x: Any, ps: Any, st: Any, cotangent: Any, backend: Backend, dtype: str) -> Any:
    program = backends.prepared(backend, luxport.grad(_loss(example), (0, 1)))
    return program(x, ps, st, on_backend(cotangent, backend, dtype))


_STEP = 1e-4
_SLOPE_TOLERANCE = 1e-9
"""A four-point slope with steps of 1e-4 has an error of about 1e-16 / 1e-4 from rounding and 1e-16 from the step."""


def _compare_slopes(example: Example, gradients: Any, host: tuple[Any, Any, Any], cotangent: Any) -> None:
    """Compare the gradient at each leaf with the slopes along two random directions that move this leaf alone."""
    draw = np.random.Generator(np.random.Philox(13))
    x, ps, st = host
    strict = get_backend("strict")
    variables = (x, ps)
    leaves = tree.leaves(variables)

    def value(position: int, moved: Any) -> float:
        at = tree.unflatten(tree.structure(variables), iter([*leaves[:position], moved, *leaves[position + 1 :]]))
        inputs = on_backend((*at, st), strict, "float64")
        y = on_host(example.layer(*inputs)[0], strict)
        return float(np.sum(y * cotangent))

    for position, ((path, leaf), gradient) in enumerate(
        zip(tree.leaves_with_path(variables), tree.leaves(gradients), strict=True)
    ):
        if gradient.shape != leaf.shape:
            raise Violation(f"gradient at {'.'.join(path)}: shape {leaf.shape} expected, got {gradient.shape}")
        for _ in range(2):
            direction = draw.normal(size=leaf.shape)
            ends = [value(position, leaf + step * _STEP * direction) for step in (-2, -1, 1, 2)]
            slope = (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12 * _STEP)
            told = float(np.sum(gradient * direction))
            scale = float(np.sum(np.abs(gradient * direction))) + float(np.abs(ends).max())
            if not abs(told - slope) <= _SLOPE_TOLERANCE * scale:
                raise Violation(f"gradient at {'.'.join(path)}: a slope of {slope!r} expected, got {told!r}")
