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


def needed(module: str, cure: str) -> Any:
    """Import a package that is an extra of luxport's."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        leave_out(f"{module} is not installed: {cure}")
