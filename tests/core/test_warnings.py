"""Warnings name the user's line, however deep in luxport they are given."""

import pathlib
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport.core.match_eltype import match_eltype
from luxport.transforms import program_limit


def _adjust() -> Any:
    return luxport.optimizers.adjust(luxport.optimizers.setup(luxport.optimizers.Adam(), {"w": np.ones(2)}), lr=0.1)


def _match_eltype() -> Any:
    layer = luxport.Dense(2, 1)
    ps, st = luxport.setup(0, layer)
    return match_eltype(layer, ps, st, np.ones((1, 2)), policy="warn")


WARNINGS: dict[str, Callable[[], Any]] = {
    "no accelerator": lambda: luxport.devices.gpu_device("numpy"),
    "no rule with a hyper-parameter lr": _adjust,
    "no floating array": lambda: luxport.optimizers.setup(luxport.optimizers.Adam(), {"n": np.ones(2, np.int32)}),
    "no frequency inside": lambda: luxport.ops.melscale_filterbanks(n_freqs=3, n_mels=64, sample_rate=8000),
    "float32 parameters, and was given float64": _match_eltype,
    "compiled one function": program_limit.warn_of_many_programs,
}


@pytest.mark.parametrize("message", WARNINGS)
def test_a_warning_is_at_the_users_line(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_limit, "_warned", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WARNINGS[message]()
    assert [(message in str(one.message), one.filename) for one in caught] == [(True, __file__)]


def test_all_warnings_go_through_one_function() -> None:
    home = pathlib.Path(str(luxport.__file__)).parent
    calls = [path for path in home.rglob("*.py") if re.search(r"warnings\.warn\(", path.read_text("utf-8"))]
    assert [path.name for path in calls] == ["text.py"]
