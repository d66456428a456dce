"""`luxport.to`: moves from each backend to each, by copying or by sharing memory, and dtypes."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import luxport as lp
from luxport.backend import dtype_name

NAMES = ("numpy", "jax", "torch", "tf")
PAIRS = [(a, b) for a in NAMES for b in NAMES if a != b]
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "float16", "bfloat16", "float32", "complex64")


def make_aligned_zeros(n):
    """Return float32 zeros that start at a multiple of 64 bytes, where every framework can share them."""
    memory = np.zeros(n * 4 + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n * 4].view(np.float32)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [False, True])
def test_moves_keep_values_and_dtypes(source, target, dtype, share):
    values = lp.asarray(np.array([[0, 1, 2], [3, 4, 5]]), backend=source, dtype=dtype)
    tree = {"a": values, "b": (lp.Static(3), None, [values])}
    moved = lp.to(tree, backend=target, share=share)
    assert moved["b"][:2] == (lp.Static(3), None)
    for leaf in lp.tree.leaves(moved):
        assert lp.backend_of(leaf).name == target
        assert dtype_name(leaf) == dtype
        want = np.array([[0, 1, 2], [3, 4, 5]]).astype(bool if dtype == "bool" else np.float32)
        np.testing.assert_array_equal(lp.to(leaf, backend="numpy").real.astype(np.float32), want.astype(np.float32))


@pytest.mark.parametrize("target", NAMES)
def test_a_copy_keeps_its_values_when_its_source_changes(target):
    import torch

    for source in (make_aligned_zeros(16), torch.from_numpy(make_aligned_zeros(16))):
        copy, shared = lp.to(source, backend=target), lp.to(source, backend=target, share=True)
        source[0] = 7.0
        assert float(np.asarray(copy)[0]) == 0.0
        assert float(np.asarray(shared)[0]) == 7.0


@pytest.mark.parametrize("target", NAMES)
def test_what_cannot_be_shared_is_copied(target):
    import torch

    base = make_aligned_zeros(64)
    read_only = make_aligned_zeros(16)
    read_only.flags.writeable = False
    sources = {
        "misaligned": base[1:17],
        "every other": base[::2],
        "transposed": base.reshape(8, 8).T,
        "read-only": read_only,
        "torch misaligned": torch.from_numpy(base)[1:17],
        "torch transposed": torch.from_numpy(base).reshape(8, 8).T,
        "torch with a graph": torch.from_numpy(make_aligned_zeros(16)).requires_grad_() * 2.0,
        "torch with requires_grad": torch.from_numpy(make_aligned_zeros(16)).requires_grad_(),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.zeros((), np.float32),
    }
    for source in sources.values():
        for share in (False, True):
            moved = lp.to(source, backend=target, share=share)
            assert lp.backend_of(moved).name == target
            assert tuple(moved.shape) == tuple(source.shape)
            got = lp.backend_of(moved).to_numpy(moved)
            np.testing.assert_array_equal(got, lp.backend_of(source).to_numpy(source))


def test_a_misaligned_buffer_does_not_abort_tensorflow():
    # In a process of its own, because TensorFlow would abort it.
    code = """
import numpy as np, luxport as lp
for offset in range(1, 9):
    buffer = np.empty(10**6 + 16, np.float32)[offset:]
    lp.to(buffer, backend="tf", share=True), lp.to(buffer, backend="tf")
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "alive", done.stderr


def test_gradients_flow_through_a_change_of_dtype(array):
    for name in NAMES[1:]:
        gradient = lp.grad(lambda p: lp.namespace(p).sum(lp.to(p, dtype="float16")))(array([1.0, 2.0], name))
        assert dtype_name(gradient) == "float32"
        np.testing.assert_array_equal(lp.to(gradient, backend="numpy"), [1.0, 1.0])


def test_dtype_converts_only_floating_arrays(backend):
    if backend == "jax":
        wide, names = "bfloat16", ["bfloat16", "int32", "bool", "complex64"]
    else:
        wide, names = "float64", ["float64", "int32", "bool", "complex64"]
    values = [lp.asarray([1], backend=backend, dtype=d) for d in ("float32", "int32", "bool", "complex64")]
    assert [dtype_name(leaf) for leaf in lp.to(values, dtype=wide)] == names
    assert dtype_name(lp.to(values[0], dtype="complex64")) == "complex64"


def test_an_array_in_several_places_is_converted_once(backend):
    one = lp.asarray([1.0], backend=backend)
    ps = {"a": {"weight": one}, "b": {"weight": one, "running_mean": one}}
    for convert in (lp.f16, lambda values: lp.to(values, dtype="float16"), lambda values: lp.to(values, share=True)):
        found = convert(ps)
        assert found["a"]["weight"] is found["b"]["weight"]
        assert dtype_name(found["b"]["running_mean"]) == "float32"


def test_a_move_to_the_same_backend_copies_unless_shared(backend):
    array = lp.asarray([1.0], backend=backend)
    assert lp.to(array, share=True) is array
    assert lp.to(array) is not array
    assert dtype_name(lp.to(array, dtype="float16")) == "float16"


def test_wrong_arguments_are_errors(message):
    array = np.ones(2, np.float32)
    assert "got 'int32'" in message(ValueError, lp.to, array, dtype="int32")
    assert "abacus" in message(ValueError, lp.to, array, backend="torch", device="abacus")
    assert message(TypeError, lp.to, {"a": "text"}, backend="torch") == (
        "luxport expects an array, got str: make one with luxport.asarray"
    )
    assert message(TypeError, lp.to, lp.Dense(2, 3), backend="torch") == (
        "luxport expects an array, got Dense: a layer holds no arrays: they are in ps and st, from "
        "luxport.setup(rng, layer)"
    )
