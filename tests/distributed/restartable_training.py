"""A training that torchrun restarts after it was killed once: `restartable_training.py FOLDER BACKEND STEP WHEN`.

In the first run, rank 1 is killed "before" the step, or rank 0 while it is "saving" after the step. Each run resumes
from the last complete checkpoint in FOLDER. Rank 0 prints the parameters at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import common

import luxport
from luxport import distributed, tree
from luxport.optimizers import Adam
from luxport.training import TrainState, restore, save_checkpoint, train_step

STEPS, EVERY = 10, 3


def main() -> None:
    folder, backend, fatal, when = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    distributed.initialize(backend, timeout=60)
    rank, size = distributed.rank(), distributed.total_workers()
    model = common.make_model(luxport.Dropout(0.5))
    state = distributed.data_parallel(TrainState.create(model, Adam(0.05), 0, backend=backend))
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if not first:
        state = restore(folder, state)
        if rank == 0:
            print(f"goes on from step {int(state.step)}", flush=True)
    data = common.make_batches(size, STEPS)
    for step in range(int(state.step), STEPS):
        if first and when == "before" and rank == 1 and step == fatal:
            _be_killed()
        batch = common.take_batch(data, step, backend, rank)
        _, _, state = train_step(common.squared_error, batch, state, jit=backend in common.INSIDE)
        if int(state.step) % EVERY == 0:
            if first and when == "saving" and rank == 0 and int(state.step) == fatal:
                os.replace = _be_killed  # the arrays are written, but not yet renamed
            save_checkpoint(folder, state)
    if rank == 0:
        print("parameters", [luxport.to_numpy(leaf).tolist() for leaf in tree.leaves(state.ps)], flush=True)
    distributed.shutdown()


def _be_killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
