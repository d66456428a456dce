"""Of several processes only rank 0 writes logs: asked of a stand-in, and of real processes by `make slow-tests`."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from luxport.training import CSVLog, JSONLog
from luxport.training._fit import Progress


def _make_progress(rank: int | None) -> Progress:
    """Return the Progress that a callback receives in a process of this rank, or in a single process."""
    parallel = None if rank is None else SimpleNamespace(is_writer=lambda caller: (caller, rank) == ("fit", 0))
    state: Any = SimpleNamespace(program=SimpleNamespace(value=SimpleNamespace(parallel=parallel)))
    return Progress(state, 1, {"loss": 0.5}, [{"loss": 0.5}])


@pytest.mark.parametrize("log", [CSVLog, JSONLog])
@pytest.mark.parametrize(("rank", "writes"), [(None, True), (0, True), (1, False)])
def test_only_rank_0_writes_the_logs(tmp_path: Path, log: Any, rank: int | None, writes: bool) -> None:
    log(tmp_path / "log")(_make_progress(rank))
    assert (tmp_path / "log").exists() == writes
