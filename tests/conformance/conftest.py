"""Modules that only the processes started by the tests import: their neighbor in examples/ is on the path there."""

from collections.abc import Iterator

import pytest

from luxport.backend._registry import KNOWN

collect_ignore = ["broken_backends.py"]


@pytest.fixture(autouse=True)
def unchanged_backends() -> Iterator[None]:
    """Backends that the command takes by their place, and makes known, are gone after the test, as they were before."""
    before = set(KNOWN.by_name)
    yield
    for name in set(KNOWN.by_name) - before - set(KNOWN.named):
        del KNOWN.by_name[name]
