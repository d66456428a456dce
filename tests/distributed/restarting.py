"""What torchrun starts, and starts again: trains, and is killed once: `python restarting.py FOLDER BACKEND STEP WHEN`.

Rank 1 of the first start is killed "before" the step, or rank 0 while it is "saving" after the step. Each start goes on
from the last whole checkpoint of FOLDER. Rank 0 prints the parameters at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import stepping

import luxport
from luxport import distributed, tree
from luxport.optimizers import Adam
from luxport.training import TrainState, restore, save_checkpoint, train_step

STEPS, EVERY = 10, 3


def main() -> None:
    folder, backend, fatal, when = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    distributed.initialize(backend, timeout=60)
    rank, size = distributed.rank(), distributed.total_workers()
    model = stepping.model_with(luxport.Dropout(0.5))
    state = distributed.data_parallel(TrainState.create(model, Adam(0.05), 0, backend=backend))
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if not first:
        state = restore(folder, state)
        if rank == 0:
            print(f"goes on from step {int(state.step)}", flush=True)
    data = stepping.batches(size, STEPS)
    for step in range(int(state.step), STEPS):
        if first and when == "before" and rank == 1 and step == fatal:
            _be_killed()
        batch = stepping.part(data, step, backend, rank)
        _, _, state = train_step(stepping.squares, batch, state, jit=backend in stepping.INSIDE)
        if int(state.step) % EVERY == 0:
            if first and when == "saving" and rank == 0 and int(state.step) == fatal:
                os.replace = _be_killed  # the arrays are written, and do not have their name yet
            save_checkpoint(folder, state)
    if rank == 0:
        print("parameters", [luxport.to_numpy(leaf).tolist() for leaf in tree.leaves(state.ps)], flush=True)
    distributed.shutdown()


def _be_killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
