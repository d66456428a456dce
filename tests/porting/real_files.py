"""The folders of files that others wrote; a fresh clone does not have them."""

import os
from pathlib import Path

FIXTURES = Path(os.environ.get("LUXPORT_FIXTURES", Path(__file__).parents[3] / "shared" / "fixtures"))


def folder(name: str) -> Path:
    """Return a folder of real files, for a whole module of tests.

    Where it is absent the module is skipped with one line that says so; with ``CI=true`` its absence is a failure.
    """
    found = FIXTURES / name
    if not found.is_dir():
        reason = f"no files at {found}; set LUXPORT_FIXTURES to the folder that holds {name}/"
        from optional_packages import skip_or_fail  # for tests; the fuzzer needs the folder alone

        skip_or_fail(reason)
    return found
