"""The generator on the host: Random123's Philox-4x64-10, and the conversion of its bits to floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

import luxport
from luxport.random import Rng, standard_normal_quantile

WORD = 2**64 - 1


def philox_4x64_10(counter: list[int], key: list[int]) -> list[int]:
    """Encrypt a counter as in the paper, in Python's integers."""
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * counter[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * counter[2], 2**64)
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0]
        key = [(key[0] + 0x9E3779B97F4A7C15) & WORD, (key[1] + 0xBB67AE8584CAA73B) & WORD]
    return counter


def draw_words(seed: int, count: int) -> list[int]:
    """Return the stream of a seed: blocks of four words, with counters from 1."""
    key = [seed & WORD, seed >> 64]
    blocks = [philox_4x64_10([i, 0, 0, 0], key) for i in range(1, -(-count // 4) + 1)]
    return [word for block in blocks for word in block][:count]


# Random123 1.14, tests/kat_vectors, the lines "philox4x64 10": counter, key, words. The last one uses digits of pi.
KNOWN = [
    (
        [0] * 4,
        [0] * 2,
        [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
    ),
    (
        [WORD] * 4,
        [WORD] * 2,
        [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
    ),
    (
        [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_equals_random123s_vectors(counter, key, answer):
    assert philox_4x64_10(counter, key) == answer
    # NumPy increments the counter before it draws.
    before = (sum(word << (64 * i) for i, word in enumerate(counter)) - 1) % 2**256
    bits = np.random.Philox(counter=before, key=key[0] | key[1] << 64)
    assert bits.random_raw(4).tolist() == answer


@pytest.mark.parametrize("seed", [0, 1, 2**64 + 3, 2**128 - 1])
def test_a_seed_is_the_key_of_one_stream_of_draws(seed):
    rng, stream = Rng(seed), draw_words(seed, 13)
    unit = rng.uniform((2, 3))
    np.testing.assert_array_equal(unit.ravel(), [(w >> 40) * 2.0**-24 for w in stream[:6]])
    normal = rng.normal((5,))
    np.testing.assert_allclose(normal, ndtri([((w >> 12) + 0.5) * 2.0**-52 for w in stream[6:11]]), rtol=1e-7)
    assert rng.key().tolist() == [np.int32(w - 2**32 if w >= 2**31 else w) for w in _split_word(stream[11])]
    np.testing.assert_array_equal(rng.uniform((1,)), [(stream[12] >> 40) * 2.0**-24])
    assert unit.dtype == normal.dtype == np.float32


def _split_word(word: int) -> list[int]:
    return [word & 0xFFFFFFFF, word >> 32]


# Computed from draw_words(0, 7), ndtri and Python's own arithmetic.
UNIFORMS = ["0x1.7a5d000000000p-7", "0x1.eeb1580000000p-3", "0x1.c866700000000p-4"]
NORMALS = ["0x1.4c209a0000000p-3", "0x1.86e90e0000000p-8", "-0x1.2e10780000000p-1"]
KEY = [-1094687305, -229590515]


def test_first_draws_of_seed_0_never_change():
    # A change would give every model other initial parameters.
    rng = Rng(0)
    assert [float(u).hex() for u in rng.uniform((3,))] == UNIFORMS
    assert [float(z).hex() for z in rng.normal((3,))] == NORMALS
    assert rng.key().tolist() == KEY


def test_uniform_and_normal_may_be_scaled():
    # The tolerance is two roundings in float32 at the size of the results.
    np.testing.assert_allclose(Rng(3).uniform((50,), -2.0, 4.0), Rng(3).uniform((50,)) * 6 - 2, rtol=0, atol=5e-7)
    np.testing.assert_allclose(Rng(3).normal((50,), 1.0, 0.5), Rng(3).normal((50,)) / 2 + 1, rtol=0, atol=5e-7)
    assert Rng(3).normal(()).shape == () and Rng(3).uniform((0, 4)).shape == (0, 4)


def test_quantile_equals_scipys():
    tails = 10.0 ** -np.linspace(0.3, 300, 4001)
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 20001), tails, [2.0**-53, 0.5, 1 - 2.0**-53, 0.075, 0.925]])
    # Wichura states an error of about 1 in 10^16 for PPND16; near the median, ndtri itself loses digits by subtraction.
    np.testing.assert_allclose(standard_normal_quantile(p), ndtri(p), rtol=2e-15, atol=1e-17)


def test_quantile_uses_exact_operations_only():
    # Operations that IEEE 754 rounds exactly, or that only move bits; np.log, np.exp or np.power differ between
    # machines.
    allowed = {"add", "subtract", "multiply", "divide", "sqrt", "absolute", "minimum", "frexp", "negative"}
    allowed |= {"less", "less_equal", "where"}
    used = set()

    class Watched(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            used.add(ufunc.__name__)
            result = getattr(ufunc, method)(*[plain(x) for x in inputs], **kwargs)
            return tuple(watch(r) for r in result) if isinstance(result, tuple) else watch(result)

        def __array_function__(self, function, types, args, kwargs):
            used.add(function.__name__)
            return watch(function(*[plain(x) for x in args], **kwargs))

    def plain(x):
        return np.asarray(x) if isinstance(x, Watched) else x

    def watch(x):
        return np.asarray(x).view(Watched)

    p = np.linspace(1e-9, 1 - 1e-9, 999)
    watched = standard_normal_quantile(p.view(Watched))
    np.testing.assert_array_equal(np.asarray(watched), standard_normal_quantile(p))
    assert used <= allowed and {"frexp", "sqrt", "divide"} <= used


@pytest.mark.parametrize("seed", [-1, 2**128, True, 1.0, "0"])
def test_wrong_seeds_are_errors(seed):
    with pytest.raises(ValueError, match=r"an int in \[0, 2\*\*128\), got"):
        Rng(seed)


def test_setup_accepts_only_a_seed_or_a_generator():
    model = luxport.Dense(3, 2)
    from_seed, from_rng = luxport.setup(5, model)[0], luxport.setup(luxport.rng(5), model)[0]
    np.testing.assert_array_equal(from_seed["weight"], from_rng["weight"])
    wrong: Any
    for wrong in (None, 1.5, "0", np.random.default_rng(0)):
        with pytest.raises(TypeError, match="a seed or a luxport.Rng expected, got"):
            luxport.setup(wrong, model)
    with pytest.raises(ValueError, match="got True"):
        luxport.setup(True, model)
