"""``python -m benchmarks.distributed``: two processes by each engine, luxport against the engine's own functions.

Both add up 25 million float32, and take steps of ResNet-20 with 32 images in each process. Times are by the clock, as
processes wait for each other, of rank 0. ``--quick`` checks that all run, with a thousand numbers and two rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import luxport
from benchmarks.__main__ import print_table
from luxport import distributed

HEADER = ("engine", "against", "ours ms", "theirs ms", "ratio", "from", "to")
PROCESSES = 2


def measure_rows(engine: str, rounds: int, numbers: int) -> list[tuple[Any, ...]]:
    """Measure in this process, which is one of several: medians, and quartiles of the ratios of neighbors."""
    from benchmarks.by_engine import ENGINES, RESNET
    from benchmarks.models import make_luxport_step

    distributed.initialize(engine, timeout=200)
    x = np.full(numbers, distributed.rank() + 1.0, np.float32)
    backend, array = ("torch", x) if engine == "mpi" else (engine, luxport.asarray(x, backend=engine))

    def settle(values: Sequence[Any]) -> None:
        if backend == "jax":
            values[0].block_until_ready()

    def add_up() -> Any:
        new = distributed.allreduce(array, "sum")
        settle([new])
        return new

    step = make_luxport_step(RESNET, backend, compiled=backend != "torch", wait=settle, begin=distributed.data_parallel)
    found: list[tuple[Any, ...]] = []
    for ours, (name, theirs) in zip((add_up, step), ENGINES[engine](x, PROCESSES).items(), strict=True):
        if ours is add_up:
            for sums in (ours(), theirs()):
                expected = PROCESSES * (PROCESSES + 1) / 2
                assert float(np.asarray(sums)[0]) == float(np.asarray(sums)[-1]) == expected, name
        mine, others = measure_together([ours, theirs], rounds)
        ratios = [a / b for a, b in zip(mine, others, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        found.append((engine, name, statistics.median(mine), statistics.median(others), middle, low, high))
    return found


def measure_together(contenders: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Return milliseconds of each in every round; all processes begin each at the same time, and take as many."""
    for call in (*contenders, *contenders):
        call()
    found: list[list[float]] = [[] for _ in contenders]
    for turn in range(rounds):
        order = range(len(contenders))
        for i in order if turn % 2 else reversed(order):
            distributed.barrier()
            start = time.perf_counter()
            contenders[i]()
            found[i].append(1e3 * (time.perf_counter() - start))
    return found


def measure_engine(engine: str, *options: str) -> list[Sequence[Any]]:
    """Start the processes of an engine, and return what rank 0 has measured."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    here = ["-m", "benchmarks.distributed", engine, "--inside", *options]
    if engine == "mpi":
        beside = Path(sys.executable).with_name("mpiexec")
        start = [str(beside) if beside.exists() else "mpiexec", "-n", str(PROCESSES), sys.executable, *here]
    else:
        torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(PROCESSES), "--master-port", port]
        start = [sys.executable, *torchrun, *here]
    told = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(start, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | told)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[[")))


def main() -> None:
    """Print the table, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", default=["torch", "jax", "tf", "mpi"], help="all if none")
    parser.add_argument("--quick", action="store_true", help="a thousand numbers and two rounds")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        quick = ["--quick"] if options.quick else []
        for engine in options.engines:
            print_table(f"Two processes on {engine}", HEADER, measure_engine(engine, *quick))
        return
    found = measure_rows(options.engines[0], *((2, 1_000) if options.quick else (21, 25_000_000)))
    if distributed.rank() == 0:
        print(json.dumps(found), flush=True)
    distributed.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
