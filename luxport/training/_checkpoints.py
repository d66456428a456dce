"""Checkpoints of training: `save_checkpoint` and `restore`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from luxport import tree
from luxport.backend import backend_of, dtype_name, find_owner
from luxport.call_arguments import says_what_it_takes
from luxport.optimizers._rule import Compound
from luxport.optimizers._state import Group
from luxport.porting.errors import FileFormatError
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.saving import load, save
from luxport.training._data_loader import DataLoader
from luxport.training._group import writes_for_all
from luxport.training._state import TrainState, expect_state

__all__ = ["restore", "save_checkpoint"]


@says_what_it_takes
def save_checkpoint(
    folder: str | PathLike[str], state: TrainState, *, keep: int = 3, loader: DataLoader | None = None
) -> str:
    """Write all that training goes on from, and return the name of the file.

    A checkpoint is two files, ``step_N.safetensors`` with every array and ``step_N.json`` with the step and where the
    loader is. Each is written beside its place, brought to the disk and renamed, and the second makes the first count:
    whenever the process is killed, the last whole checkpoint is there. Of a state of `data_parallel`, which is the same
    in every process, rank 0 writes.

    Args:
        folder: where checkpoints of this run are; it is made if it is not there
        state: the state after a step
        keep: how many of the checkpoints saved last stay; older ones are deleted
        loader: a `DataLoader`, whose order and place are kept too

    Raises: StateTakenError for a state that a step has taken over; TypeError for what a file cannot keep

    >>> import luxport, tempfile
    >>> from luxport.training import TrainState, restore
    >>> state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Adam(0.01))
    >>> folder = tempfile.mkdtemp()
    >>> name = save_checkpoint(folder, state)
    >>> int(restore(folder, state).step)
    0
    """
    expect_state("save_checkpoint(folder, state)", state)
    state.expect_kept()
    if isinstance(keep, bool) or keep < 1:
        raise ValueError(f"save_checkpoint expects to keep at least 1, got {keep}")
    place = Path(folder)
    step = int(backend_of(state.step).to_numpy(state.step))
    arrays = place / f"step_{step:08d}.safetensors"
    parallel = state.program.value.parallel
    if not writes_for_all("save_checkpoint", parallel):
        return str(arrays)
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"save_checkpoint expects a folder, got the file {folder}")
    place.mkdir(parents=True, exist_ok=True)
    rest = (state.opt_state, state.step, state.skipped, state.scale)
    save(arrays, {"ps": state.ps}, {"st": state.st}, optimizer=rest)
    before = _list_saved(place)
    told: dict[str, Any] = {"step": step, "saved": 1 + max([0, *before.values()])}
    told["loader"] = None if loader is None else loader.position()
    with open_atomic(place / f"step_{step:08d}.json") as file:
        file.write(json.dumps(told).encode())
    for old in list(_list_saved(place))[:-keep]:
        # A checkpoint counts while its JSON file is there: without that, a process killed here leaves no half of one.
        (place / f"step_{old:08d}.json").unlink(missing_ok=True)
    for left in place.iterdir():
        # Arrays without their JSON file: of checkpoints just dropped, or of a process killed between the two.
        if re.fullmatch(r"step_\d{8,}\.safetensors", left.name) and not left.with_suffix(".json").exists():
            left.unlink(missing_ok=True)
    return str(arrays)


@says_what_it_takes
def restore(folder: str | PathLike[str], state: TrainState, *, loader: DataLoader | None = None) -> TrainState:
    """Return the state of the whole checkpoint that was saved last, on the backend and the device of a state like it.

    Training goes on to the bit as if it had not stopped, and on another backend by its arithmetic. A checkpoint that
    cannot be read is passed over for the one before.

    Args:
        folder: where the checkpoints are
        state: a state of the same model and rule, such as `TrainState.create` makes; its arrays do not count
        loader: a `DataLoader` like the one that was saved, which goes on where that one was

    Raises: FileNotFoundError if there is no checkpoint; FileFormatError if none can be read; ValueError for one of
            another model or rule, that names each path, what was wanted and what came
    """
    expect_state("restore(folder, state)", state)
    state.expect_kept()
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
            told = _read_note(place, step)
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
        raise FileFormatError(f"restore finds no whole checkpoint in {folder}: {problem}") from problem
    opt_state, count, skipped, scale = rest
    new = state.replace(ps=ps["ps"], st=st["st"], opt_state=opt_state, step=count, skipped=skipped, scale=scale)
    _expect_alike(new, state, folder)
    if new.program.value.parallel is not None:
        new.program.value.parallel.expect_one_step(step)
    if loader is not None:
        if told.get("loader") is None:
            raise ValueError(f"restore expects a checkpoint with a loader in {folder}, got one that was saved without")
        loader.go_to(told["loader"])
    return new


def _list_saved(place: Path) -> dict[int, int]:
    """Return the steps of which there are both files, in the order in which they were saved, and their numbers in it.

    A training that begins anew in the folder of an earlier one saves steps before those that are there.
    """
    names = [re.fullmatch(r"step_(\d{8,})\.json", entry.name) for entry in place.iterdir()] if place.is_dir() else []
    steps = [int(name.group(1)) for name in names if name is not None]
    whole = sorted([step for step in steps if (place / f"step_{step:08d}.safetensors").is_file()])
    saved = {step: _tell_order(place, step) for step in whole}
    return dict(sorted(saved.items(), key=lambda entry: entry[1]))


def _tell_order(place: Path, step: int) -> int:
    """Return which one of the folder's checkpoints it was: 0 for one that does not tell, -1 for a damaged one."""
    try:
        return int(_read_note(place, step).get("saved", 0))
    except (FileFormatError, OSError, ValueError, TypeError):
        return -1


def _read_note(place: Path, step: int) -> dict[str, Any]:
    told = json.loads((place / f"step_{step:08d}.json").read_bytes())
    if not isinstance(told, dict) or not isinstance(told.get("loader"), (dict, type(None))):
        raise FileFormatError(f"a checkpoint's step_{step:08d}.json expects an object with a loader, got {told!r:.60}")
    return told


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


def _expect_alike(new: TrainState, old: TrainState, folder: Any) -> None:
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
    # What a state does not have yet, or no longer has, is None: a carry before the first call, for example.
    problems = [one for one in problems if not (one.startswith("st.") and "nothing" in one)]
    wanted, got = _tell_rules(old.opt_state), _tell_rules(new.opt_state)
    if wanted != got:
        names = [_NUMBERS.sub("", rules) for rules in (wanted, got)]
        wanted, got = names if names[0] != names[1] else (wanted, got)  # numbers are no part of a rule here, but 0
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


def _tell_rules(opt_state: Any) -> str:
    """Tell the rules of a state, each once: groups may have been taken apart since."""
    return ", ".join(sorted({repr(group.rule.value) for group in _list_groups(opt_state)}))


def _list_classes(opt_state: Any) -> list[type]:
    """List the classes of rules and of what they are made of."""
    found: list[type] = []

    def look(rule: Any) -> None:
        found.append(type(rule))
        if isinstance(rule, Compound):
            for inner in rule.inner_rules:
                look(inner)

    for group in _list_groups(opt_state):
        look(group.rule.value)
    return found
