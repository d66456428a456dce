"""A second training in the same folder, or with the same callbacks, and resuming one that has ended."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import ALL, LOSS, create_state

from luxport.training import (
    BestCheckpoint,
    DataLoader,
    EarlyStopping,
    JSONLog,
    Progress,
    evaluate,
    fit,
    restore,
    save_checkpoint,
    train_step,
)

DATA = ALL, ALL[:, :1]


def train(epochs: int, **options: Any) -> list[dict[str, float]]:
    return fit(LOSS, create_state("torch"), DATA, epochs=epochs, batch_size=10, jit=False, show=None, **options)[1]


def list_steps(folder: Path) -> list[int]:
    return sorted([int(path.stem[5:]) for path in folder.glob("*.json")])


def test_the_checkpoint_saved_last_is_restored(tmp_path: Path) -> None:
    """A second training takes fewer steps than the first: its checkpoints are kept, and the oldest are removed."""
    train(4, checkpoint=tmp_path)
    assert list_steps(tmp_path) == [4, 6, 8]
    train(1, checkpoint=tmp_path)
    assert list_steps(tmp_path) == [2, 6, 8] and int(restore(tmp_path, create_state("torch")).step) == 2
    assert len(train(2, checkpoint=tmp_path, resume=True)) == 2
    assert list_steps(tmp_path) == [2, 4, 8] and int(restore(tmp_path, create_state("torch")).step) == 4


def test_checkpoints_without_an_order_are_ordered_by_step(tmp_path: Path) -> None:
    state = create_state("torch")
    for step in (2, 1):
        save_checkpoint(tmp_path, state.replace(step=state.step + step))
        note = tmp_path / f"step_{step:08d}.json"
        note.write_text(f'{{"step": {step}, "loader": null}}')
    assert int(restore(tmp_path, state).step) == 2
    save_checkpoint(tmp_path, state, keep=2)
    assert list_steps(tmp_path) == [0, 2] and int(restore(tmp_path, state).step) == 0


@pytest.mark.parametrize("damaged", ["", "null", "[1]", '{"saved": "x", "loader": 3}'])
def test_a_damaged_note_is_skipped(tmp_path: Path, damaged: str) -> None:
    train(2, checkpoint=tmp_path)
    (tmp_path / "step_00000004.json").write_text(damaged)
    assert int(restore(tmp_path, create_state("torch")).step) == 2


def test_callbacks_start_again_with_each_training(tmp_path: Path) -> None:
    stop, best = EarlyStopping("loss", 2), BestCheckpoint(tmp_path, "loss")
    schedules = {"eta": lambda epoch: 0.05 if epoch < 3 else 0.0}  # at a rate of 0 only dropout changes the loss
    first = len(train(20, callbacks=[stop, best], schedules=schedules))
    assert 2 < first < 20
    kept = list_steps(tmp_path)
    assert len(train(20, callbacks=[stop, best], schedules=schedules)) == first and list_steps(tmp_path) == kept
    train(1, callbacks=[BestCheckpoint(tmp_path, "loss")])
    assert list_steps(tmp_path) == [2]


def stop_after_two_epochs(progress: Progress) -> bool:
    return progress.epoch == 2


def interrupt_after_three_epochs(progress: Progress) -> None:
    if progress.epoch == 3:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "callbacks",
    [
        [],
        [EarlyStopping("loss", 1, largest=True)],
        [stop_after_two_epochs, EarlyStopping("loss", 3)],
        [interrupt_after_three_epochs],
    ],
    ids=["epochs", "early", "function", "interrupted"],
)
def test_a_training_that_has_ended_is_not_continued(tmp_path: Path, callbacks: list[Any]) -> None:
    """However it ended, the state, the logs and the files stay, and a line says that a callback ended it."""
    options: dict[str, Any] = {"checkpoint": tmp_path, "callbacks": callbacks}
    logs, lines = train(3, **options), []
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    state, again = fit(
        *(LOSS, create_state("torch"), DATA),
        epochs=3,
        batch_size=10,
        jit=False,
        show=lines.append,
        resume=True,
        **options,
    )
    assert again == logs and int(state.step) == 2 * len(logs)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert len(logs) < 3 or not lines
    assert len(logs) == 3 or (len(lines) == 1 and "as before" in lines[0])


def test_a_training_continues_with_more_patience(tmp_path: Path) -> None:
    options: dict[str, Any] = {"checkpoint": tmp_path, "resume": True}
    assert len(train(5, callbacks=[EarlyStopping("loss", 1, largest=True)], **options)) == 2
    assert len(train(5, callbacks=[EarlyStopping("loss", 2, largest=True)], **options)) == 3
    assert len(train(5, **options)) == 5


def test_a_log_in_json_has_no_nan(tmp_path: Path) -> None:
    """JSON has no NaN, and other readers refuse files with one."""

    def spoil(progress: Progress) -> None:
        progress.history[0]["loss"] = float("nan")

    train(1, callbacks=[spoil, JSONLog(tmp_path / "log.json")])
    (line,) = (tmp_path / "log.json").read_text().splitlines()
    assert '"loss": null' in line and "NaN" not in line


def test_any_true_result_of_a_callback_ends_training() -> None:
    assert len(train(3, callbacks=[lambda progress: np.float32(1) > np.float32(0)])) == 1
    assert len(train(2, callbacks=[lambda progress: np.False_, lambda progress: 1])) == 2


def test_a_position_beyond_the_data_is_an_error() -> None:
    loader, shorter = DataLoader(ALL, 8), DataLoader(ALL[:8], 8)
    next(iter(loader))
    with pytest.raises(ValueError, match="expects a position within its 8 samples, got one after 8"):
        shorter.go_to(loader.position())


def test_empty_data_and_wrong_paths_are_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    none: Any = None
    for call, message in (
        (lambda: train(1, validation=[]), "fit expects validation with a batch, got none"),
        (lambda: evaluate(LOSS, create_state("torch"), []), "evaluate expects data with a batch, got none"),
        (lambda: train(-1), "fit expects epochs as an int of at least 0, got -1"),
        (
            lambda: train_step(LOSS, DATA, create_state("torch"), donate=none),
            "train_step expects donate as True or False, got N",
        ),
        (lambda: train(1, checkpoint=""), "fit expects a folder's path as checkpoint, got ''"),
        (lambda: train(1, callbacks=[lambda: True]), r"one input, a Progress, as callbacks, got <lambda>\(\)"),
        (
            lambda: train(1, schedules={"eta": lambda a, b: a}),
            r"one number as schedules\['eta'\], got <lambda>\(a, b\)",
        ),
        (lambda: train(1, checkpoint=tmp_path / "file"), "save_checkpoint expects a folder, got the file"),
    ):
        with pytest.raises((TypeError, ValueError, NotADirectoryError), match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
