"""`fit`: the training loop, with validation, callbacks, schedules, checkpoints and interruption."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from luxport.call_arguments import explain_call_errors
from luxport.training._data_loader import DataLoader
from luxport.training._evaluate import expect_batch, measure
from luxport.training._feeding import count_samples, load_batches, prefetch
from luxport.training._fit_options import expect_options
from luxport.training._group import Group, is_writer
from luxport.training._means import Means, compute_means
from luxport.training._objective_gradients import Objective
from luxport.training._position import Position
from luxport.training._progress_bar import show_progress
from luxport.training._state import TrainState, expect_state
from luxport.training._step import train_step

__all__ = ["Progress", "fit"]


@dataclass
class Progress:
    """The argument of callbacks of `fit` after each epoch.

    Args:
        state: the state after the epoch
        epoch: the number of the epoch, from 1
        logs: the epoch's means by name: loss, statistics, ``val_loss`` and metrics, steps and samples per second
        history: the logs of all epochs so far
    """

    state: TrainState
    epoch: int
    logs: dict[str, float]
    history: list[dict[str, float]] = field(default_factory=list)

    def writes(self) -> bool:
        """Return whether this process writes files and output: of a `data_parallel` training only rank 0 does."""
        return is_writer("fit", self.state.program.value.parallel)


@explain_call_errors
def fit(
    objective: Objective,
    state: TrainState,
    data: Any,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation: Any = None,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    schedules: Mapping[str, Callable[[int], float]] | None = None,
    schedule_each: str = "epoch",
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    nonfinite: str = "raise",
    jit: bool = True,
    accumulate: int = 1,
    show: Callable[[str], Any] | None = print,
) -> tuple[TrainState, list[dict[str, float]]]:
    """Train for some epochs; return the last state, and the logs of every epoch.

    Means are over samples, so that a smaller last batch has its due weight; its shape is compiled once. Ctrl-C ends the
    training after the current step and saves a checkpoint if a folder is given; the incomplete epoch is not validated
    or passed to callbacks. The state is taken over, as by `train_step`: an error raised by the data, a callback or the
    objective has the state after the last complete step as ``error.state``, and the logs as ``error.history``.

    With a state of `luxport.distributed.data_parallel`, every process calls this with the same arguments, and all get
    the logs over all samples, also for the validation, so that callbacks end the training in all of them alike. Ctrl-C
    in one process ends all. Only rank 0 prints lines and a bar, and writes checkpoints and the files of callbacks.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        state: what `TrainState.create`, an earlier `fit` or `restore` returned
        data: an iterable of batches that can be iterated over again (a `DataLoader`, PyTorch's, a ``tf.data`` set, a
            list), or a tuple or dict of whole arrays, which are shuffled and split into batches, or a
            `DistributedDataContainer` of them; of any framework
        epochs: the number of passes over the data
        batch_size: how many samples a batch has, if the data are whole arrays
        validation: data to evaluate after each epoch, in test mode
        metrics: functions ``(y_hat, y) -> scalar`` of the validation's pairs, by name; for tables use `evaluate`
        callbacks: functions of a `Progress`, called after each epoch; one that returns True ends the training
        schedules: hyper-parameters of the optimizer by name, as functions of the number of the step or epoch, from 1
        schedule_each: "epoch" or "step"
        checkpoint: a folder for `save_checkpoint` after each epoch
        resume: whether to continue from the last checkpoint in that folder, if there is one, as if there had been no
            interruption: with its state, logs, epoch and step, and the order and position of a `DataLoader` or of whole
            arrays (other data start the epoch again); callbacks find the earlier logs in ``Progress.history``. A
            training that one of these callbacks has ended is not continued
        nonfinite: as for `train_step`
        jit: whether to compile, as for `train_step`
        accumulate: the number of parts of a batch, as for `train_step`; a smaller batch has fewer parts
        show: a function that is called with a line about each epoch; None for none. With `print` in a terminal, a
            progress bar of the steps is shown below, if rich is installed

    Raises: NonFiniteError for an infinite or NaN loss or gradient, unless `nonfinite` says otherwise; ValueError for
            data without a batch, or `resume` without a checkpoint's folder

    >>> import luxport, numpy as np
    >>> from luxport.training import TrainState
    >>> x = np.linspace(-1, 1, 10, dtype=np.float32)[:, None]
    >>> state = TrainState.create(luxport.Dense(1, 1), luxport.optimizers.Adam(0.1), backend="torch")
    >>> state, history = fit(luxport.losses.MSELoss(), state, (x, 2 * x), epochs=30, batch_size=4, jit=False, show=None)
    >>> len(history), history[-1]["loss"] < 0.1 < history[0]["loss"]
    (30, True)
    """
    expect_state("fit(objective, state, data)", state)
    if schedule_each not in ("epoch", "step"):
        raise ValueError(f'fit expects "epoch" or "step" as schedule_each, got {schedule_each!r}')
    batches, held_out = load_batches(data, batch_size, shuffle=True), None
    if validation is not None:
        held_out = load_batches(validation, batch_size, shuffle=False)
    expect_options(epochs, callbacks, metrics, schedules, held_out, checkpoint)
    place = Position(batches)
    if resume:
        if checkpoint is None:
            raise ValueError("fit expects a folder as checkpoint to resume from, got None")
        state = place.restore(checkpoint, state)
    history, number = place.history, place.steps
    # Not taken from the first batch, which may be smaller than the others in a resumed training.
    largest = batches.batch_size if isinstance(batches, DataLoader) else 1
    try:
        with ExitStack() as until_the_end:
            interrupted = until_the_end.enter_context(_note_interruptions())
            group = Group(state.program.value.parallel, interrupted)
            shown_by = show if is_writer("fit", state.program.value.parallel) else None
            showing = show_progress(shown_by, batches, epochs - place.epochs)
            write, advance = until_the_end.enter_context(showing)
            ended_by = place.ended_by(callbacks)
            if resume and group.is_any("whether a callback had ended the training", bool(ended_by)):
                if write is not None:
                    names = " and ".join(ended_by)
                    write(f"ended after epoch {place.epochs} by {names}, as before: pass other callbacks to continue")
                return state, history
            for epoch in range(place.epochs + 1, epochs + 1):
                if schedules and schedule_each == "epoch":
                    state = _apply_schedules(schedules, epoch, state)
                began, means, steps, over = time.perf_counter(), Means(place.means), 0, True
                waiting: list[Any] = []
                for batch in prefetch(batches, state, waiting):
                    number += 1
                    if schedules and schedule_each == "step":
                        state = _apply_schedules(schedules, number, state)
                    samples = count_samples(batch)
                    largest = max(largest, samples)
                    parts = accumulate
                    if accumulate > 1:
                        parts = group.agree_on_parts(-(-max(samples, 1) * accumulate // largest))
                    group.begin_step()
                    loss, stats, state = train_step(
                        objective, batch, state, jit=jit, nonfinite=nonfinite, accumulate=parts
                    )
                    found = {"loss": loss, **(stats if isinstance(stats, Mapping) else {})}
                    means.add(found, group.count_samples(samples))
                    steps += 1
                    advance()
                    if group.is_ending() and waiting:
                        over = False
                        break
                if not steps:
                    raise ValueError(
                        "fit expects data with a batch, got none: an iterator can be used only once, and a "
                        "loader with partial=False leaves out a smaller last batch"
                    )
                seconds = time.perf_counter() - began
                epoch_of_steps = f"an epoch that ends after {steps} batches"
                logs = means.values() | {
                    "steps_per_second": steps / seconds,
                    "samples_per_second": means.count / seconds,
                }
                if held_out is not None and over:
                    measured = measure(objective, state, held_out, metrics, jit=jit)[0]
                    found = compute_means(group.add_sums(f"{epoch_of_steps}, and is validated", measured.sums()))
                    expect_batch("fit expects validation", found)
                    logs |= {f"val_{name}": value for name, value in found.items()}
                logs = group.share_logs(epoch_of_steps, logs)
                history.append(logs)
                if checkpoint is not None:
                    place.note(epoch, number, len(waiting), None if over else means.sums())
                    place.save(checkpoint, state)
                if write is not None:
                    left = (epochs - epoch) * seconds
                    text = " ".join([f"{name} {value:.4g}" for name, value in logs.items()])
                    write(f"epoch {epoch}/{epochs}: {text}" + (f" ({left:.0f} s left)" if left >= 1 else ""))
                answers = [
                    (callback, callback(Progress(state, epoch, logs, history))) for callback in callbacks if over
                ]
                ends = [callback for callback, end in answers if isinstance(end, (bool, np.bool_)) and end]
                ended = group.is_any("whether Ctrl-C came", interrupted.is_set()) or not over
                over = group.is_any("whether a callback ends the training", bool(ends))
                if over and checkpoint is not None:
                    place.end(ends)
                    place.save(checkpoint, state)
                if ended or over:
                    if ended and write is not None:
                        write(f"interrupted after {number} steps" + ("" if checkpoint is None else ", which are saved"))
                    break
    except BaseException as error:  # whatever the error is, the caller's state was taken over: hand back the new one
        _attach_state(error, state, history, number)
        raise
    return state, history


def _attach_state(error: BaseException, state: TrainState, history: list[dict[str, float]], steps: int) -> None:
    """Store the state after the last complete step and the logs of the complete epochs in an error."""
    vars(error).setdefault("state", state)  # a NonFiniteError has one already
    vars(error)["history"] = history
    error.add_note(f"fit had begun {steps} steps; the error has the state after the last whole one as error.state")


def _apply_schedules(schedules: Mapping[str, Callable[[int], float]], number: int, state: TrainState) -> TrainState:
    values: dict[str, Any] = {name: schedule(number) for name, schedule in schedules.items()}
    return state.adjust(**values)


@contextmanager
def _note_interruptions() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C sets, instead of raising KeyboardInterrupt within a step; a second one raises."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: Any) -> None:
        noted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
