"""Schedules compared with ParameterSchedulers.jl's tests and formulas, on arrays of every framework, compiled too."""

# Schedules store tuples and accept any iterables:
# pyright: reportArgumentType=false

import copy
import math
from dataclasses import dataclass

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

from luxport import optimizers, schedules
from luxport.backend import get_backend, namespace

STEPS = range(1, 101)


def cycle(l0, l1, part):
    """As in ParameterSchedulers runtests.jl:8."""
    return abs(l0 - l1) * part + min(l0, l1)


def triangle(t, period):
    """As in ParameterSchedulers runtests.jl:9."""
    return 2 / math.pi * abs(math.asin(math.sin(math.pi * (t - 1) / period)))


def sine(t, period):
    """As in ParameterSchedulers runtests.jl:10."""
    return abs(math.sin(math.pi * (t - 1) / period))


def cosine(t, period):
    """As in ParameterSchedulers runtests.jl:11."""
    return (1 + math.cos(math.pi * (t - 1) / period)) / 2


def one_cycle(t, nsteps, startval, maxval, endval, part):
    """As in complex.jl:112-123."""
    up = math.ceil(part * nsteps)
    if t <= up:
        return cycle(startval, maxval, cosine(t + up, up))
    return cycle(maxval, endval, cosine(t - up, nsteps - up))


def step_down(t):
    """As in decay.jl:7-9: 0.3 for 4 steps, then 0.15 for 7, then 0.075."""
    return 0.3 if t <= 4 else 0.15 if t <= 11 else 0.075


def make_wave(part, factor=lambda t: 1.0):
    """Return the formula of a wave between 0.2 and 1.3 with the period 7, its height multiplied by a factor."""
    return lambda t: cycle(0.2, 1.3, part(t, 7) * factor(t))


