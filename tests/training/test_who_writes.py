"""Of processes that train together, one writes: asked of a stand-in, and with real processes by `make slow-tests`."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from luxport.training import CSVLog, JSONLog
from luxport.training._fit import Progress


def _end_epoch(rank: int | None) -> Progress:
    """Return what a callback is given in a process of this rank, or in one alone."""
    parallel = None if rank is None else SimpleNamespace(writes=lambda caller: (caller, rank) == ("fit", 0))
    state: Any = SimpleNamespace(program=SimpleNamespace(value=SimpleNamespace(parallel=parallel)))
    return Progress(state, 1, {"loss": 0.5}, [{"loss": 0.5}])


@pytest.mark.parametrize("log", [CSVLog, JSONLog])
@pytest.mark.parametrize(("rank", "writes"), [(None, True), (0, True), (1, False)])
def test_rank_0_alone_writes_the_logs(tmp_path: Path, log: Any, rank: int | None, writes: bool) -> None:
    log(tmp_path / "log")(_end_epoch(rank))
    assert (tmp_path / "log").exists() == writes
