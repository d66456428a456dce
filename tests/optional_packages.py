"""Optional packages of tests: without them a test is skipped with one line, and fails in CI."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test or a module because something is missing; with ``CI=true``, fail."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def skip_without(missing: list[str]) -> NoReturn:
    """Skip a test because libraries are missing; in CI fail, unless only the extra "peers" has them."""
    if set(missing) <= _IN_PEERS_ALONE:
        pytest.skip(f"not installed: {', '.join(missing)}: pip install 'luxport-nn[peers]'")
    skip_or_fail(f"not installed: {', '.join(missing)}: pip install 'luxport-nn[dev]'")


_IN_PEERS_ALONE = {"flax", "haiku"}
"""Libraries outside the extra "dev"; formulas test the same statements without them."""


def require(module: str, cure: str) -> Any:
    """Import an optional package, or skip the test and name the installation."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        skip_or_fail(f"{module} is not installed: {cure}")
