"""No step of training waits for a device, or reads from it: counted, on a CPU, by what stands in for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import luxport as lp
from luxport import losses, optimizers
from luxport.training import EarlyStopping, TrainState, _fit, fit, train_step

MODEL = lp.Chain(lp.Dense(4, 8, lp.relu), lp.BatchNorm(8), lp.Dropout(0.1), lp.Dense(8, 1))
RULE: Any = optimizers.OptimizerChain(optimizers.ClipNorm(1.0, throw=False), optimizers.Adam(0.01))
LOSS = losses.MSELoss()
X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
WAYS = ({}, {"accumulate": 2}, {"steps_per_call": 2}, {"nonfinite": "skip"})


@pytest.mark.parametrize("options", WAYS)
def test_a_step_on_a_device_whose_numbers_nobody_can_read(options: Any) -> None:
    """A tensor of PyTorch's device "meta" has no numbers: to ask for one, or to copy them to the CPU, raises."""
    state, x = lp.tree.map(lambda leaf: leaf.to("meta"), (start("torch"), torch.from_numpy(X)))
    for read in (float, np.asarray, torch.Tensor.cpu, bool):
        with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
            read(x[0, 0])
    for _ in range(2):
        loss, _, state = train_step(LOSS, batches(x, options), state, jit=False, **options)
    assert loss.device.type == state.ps["layer_1"]["weight"].device.type == "meta"


def test_epochs_read_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def noted(*args: Any, **options: Any) -> Any:
        events.append("step")
        return train_step(*args, **options)

    x = lp.asarray(X, backend="jax")
    fit(LOSS, start("jax"), [(x, x[:, :1])], callbacks=[EarlyStopping("loss")], nonfinite="ignore", show=None)
    monkeypatch.setattr(_fit, "train_step", noted)
    noting_reads(events, monkeypatch)
    data = [(x, x[:, :1])] * 3
    fit(LOSS, start("jax"), data, epochs=2, callbacks=[EarlyStopping("loss")], nonfinite="ignore", show=None)
    told = "".join([event[0] for event in events])
    assert "r" in told and [part for part in told.split("r") if part] == ["sss", "sss"], told


@pytest.mark.parametrize("options", [{"accumulate": 2, "nonfinite": "skip"}, {"steps_per_call": 2}])
def test_compiled_steps_of_jax_read_nothing(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state, x = start("jax"), lp.asarray(X, backend="jax")
    loss, _, state = train_step(LOSS, batches(x, options), state, **options)  # compiles, and may read constants
    events: list[str] = []
    noting_reads(events, monkeypatch)
    for _ in range(2):
        loss, _, state = train_step(LOSS, batches(x, options), state, **options)
    assert events == []
    assert bool(lp.namespace(loss).isfinite(loss).all()) and events == ["read"]


def start(backend: str) -> TrainState:
    return TrainState.create(MODEL, RULE, backend=backend)


def batches(x: Any, options: Any) -> Any:
    return [(x, x[:, :1])] * 2 if "steps_per_call" in options else (x, x[:, :1])


def noting_reads(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note what NumPy or Python read from an array of JAX, or wait for."""
    from jax._src.array import ArrayImpl

    def noting(own: Any) -> Any:
        return lambda array, *args, **options: events.append("read") or own(array, *args, **options)

    for name in ("__array__", "__float__", "__int__", "__bool__", "__index__", "tolist", "item", "block_until_ready"):
        monkeypatch.setattr(ArrayImpl, name, noting(getattr(ArrayImpl, name)))