def halve(t):
    return 0.5 ** ((t - 1) // 7)


def decay(t):
    return 0.9 ** (t - 1)


# Schedules with their formulas, and the lines in ParameterSchedulers' test/ that test them.
FORMULAS = {
    "Step": (schedules.Step(0.3, 0.5, (4, 7)), step_down),  # decay.jl:7
    "Step of equals": (schedules.Step(0.3, 0.5, 4), lambda t: 0.3 * 0.5 ** ((t - 1) // 4)),  # decay.jl:12
    "Exp": (schedules.Exp(0.3, 0.9), lambda t: 0.3 * 0.9 ** (t - 1)),  # decay.jl:25
    "Poly": (schedules.Poly(0.3, 3, 100), lambda t: 0.3 * (1 - (t - 1) / 100) ** 3),  # decay.jl:40
    "Inv": (schedules.Inv(0.3, 0.1, 2), lambda t: 0.3 / (1 + (t - 1) * 0.1) ** 2),  # decay.jl:55
    "Triangle": (schedules.Triangle(0.2, 1.3, 7), make_wave(triangle)),  # cyclic.jl:7
    "TriangleDecay2": (schedules.TriangleDecay2(0.2, 1.3, 7), make_wave(triangle, halve)),  # cyclic.jl:21
    "TriangleExp": (schedules.TriangleExp(0.2, 1.3, 7, 0.9), make_wave(triangle, decay)),  # cyclic.jl:36
    "Sin": (schedules.Sin(1.3, 0.2, 7), make_wave(sine)),  # cyclic.jl:49
    "SinDecay2": (schedules.SinDecay2(0.2, 1.3, 7), make_wave(sine, halve)),  # cyclic.jl:63
    "SinExp": (schedules.SinExp(0.2, 1.3, 7, 0.9), make_wave(sine, decay)),  # cyclic.jl:78
    "CosAnneal": (
        schedules.CosAnneal(0.2, 1.3, 7),
        make_wave(lambda t, period: cosine((t - 1) % period + 1, period)),
    ),  # cyclic.jl:93
    "CosAnneal without restart": (schedules.CosAnneal(1.3, 0.2, 7, restart=False), make_wave(cosine)),  # cyclic.jl:93
    "Constant": (schedules.Constant(0.4), lambda t: 0.4),  # complex.jl:4
    "Shortened": (schedules.Shortened(schedules.Exp(0.9, 0.8), 100), lambda t: 0.9 * 0.8 ** (t - 1)),  # complex.jl:15
    "Shifted": (
        schedules.Shifted(schedules.Triangle(0, 1, 10), 5),
        lambda t: cycle(0, 1, triangle(t + 4, 10)),
    ),  # complex.jl:93
    "Sequence": (
        schedules.Sequence((schedules.Exp(0.5, 0.5), schedules.Inv(1.0, 1.0, 1)), (3, 5)),
        lambda t: 0.5**t if t <= 3 else 1 / (t - 3),
    ),  # complex.jl:24
    "Sequence of numbers": (schedules.Sequence((0.25, 0.75), (3, 5)), lambda t: 0.25 if t <= 3 else 0.75),
    "Loop": (schedules.Loop(schedules.Exp(1.0, 0.5), 4), lambda t: 0.5 ** ((t - 1) % 4)),  # complex.jl:61
    "Interpolator": (
        schedules.Interpolator(schedules.Sequence((1.0, 2.0, 3.0), (4, 4, 12)), 5),
        lambda t: 1 if t <= 20 else 2 if t <= 40 else 3,
    ),  # complex.jl:84
    "Interpolator of time": (
        schedules.Interpolator(schedules.Exp(1.0, 0.5), 4.0, ceil=False),
        lambda t: 0.5 ** (t / 4 - 1),
    ),  # complex.jl:79
    "ComposedSchedule": (
        schedules.ComposedSchedule(schedules.Sin(0, 1, 7), (0.2, schedules.Exp(1.0, 0.9), 7)),
        lambda t: cycle(0.2, 0.9 ** (t - 1), sine(t, 7)),
    ),
    "OneCycle": (
        schedules.OneCycle(100, 0.1),
        lambda t: one_cycle(t, 100, 0.1 / 25, 0.1, 0.1 / 1e5, 0.25),
    ),  # complex.jl:127
    "OneCycle of values": (
        schedules.OneCycle(100, 0.1, startval=1e-4, endval=1e-2, percent_start=0.3),
        lambda t: one_cycle(t, 100, 1e-4, 0.1, 1e-2, 0.3),
    ),  # complex.jl:132
}


@pytest.mark.parametrize("name", FORMULAS)
def test_schedules_equal_their_formulas(name):
    schedule, formula = FORMULAS[name]
    values = [schedule(t) for t in STEPS]
    assert all(type(value) is float for value in values)
    np.testing.assert_allclose(values, [formula(t) for t in STEPS], rtol=1e-11, atol=1e-13)
    iterated = [value for value, _ in zip(schedule, STEPS, strict=False)]
    assert iterated == values
    equal = copy.deepcopy(schedule)
    assert equal is not schedule and equal == schedule and hash(equal) == hash(schedule)


def evaluate_all(t):
    return [schedule(t) for schedule, _ in FORMULAS.values()]


# Arguments of waves and powers are rounded in single precision, hence at most a hundred steps.
@pytest.mark.parametrize("backend", ["numpy", "strict", "jax", "torch", "tf"])
def test_schedules_of_arrays_equal_their_formulas(backend):
    """All steps at once, and single steps in a program that is compiled once."""
    backend = get_backend(backend)
    wanted = [[formula(t) for t in STEPS] for _, formula in FORMULAS.values()]
    found = evaluate_all(backend.asarray(np.arange(1, 101, dtype=np.int32)))
    for name, array, expected in zip(FORMULAS, found, wanted, strict=True):
        assert array.shape == (100,)
        np.testing.assert_allclose(
            backend.to_numpy(array), expected, rtol=3e-5, atol=2e-6, err_msg=f"{name} on {backend.name}"
        )
    compilers = {
        "jax": jax.jit,
        "torch": lambda f: torch.compile(f, fullgraph=True, backend="eager"),
        "tf": lambda f: tf.function(f, autograph=False),
    }
    if backend.name not in compilers:
        return
    compiled = compilers[backend.name](evaluate_all)
    for t in (1, 2, 30):
        values = [float(value) for value in compiled(backend.asarray(np.asarray(t, np.int32)))]
        np.testing.assert_allclose(values, [row[t - 1] for row in wanted], rtol=3e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("schedule", "end"),
    [
        (schedules.Poly(1.0, 2, 10), 10),  # decay.jl:48
        (schedules.Shortened(schedules.Exp(0.9, 0.5), 7), 7),  # complex.jl:16
        (schedules.OneCycle(50, 0.1), 50),  # complex.jl:129
    ],
)
def test_schedules_of_finite_length_end(schedule, end):
    assert len(list(schedule)) == end
    with pytest.raises(IndexError, match=f"has no value at step {end + 1}"):
        schedule(end + 1)
    values = schedule(np.array([end, end + 1], np.float32))
    assert np.isfinite(values[0]) and np.isnan(values[1])


def test_schedules_have_lengths():
    """decay.jl:47 and complex.jl:14."""
    assert len(schedules.Poly(1.0, 2, 10)) == 10
    assert len(schedules.Shortened(schedules.Constant(1.0), 7)) == 7


def test_a_sequence_continues_with_its_last_schedule():
    """complex.jl:40-44."""
    s = schedules.Sequence((1.0, schedules.Step(0.1, 0.5, 10)), (1, 50))
    assert [s(1), s(2), s(42), s(52)] == [1.0, 0.1, 0.00625, 0.003125]


def test_iterables_become_tuples():
    assert schedules.Step(1.0, 0.5, [1, 2]) == schedules.Step(1.0, 0.5, (1, 2))
    assert schedules.Sequence([1.0], iter([2])).step_sizes == (2,)


def test_wrong_arguments_are_errors():
    with pytest.raises(ValueError, match="^Sequence expects a size for each schedule, got 2 and 1$"):
        schedules.Sequence((1.0, 2.0), (3,))
    with pytest.raises(ValueError, match="percent_start = 1.5"):
        schedules.OneCycle(10, 0.1, percent_start=1.5)


def test_a_stateful_schedule_counts_steps():
    """complex.jl:97-106."""
    counted = schedules.Stateful(math.log)
    assert [next(counted) for _ in range(100)] == [math.log(i) for i in range(1, 101)]
    assert next(counted.reset()) == 0.0
    held = schedules.Stateful(math.log, advance=lambda t: t == 1)
    assert [next(held) for _ in range(3)] == [math.log(1), math.log(2), math.log(2)]
    assert list(schedules.Stateful(schedules.Poly(1.0, 1, 2))) == [1.0, 0.5]


def test_far_steps_keep_their_precision():
    """In single precision, a cosine of 30,000 π would be off by a percent."""
    wave = schedules.CosAnneal(1.0, 0.0, 10)
    far = wave(np.array([100_004], np.int32))
    np.testing.assert_allclose(far, wave(4), rtol=1e-6)


@dataclass(frozen=True)
class Square(schedules.Schedule):
    """A schedule that a user defines."""

    def at(self, t):
        return namespace(t).square(t)


def test_users_may_define_schedules():
    """Combinators also accept any function of an array."""
    assert Square()(3) == 9.0
    assert schedules.Loop(Square(), 2)(3) == 1.0
    assert schedules.Loop(lambda t: 10 * t, 2)(4) == 20.0


RUN = {"eta": schedules.Step(0.1, 0.5, 2), "rho": schedules.Sequence((0.9, 0.5), (3, 3))}


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_a_scheduler_adjusts_its_rule_at_every_step(backend):
    """As in ParameterSchedulers runtests.jl:25-100, steps equal those with a new rule each time."""
    asarray, to_numpy = get_backend(backend).asarray, get_backend(backend).to_numpy
    x = asarray(np.array([1.0, -2.0], np.float32))
    dxs = [asarray(row) for row in np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)]
    rule = optimizers.OptimizerChain(optimizers.ClipGrad(5.0), optimizers.Momentum())
    scheduled = optimizers.setup(optimizers.Scheduler(rule, **RUN), x)
    by_hand = optimizers.setup(rule, x)
    ours = theirs = x
    for t, dx in enumerate(dxs, start=1):
        scheduled, ours = optimizers.update(scheduled, ours, dx)
        by_hand = optimizers.adjust(by_hand, **{name: schedule(t) for name, schedule in RUN.items()})
        by_hand, theirs = optimizers.update(by_hand, theirs, dx)
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol=1e-6)
    assert int(scheduled.groups[0].clock[0]) == 6


def test_a_scheduler_is_compiled_once(counted_update):
    step, traces = counted_update
    x = jax.numpy.zeros(2)
    state = optimizers.setup(optimizers.Scheduler(optimizers.Descent(), eta=schedules.Exp(0.4, 0.5)), x)
    for _ in range(3):
        state, x = step(state, x, jax.numpy.ones(2))
    np.testing.assert_allclose(x, -0.7, rtol=1e-6)
    assert len(traces) == 1


def test_unknown_names_of_a_scheduler_are_an_error():
    with pytest.raises(ValueError, match="^Scheduler expects hyper-parameters among eta, rho, got beta$"):
        optimizers.Scheduler(optimizers.Momentum(), beta=0.9)
    assert repr(optimizers.Scheduler(optimizers.Descent(), eta=0.5)) == "Scheduler(Descent(eta=0.1), eta=0.5)"
