"""Threefry-2x32-20 compared with Random123's vectors, and bit for bit on every backend."""

from __future__ import annotations

import importlib

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport
from luxport import ops
from luxport.ops._operation import definition_of

BACKENDS = ["numpy", "strict", "jax", "torch", "tf"]

# Random123 1.14, tests/kat_vectors, the lines "threefry2x32 20": counter, key, words. The last one uses digits of pi.
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
KEY, COUNTER = np.array([-5, 123456789], np.int32), np.array(7, np.int32)


def to_int32(words) -> np.ndarray:
    return np.array(words, np.uint32).view(np.int32)


def make_arrays(backend: str, *arrays: np.ndarray) -> list:
    return [luxport.asarray(array, backend=backend) for array in arrays]


def host(array) -> np.ndarray:
    return luxport.backend.backend_of(array).to_numpy(array)


def compute_words(key: np.ndarray, counter: int, size: int) -> np.ndarray:
    """Return the stream by Python's integers: element 2j + w is word w of the cipher at (counter, j)."""
    mask, rotations = 0xFFFFFFFF, (13, 15, 26, 6, 17, 29, 16, 24)
    k = [int(word) & mask for word in key]
    k.append(k[0] ^ k[1] ^ 0x1BD11BDA)
    words = []
    for j in range((size + 1) // 2):
        x = [(counter + k[0]) & mask, (j + k[1]) & mask]
        for i in range(20):
            x[0] = (x[0] + x[1]) & mask
            r = rotations[i % 8]
            x[1] = ((x[1] << r | x[1] >> (32 - r)) & mask) ^ x[0]
            if i % 4 == 3:
                n = i // 4 + 1
                x = [(x[0] + k[n % 3]) & mask, (x[1] + k[(n + 1) % 3] + n) & mask]
        words += x
    return to_int32(words[:size])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_threefry_equals_random123s_vectors(backend, counter, key, words):
    key, counters = make_arrays(backend, to_int32(key), to_int32([counter, counter]))
    for cipher in (ops.threefry_2x32, definition_of(ops.threefry_2x32)):
        np.testing.assert_array_equal(host(cipher(key, counters)), to_int32([words, words]))


def test_the_reference_equals_random123s_vectors():
    assert compute_words(np.zeros(2, np.int32), 0, 2).tolist() == to_int32(KNOWN[0][2]).tolist()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (2, 3, 11)])
def test_bits_equal_the_reference(backend, shape):
    key, counter = make_arrays(backend, KEY, COUNTER)
    wanted = compute_words(KEY, 7, int(np.prod(shape))).reshape(shape)
    for draw in (ops.random_bits, definition_of(ops.random_bits)):
        bits = host(draw(key, counter, shape=shape))
        assert bits.dtype == np.int32
        np.testing.assert_array_equal(bits, wanted)


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_long_streams_equal_numpys_definition(backend):
    # NumPy draws 200,001 elements in two pieces, and TensorFlow by a program for a larger size.
    wanted = definition_of(ops.random_bits)(KEY, COUNTER, shape=(200001,))
    np.testing.assert_array_equal(ops.random_bits(KEY, COUNTER, shape=(200001,)), wanted)
    np.testing.assert_array_equal(host(ops.random_bits(*make_arrays(backend, KEY, COUNTER), shape=(200001,))), wanted)


def test_vmap_over_keys_and_counters_equals_a_loop():
    keys = np.stack([KEY, KEY + 1, KEY - 1])
    counters = np.array([7, 0, 2**31 - 1], np.int32)
    loop = {
        (0, 0): [compute_words(k, int(c), 9) for k, c in zip(keys, counters, strict=True)],
        (0, None): [compute_words(k, 7, 9) for k in keys],
        (None, 0): [compute_words(KEY, int(c), 9) for c in counters],
    }
    for axes, wanted in loop.items():
        given = (keys if axes[0] == 0 else KEY, counters if axes[1] == 0 else COUNTER)

        def draw(key, counter):
            return ops.random_bits(key, counter, shape=(3, 3))

        def encrypt(key, counter):
            return ops.threefry_2x32(key, luxport.namespace(counter).stack([counter, counter]))

        mapped = {"jax": jax.vmap(draw, axes), "torch": torch.func.vmap(draw, axes)}
        ciphers = {"jax": jax.vmap(encrypt, axes), "torch": torch.func.vmap(encrypt, axes)}
        for backend, f in mapped.items():
            np.testing.assert_array_equal(host(f(*make_arrays(backend, *given))).reshape(3, 9), wanted)
            found = host(ciphers[backend](*make_arrays(backend, *given)))
            for i in range(3):
                k, c = keys[i] if axes[0] == 0 else KEY, counters[i] if axes[1] == 0 else COUNTER
                np.testing.assert_array_equal(found[i], definition_of(ops.threefry_2x32)(k, np.stack([c, c])))


def test_torchs_arithmetic_on_other_devices_equals_the_hosts():
    # On a CPU the operator runs NumPy; on every other device it runs `_draw`.
    from luxport_torch.ops.random_bits import _draw

    key, counter = make_arrays("torch", KEY, COUNTER)
    np.testing.assert_array_equal(_draw(key, counter, 1001).numpy(), compute_words(KEY, 7, 1001))


def test_sizes_may_be_unknown_in_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, 3])], autograph=False)
    def drop(x):
        key, counter = make_arrays("tf", KEY, COUNTER)
        return ops.dropout(x, key, counter, p=0.5), ops.dropout(x, key, counter, p=0.5, axes=(0,))

    for n in (1, 6):
        x = np.ones((n, 3), np.float32)
        for found, axes in zip(drop(tf.constant(x)), (None, (0,)), strict=True):
            np.testing.assert_array_equal(found, ops.dropout(x, KEY, COUNTER, p=0.5, axes=axes))


@pytest.mark.parametrize("backend", BACKENDS)
def test_uniforms_are_multiples_of_two_to_the_minus_24(backend):
    key, counter = make_arrays(backend, KEY, COUNTER)
    wanted = (compute_words(KEY, 7, 1001).view(np.uint32) >> 8) * 2.0**-24
    found = host(ops.uniform(key, counter, shape=(1001,)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_normals_are_quantiles_of_the_same_bits(backend):
    from scipy.special import ndtri

    key, counter = make_arrays(backend, KEY, COUNTER)
    wanted = ndtri(((compute_words(KEY, 7, 4001).view(np.uint32) >> 9) + 0.5) * 2.0**-23)
    found = host(ops.normal(key, counter, shape=(4001,)))
    assert found.dtype == np.float32
    # The error of Giles' polynomial is 3e-7 of the value (his table 5), and that of a float32 6e-8.
    np.testing.assert_allclose(found, wanted, rtol=6e-7)
    # Backends differ only in the logarithm and in fused products.
    np.testing.assert_array_max_ulp(found, definition_of(ops.normal)(KEY, COUNTER, shape=(4001,)), maxulp=4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_normals_of_the_extreme_words_are_finite(backend, monkeypatch):
    from scipy.special import ndtri

    # The smallest and the largest x = ±(1 - 2^-23), and the two in the middle, ±2^-23.
    words = to_int32([0x00000000, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
    key, counter, words = make_arrays(backend, KEY, COUNTER, words)
    monkeypatch.setattr(importlib.import_module("luxport.ops._random_bits"), "random_bits", lambda *a, **k: words)
    found = host(definition_of(ops.normal)(key, counter, shape=(4,)))
    least, middle = ndtri(2.0**-24), ndtri(0.5 + 2.0**-24)
    np.testing.assert_allclose(found, [least, -least, -middle, middle], rtol=6e-7)
