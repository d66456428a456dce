"""Do not collect broken_backends.py, as only tests put examples/ on the path; restore the known backends."""

from collections.abc import Iterator

import pytest

from luxport.backend._registry import KNOWN

collect_ignore = ["broken_backends.py"]


@pytest.fixture(autouse=True)
def unchanged_backends() -> Iterator[None]:
    """Remove the backends that a test made known, such as those that the command loads by ``module:name``."""
    before = set(KNOWN.by_name)
    yield
    for name in set(KNOWN.by_name) - before - set(KNOWN.named):
        del KNOWN.by_name[name]
