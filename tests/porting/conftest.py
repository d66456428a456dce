"""Where the real model files are, and the modules that the tests of the readers share."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The writers and samples beside the tests are imported by their bare names, from pytest as from the fuzzer.
sys.path.insert(0, str(HERE))

FIXTURES = Path(os.environ.get("LUXPORT_FIXTURES", HERE.parents[2] / "shared" / "fixtures"))


@pytest.fixture(scope="session")
def flux_files() -> Path:
    """Return the folder of the real Flux files; where it is absent the test is skipped, and fails under CI."""
    folder = FIXTURES / "flux"
    if not folder.is_dir():
        reason = f"no model files at {folder}; set LUXPORT_FIXTURES to the folder that holds flux/"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
