"""A sample of `make wrong-calls`: wrong calls are refused with luxport's own messages."""

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
from judging import BACKENDS, Finding, find_different_answers, judge, sweep
from right_calls import list_right_calls

import luxport
from luxport import ops
from luxport_conformance.examples import EXAMPLES

RIGHT = {right.name: right for right in reversed(list(list_right_calls()))}


def assert_own_messages(calls, least):
    raw = [(call, text) for call, run in calls for verdict, text in [judge(run)] if verdict == "raw"]
    assert len(calls) > least
    assert len(raw) <= 0.01 * len(calls), raw


@pytest.mark.parametrize("name", ["Dense", "BatchNorm", "Conv", "LayerNorm", "LSTM", "SkipConnection"])
def test_wrong_calls_of_layers_raise_own_messages(name):
    example = EXAMPLES[name][0]
    calls = [
        *wrong_layers.list_construction_calls(type(example.layer), example, "numpy"),
        *wrong_layers.list_layer_calls(example, "numpy"),
    ]
    assert_own_messages(calls, 50)


@pytest.mark.parametrize("name", ["gru_sweep"])
def test_wrong_calls_of_operations_raise_own_messages(name):
    assert_own_messages(list(wrong_operations.list_calls_of(RIGHT[name], "numpy")), 50)


def test_wrong_calls_of_other_functions_raise_own_messages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = [call for call in wrong_functions.list_calls("numpy") if zlib.crc32(call[0].encode()) % 16 == 0]
    assert_own_messages(calls, 500)


def test_right_calls_are_accepted():
    for right in RIGHT.values():
        assert judge(lambda right=right: right.function(*right.arrays, **right.options)) == ("taken", ""), right.name


def test_messages_of_a_framework_are_raw():
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


def test_calls_after_a_crash_are_judged():
    stuck, after = sweep("numpy", ["-c", STUCK])
    assert (stuck.name, stuck.verdict, stuck.text[:30]) == (
        "stuck: for ever",
        "crash",
        "exit status 1: Timeout (0:00:0",
    )
    assert "line 7 in <module>" in stuck.text
    assert after == Finding("after it", "own", "''")


def test_every_backend_raises_the_same_messages():
    """Some 200 wrong calls, sampled by their names, that NumPy refuses; `make wrong-calls` runs all."""
    functions = [name for name in RIGHT if zlib.crc32(name.encode()) % 5 == 0]
    told: dict[str, Finding] = {}
    for backend in BACKENDS:
        found = []
        for name, run in chain.from_iterable(wrong_operations.list_calls_of(RIGHT[one], backend) for one in functions):
            if zlib.crc32(name.encode()) % 11 == 3 if backend == "numpy" else name in told:
                found.append(Finding(name, *judge(run)))
        told = told or {one.name: one for one in found if one.verdict != "taken"}
        unlike = find_different_answers(list(told.values()), found)
        assert len(found) >= len(told) > 150
        assert not unlike, [(backend, a.name, a.answer, b.answer) for a, b in unlike]


WINDOWS = ("window", "stride", "dilation", "output_size", "output_padding", "padding")


def replace_first(value, number):
    return (replace_first(value[0], number), *value[1:]) if isinstance(value, tuple) else number


def list_oversized_calls():
    """Yield calls of every operation with one number that some kernel cannot represent, and a word of the message."""
    for right in RIGHT.values():
        for name, value in right.options.items():
            if name in WINDOWS and value not in ((), None):
                yield right, {name: replace_first(value, 2**31)}, name
            if isinstance(value, float):
                yield right, {name: 2**70}, name
        if "padding" in right.options and "transpose" not in right.name:  # transposed windows cut by their padding
            yield right, {"padding": replace_first(right.options["padding"], -1)}, "padding"
        if "hop_length" in right.options:
            yield right, {"hop_length": 2**31}, "hop_length"
        if right.name in ("random_bits", "uniform", "normal", "keep_mask"):
            yield right, {"shape": (2**32, 3)}, "shape"


def test_numbers_beyond_kernels_are_refused_before_them():
    """A stride of 2^31 ended the process in TensorFlow: the same check protects every backend."""
    wrong = list(list_oversized_calls())
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


def test_huge_sizes_are_refused_quickly():
    """A sample of `make huge-sizes`."""
    script = Path(__file__).with_name("huge_sizes.py")
    names = ("Dense", "Conv", "LSTM", "Embedding", "MaxPool", "pad_zeros", "onehotbatch", "make_causal_mask", "scatter")
    done = subprocess.run([sys.executable, script, "numpy", *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 too slow or too large" in done.stdout, done.stdout + done.stderr
