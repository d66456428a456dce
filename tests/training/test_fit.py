"""`fit`: what it trains and tells, interruptions, going on where a training was, callbacks, logs."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch._dynamo.utils
import torch.utils.data
from small_training import ALL, LOSS, MODEL, PLAIN, X, Y, bits, entries, start

import luxport as lp
import luxport_torch.compiling
from luxport import optimizers, training
from luxport.training import DataLoader, restore


def test_fit_trains_and_looks(differentiating, tmp_path, monkeypatch):
    """Whole arrays of NumPy, a schedule, metrics, logs, the best checkpoint, an early end.

    Each epoch has another rate and a smaller last batch, and is followed by a look at batches of two sizes: there are
    two programs of each kind, however many epochs there are.
    """
    traced = {"step": 0, "look": 0}
    rates = []

    def objective(model, ps, st, batch):
        # PyTorch's compiler would follow the count, and compile anew for a larger one.
        if differentiating.name != "torch":
            traced["look" if st["layer_2"]["training"].value is False else "step"] += 1
        return LOSS(model, ps, st, batch)

    def note(progress):
        rates.append(optimizers.current_rule(progress.state.opt_state).eta)

    if differentiating.name == "torch":  # counted the same without waiting for a compiler of C++
        compiled = partial(torch.compile, fullgraph=True, backend="eager")
        monkeypatch.setattr(luxport_torch.compiling, "_compile_program", compiled)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    state = start(differentiating, rule=optimizers.Adam())
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
    assert bits(restore(tmp_path / "all", state).ps) == bits(state.ps)
    assert (tmp_path / "a.csv").read_text().count("\n") == len(history) + 1 and (tmp_path / "best").is_dir()


def test_an_interruption_ends_fit_after_a_step(tmp_path):
    """Ctrl-C while a batch is made; and data of PyTorch's and TensorFlow's own."""
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
    state = start("torch", PLAIN)
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


def test_fit_goes_on_where_it_was(tmp_path):
    """Interrupted in the middle of the second of three epochs, with a batch waiting: to the bit as if it were not."""
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

    whole, history = run(start("torch"))
    for kill_at in (4, 5, 6):
        folder = tmp_path / str(kill_at)
        stopped, _ = run(start("torch"), folder, kill_at, resume=True)
        assert int(stopped.step) == kill_at
        resumed, again = run(start("torch"), folder, resume=True)
        assert bits(entries(resumed)) == bits(entries(whole)) and len(again) == 3
        assert [logs["loss"] for logs in again] == pytest.approx([logs["loss"] for logs in history], rel=1e-12)
    assert bits(entries(run(start("torch"), folder, resume=True)[0])) == bits(entries(whole))
    # The first batch after the end is the smaller one, and is cut into no more parts than before.
    whole, _ = run(start("torch"), accumulate=2)
    run(start("torch"), tmp_path / "cut", 5, accumulate=2, resume=True)
    resumed, _ = run(start("torch"), tmp_path / "cut", accumulate=2, resume=True)
    assert bits(entries(resumed)) == bits(entries(whole))
    with pytest.raises(ValueError, match="a folder as checkpoint to resume from"):
        run(start("torch"), resume=True)


def test_callbacks_of_a_training_that_is_interrupted_and_resumed(tmp_path):
    """An epoch that is not over is not told to them; those before the end count, and the best of them stays."""
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
        _, history = training.fit(LOSS, start("torch"), data, epochs=6, batch_size=8, jit=False, show=None, **options)
        return told, history, int(restore(folder / "best", start("torch")).step)

    steps, values = len(DataLoader(ALL, 8)), [3.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    whole, history, best = run(tmp_path / "whole", iter(values))
    assert whole == [1, 2, 3, 4, 5] and best == 2 * steps
    for kill_at in (3 * steps + 1, 4 * steps):  # within an epoch, and in the last step of one
        folder, left = tmp_path / str(kill_at), iter(values)
        told, cut, _ = run(folder, left, kill_at)
        assert told == whole[: kill_at // steps] and len(cut) == 4
        resumed, again, kept = run(folder, left, resume=True)
        assert told + resumed == whole and kept == best
        assert [logs["val_falling"] for logs in again] == [logs["val_falling"] for logs in history]


def test_a_smaller_batch_is_accumulated_in_fewer_parts():
    """Its parts are as large as those of the others: BatchNorm refuses parts of one sample."""
    model = lp.Chain(lp.BatchNorm(3), lp.Dense(3, 1))
    state = start("torch", model)
    _, history = training.fit(LOSS, state, (ALL[:18], ALL[:18, :1]), batch_size=8, accumulate=4, jit=False, show=None)
    assert np.isfinite(history[0]["loss"])


def test_logs_for_tensorboard(monkeypatch):
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
    training.TensorBoardLog("runs")(training.Progress(start("numpy"), 3, {"loss": 0.5}))
    assert written == [("runs", "loss", 0.5, 3), "flushed"]
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="^TensorBoardLog expects a writer for TensorBoard, got none: pip"):
        training.TensorBoardLog("runs")


def test_fit_has_a_bar_in_a_terminal(monkeypatch):
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
        training.fit(LOSS, start("torch", PLAIN), (X, Y), epochs=2, jit=False)
        outputs.append(terminal.getvalue())
    assert all(["epoch 2/2: loss" in output for output in outputs])
    assert "steps" in outputs[0] and "2/2" in outputs[0] and "\x1b" in outputs[0] and "\x1b" not in outputs[1]
