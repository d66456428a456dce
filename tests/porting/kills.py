"""Kill processes while they save: `python tests/porting/kills.py 1000`.

Each saves over the same two names again and again until SIGKILL comes, at a random moment. After every kill each
file is read and must be whole and of one save, and after the next save no other file may be in the folder.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import luxport
from luxport.porting.files.saving import load, save

MODEL = luxport.Dense(64, 512, use_bias=False)
NAMES = ("model.safetensors", "model.jld2")


def write(folder: Path, number: int) -> None:
    """Write files whose numbers are all the same, and so tell whether they are of one save."""
    ps = {"weight": np.full((64, 512), number, np.float32)}
    save(folder / NAMES[0], ps)
    luxport.porting.save_flux_state(folder / NAMES[1], MODEL, ps, {})


def read(folder: Path, name: str) -> float:
    """Return the number of a file, or NaN if it is of two saves, or torn."""
    if name.endswith("jld2"):
        weight = luxport.porting.load_parameters(folder / name, MODEL, backend="numpy")[0]["weight"]
    else:
        weight = load(folder / name, backend="numpy")[0]["weight"]
    return float(weight[0, 0]) if (weight == weight[0, 0]).all() else float("nan")


def kill_one(folder: Path, number: int, seconds: float) -> None:
    """Start a process that saves for ever, and kill it."""
    child = os.fork()
    if child == 0:
        while True:
            write(folder, number)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def run(count: int, seed: int = 0) -> Counter[str]:
    """Kill so many, and count what was found afterwards."""
    found: Counter[str] = Counter()
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, 0)
        for number in range(1, count + 1):
            kill_one(folder, number, draw.uniform(0.001, 0.02))
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcome = run(options.count, options.seed)
    print("; ".join(f"{count} {what}" for what, count in outcome.items()))
    sys.exit(bool(outcome["torn files"] or outcome["leftovers after the next save"]))
