"""Guards of PyTorch's compiled programs: what is compared at each call, and what is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import luxport
from luxport_torch import compiling

_scale = torch.relu


def test_a_replaced_function_of_the_user_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    program = luxport.jit(lambda x: _scale(x))
    x = torch.tensor([-2.0, 3.0])
    assert program(x).tolist() == [0.0, 3.0]
    monkeypatch.setitem(globals(), "_scale", torch.neg)
    assert program(x).tolist() == [2.0, -3.0]


@pytest.mark.parametrize(
    ("name", "value", "is_compared"),
    [
        ("G['__import_luxport_dot_ops']", luxport, False),
        ("G['__import_luxport_torch_dot_ops_dot_affine'].dense", luxport.jit, False),
        ("G['__import_luxport_dot_core_dot_layer'].Layer", luxport.Layer, False),
        ("G['__import_luxport_dot_backend_dot__registry'].KNOWN", SimpleNamespace(), True),
        ("G['__import_luxport_dot_losses'].EPSILON", 1.0, True),
        ("G['__import_luxportal'].dense", luxport.jit, True),
        ("G['__import_mine'].dense", luxport.jit, True),
        ("args[0]", luxport.jit, True),
    ],
)
def test_luxports_own_functions_are_not_compared(name: str, value: object, is_compared: bool) -> None:
    guard: Any = SimpleNamespace(name=name, value=value)
    assert compiling._choose_guards([guard]) == [is_compared]
