"""Several processes, really: what two do together (see `together.py`), by each engine."""

import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from what_is_there import needed

START = runpy.run_path(str(Path(__file__).with_name("start.py")))
INSIDE = (
    "few_collectives+differentiating+upstream+out_of_step+halving+parting+stepping+accumulating+unusual+resuming+uneven"
    "+stepping_out"
)
ROUNDS = {
    "torch": "collectives+differentiating+upstream+out_of_step+halving+parting+training+stepping+accumulating+unusual"
    "+resuming+uneven+fitting+interrupting+counting+cutting+differing+penalizing+stepping_out+wrapping,hanging,killed_between",
    # JAX and TensorFlow meet others once in a process's life.
    "jax": INSIDE,
    "tf": INSIDE,
    "mpi": "collectives+upstream+out_of_step",
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, Any]:
    """All of them at once: most of the time one waits for another."""
    return {engine: START["begin"](engine, rounds, 2) for engine, rounds in ROUNDS.items() if engine != "mpi"}


@pytest.mark.parametrize("engine", ROUNDS)
def test_two_processes(engine: str, pairs: dict[str, Any]) -> None:
    if engine == "mpi":
        needed("mpi4py", "pip install 'luxport-nn[mpi]'")
        pairs["mpi"] = START["begin"](engine, ROUNDS["mpi"], 2)
    said = START["finished"](engine, pairs[engine])
    assert not said, said


@pytest.mark.parametrize("engine", ["jax", "tf"])
def test_a_process_that_hangs_is_named(engine: str) -> None:
    """PyTorch's rounds have it; here it is the one meeting of the process's life."""
    said = START["finished"](engine, START["begin"](engine, "hanging", 2))
    assert not said, said


def test_torchrun_starts_again_what_is_killed(tmp_path: Path) -> None:
    """Training goes on from the last whole checkpoint, to the bits of a run that nobody disturbed."""
    undisturbed, said = START["restarted"]("torch", str(tmp_path / "one"), -1)
    assert len(undisturbed) == 1, said
    again, said = START["restarted"]("torch", str(tmp_path / "other"), 7)
    assert again == ["goes on from step 6", *undisturbed], said
    again, said = START["restarted"]("torch", str(tmp_path / "third"), 6, "saving")
    assert again == ["goes on from step 3", *undisturbed], said


@pytest.mark.parametrize("kind", ["disk_full", "ending_between_files", "another_ends"])
def test_the_last_whole_checkpoint_is_found(kind: str) -> None:
    """Whatever happens while rank 0 writes another, of which nothing is left after the next."""
    said = START["disturbed_while_writing"]("torch", kind)
    assert not said, said


@pytest.mark.parametrize(
    "start", ["torchrun, torch", "torchrun, jax", "torchrun, tf", "mpiexec, mpi with arrays of torch"]
)
def test_the_example_of_several_processes(start: str) -> None:
    """It compares its steps with those of one process; `make distributed` starts it in every other way, too."""
    if "mpi" in start:
        needed("mpi4py", "pip install 'luxport-nn[mpi]'")
    well, said = START["run_example"](START["examples"]()[start])
    assert well, said


@pytest.mark.parametrize("engine", ["torch", "jax", "tf"])
def test_processes_that_hear_of_different_sizes(engine: str) -> None:
    """They would wait for those that nobody started."""
    said = START["finished"](engine, START["begin"](engine, "hanging", 2, (2, 3)))
    assert said.count("rank 1 of 3 came to rank 0 of 2: start all of them together") >= 2, said
    assert f"the engine {engine} on rank 0 met not all of 2 processes at 127.0.0.1:" in said, said


@pytest.mark.parametrize("engine", ["torch", "jax", "mpi"])
def test_two_hosts_whose_link_is_cut(engine: str) -> None:
    if engine == "mpi":
        needed("mpi4py", "pip install 'luxport-nn[mpi]'")
    two_hosts = runpy.run_path(str(Path(__file__).with_name("two_hosts.py")))
    code, said = two_hosts["apart"](engine)
    if code == two_hosts["NOT_ALLOWED"]:
        pytest.skip(said)
    assert not code, said


@pytest.mark.parametrize("engine", ["jax", "mpi"])
@pytest.mark.parametrize("kind", ["raising", "terminated", "hung", "killed", "stopped"])
def test_a_process_that_fails_inside_a_step_is_named(engine: str, kind: str) -> None:
    if engine == "mpi":
        needed("mpi4py", "pip install 'luxport-nn[mpi]'")
    said = START["finished"](engine, START["begin"](engine, kind, 2))
    assert not said, said


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_of_four_processes_only_the_one_that_is_lost_is_named(engine: str) -> None:
    """Not all of the others hear of it at the same time."""
    said = START["finished"](engine, START["begin"](engine, "raising", 4))
    assert not said, said


@pytest.mark.parametrize("engine", ["jax", "tf"])
def test_a_process_that_ends_by_itself_is_missed_at_once(engine: str) -> None:
    """JAX waits at the end of a process for the others, which would wait as long for that one."""
    said = START["finished"](engine, START["begin"](engine, "leaving_early", 2))
    assert not said, said


def test_rank_0_is_named_where_jax_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX's own line says that a task died, but not which; what watches beside each of ours does."""
    monkeypatch.setenv("LOST_RANK", "0")
    said = START["finished"]("jax", START["begin"]("jax", "killed", 2))
    assert not said, said


def test_jax_ends_who_waits_for_a_process_without_signs_of_life() -> None:
    """The timeout is a minute, and nothing but JAX's own watch is as fast as this."""
    waiting, frozen = START["begin"]("jax", "frozen", 2)
    try:
        assert "done\n" in iter(frozen.stdout.readline, "")  # what JAX says itself comes before
        begin = time.monotonic()
        said = waiting.communicate(timeout=30)[0]
    finally:
        waiting.kill()
        frozen.kill()
    assert time.monotonic() - begin < 16, said  # and half a second until it stands still, and a busy machine
    assert waiting.returncode and re.search(r"stopped sending heartbeats\):\n1\n", said), said


def test_an_mpiexec_of_another_mpi_is_refused() -> None:
    """It would make runs of one process each, as MPI sees them."""
    needed("mpi4py", "pip install 'luxport-nn[mpi]'")
    program = "from luxport import distributed\ndistributed.initialize('mpi')"
    place = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **place}, capture_output=True, text=True)
    line = done.stderr.strip().splitlines()[-1]
    assert "engine mpi is rank 0 of 1, and mpiexec (OMPI_COMM_WORLD_SIZE) started rank 1 of 2: start it by" in line
