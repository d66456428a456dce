"""Tests that the account has all of upstream's assertions, and that the cases it names are run."""

from __future__ import annotations

from collections import Counter

import pytest

from luxport_conformance import account
from luxport_conformance.backends import find_abilities
from luxport_conformance.cases import BY_ID, CASES
from luxport_conformance.check_list import list_checks

# The numbers of assertions in the test suites, at the commits that the first lines of the account name.
ASSERTIONS = {"flux": 1190, "nnlib": 874, "optimizers": 411}


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_every_assertion_is_there_once() -> None:
    rows = account.read_account()
    assert Counter(row.suite for row in rows) == ASSERTIONS
    # Two lines of Flux's utils.jl have two assertions each.
    twice = [name for name, count in Counter(row.assertion for row in rows).items() if count > 1]
    assert twice == ["flux:utils.jl:128", "flux:utils.jl:135"]


def test_every_row_is_accounted_for() -> None:
    for row in account.read_account():
        assert row.status in ("ported", "not portable"), row
        if row.status == "not portable":
            assert row.detail in account.REASONS, row


def test_account_is_what_the_cases_say() -> None:
    rows = account.read_account()
    assert account.update_rows(rows) == rows, "run python -m luxport_conformance.account"


def test_every_reason_is_needed() -> None:
    assert {row.detail for row in account.read_account() if row.status == "not portable"} == account.REASONS.keys()


def test_everything_ported_is_run(backend_names: list[str]) -> None:
    ported = {name for row in account.read_account() if row.status == "ported" for name in row.detail.split()}
    # Each of these checks is run as a separate test, by test_cases.py.
    run = {check.name for check in list_checks(backend_names) if check.kind == "case"}
    differentiated = {name for name in ported if BY_ID[name].differentiates}
    if any(find_abilities(name).gradients for name in backend_names):
        assert ported <= run
    assert ported - differentiated <= run
    if not any(find_abilities(name).gradients for name in backend_names):
        pytest.skip("no backend of this run differentiates: gradients were not run")
