"""pytest's options for the suite: the backends to run, and an error if one of them is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from luxport_conformance import backends
from luxport_conformance.check_list import list_checks
from luxport_conformance.runner import Check

HERE = Path(__file__).parent
# The test function of each kind of check. Each is in its own file, because pytest-xdist distributes whole files.
_KINDS = {"test_case": "case", "test_law": "law", "test_override": "override"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("luxport conformance")
    group.addoption(
        "--exclude-backend", action="append", default=[], metavar="NAMES", help="leave these backends out (a,b)"
    )
    group.addoption("--backend", action="append", default=[], metavar="NAMES", help="run on these backends only (a,b)")
    group.addoption("--thorough", action="store_true", help="run each case in both modes, and in each dtype")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = _select_names(metafunc.config)
    if "backend_name" in metafunc.fixturenames:
        metafunc.parametrize("backend_name", names)
    kind = _KINDS.get(metafunc.function.__name__)
    if kind is not None and "check" in metafunc.fixturenames:
        chosen = [check for check in _list_checks(metafunc.config, names) if check.kind == kind]
        metafunc.parametrize("check", chosen, ids=[check.id for check in chosen])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if any(HERE in item.path.parents for item in items):
        complaint = backends.describe_missing(_select_names(config))
        if complaint:
            raise pytest.UsageError(complaint)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = _select_names(terminalreporter.config)
    left_out = [name for name in backends.BACKENDS if name not in names]
    line = f"luxport_conformance: {', '.join(names)}"
    terminalreporter.write_line(f"{line}; left out by name: {', '.join(left_out)}" if left_out else line)


@pytest.fixture
def backend_names(request: pytest.FixtureRequest) -> list[str]:
    """Return the names of the backends of this run."""
    return _select_names(request.config)


def _select_names(config: pytest.Config) -> list[str]:
    chosen, excluded = [
        list(filter(None, ",".join(config.getoption(option, default=None) or []).split(",")))
        for option in ("--backend", "--exclude-backend")
    ]
    try:
        return backends.select_backends(chosen, excluded)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _list_checks(config: pytest.Config, names: list[str]) -> Iterator[Check]:
    thorough = bool(config.getoption("--thorough", default=False))
    return list_checks(names, thorough=thorough, share=not thorough)
