"""A second of `make wrong-calls`: what is called wrongly answers in luxport's own words."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportMissingImports=false
from __future__ import annotations

import subprocess
import sys
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import wrong_functions
import wrong_layers
import wrong_operations
from judging import BACKENDS, Finding, answered_otherwise, judge, sweep
from right_calls import right_calls

import luxport
from luxport import ops
from luxport_conformance.examples import EXAMPLES

RIGHT = {right.name: right for right in reversed(list(right_calls()))}


def expect_own_words(calls, least):
    raw = [(call, text) for call, run in calls for verdict, text in [judge(run)] if verdict == "raw"]
    assert len(calls) > least
    assert len(raw) <= 0.01 * len(calls), raw


@pytest.mark.parametrize("name", ["Dense", "BatchNorm", "Conv", "LayerNorm", "LSTM", "SkipConnection"])
def test_wrong_calls_of_layers_end_in_own_words(name):
    example = EXAMPLES[name][0]
    calls = [
        *wrong_layers.construction_calls(type(example.layer), example, "numpy"),
        *wrong_layers.layer_calls(example, "numpy"),
    ]
    expect_own_words(calls, 50)


@pytest.mark.parametrize("name", ["gru_sweep"])
def test_wrong_calls_of_operations_end_in_own_words(name):
    expect_own_words(list(wrong_operations.calls_of(RIGHT[name], "numpy")), 50)


def test_wrong_calls_of_other_functions_end_in_own_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = [call for call in wrong_functions.calls("numpy") if zlib.crc32(call[0].encode()) % 16 == 0]
    expect_own_words(calls, 500)


def test_right_calls_are_right():
    for right in RIGHT.values():
        assert judge(lambda right=right: right.function(*right.arrays, **right.options)) == ("taken", ""), right.name


def test_a_framework_s_own_words_are_told_apart():
    assert judge(lambda: {}["counter"])[0] == "raw"
    assert judge(lambda: luxport.Dense(3, "x"))[0] == "own"
    assert judge(lambda: luxport.Dense(3, 2))[0] == "taken"


STUCK = """
import faulthandler, sys, time
if sys.argv[-1] == "0":
    print("@0\\tstuck: for ever", flush=True)
    print("words of a library", file=sys.stderr)
    faulthandler.dump_traceback_later(0.1, exit=True)
    time.sleep(20)
print("@1\\tafter it", flush=True)
print("=own\\t''", flush=True)
"""


def test_what_ends_a_process_is_told_and_the_calls_behind_it_are_judged():
    stuck, after = sweep("numpy", ["-c", STUCK])
    assert (stuck.name, stuck.verdict, stuck.text[:30]) == (
        "stuck: for ever",
        "crash",
        "exit status 1: Timeout (0:00:0",
    )
    assert "line 7 in <module>" in stuck.text
    assert after == Finding("after it", "own", "''")


def test_every_backend_answers_in_the_same_words():
    """Some 200 wrong calls, picked by their names, that NumPy's arrays are refused in; `make wrong-calls` has all."""
    functions = [name for name in RIGHT if zlib.crc32(name.encode()) % 5 == 0]
    told: dict[str, Finding] = {}
    for backend in BACKENDS:
        found = []
        for name, run in chain.from_iterable(wrong_operations.calls_of(RIGHT[one], backend) for one in functions):
            if zlib.crc32(name.encode()) % 11 == 3 if backend == "numpy" else name in told:
                found.append(Finding(name, *judge(run)))
        told = told or {one.name: one for one in found if one.verdict != "taken"}
        unlike = answered_otherwise(list(told.values()), found)
        assert len(found) >= len(told) > 150
        assert not unlike, [(backend, a.name, a.answer, b.answer) for a, b in unlike]


WINDOWS = ("window", "stride", "dilation", "output_size", "output_padding", "padding")


def begun_with(value, number):
    return (begun_with(value[0], number), *value[1:]) if isinstance(value, tuple) else number


def made_wrong():
    """Yield calls of every operation with one number that some kernel cannot hold, and what the refusal says."""
    for right in RIGHT.values():
        for name, value in right.options.items():
            if name in WINDOWS and value not in ((), None):
                yield right, {name: begun_with(value, 2**31)}, name
            if isinstance(value, float):
                yield right, {name: 2**70}, name
        if "padding" in right.options and "transpose" not in right.name:  # whose padding cuts
            yield right, {"padding": begun_with(right.options["padding"], -1)}, "padding"
        if "hop_length" in right.options:
            yield right, {"hop_length": 2**31}, "hop_length"
        if right.name in ("random_bits", "uniform", "normal", "keep_mask"):
            yield right, {"shape": (2**32, 3)}, "shape"


def test_numbers_that_kernels_cannot_hold_are_refused_before_them():
    """A stride of 2^31 ended the process of whoever uses TensorFlow: on every backend the same guard is before it."""
    wrong = list(made_wrong())
    assert len(wrong) > 90
    for right, change, word in wrong:
        with pytest.raises(luxport.LayerError, match=rf"{word}|fit into memory"):
            right.function(*right.arrays, **{**right.options, **change})


def test_tensorflow_counts_in_32_bits():
    x, key = (luxport.asarray(host, backend="tf") for host in (np.ones((3, 2), "f4"), np.zeros(2, "i4")))
    index, counter = (luxport.asarray(host, backend="tf") for host in (np.zeros(3, "i4"), np.asarray(0, "i4")))
    for call in (
        lambda: ops.scatter(x, index, size=2**31),
        lambda: ops.segment_reduce(x, index, op="sum", size=2**31),
        lambda: ops.uniform(key, counter, shape=(2**16, 2**15)),
    ):
        with pytest.raises(luxport.LayerError, match="as far as TensorFlow counts|fit into memory"):
            call()
    with pytest.raises(luxport.LayerError, match=r"sizes that are known .* \(3, None\)"):
        ops.uniform(key, counter, shape=(3, None))


def test_huge_sizes_are_told_at_once():
    """A second of `make huge-sizes`."""
    script = Path(__file__).with_name("huge_sizes.py")
    names = ("Dense", "Conv", "LSTM", "Embedding", "MaxPool", "pad_zeros", "onehotbatch", "make_causal_mask", "scatter")
    done = subprocess.run([sys.executable, script, "numpy", *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 too slow or too large" in done.stdout, done.stdout + done.stderr
