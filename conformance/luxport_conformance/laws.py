"""Laws: properties that every layer must have, each checked on all examples of all layers.

A law is a function named after its statement, such as `jit_is_eager`; the name is part of the ids of its checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import luxport
from luxport import tree
from luxport.backend import Backend, backend_of, dtype_name, get_backend
from luxport_conformance import backends, compiling
from luxport_conformance.arrays import move_to_backend, move_to_host, widen_floats
from luxport_conformance.compare import Violation, compare_trees
from luxport_conformance.evaluation import Evaluations, derive_gradient_tolerance, place_inputs
from luxport_conformance.examples import Example
from luxport_conformance.slopes import compare_slopes
from luxport_conformance.spoilt_entries import list_spoilt

__all__ = ["LAWS", "Law"]


@dataclass(frozen=True)
class Law:
    """A property of layers: `holds` checks an example on a backend, and returns a deviation or raises `Violation`.

    `gradients` and `compiles` are the abilities that the law needs; with `on_host` it needs no backend.
    """

    holds: Callable[[Example, Backend, str, Evaluations], float]
    dtypes: tuple[str, ...] = ("float32",)
    gradients: bool = False
    compiles: bool = False
    on_host: bool = False

    @property
    def name(self) -> str:
        """The name of the function `holds`."""
        return self.holds.__name__


def counts(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """The example's counts of parameters and states equal those of the counting functions and of `setup`."""
    ps, st = luxport.setup(0, example.layer, backend="numpy")
    for what, wanted, counted, made in (
        ("parameters", example.parameters, luxport.parameter_length(example.layer), luxport.parameter_length(ps)),
        ("states", example.states, luxport.state_length(example.layer), luxport.state_length(st)),
    ):
        if not wanted == counted == made:
            raise Violation(f"{wanted} {what} expected, got {counted} announced and {made} made")
    return 0.0


