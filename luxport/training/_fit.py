"""A loop of steps with what belongs around it: `fit`, `evaluate`."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from os import PathLike
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import asarray, backend_of, dtype_name, find_owner
from luxport.call_arguments import says_what_it_takes
from luxport.core.modes import test_mode
from luxport.text import kind_of, shown
from luxport.training._batching import first_size
from luxport.training._data_loader import DataLoader
from luxport.training._fit_options import expect_options
from luxport.training._group import Group, writes_for_all
from luxport.training._means import Means, added, mean_values
from luxport.training._objective_gradients import Objective
from luxport.training._place import Place
from luxport.training._progress_bar import show_progress
from luxport.training._share import Share
from luxport.training._state import TrainState, expect_state, in_precision
from luxport.training._step import train_step
from luxport.transforms._transforms import jit as compile_program
from luxport.tree.static import Static

__all__ = ["Progress", "evaluate", "fit"]


@dataclass
class Progress:
    """What callbacks of `fit` are called with after each epoch.

    Args:
        state: the state after the epoch
        epoch: its number, from 1
        logs: the means of the epoch by name: loss, statistics, ``val_loss`` and metrics, steps and samples a second
        history: the logs of all epochs so far
    """

    state: TrainState
    epoch: int
    logs: dict[str, float]
    history: list[dict[str, float]] = field(default_factory=list)

    def writes(self) -> bool:
        """Tell whether this process writes what all of them would write: of a `data_parallel` training rank 0."""
        return writes_for_all("fit", self.state.program.value.parallel)


@says_what_it_takes
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

    Means are right over a smaller last batch, which is compiled once. Ctrl-C ends the training after the step that
    runs, with a checkpoint if there is a folder for it; an epoch that has batches left is neither validated nor told to
    callbacks. The state is taken over, as by `train_step`: an error of the data, a callback or the objective has the
    one after the last whole step as ``error.state``, and the logs as ``error.history``.

    With a state of `luxport.distributed.data_parallel` each process calls it alike, and all of them have the logs of
    all samples, those of the validation as well: the same callbacks end the training in all of them. Ctrl-C in one of
    them ends it in all. Rank 0 alone shows lines and a bar, and writes checkpoints and the files of callbacks here.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        state: what `TrainState.create`, an earlier `fit` or `restore` returned
        data: any iterable of batches that can be gone through again (a `DataLoader`, one of PyTorch's, a ``tf.data``
            set, a list), or a tuple or dict of whole arrays, which is cut and shuffled, or a
            `DistributedDataContainer` of them; of any framework
        epochs: how often the data are gone through
        batch_size: how many samples a batch has, if the data are whole arrays
        validation: data to look at after each epoch, in test mode
        metrics: functions ``(y_hat, y) -> scalar`` of the validation's pairs, by name; tables are for `evaluate`
        callbacks: functions of a `Progress`, called after each epoch; one that returns True ends the training
        schedules: hyper-parameters of the optimizer by name, functions of the number of the step or epoch, from 1
        schedule_each: "epoch" or "step"
        checkpoint: a folder for `save_checkpoint` after each epoch
        resume: whether to go on from the last checkpoint in that folder, if there is one, as if there had been no end:
            with its state, logs, number of the epoch and of the step, and the order and place of a `DataLoader` or of
            whole arrays (other data begin the epoch again); callbacks find the earlier logs in ``Progress.history``
        nonfinite: as `train_step` takes it
        jit: compile, as `train_step` does
        accumulate: into how many parts a batch is cut, as `train_step` takes it; a smaller batch into fewer
        show: what writes a line about each epoch; None for none. In a terminal `print` has a bar of the steps below,
            if rich is installed

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
    batches, held_out = _load_batches(data, batch_size, shuffle=True), None
    if validation is not None:
        held_out = _load_batches(validation, batch_size, shuffle=False)
    expect_options(epochs, callbacks, metrics, schedules, held_out)
    place = Place(batches)
    if resume:
        if checkpoint is None:
            raise ValueError("fit expects a folder as checkpoint to resume from, got None")
        state = place.restore(checkpoint, state)
    history, number = place.history, place.steps
    # Known before the first batch, which may be a smaller one where a training is resumed.
    largest = batches.batch_size if isinstance(batches, DataLoader) else 1
    try:
        with ExitStack() as until_the_end:
            interrupted = until_the_end.enter_context(_interruptions())
            group = Group(state.program.value.parallel, interrupted)
            shown_by = show if writes_for_all("fit", state.program.value.parallel) else None
            showing = show_progress(shown_by, batches, epochs - place.epochs)
            write, advance = until_the_end.enter_context(showing)
            for epoch in range(place.epochs + 1, epochs + 1):
                if schedules and schedule_each == "epoch":
                    state = _follow(schedules, epoch, state)
                began, means, steps, over = time.perf_counter(), Means(place.means), 0, True
                waiting: list[Any] = []
                for batch in _move_ahead(batches, state, waiting):
                    number += 1
                    if schedules and schedule_each == "step":
                        state = _follow(schedules, number, state)
                    samples = _count_samples(batch)
                    largest = max(largest, samples)
                    parts = -(-max(samples, 1) * accumulate // largest) if accumulate > 1 else accumulate
                    group.begin_step()
                    loss, stats, state = train_step(
                        objective, batch, state, jit=jit, nonfinite=nonfinite, accumulate=parts
                    )
                    means.add({"loss": loss, **(stats if isinstance(stats, Mapping) else {})}, group.samples(samples))
                    steps += 1
                    advance()
                    if group.ends() and waiting:
                        over = False
                        break
                if not steps:
                    raise ValueError(
                        "fit expects data with a batch, got none: an iterator can be gone through only once, and a "
                        "loader with partial=False leaves out what is less than a batch"
                    )
                seconds = time.perf_counter() - began
                logs = means.values() | {
                    "steps_per_second": steps / seconds,
                    "samples_per_second": means.count / seconds,
                }
                if held_out is not None and over:
                    found = mean_values(group.sums(_look_at(objective, state, held_out, metrics, jit=jit)[0].sums()))
                    _expect_some("fit expects validation", found)
                    logs |= {f"val_{name}": value for name, value in found.items()}
                logs = group.logs(logs)
                history.append(logs)
                if checkpoint is not None:
                    place.note(epoch, number, len(waiting), None if over else means.sums())
                    place.save(checkpoint, state)
                if write is not None:
                    left = (epochs - epoch) * seconds
                    told = " ".join([f"{name} {value:.4g}" for name, value in logs.items()])
                    write(f"epoch {epoch}/{epochs}: {told}" + (f" ({left:.0f} s left)" if left >= 1 else ""))
                ends = [callback(Progress(state, epoch, logs, history)) for callback in callbacks if over]
                ended = group.any(interrupted.is_set()) or not over
                if ended or group.any(any([isinstance(end, (bool, np.bool_)) and bool(end) for end in ends])):
                    if ended and write is not None:
                        write(f"interrupted after {number} steps" + ("" if checkpoint is None else ", which are saved"))
                    break
    except BaseException as error:  # whatever it is, the state that was taken over is not lost
        _keep_in(error, state, history, number)
        raise
    return state, history


def _keep_in(error: BaseException, state: TrainState, history: list[dict[str, float]], steps: int) -> None:
    """Let an error that ends a training have the state after the last whole step, and the logs of whole epochs."""
    vars(error).setdefault("state", state)  # a NonFiniteError has one already
    vars(error)["history"] = history
    error.add_note(f"fit had begun {steps} steps; the error has the state after the last whole one as error.state")


@says_what_it_takes
def evaluate(
    objective: Objective,
    state: TrainState,
    data: Any,
    *,
    batch_size: int = 32,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    jit: bool = True,
) -> dict[str, Any]:
    """Return the means over all samples of loss, floating statistics and metrics, in test mode; the state stays.

    A metric that is no scalar is a table of counts, such as `confusion_matrix`: the sum of all batches, a NumPy array.
    Of a `luxport.distributed.DistributedDataContainer` the means are those of all processes' samples, and each of them
    is to call it; tables are of its own.

    Args:
        objective: as `fit` takes it
        state: the state that is looked at
        data: as `fit` takes them; pairs ``(x, y)`` if there are metrics
        batch_size: how many samples a batch has, if the data are whole arrays
        metrics: functions ``(y_hat, y) -> scalar`` or table by name, such as `accuracy`
        jit: compile

    >>> import luxport, numpy as np
    >>> from luxport.training import TrainState
    >>> state = TrainState.create(luxport.NoOpLayer(), luxport.optimizers.Adam(), ps={"a": np.ones(1)}, st={})
    >>> evaluate(luxport.losses.MSELoss(), state, (np.ones((3, 1)), np.zeros((3, 1))), batch_size=2)
    {'loss': 1.0}
    """
    expect_state("evaluate(objective, state, data)", state)
    state.expect_kept()
    means, tables = _look_at(objective, state, _load_batches(data, batch_size, shuffle=False), metrics, jit=jit)
    share = data.data if isinstance(data, DataLoader) else data
    sums = added(share.exchange(json.dumps(means.sums()))) if isinstance(share, Share) else means.sums()
    _expect_some("evaluate expects data", sums)
    return mean_values(sums) | tables


def _expect_some(wanted: str, found: Mapping[str, Any]) -> None:
    if not found:
        raise ValueError(f"{wanted} with a batch, got none: an iterator can be gone through only once")


def _look_at(
    objective: Objective,
    state: TrainState,
    batches: Iterable[Any],
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None,
    *,
    jit: bool,
) -> tuple[Means, dict[str, Any]]:
    """Return the means, and the tables, of what is found in batches in test mode."""
    st, means = test_mode(state.st), Means()
    model = in_precision(state.model, state.program.value.precision)
    program = _look(Static((objective, model, tuple((metrics or {}).items()), jit)))
    tables: dict[str, Any] = {}
    for batch in _move_ahead(batches, state, []):
        found = program(state.ps, st, batch)
        means.add(found, _count_samples(batch))
        for name in metrics or {}:
            if _is_array(found[name]) and len(found[name].shape):
                counts = backend_of(found[name]).to_numpy(found[name]).astype(np.float64)
                tables[name] = tables.get(name, 0) + counts
    return means, tables


@lru_cache(maxsize=64)
def _look(
    plan: Static[tuple[Objective, Any, tuple[tuple[str, Callable[[Any, Any], Any]], ...], bool]],
) -> Callable[[Any, Any, Any], dict[str, Any]]:
    """Make the function of a batch whose means `evaluate` tells: one for all epochs, so that it is compiled once."""
    objective, model, metrics, jit = plan.value

    def look(ps: Any, st: Any, batch: Any) -> dict[str, Any]:
        loss, _, stats = objective(model, ps, st, batch)
        found = {"loss": loss, **(stats if isinstance(stats, Mapping) else {})}
        if metrics:
            x, y = batch
            y_hat, _ = model(x, ps, st)
            found |= {name: metric(y_hat, y) for name, metric in metrics}
        return found

    return compile_program(look) if jit else look


def _load_batches(data: Any, batch_size: int, *, shuffle: bool) -> Iterable[Any]:
    indexed = callable(getattr(type(data), "__getitem__", None))  # all that Python's old way to iterate asks for
    if isinstance(data, type) or not (indexed or isinstance(data, Iterable)) or getattr(data, "shape", None) == ():
        raise TypeError(f"fit and evaluate expect data as batches or whole arrays, got {shown(data)}")
    bases = [(base.__module__.partition(".")[0], base.__name__) for base in type(data).__mro__]
    if ("torch", "Dataset") in bases:
        raise TypeError(
            f"fit and evaluate expect data as batches, got samples, {kind_of(data)}: "
            "torch.utils.data.DataLoader(dataset, batch_size=32) makes batches of them"
        )
    if ("pandas", "DataFrame") in bases or ("polars", "DataFrame") in bases:
        raise TypeError(
            "fit and evaluate expect data as batches or whole arrays, got a DataFrame: "
            'pass (frame[["a", "b"]].to_numpy("float32"), frame[["y"]].to_numpy("float32")), for example'
        )
    whole = isinstance(data, (tuple, Mapping)) and all([_is_array(leaf) for leaf in tree.leaves(data)])
    if not whole and not isinstance(data, Share):
        return data
    return DataLoader(data, batch_size, shuffle=shuffle, seed=0 if shuffle else None)


def _is_array(leaf: Any) -> bool:
    return find_owner(type(leaf)) is not None


def _move_ahead(batches: Iterable[Any], state: TrainState, waiting: list[Any]) -> Iterator[Any]:
    """Yield batches as arrays of the state's backend, each begun to be moved while the one before is at work.

    Those that were taken from their place and are still to come are in `waiting`.
    """
    array = next(leaf for leaf in tree.leaves(state.ps) if _is_array(leaf))
    backend = backend_of(array)
    device, floating = backend.device_of(array), dtype_name(array)

    def placed(leaf: Any) -> Any:
        if not _is_array(leaf) and not isinstance(leaf, (int, float)):
            return leaf
        if _is_array(leaf) and backend_of(leaf) is backend and backend.device_of(leaf) == device:
            return leaf
        host = backend_of(leaf).to_numpy(leaf) if _is_array(leaf) else np.asarray(leaf)
        wide = host.dtype == np.float64 and floating in ("float32", "float16", "bfloat16")
        return asarray(host, backend=backend, device=device, dtype="float32" if wide else None)

    for batch in batches:
        waiting.append(tree.map(placed, tuple(batch) if isinstance(batch, list) else batch))
        if len(waiting) == 2:
            yield waiting.pop(0)
    while waiting:
        yield waiting.pop(0)


def _follow(schedules: Mapping[str, Callable[[int], float]], number: int, state: TrainState) -> TrainState:
    values: dict[str, Any] = {name: schedule(number) for name, schedule in schedules.items()}
    return state.adjust(**values)


def _count_samples(batch: Any) -> int:
    try:
        return first_size("fit", batch)
    except ValueError:
        return 1


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Note Ctrl-C instead of raising it in the middle of a step; a second one raises."""
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
