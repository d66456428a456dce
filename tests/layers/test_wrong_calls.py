"""A second of `make wrong-calls`: layers of each kind, called wrongly, answer in luxport's own words."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportMissingImports=false
from __future__ import annotations

import pytest
import wrong_calls

import luxport
from luxport_conformance.examples import EXAMPLES


@pytest.mark.parametrize("name", ["Dense", "BatchNorm", "Conv", "LayerNorm", "LSTM", "SkipConnection"])
def test_wrong_calls_end_in_own_words(name):
    example = EXAMPLES[name][0]
    calls = [
        *wrong_calls.construction_calls(type(example.layer), example, "numpy"),
        *wrong_calls.layer_calls(example, "numpy"),
    ]
    raw = [(call, text) for call, run in calls for verdict, text in [wrong_calls.judge(run)] if verdict == "raw"]
    assert len(calls) > 50
    assert len(raw) <= 0.01 * len(calls), raw


def test_a_framework_s_own_words_are_told_apart():
    assert wrong_calls.judge(lambda: {}["counter"])[0] == "raw"
    assert wrong_calls.judge(lambda: luxport.Dense(3, "x"))[0] == "own"
    assert wrong_calls.judge(lambda: luxport.Dense(3, 2))[0] == "taken"
