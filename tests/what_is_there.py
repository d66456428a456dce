"""What a test needs and a machine may not have: said in one line, and a failure where CI runs."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NoReturn

import pytest


def leave_out(reason: str) -> NoReturn:
    """Skip a test, or a whole module of them, for what is not there; with ``CI=true`` its absence is a failure."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def leave_out_libraries(missing: list[str]) -> NoReturn:
    """Skip a test for other libraries that are not there; a failure in CI, unless the extra dev has none."""
    if set(missing) <= _IN_PEERS_ALONE:
        pytest.skip(f"not installed: {', '.join(missing)}: pip install 'luxport-nn[peers]'")
    leave_out(f"not installed: {', '.join(missing)}: pip install 'luxport-nn[dev]'")


_IN_PEERS_ALONE = {"flax", "haiku"}
"""What the extra dev has not: what is said of them is tested by formulas, too."""


def needed(module: str, cure: str) -> Any:
    """Import a package that is an extra of luxport's."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        leave_out(f"{module} is not installed: {cure}")
