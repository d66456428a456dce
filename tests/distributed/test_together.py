"""Several processes, really: what two do together (see `together.py`), by each engine, started as torchrun would."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("together.py")
ROUNDS = {
    "torch": "collectives+out_of_step+training,hanging,raising",
    "jax": "few_collectives+out_of_step+training",  # which meets others once in a process's life
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def begin(engine: str, size: int) -> list[subprocess.Popen[str]]:
    port = free_port()
    started = []
    for rank in range(size):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in place.items()}}
        command = [sys.executable, str(PROGRAM), engine, ROUNDS[engine], str(size)]
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    return started


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[subprocess.Popen[str]]]:
    """All of them at once: most of the time one waits for another."""
    return {engine: begin(engine, 2) for engine in ROUNDS}


@pytest.mark.parametrize("engine", ROUNDS)
def test_two_processes(engine: str, pairs: dict[str, list[subprocess.Popen[str]]]) -> None:
    try:
        said = [one.communicate(timeout=100)[0] for one in pairs[engine]]
    finally:
        for one in pairs[engine]:
            one.kill()
    assert [text.strip().endswith("done") for text in said] == [True, True], "\n".join(said)
