"""Tests of calls with missing, unknown, repeated and too many arguments, of public functions, layers and operations."""

from __future__ import annotations

import pytest

from luxport.backend import get_backend
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.wrong_arguments import (
    WrongCall,
    expect_refused,
    list_layer_calls,
    list_operation_calls,
    list_public_calls,
)


def test_whatever_is_public_says_which_arguments_it_takes() -> None:
    wrong = list(list_public_calls())
    assert len(wrong) > 800
    assert [problem for call in wrong if (problem := _find_problem(call))] == []


def test_layers_say_which_arguments_a_call_takes() -> None:
    wrong = list(list_layer_calls())
    assert len(wrong) > 300
    assert [problem for call in wrong if (problem := _find_problem(call))] == []


def test_operations_say_so_on_every_backend(backend_name: str) -> None:
    with_complex = find_abilities(backend_name).complex
    on_numpy = list(list_operation_calls(get_backend("numpy"), with_complex=with_complex))
    assert len(on_numpy) > 400
    own = list_operation_calls(get_backend(backend_name), with_complex=with_complex)
    for here, there in zip(own, on_numpy, strict=True):
        assert expect_refused(here) == expect_refused(there)


def test_python_s_own_words_are_told_apart() -> None:
    with pytest.raises(Violation, match="luxport's own words expected"):
        expect_refused(WrongCall("f", "nothing", (), lambda: (lambda x: x)()))  # type: ignore[call-arg]


def _find_problem(call: WrongCall) -> str:
    try:
        expect_refused(call)
    except Violation as violation:
        return str(violation)
    return ""
