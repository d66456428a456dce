"""Kill processes while they save: `python tests/porting/kills.py 1000`.

Each process saves over the same two names until SIGKILL comes at a random moment. After every kill both files must be
whole and of one save, and after the next save the folder may contain no other file.

As many other processes write a run's checkpoints, one after the other. After every kill the last checkpoint must be a
whole one, no older than the last before, and after the next write only the last few may be left.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import luxport
from luxport import training
from luxport.porting.files.saving import load, save

MODEL = luxport.Dense(64, 512, use_bias=False)
NAMES = ("model.safetensors", "model.jld2")


def write(folder: Path, number: int) -> None:
    """Write files whose numbers are all equal, so that a mix of two saves shows."""
    ps = {"weight": np.full((64, 512), number, np.float32)}
    save(folder / NAMES[0], ps)
    luxport.porting.save_flux_state(folder / NAMES[1], MODEL, ps, {})


def read(folder: Path, name: str) -> float:
    """Return a file's number, or NaN if its numbers differ."""
    if name.endswith("jld2"):
        weight = luxport.porting.load_parameters(folder / name, MODEL, backend="numpy")[0]["weight"]
    else:
        weight = load(folder / name, backend="numpy")[0]["weight"]
    return float(weight[0, 0]) if (weight == weight[0, 0]).all() else float("nan")


def kill_one(work: Callable[[], object], seconds: float) -> None:
    """Start a process that works without end, and kill it."""
    child = os.fork()
    if child == 0:
        try:
            while True:
                work()
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def run(count: int, seed: int = 0) -> Counter[str]:
    """Kill `count` processes that save, and count what the files then held."""
    found: Counter[str] = Counter()
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, 0)
        for number in range(1, count + 1):
            kill_one(partial(write, folder, number), draw.uniform(0.001, 0.02))
            found["kills"] += 1
            found["unfinished files that kills left"] += len(os.listdir(folder)) - len(NAMES)
            for name in NAMES:
                try:
                    found["torn files"] += read(folder, name) not in range(number + 1)
                except (OSError, ValueError):
                    found["torn files"] += 1
            save(folder / NAMES[0], {"weight": np.full((2, 2), number, np.float32)})
            found["leftovers after the next save"] += len(os.listdir(folder)) - len(NAMES)
    return found


STATE = training.TrainState.create(luxport.Dense(64, 256), luxport.optimizers.Adam(), backend="numpy")
KEPT = 2


def make_state(step: int) -> training.TrainState:
    """Make a state whose numbers are all equal to its step."""

    def fill(leaf: np.ndarray) -> np.ndarray:
        return np.full_like(leaf, step) if leaf.dtype == np.float32 else leaf

    ps, leaves = luxport.tree.map(fill, (STATE.ps, STATE.opt_state.leaves))
    opt_state = STATE.opt_state._replace(leaves=leaves)
    return STATE.replace(ps=ps, opt_state=opt_state, step=np.asarray(step, np.int32))


def train(folder: Path, steps: Iterator[int]) -> None:
    """Write the checkpoint of the next step."""
    training.save_checkpoint(folder, make_state(next(steps)), keep=KEPT)


def restore_step(folder: Path) -> int:
    """Return the last checkpoint's step, or -1 if a number in it differs from that step."""
    state = training.restore(folder, STATE)
    step, leaves = int(state.step), luxport.tree.leaves((state.ps, state.opt_state.leaves))
    return step if all([(leaf == step).all() for leaf in leaves]) else -1


def run_checkpoints(count: int, seed: int = 0) -> Counter[str]:
    """Kill `count` processes that write checkpoints, and count what the files then held."""
    found: Counter[str] = Counter()
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder, last = Path(place), 0
        training.save_checkpoint(folder, make_state(last), keep=KEPT)
        for _ in range(count):
            kill_one(partial(train, folder, itertools.count(last + 1)), draw.uniform(0.001, 0.03))
            found["kills"] += 1
            try:
                step = restore_step(folder)
            except (OSError, ValueError):
                step = -1
            found["checkpoints lost or torn"] += step < last
            found["steps written"] += max(step - last, 0)
            last = max(step, last) + 1
            training.save_checkpoint(folder, make_state(last), keep=KEPT)
            found["files left after the next"] += max(len(os.listdir(folder)) - 2 * KEPT, 0)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcome, kept = run(options.count, options.seed), run_checkpoints(options.count, options.seed)
    for counts in (outcome, kept):
        print("; ".join([f"{count} {what}" for what, count in counts.items()]))
    failures = outcome["torn files"], outcome["leftovers after the next save"], kept["checkpoints lost or torn"]
    sys.exit(any(failures) or bool(kept["files left after the next"]))
