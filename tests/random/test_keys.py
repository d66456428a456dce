"""`luxport.random`: `key`, `fold_in`, `split`, `uniform` and `normal`."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import luxport
from luxport import random

BACKENDS = ["numpy", "strict", "jax", "torch", "tf"]


def host(array) -> np.ndarray:
    return luxport.backend.backend_of(array).to_numpy(array)


def read_words_of_jax(key) -> np.ndarray:
    return np.asarray(jax.random.key_data(key)).view(np.int32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_keys_equal_jaxs(backend, seed):
    ours, theirs = random.key(seed, backend=backend), jax.random.key(seed, impl="threefry2x32")
    np.testing.assert_array_equal(host(ours["key"]), read_words_of_jax(theirs))
    assert host(ours["key"]).dtype == host(ours["counter"]).dtype == np.int32
    assert host(ours["counter"]).shape == () and host(ours["counter"]) == 0
    for data in (0, 1, 2**31 - 1):
        np.testing.assert_array_equal(
            host(random.fold_in(ours, data)["key"]), read_words_of_jax(jax.random.fold_in(theirs, data))
        )
    # jax.random.split folds in the same way in its default, partitionable mode.
    for one, other in zip(random.split(ours, 3), jax.random.split(theirs, 3), strict=True):
        np.testing.assert_array_equal(host(one["key"]), read_words_of_jax(other))


def test_a_seed_has_two_words_and_the_default_backend():
    assert random.key(2**63 + 5)["key"].tolist() == [-(2**31), 5]
    with luxport.using("torch"):
        assert type(random.key(0)["key"]).__module__ == "torch"


@pytest.mark.parametrize("seed", [-1, 2**64, True, 0.5, None])
def test_wrong_seeds_are_errors(seed):
    with pytest.raises(ValueError, match=r"a seed expected, an int in \[0, 2\*\*64\), got"):
        random.key(seed)


@pytest.mark.parametrize("backend", BACKENDS)
def test_draws_advance_the_key_and_leave_the_old_one(backend):
    k = random.key(0, backend=backend)
    first, k1 = random.uniform(k, (64,))
    second, k2 = random.uniform(k1, (64,))
    again, _ = random.uniform(k, (64,))
    np.testing.assert_array_equal(host(first), host(again))
    assert not (host(first) == host(second)).any()
    assert [int(host(one["counter"])) for one in (k, k1, k2)] == [0, 1, 2]
    # A fold after a draw differs from one before it, so no key is given out twice.
    assert host(random.fold_in(k, 0)["key"]).tolist() != host(random.fold_in(k1, 0)["key"]).tolist()
    np.testing.assert_array_equal(host(first), random.uniform(random.key(0), (64,))[0])
    ours, theirs = host(random.normal(k, (64,))[0]), random.normal(random.key(0), (64,))[0]
    np.testing.assert_array_max_ulp(ours, theirs, maxulp=4)


def test_draws_may_be_scaled():
    k = random.key(1)
    np.testing.assert_array_equal(random.uniform(k, (9,), -1.0, 3.0)[0], random.uniform(k, (9,))[0] * 4 - 1)
    np.testing.assert_array_equal(random.normal(k, (9,), 2.0, 0.5)[0], random.normal(k, (9,))[0] * 0.5 + 2)


def test_draws_have_their_distribution():
    from scipy.stats import kstest

    # With n = 100,000, a distance above 1.95 / sqrt(n) has probability 0.001 (Kolmogorov); these draws are fixed.
    n = 100_000
    assert kstest(random.uniform(random.key(2), (n,))[0], "uniform").statistic < 1.95 / n**0.5
    assert kstest(random.normal(random.key(2), (n,))[0], "norm").statistic < 1.95 / n**0.5
    assert kstest(luxport.rng(2).uniform((n,)), "uniform").statistic < 1.95 / n**0.5
    assert kstest(luxport.rng(2).normal((n,)), "norm").statistic < 1.95 / n**0.5


def test_streams_of_split_keys_are_uncorrelated():
    draws = np.stack([random.normal(k, (20_000,))[0] for k in random.split(random.key(3), 4)])
    correlation = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlation).max() < 4 / 20_000**0.5


@pytest.mark.parametrize("count", [-1, 2.0, True, 100_001])
def test_a_count_of_keys_is_an_int_in_range(count):
    with pytest.raises(ValueError, match=f"^split expects count as an int from 0 to 100,000, got {count}$"):
        random.split(random.key(0), count)