def shape(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """`output_shape` returns the shape that the output has."""
    y, _ = evaluations.evaluate(example, backend, dtype, gradients=False).test
    told = luxport.output_shape(example.layer, place_inputs(example, backend, dtype)[0])
    if tree.map(lambda leaf: tuple(leaf.shape), y) != told:
        raise Violation(f"output_shape {told} expected, got {tree.map(lambda leaf: tuple(leaf.shape), y)}")
    return 0.0


def values(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """Output and new state equal those of the definitions in float64, and the output has the dtype of the input."""
    found = evaluations.evaluate(example, backend, dtype, gradients=False)
    if set(found.dtypes) != {dtype}:
        raise Violation(f"an output in {dtype} expected, as the input, got {', '.join(found.dtypes)}")
    x, ps, st = move_to_host(place_inputs(example, backend, dtype), backend)
    worst = 0.0
    for mode, got in ((luxport.train_mode, found.train), (luxport.test_mode, found.test)):
        worst = max(worst, compare_trees(got, _run_definition(example, (x, ps, mode(st))), dtype, example.tolerance))
    return worst


def repeats(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """A layer called twice with the same inputs returns the same bits."""
    layer = evaluations.make_layer(example, backend)
    for mode in _MODES:
        x, ps, st = place_inputs(example, backend, dtype)
        first = move_to_host(layer(x, ps, mode(st)), backend)
        second = move_to_host(layer(x, ps, mode(st)), backend)
        _expect_equal(second, first, "the second call")
    return 0.0


def inputs_untouched(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """A call does not change its input, parameters and states."""
    for mode in _MODES:
        inputs = place_inputs(example, backend, dtype)
        inputs = (*inputs[:2], mode(inputs[2]))
        before = move_to_host(inputs, backend)
        evaluations.make_layer(example, backend)(*inputs)
        _expect_equal(move_to_host(inputs, backend), before, "an input after the call")
    return 0.0


def state_kept(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """The new state has the structure, shapes and dtypes of the old one, and can be used in the next call."""
    for mode in _MODES:
        x, ps, st = place_inputs(example, backend, dtype)
        st = mode(st)
        later = st
        for _ in range(2):
            _, later = evaluations.make_layer(example, backend)(x, ps, later)
            _expect_same_state(later, st, backend)
    return 0.0


def modes(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """`train_mode` and `test_mode` change ``training`` entries only.

    A call in test mode does not change the state; a call in training mode increments each counter.
    """
    layer = evaluations.make_layer(example, backend)
    x, ps, st = place_inputs(example, backend, dtype)
    test = luxport.test_mode(st)
    _expect_equal(
        move_to_host(luxport.train_mode(test), backend), move_to_host(st, backend), "train_mode after test_mode"
    )
    if not example.remembers:
        tested = layer(x, ps, test)[1]
        _expect_equal(move_to_host(tested, backend), move_to_host(test, backend), "the state in testing")
    trained = move_to_host(layer(x, ps, st)[1], backend)
    for (path, old), new in zip(tree.leaves_with_path(move_to_host(st, backend)), tree.leaves(trained), strict=True):
        if path[-1] == "counter" and int(new) != int(old) + 1:
            raise Violation(f"{'.'.join(path)} one higher after a call in training expected, got {new} after {old}")
    return 0.0


def others_refused(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """A wrong parameter or state (of another size, of integers, or missing) raises the same error as on NumPy."""
    x, ps, st = place_inputs(example, backend, dtype)
    on_numpy = tuple([luxport.to(part, backend="numpy") for part in (x, ps, st)])
    for which in (1, 2):
        spoilt = list_spoilt(on_numpy[which])
        for path, entries in spoilt:
            wrong = tuple([entries if i == which else part for i, part in enumerate(on_numpy)])
            told = _catch_refusal(example, wrong)
            placed_wrong = list((x, ps, st))
            placed_wrong[which] = luxport.to(entries, backend=backend)
            got = _catch_refusal(example, placed_wrong)
            if got is None or got != told:
                raise Violation(f"with another {path}: {told!r} expected as on NumPy, got {got!r}")
    return 0.0


def samples_apart(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """In test mode the output for a sample does not depend on the other samples of its batch."""
    if not example.per_sample:
        return 0.0
    x, ps, st = place_inputs(example, backend, dtype)
    st = luxport.test_mode(st)
    program = compiling.prepare(
        backend, lambda x, ps, st: (example.layer(x, ps, st), example.layer(_take_second_sample(x), ps, st))
    )
    (together, _), (alone, _) = move_to_host(program(x, ps, st), backend)
    return compare_trees(alone, _take_second_sample(together), dtype, example.tolerance)


def jit_is_eager(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """A compiled layer returns the same outputs, states and gradients as the eager one, in training and in test mode.

    TensorFlow compiles the layer for an x whose sizes are all unknown.
    A backend that compiles each operation takes a second for an eager gradient and traces it as for a compiled one;
    on such a backend gradients are not compared here, but checked, compiled, by the laws of gradients.
    """
    compiled = evaluations.evaluate_compiled(example, backend, dtype, gradients=True)
    eager = evaluations.evaluate_eagerly(
        example, backend, dtype, gradients=not compiling.compiles_operations(backend.name)
    )
    got = tuple([None if want is None else part for part, want in zip(compiled[:4], eager[:4], strict=True)])
    return compare_trees(got, tuple(eager[:4]), dtype, derive_gradient_tolerance(example))


def gradient_is_slope(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """Gradients with respect to inputs and parameters equal finite differences of the definitions in float64."""
    found = evaluations.evaluate(example, backend, dtype, gradients=True)
    x, ps, st = widen_floats(move_to_host(place_inputs(example, backend, dtype), backend))
    for mode, gradients in ((luxport.train_mode, found.train_gradients), (luxport.test_mode, found.test_gradients)):
        compare_slopes(example, gradients, (x, ps, mode(st)), evaluations)
    return 0.0  # finite differences are less exact than gradients, so the deviation is no measure of the backend


def gradients_agree(example: Example, backend: Backend, dtype: str, evaluations: Evaluations) -> float:
    """Gradients equal those of another backend in float64, entry by entry, at the same rounded inputs."""
    others = [name for name in backends.list_differentiating() if name != backend.name]
    if not others:
        return 0.0
    other = get_backend(others[0])
    mine = evaluations.evaluate(example, backend, dtype, gradients=True)
    with backends.hold_dtype(other, "float64"):
        theirs = evaluations.evaluate(example, other, "float64", gradients=True, rounded=dtype)
    return compare_trees(tuple(mine[2:4]), tuple(theirs[2:4]), dtype, derive_gradient_tolerance(example))


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
        Law(others_refused),
        Law(samples_apart),
        Law(jit_is_eager, compiles=True, gradients=True),
        Law(gradient_is_slope, dtypes=("float64",), gradients=True),
        Law(gradients_agree, dtypes=_WIDE, gradients=True),
    )
}

_MODES = (luxport.train_mode, luxport.test_mode)


def _catch_refusal(example: Example, inputs: Any) -> str | None:
    try:
        example.layer(*inputs)
    except luxport.LayerError as error:
        return str(error)
    return None


def _take_second_sample(x: Any) -> Any:
    return tree.map(lambda leaf: leaf[1:2, ...], x)


def _run_definition(example: Example, inputs: Any) -> Any:
    """Run the layer in float64 on `array_api_strict`, which has no operations of its own: the definitions are used."""
    strict = get_backend("strict")
    return move_to_host(example.layer(*move_to_backend(widen_floats(inputs), strict, "float64")), strict)


def _expect_equal(got: Any, want: Any, what: str) -> None:
    if tree.structure(got) != tree.structure(want):
        raise Violation(f"{what}: {tree.structure(want)} expected, got {tree.structure(got)}")
    for (path, wanted), leaf in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True):
        if leaf.dtype != wanted.dtype or leaf.shape != wanted.shape or leaf.tobytes() != wanted.tobytes():
            raise Violation(f"{what} at {'.'.join(path)}: {wanted!r} expected, got {leaf!r}")


def _expect_same_state(later: Any, st: Any, backend: Backend) -> None:
    if tree.structure(later) != tree.structure(st):
        raise Violation(f"a state like {tree.structure(st)} expected, got {tree.structure(later)}")
    for (path, old), new in zip(tree.leaves_with_path(st), tree.leaves(later), strict=True):
        if backend_of(new) is not backend:
            raise Violation(f"state {'.'.join(path)} on {backend.name} expected, got one on {backend_of(new).name}")
        if _describe(new) != _describe(old):
            raise Violation(f"state {'.'.join(path)} as {_describe(old)} expected, got {_describe(new)}")


def _describe(leaf: Any) -> str:
    return f"{dtype_name(leaf)} {tuple(leaf.shape)}"
