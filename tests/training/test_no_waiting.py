"""No step of training reads from a device or waits for it: counted on a CPU with substitutes for a device."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import luxport as lp
import luxport_jax.ops
import luxport_torch.training
from luxport import losses, optimizers
from luxport.training import EarlyStopping, MovingAverage, TrainState, _fit, _step_programs, fit, train_step

MODEL = lp.Chain(lp.Dense(4, 8, lp.relu), lp.BatchNorm(8), lp.Dropout(0.1), lp.Dense(8, 1))
RULE: Any = optimizers.OptimizerChain(optimizers.ClipNorm(1.0, throw=False), optimizers.Adam(0.01))
LOSS = losses.MSELoss()
X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
AVERAGE = MovingAverage(0.9)
FORMS = {
    "plain": {},
    "accumulated": {"accumulate": 2},
    "accumulated unevenly": {"accumulate": 3, "nonfinite": "skip"},
    "several": {"steps_per_call": 2},
    "several that may be skipped": {"steps_per_call": 2, "nonfinite": "skip"},
    "skipped": {"nonfinite": "skip"},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16", "accumulate": 2},  # with a loss scale, which tests for overflow
    "kept": {"donate": False},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_step_runs_on_a_device_without_values(form: str) -> None:
    state, x = create_meta_state(form)
    for read in (float, np.asarray, torch.Tensor.cpu, bool):
        with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
            read(x[0, 0])
    state = take_steps(form, state, x, jit=False)
    assert state.ps["layer_1"]["weight"].device.type == "meta"


@pytest.mark.parametrize("form", ["plain", "float16"])
def test_a_compiled_step_runs_on_a_device_without_values(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is one graph, which cannot read values; the code around it sees tensors without values."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    # Another test may have compiled the same step by Inductor, which is not what is asked here.
    monkeypatch.setattr(_step_programs, "_PROGRAMS", {})
    monkeypatch.setattr(luxport_torch.training, "_compile", luxport_torch.training._compile.__wrapped__)
    state, x = create_meta_state(form)
    assert take_steps(form, state, x).ps["layer_1"]["weight"].device.type == "meta"


def test_epochs_read_values_only_at_their_end() -> None:
    """The loop takes every step of an epoch before it reads the first value."""
    state, x = create_meta_state("skipped")
    data = [(x, x[:, :1])] * 3 + [(x[:5], x[:5, :1])]
    with pytest.raises((RuntimeError, NotImplementedError)) as raised:
        fit(LOSS, state, data, jit=False, nonfinite="skip", accumulate=2, show=None)
    assert "fit had begun 4 steps" in raised.value.__notes__[-1]
    assert raised.value.state.step.device.type == "meta"  # type: ignore[attr-defined]


def test_values_are_read_only_between_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def take_noted_step(*args: Any, **options: Any) -> Any:
        events.append("step")
        return train_step(*args, **options)

    x = lp.asarray(X, backend="jax")
    fit(LOSS, create_state("jax"), [(x, x[:, :1])], callbacks=[EarlyStopping("loss")], nonfinite="ignore", show=None)
    monkeypatch.setattr(_fit, "train_step", take_noted_step)
    record_reads(events, monkeypatch)
    data = [(x, x[:, :1])] * 3
    fit(LOSS, create_state("jax"), data, epochs=2, callbacks=[EarlyStopping("loss")], nonfinite="ignore", show=None)
    told = "".join([event[0] for event in events])
    assert "r" in told and [part for part in told.split("r") if part] == ["sss", "sss"], told


@pytest.mark.parametrize("form", ["accumulated unevenly", "several that may be skipped", "float16"])
def test_compiled_steps_of_jax_read_nothing(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = lp.asarray(X, backend="jax")
    state = take_steps(form, create_state("jax", form), x)  # the first steps compile, and may read constants
    expect_no_reads(form, state, x, monkeypatch, jit=True)


@pytest.mark.parametrize("form", FORMS)
def test_no_compiled_step_of_jax_reads(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test_compiled_steps_of_jax_read_nothing(form, monkeypatch)


@pytest.mark.parametrize("form", ["accumulated unevenly", "float16"])
def test_eager_steps_of_jax_read_nothing(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(luxport_jax.ops, "may_look", lambda x: False)  # as on an accelerator
    x = lp.asarray(X, backend="jax")
    state = take_steps(form, create_state("jax", form), x, jit=False)
    expect_no_reads(form, state, x, monkeypatch, jit=False)


def expect_no_reads(form: str, state: TrainState, x: Any, monkeypatch: pytest.MonkeyPatch, *, jit: bool) -> None:
    events: list[str] = []
    record_reads(events, monkeypatch)
    state = take_steps(form, state, x, jit=jit)
    assert events == []
    assert int(state.step) > 0 and events == ["read"]


def take_steps(form: str, state: TrainState, x: Any, *, jit: bool = True) -> TrainState:
    """Take two steps, and update a moving average of the parameters after each."""
    options: dict[str, Any] = {name: value for name, value in FORMS[form].items() if name != "precision"}
    average = AVERAGE.setup(state.ps)
    data = [(x, x[:, :1])] * 2 if "steps_per_call" in options else (x, x[:, :1])
    for _ in range(2):
        _, _, state = train_step(LOSS, data, state, jit=jit, **options)
        average = AVERAGE.update(average, state.ps)
    return state


def create_state(backend: str, form: str = "plain") -> TrainState:
    return TrainState.create(MODEL, RULE, backend=backend, precision=FORMS[form].get("precision"))


def create_meta_state(form: str) -> tuple[TrainState, Any]:
    """Create a state on PyTorch's device "meta", whose tensors have no values: reading or copying them raises."""
    return lp.tree.map(lambda leaf: leaf.to("meta"), (create_state("torch", form), torch.from_numpy(X)))


def record_reads(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Record every read of an array of JAX by NumPy or Python, and every wait for one."""
    from jax._src.array import ArrayImpl

    def record(own: Any) -> Any:
        return lambda array, *args, **options: events.append("read") or own(array, *args, **options)

    for name in ("__array__", "__float__", "__int__", "__bool__", "__index__", "tolist", "item", "block_until_ready"):
        monkeypatch.setattr(ArrayImpl, name, record(getattr(ArrayImpl, name)))
