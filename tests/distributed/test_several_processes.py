"""Rounds of two and more real processes (see `worker.py`), with each engine."""

import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from optional_packages import require

START = runpy.run_path(str(Path(__file__).with_name("start.py")))
INSIDE = (
    "float32_collectives+gradients+upstream_cases+collective_mismatches+half_types+gradient_pieces+steps+accumulation"
    "+overflow+resumed_steps+uneven_batches+step_mismatches"
)
ROUNDS = {
    "torch": "collectives+gradients+upstream_cases+collective_mismatches+half_types+gradient_pieces+training+steps"
    "+accumulation+overflow+resumed_steps+uneven_batches+fit+interruption+integer_statistics+batch_norm"
    "+setup_mismatches+gradient_penalty+step_mismatches+torch_wrappers,come_too_late,kill_between_steps",
    # JAX and TensorFlow can join other processes only once in the life of a process.
    "jax": INSIDE,
    "tf": INSIDE,
    "mpi": "collectives+upstream_cases+collective_mismatches",
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, Any]:
    """Start all engines at once, since processes spend most of the time waiting for each other."""
    return {engine: START["start_round"](engine, rounds, 2) for engine, rounds in ROUNDS.items() if engine != "mpi"}


@pytest.mark.parametrize("engine", ROUNDS)
def test_two_processes(engine: str, pairs: dict[str, Any]) -> None:
    if engine == "mpi":
        require("mpi4py", "pip install 'luxport-nn[mpi]'")
        pairs["mpi"] = START["start_round"](engine, ROUNDS["mpi"], 2)
    said = START["finish"](engine, pairs[engine])
    assert not said, said


@pytest.mark.parametrize("engine", ["jax", "tf"])
def test_a_process_that_hangs_is_named(engine: str) -> None:
    """PyTorch's rounds include this; JAX and TensorFlow need a process of its own for it."""
    said = START["finish"](engine, START["start_round"](engine, "come_too_late", 2))
    assert not said, said


def test_torchrun_restarts_a_killed_process(tmp_path: Path) -> None:
    """Training resumes from the last complete checkpoint, with the bits of an undisturbed run."""
    undisturbed, said = START["train_with_restart"]("torch", str(tmp_path / "one"), -1)
    assert len(undisturbed) == 1, said
    again, said = START["train_with_restart"]("torch", str(tmp_path / "other"), 7)
    assert again == ["goes on from step 6", *undisturbed], said
    again, said = START["train_with_restart"]("torch", str(tmp_path / "third"), 6, "saving")
    assert again == ["goes on from step 3", *undisturbed], said


@pytest.mark.parametrize("kind", ["disk_full", "ending_between_files", "another_ends"])
def test_the_last_complete_checkpoint_is_found(kind: str) -> None:
    """Whatever interrupts the writing of the next one, whose remains are gone after another save."""
    said = START["disturb_writing"]("torch", kind)
    assert not said, said


@pytest.mark.parametrize(
    "start", ["torchrun, torch", "torchrun, jax", "torchrun, tf", "mpiexec, mpi with arrays of torch"]
)
def test_the_example_of_several_processes(start: str) -> None:
    """The example compares its steps with those of one process; `make distributed` starts it in every other way."""
    if "mpi" in start:
        require("mpi4py", "pip install 'luxport-nn[mpi]'")
    well, said = START["run_example"](START["list_examples"]()[start])
    assert well, said


@pytest.mark.parametrize("engine", ["torch", "jax", "tf"])
def test_processes_with_different_world_sizes_are_an_error(engine: str) -> None:
    """Otherwise they would wait for processes that nobody started."""
    said = START["finish"](engine, START["start_round"](engine, "come_too_late", 2, (2, 3)))
    assert said.count("rank 1 of 3 came to rank 0 of 2: start all of them together") >= 2, said
    assert f"the engine {engine} on rank 0 did not reach all of 2 processes at 127.0.0.1:" in said, said


@pytest.mark.parametrize("engine", ["torch", "jax", "mpi"])
def test_two_hosts_whose_link_is_cut(engine: str) -> None:
    if engine == "mpi":
        require("mpi4py", "pip install 'luxport-nn[mpi]'")
    two_hosts = runpy.run_path(str(Path(__file__).with_name("two_hosts.py")))
    code, said = two_hosts["cut_link"](engine)
    if code == two_hosts["NOT_ALLOWED"]:
        pytest.skip(said)
    assert not code, said


@pytest.mark.parametrize("engine", ["jax", "mpi"])
@pytest.mark.parametrize("kind", ["raising", "terminated", "hung", "killed", "stopped"])
def test_a_process_that_fails_inside_a_step_is_named(engine: str, kind: str) -> None:
    if engine == "mpi":
        require("mpi4py", "pip install 'luxport-nn[mpi]'")
    said = START["finish"](engine, START["start_round"](engine, kind, 2))
    assert not said, said


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_of_four_processes_only_the_one_that_is_lost_is_named(engine: str) -> None:
    """The others do not learn of it at the same time."""
    said = START["finish"](engine, START["start_round"](engine, "raising", 4))
    assert not said, said


@pytest.mark.parametrize("engine", ["jax", "tf"])
def test_a_process_that_ends_early_is_named_at_once(engine: str) -> None:
    """At the end of a process JAX waits for the others, which would wait as long for that process."""
    said = START["finish"](engine, START["start_round"](engine, "leaving_early", 2))
    assert not said, said


def test_rank_0_is_named_where_jax_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX's own message says that a task died, but not which; the lifeline of each process names it."""
    monkeypatch.setenv("LOST_RANK", "0")
    said = START["finish"]("jax", START["start_round"]("jax", "killed", 2))
    assert not said, said


def test_jax_ends_processes_that_wait_for_a_frozen_one() -> None:
    """The timeout is a minute; only JAX's own heartbeats are faster than that."""
    waiting, frozen = START["start_round"]("jax", "freeze", 2)
    try:
        assert "done\n" in iter(frozen.stdout.readline, "")  # JAX's own messages come first
        begin = time.monotonic()
        said = waiting.communicate(timeout=30)[0]
    finally:
        waiting.kill()
        frozen.kill()
    assert time.monotonic() - begin < 16, said  # including half a second until it is stopped, on a busy machine
    assert waiting.returncode and re.search(r"stopped sending heartbeats\):\n1\n", said), said


def test_an_mpiexec_of_another_mpi_is_refused() -> None:
    """MPI would see separate runs of one process each."""
    require("mpi4py", "pip install 'luxport-nn[mpi]'")
    program = "from luxport import distributed\ndistributed.initialize('mpi')"
    place = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **place}, capture_output=True, text=True)
    line = done.stderr.strip().splitlines()[-1]
    assert "engine mpi is rank 0 of 1, and mpiexec (OMPI_COMM_WORLD_SIZE) started rank 1 of 2: start it by" in line
