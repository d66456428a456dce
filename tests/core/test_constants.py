"""Constants of compiled programs: equal if type, sign and value agree at any depth; few programs are kept."""

import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import Static
from luxport.transforms import program_limit as programs

NAN = float("nan")


@dataclass(frozen=True)
class Held:
    value: object


def test_constants_differ_by_type_and_sign_at_any_depth():
    values = [0, 0.0, -0.0, False, 0j, complex(0.0, -0.0), "0", None, np.float32(0.0), np.float32(-0.0), NAN, b""]
    for wrap in (lambda v: v, lambda v: (v,), lambda v: ("a", (v, 1)), Held, lambda v: frozenset([v])):
        for one, other in combinations(values, 2):
            assert Static(wrap(one)) != Static(wrap(other)), (one, other)
        for value in values:
            assert Static(wrap(value)) == Static(wrap(value)) and hash(Static(wrap(value))) == hash(Static(wrap(value)))
    assert Static(NAN) == Static(-float("nan")) and hash(Static((NAN,))) == hash(Static((float("nan"),)))


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_each_constant_has_a_program_of_its_own(backend):
    x = luxport.asarray([1.0], backend=backend)

    wraps = [
        (lambda value: value, lambda value: value),
        (lambda value: complex(0.0, value), lambda value: value.imag),
        (Static, lambda static: static.value),
        (lambda value: Static(("a", (value,))), lambda static: static.value[1][0]),
        (lambda value: Static(Held(value)), lambda static: static.value.value),
        (lambda value: Static(frozenset([value])), lambda static: next(iter(static.value))),
    ]
    for wrap, value_of in wraps:
        compiled = luxport.jit(lambda x, value, of=value_of: x * 0 + (1 if str(of(value))[0] == "-" else 2))
        found = [float(luxport.to_numpy(compiled(x, wrap(value)))[0]) for value in (0.0, -0.0, 0.0)]
        assert found == [2, 1, 2]


@pytest.mark.parametrize("backend", ["jax", "tf"])
def test_programs_are_bounded_with_one_warning(backend, monkeypatch):
    monkeypatch.setattr(programs, "_warned", False)
    module = import_module({"jax": "luxport_jax.programs", "tf": "luxport.transforms.program_limit"}[backend])
    monkeypatch.setattr(module, "MOST_PROGRAMS", 3)
    compiled = luxport.jit(lambda x, value: x + value.value)
    x = luxport.asarray([1.0], backend=backend)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(12):
            assert float(luxport.to_numpy(compiled(x, Static(float(n))))[0]) == 1 + n
    assert ["pass numbers that change as arrays" in str(one.message) for one in caught].count(True) == 1


def test_operations_of_jax_drop_programs_beyond_the_limit(monkeypatch):
    module = import_module("luxport_jax.programs")
    monkeypatch.setattr(module, "MOST_PROGRAMS", 3)
    compiled_for = []

    def double(x):
        compiled_for.append(len(x))
        return 2 * x

    compiled = module.compile_bounded(double)
    for n in (1, 2, 3, 1, 2, 3, 4, 1, 1):
        assert luxport.to_numpy(compiled(luxport.asarray(np.ones(n, np.float32), backend="jax"))).tolist() == [2] * n
    assert compiled_for == [1, 2, 3, 4, 1]  # the fourth exceeds the limit, so the first is compiled again, once


class Kind(luxport.Layer):
    """A layer whose factor tells options apart that Python calls equal."""

    option: Any

    def initial_parameters(self, rng):
        return {"weight": luxport.initializers.ones(rng, (2,))}

    def __call__(self, x, ps, st):
        kinds = {bool: 3.0, int: 5.0, float: 7.0}
        return x * ps["weight"] * (kinds[type(self.option)] * math.copysign(1.0, self.option)), st


KINDS = ((True, 3.0), (1, 5.0), (1.0, 7.0), (0.0, 7.0), (-0.0, -7.0), (0, 5.0), (False, 3.0))


def test_layers_are_equal_if_their_programs_are() -> None:
    models = [luxport.Chain(Kind(option)) for option, _ in KINDS]
    for i, one in enumerate(models):
        assert [one == other for other in models] == [i == j for j in range(len(models))]
    assert luxport.Chain(Kind(float("nan"))) == luxport.Chain(Kind(-float("nan")))
    assert hash(luxport.Chain(Kind(float("nan")))) == hash(luxport.Chain(Kind(float("nan"))))


def test_options_that_python_calls_equal_have_programs_of_their_own(ad_backend: str) -> None:
    """The mean square of the outputs for ones identifies the program."""
    x = luxport.asarray(np.ones((3, 2)), dtype="float32", backend=ad_backend)
    rule = luxport.optimizers.Descent(0.0)
    jit = ad_backend != "torch"  # PyTorch's compiler guards each option by itself
    for option, factor in KINDS:
        model = luxport.Chain(Kind(option))
        state = luxport.training.TrainState.create(model, rule, backend=ad_backend)
        seen = luxport.training.evaluate(luxport.losses.MSELoss(), state, [(x, x * 0)], jit=jit)["loss"]
        loss, _, _ = luxport.training.train_step(luxport.losses.MSELoss(), (x, x * 0), state, jit=jit)
        assert (seen, float(loss)) == (factor**2, factor**2)


def test_a_scan_over_options_that_python_calls_equal_keeps_them_apart() -> None:
    model = luxport.Chain(Kind(1), Kind(True), Kind(1.0), scan=True)
    ps, st = luxport.setup(0, model, backend="jax")
    y, _ = model(luxport.asarray(np.ones((1, 2)), dtype="float32", backend="jax"), ps, st)
    assert float(y[0, 0]) == 105.0
