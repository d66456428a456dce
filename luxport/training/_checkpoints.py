"""`save_checkpoint` and `restore`: checkpoints from which a training continues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from luxport import tree
from luxport.backend import backend_of, dtype_name, find_owner
from luxport.call_arguments import explain_call_errors
from luxport.optimizers._rule import Compound
from luxport.optimizers._state import Group
from luxport.porting.errors import FileFormatError
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.saving import load, save
from luxport.training._data_loader import DataLoader
from luxport.training._group import is_writer
from luxport.training._state import TrainState, expect_state

__all__ = ["restore", "save_checkpoint"]


@explain_call_errors
def save_checkpoint(
    folder: str | PathLike[str], state: TrainState, *, keep: int = 3, loader: DataLoader | None = None
) -> str:
    """Write everything that is needed to continue a training, and return the path of the file with the arrays.

    A checkpoint is two files, ``step_N.safetensors`` with every array and ``step_N.json`` with the step and the
    loader's position. Each is written under another name, flushed to disk and renamed, and a checkpoint is valid only
    with its JSON file, which is written last: whenever the process is killed, the last complete checkpoint remains. A
    state of `data_parallel`, which is the same in every process, is written by rank 0 only.

    Args:
        folder: the folder for the checkpoints of this run, created if it does not exist
        state: the state after a step
        keep: how many of the most recent checkpoints to keep; older ones are deleted
        loader: a `DataLoader`, whose order and position are saved too

    Raises: StateTakenError for a state that a step has taken over; TypeError for values that a file cannot store

    >>> import luxport, tempfile
    >>> from luxport.training import TrainState, restore
    >>> state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Adam(0.01))
    >>> folder = tempfile.mkdtemp()
    >>> name = save_checkpoint(folder, state)
    >>> int(restore(folder, state).step)
    0
    """
    expect_state("save_checkpoint(folder, state)", state)
    state.expect_available()
    if isinstance(keep, bool) or keep < 1:
        raise ValueError(f"save_checkpoint expects to keep at least 1, got {keep}")
    place = Path(folder)
    step = int(backend_of(state.step).to_numpy(state.step))
    arrays = place / f"step_{step:08d}.safetensors"
    parallel = state.program.value.parallel
    if not is_writer("save_checkpoint", parallel):
        return str(arrays)
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"save_checkpoint expects a folder, got the file {folder}")
    place.mkdir(parents=True, exist_ok=True)
    rest = (state.opt_state, state.step, state.skipped, state.scale)
    save(arrays, {"ps": state.ps}, {"st": state.st}, optimizer=rest)
    before = _list_saved(place)
    note: dict[str, Any] = {"step": step, "saved": 1 + max([0, *before.values()])}
    note["loader"] = None if loader is None else loader.position()
    with open_atomic(place / f"step_{step:08d}.json") as file:
        file.write(json.dumps(note).encode())
    for old in list(_list_saved(place))[:-keep]:
        # The JSON file first: if the process is killed in between, the arrays that are left are no valid checkpoint.
        (place / f"step_{old:08d}.json").unlink(missing_ok=True)
    for left in place.iterdir():
        # Arrays without a JSON file belong to the checkpoints deleted above, or to a process killed while saving.
        if re.fullmatch(r"step_\d{8,}\.safetensors", left.name) and not left.with_suffix(".json").exists():
            left.unlink(missing_ok=True)
    return str(arrays)


@explain_call_errors
def restore(folder: str | PathLike[str], state: TrainState, *, loader: DataLoader | None = None) -> TrainState:
    """Return the state of the last complete checkpoint, on the backend and device of a given state.

    Training continues bit for bit as if it had not stopped; on another backend, with that one's rounding. If a
    checkpoint cannot be read, the one before it is used.

    Args:
        folder: the folder with the checkpoints
        state: a state of the same model and rule, such as `TrainState.create` makes; its values are not used
        loader: a `DataLoader` like the one that was saved, which is set to the saved position

    Raises: FileNotFoundError if there is no checkpoint; FileFormatError if none can be read; ValueError for one of
            another model or rule, naming each path with what was expected and what was found
    """
    expect_state("restore(folder, state)", state)
    state.expect_available()
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"restore expects a folder, got the file {folder}")
    found = list(_list_saved(place))
    if not found:
        raise FileNotFoundError(f"restore expects a checkpoint in {folder}, got none")
    array = next(leaf for leaf in tree.leaves(state.ps) if find_owner(type(leaf)) is not None)
    backend = backend_of(array)
    problem: Exception | None = None
    for step in reversed(found):
        try:
            note = _read_note(place, step)
            ps, st, rest = load(
                place / f"step_{step:08d}.safetensors",
                optimizer=True,
                classes=_list_classes(state.opt_state),
                backend=backend,
                device=backend.device_of(array),
            )
            break
        except (FileFormatError, OSError, json.JSONDecodeError) as error:
            problem = problem or error
    else:
        raise FileFormatError(f"restore finds no complete checkpoint in {folder}: {problem}") from problem
    opt_state, count, skipped, scale = rest
    new = state.replace(ps=ps["ps"], st=st["st"], opt_state=opt_state, step=count, skipped=skipped, scale=scale)
    _expect_matching(new, state, folder)
    if new.program.value.parallel is not None:
        new.program.value.parallel.expect_one_step(step)
    if loader is not None:
        if note.get("loader") is None:
            raise ValueError(f"restore expects a checkpoint with a loader in {folder}, got one that was saved without")
        loader.go_to(note["loader"])
    return new


def _list_saved(place: Path) -> dict[int, int]:
    """Return the steps with both files, in the order in which they were saved, each with its number in that order.

    The order is not that of the steps if a new training was started in the folder of an earlier one.
    """
    names = [re.fullmatch(r"step_(\d{8,})\.json", entry.name) for entry in place.iterdir()] if place.is_dir() else []
    steps = [int(name.group(1)) for name in names if name is not None]
    whole = sorted([step for step in steps if (place / f"step_{step:08d}.safetensors").is_file()])
    saved = {step: _read_order(place, step) for step in whole}
    return dict(sorted(saved.items(), key=lambda entry: entry[1]))


def _read_order(place: Path, step: int) -> int:
    """Return the number of a checkpoint in the order of saving: 0 if it has none, -1 if it is damaged."""
    try:
        return int(_read_note(place, step).get("saved", 0))
    except (FileFormatError, OSError, ValueError, TypeError):
        return -1


def _read_note(place: Path, step: int) -> dict[str, Any]:
    note = json.loads((place / f"step_{step:08d}.json").read_bytes())
    if not isinstance(note, dict) or not isinstance(note.get("loader"), (dict, type(None))):
        raise FileFormatError(f"a checkpoint's step_{step:08d}.json expects an object with a loader, got {note!r:.60}")
    return note


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


def _expect_matching(new: TrainState, old: TrainState, folder: Any) -> None:
    problems: list[str] = []
    for name in ("ps", "st"):
        wanted, got = dict(_list_entries(getattr(old, name), name)), dict(_list_entries(getattr(new, name), name))
        problems += [f"{path}: {wanted[path]} wanted, got nothing" for path in wanted.keys() - got.keys()]
        problems += [f"{path}: nothing wanted, got {got[path]}" for path in got.keys() - wanted.keys()]
        problems += [
            f"{path}: {wanted[path]} wanted, got {got[path]}"
            for path in wanted.keys() & got.keys()
            if wanted[path] != got[path]
        ]
    # An entry of a state may be None in one and an array in the other, such as a carry before the first call.
    problems = [problem for problem in problems if not (problem.startswith("st.") and "nothing" in problem)]
    wanted, got = _describe_rules(old.opt_state), _describe_rules(new.opt_state)
    if wanted != got:
        # Hyper-parameters are stored as arrays in the state: only where one is 0 do the numbers here differ.
        names = [_NUMBERS.sub("", rules) for rules in (wanted, got)]
        wanted, got = names if names[0] != names[1] else (wanted, got)
        problems.append(f"opt_state: {wanted} wanted, got {got}")
    if (new.scale is None) != (old.scale is None):
        problems.append(f"scale: {'none' if old.scale is None else 'one'} wanted, got the other")
    if problems:
        raise ValueError(
            f"restore expects the model and the rule of the state in {folder}: {'; '.join(sorted(problems))}"
        )


def _list_entries(values: Any, name: str) -> Iterator[tuple[str, Any]]:
    for path, leaf in tree.leaves_with_path(values):
        if find_owner(type(leaf)) is not None:
            yield ".".join((name, *path)), _Entry(dtype_name(leaf), tuple(leaf.shape))


def _list_groups(opt_state: Any) -> Iterator[Group]:
    if isinstance(opt_state, Group):
        yield opt_state
    elif isinstance(opt_state, Mapping):
        for value in opt_state.values():
            yield from _list_groups(value)
    elif isinstance(opt_state, (tuple, list)):
        for value in opt_state:
            yield from _list_groups(value)


_NUMBERS = re.compile(r"\w+=(?:\([\d., ]*\)|[\d.]+)(?:, )?")


def _describe_rules(opt_state: Any) -> str:
    """Return the texts of a state's rules, each once, as one group may have been split into several since."""
    return ", ".join(sorted({repr(group.rule.value) for group in _list_groups(opt_state)}))


def _list_classes(opt_state: Any) -> list[type]:
    """List the classes of a state's rules and of the rules inside them."""
    found: list[type] = []

    def collect(rule: Any) -> None:
        found.append(type(rule))
        if isinstance(rule, Compound):
            for inner in rule.inner_rules:
                collect(inner)

    for group in _list_groups(opt_state):
        collect(group.rule.value)
    return found
