"""`fit`: training and validation, logs, callbacks, interruption and resuming."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch._dynamo.utils
import torch.utils.data
from small_training import ALL, LOSS, MODEL, PLAIN, X, Y, create_state, list_bytes, list_entries

import luxport as lp
import luxport_torch.compiling
from luxport import optimizers, training
from luxport.training import DataLoader, restore


def test_fit_trains_and_validates(differentiating, tmp_path, monkeypatch):
    """With whole arrays of NumPy, a schedule, metrics, logs, the best checkpoint, and early stopping.

    Each epoch has a new rate and a smaller last batch, and validation has batches of two sizes: two programs of each
    kind are enough for any number of epochs.
    """
    traced = {"step": 0, "look": 0}
    rates = []

    def objective(model, ps, st, batch):
        # PyTorch's compiler would guard on the counter, and recompile for each new value.
        if differentiating.name != "torch":
            traced["look" if st["layer_2"]["training"].value is False else "step"] += 1
        return LOSS(model, ps, st, batch)

    def note(progress):
        rates.append(optimizers.current_rule(progress.state.opt_state).eta)

    if differentiating.name == "torch":  # counts the same programs without a C++ compiler
        compiled = partial(torch.compile, fullgraph=True, backend="eager")
        monkeypatch.setattr(luxport_torch.compiling, "_compile_program", compiled)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    state = create_state(differentiating, rule=optimizers.Adam())
    stop = training.EarlyStopping("loss", 3, largest=True)
    state, history = training.fit(
        *(objective, state, (ALL[:12].astype(np.float64), ALL[:12, :1] * 2)),
        batch_size=8,
        epochs=9,
        validation=[(X, Y), (ALL[8:12], ALL[8:12, :1] * 2)],
        metrics={"off": lambda y_hat, y: lp.namespace(y).mean(lp.namespace(y).abs(y_hat - y))},
        callbacks=[note, training.CSVLog(tmp_path / "a.csv"), training.BestCheckpoint(tmp_path / "best"), stop],
        schedules={"eta": lambda epoch: 0.5**epoch / 64},
        checkpoint=tmp_path / "all",
        show=None,
    )
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"] - graphs
    assert graphs <= 4 and traced["step"] <= 2 and traced["look"] <= 2
    assert rates == [0.5**epoch / 64 for epoch in range(1, len(history) + 1)] and 4 <= len(history) < 9
    assert int(state.step) == 2 * len(history)
    y = ALL[:12, :1] * 2
    y_hat = MODEL(ALL[:12], *lp.to_numpy((state.ps, lp.test_mode(state.st))))[0]
    np.testing.assert_allclose(history[-1]["val_loss"], np.mean((y_hat - y) ** 2), rtol=1e-5)
    np.testing.assert_allclose(history[-1]["val_off"], np.mean(abs(y_hat - y)), rtol=1e-5)
    assert list_bytes(restore(tmp_path / "all", state).ps) == list_bytes(state.ps)
    assert (tmp_path / "a.csv").read_text().count("\n") == len(history) + 1 and (tmp_path / "best").is_dir()


def test_an_interruption_ends_fit_after_a_step(tmp_path):
    """Ctrl-C comes while a batch is made; data loaders of PyTorch and TensorFlow are accepted, too."""
    import os
    import signal

    import tensorflow as tf

    def batches():
        yield X[:4], Y[:4]
        os.kill(os.getpid(), signal.SIGINT)
        yield X[4:], Y[4:]
        yield X[4:], Y[4:]
        yield X[4:], Y[4:]

    lines = []
    state = create_state("torch", PLAIN)
    state, _ = training.fit(LOSS, state, batches(), epochs=5, checkpoint=tmp_path, jit=False, show=lines.append)
    assert int(restore(tmp_path, state).step) == int(state.step) < 4 and "interrupted after" in lines[-1]
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), 4)
    for data in (loader, tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)):
        state, history = training.fit(LOSS, state, data, jit=False, show=None)
        assert np.isfinite(history[0]["loss"])
    with pytest.raises(ValueError, match="data with a batch, got none"):
        training.fit(LOSS, state, [], show=None)
    with pytest.raises(TypeError, match=r"fit\(objective, state, data\) expects a TrainState as state, got list"):
        training.fit(LOSS, cast("Any", []), state, show=None)


def test_fit_resumes_to_the_bit(tmp_path):
    """After an interruption within the second of three epochs, resuming gives the bits of an undisturbed run."""
    import os
    import signal

    def run(state, folder=None, kill_at=0, **options):
        def schedule(step):
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGINT)
            return 0.1 / step

        data, more = (ALL, ALL[:, :1]), {"checkpoint": folder, "show": None, "jit": False, **options}
        more |= {"schedules": {"eta": schedule}, "schedule_each": "step", "batch_size": 8}
        return training.fit(LOSS, state, data, **{"epochs": 3, **more})

    whole, history = run(create_state("torch"))
    for kill_at in (4, 5, 6):
        folder = tmp_path / str(kill_at)
        stopped, _ = run(create_state("torch"), folder, kill_at, resume=True)
        assert int(stopped.step) == kill_at
        resumed, again = run(create_state("torch"), folder, resume=True)
        assert list_bytes(list_entries(resumed)) == list_bytes(list_entries(whole)) and len(again) == 3
        assert [logs["loss"] for logs in again] == pytest.approx([logs["loss"] for logs in history], rel=1e-12)
    assert list_bytes(list_entries(run(create_state("torch"), folder, resume=True)[0])) == list_bytes(
        list_entries(whole)
    )
    # The first batch after resuming is the smaller one, which is split into no more parts than before.
    whole, _ = run(create_state("torch"), accumulate=2)
    run(create_state("torch"), tmp_path / "cut", 5, accumulate=2, resume=True)
    resumed, _ = run(create_state("torch"), tmp_path / "cut", accumulate=2, resume=True)
    assert list_bytes(list_entries(resumed)) == list_bytes(list_entries(whole))
    with pytest.raises(ValueError, match="a folder as checkpoint to resume from"):
        run(create_state("torch"), resume=True)


def test_callbacks_see_an_interrupted_and_resumed_run_as_one(tmp_path):
    """Callbacks are not called for an unfinished epoch; earlier epochs count, and the best one is kept."""
    import os
    import signal

    def run(folder, values, kill_at=0, **options):
        told = []

        def schedule(step):
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGINT)
            return 0.1

        best = training.BestCheckpoint(folder / "best", "val_falling")
        stop = training.EarlyStopping("val_falling", 3)
        options |= {"callbacks": [best, stop, lambda progress: told.append(progress.epoch)]}
        options |= {"schedules": {"eta": schedule}, "schedule_each": "step", "checkpoint": folder / "run"}
        options |= {"validation": (ALL[:8], ALL[:8, :1]), "metrics": {"falling": lambda y_hat, y: next(values)}}
        data = ALL, ALL[:, :1]
        _, history = training.fit(
            LOSS, create_state("torch"), data, epochs=6, batch_size=8, jit=False, show=None, **options
        )
        return told, history, int(restore(folder / "best", create_state("torch")).step)

    steps, values = len(DataLoader(ALL, 8)), [3.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    whole, history, best = run(tmp_path / "whole", iter(values))
    assert whole == [1, 2, 3, 4, 5] and best == 2 * steps
    for kill_at in (3 * steps + 1, 4 * steps):  # within an epoch, and in its last step
        folder, left = tmp_path / str(kill_at), iter(values)
        told, cut, _ = run(folder, left, kill_at)
        assert told == whole[: kill_at // steps] and len(cut) == 4
        resumed, again, kept = run(folder, left, resume=True)
        assert told + resumed == whole and kept == best
        assert [logs["val_falling"] for logs in again] == [logs["val_falling"] for logs in history]


def test_a_smaller_batch_is_accumulated_in_fewer_parts():
    """The parts are as large as those of other batches: BatchNorm refuses parts of one sample."""
    model = lp.Chain(lp.BatchNorm(3), lp.Dense(3, 1))
    state = create_state("torch", model)
    _, history = training.fit(LOSS, state, (ALL[:18], ALL[:18, :1]), batch_size=8, accumulate=4, jit=False, show=None)
    assert np.isfinite(history[0]["loss"])


def test_logs_are_written_for_tensorboard(monkeypatch):
    import sys
    import types

    written = []

    class Writer:
        def __init__(self, folder):
            self.folder = folder

        def add_scalar(self, name, value, step):
            written.append((self.folder, name, value, step))

        def flush(self):
            written.append("flushed")

    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    training.TensorBoardLog("runs")(training.Progress(create_state("numpy"), 3, {"loss": 0.5}))
    assert written == [("runs", "loss", 0.5, 3), "flushed"]
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="^TensorBoardLog expects a writer for TensorBoard, got none: pip"):
        training.TensorBoardLog("runs")


def test_fit_shows_a_progress_bar_in_a_terminal(monkeypatch):
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    outputs = []
    for rich in (True, False):
        if not rich:
            monkeypatch.setitem(sys.modules, "rich.progress", None)
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        training.fit(LOSS, create_state("torch", PLAIN), (X, Y), epochs=2, jit=False)
        outputs.append(terminal.getvalue())
    assert all(["epoch 2/2: loss" in output for output in outputs])
    assert "steps" in outputs[0] and "2/2" in outputs[0] and "\x1b" in outputs[0] and "\x1b" not in outputs[1]
