"""Initializers: options, equality, reproducible numbers. Statistics of upstream's tests are conformance cases."""

# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import kstest, truncnorm

import luxport as lp
from luxport import initializers
from luxport.random import Rng, standard_normal_cdf
from luxport.random.reproducible_sums import make_orthonormal_rows, sum_rows


def test_initializers_are_values_with_readable_text():
    assert initializers.orthogonal(gain=2.0) == initializers.orthogonal(gain=2.0) != initializers.orthogonal
    assert initializers.glorot_uniform(gain=1.0) == initializers.glorot_uniform == initializers.glorot_uniform()
    assert initializers.identity_init(shift=[0, 1]) == initializers.identity_init(shift=(0, 1))
    assert repr(initializers.truncated_normal(std=0.5)(low=-1.0)) == "truncated_normal(low=-1.0, std=0.5)"
    for init in (
        initializers.sparse_init(sparsity=0.5),
        initializers.constant(value=2.0),
        initializers.lecun_uniform,
    ):
        assert pickle.loads(pickle.dumps(init)) == init and hash(init) == hash(init())


def test_wrong_calls_are_errors():
    with pytest.raises(TypeError, match=r"^glorot_uniform expects options among \['gain'\], got std$"):
        initializers.glorot_uniform(std=1.0)
    with pytest.raises(
        TypeError, match="^normal expects a generator and a shape, or options alone, got 1 by position$"
    ):
        initializers.normal((3, 4))
    with pytest.raises(TypeError, match="sparsity"):
        initializers.sparse_init(0, (3, 4))
    with pytest.raises(ValueError, match=r"^a truncated normal expects std > 0 and low < high, got 1.0, 2.0 and 2.0$"):
        initializers.truncated_normal(0, (3,), low=2.0)
    with pytest.raises(ValueError, match=r"^orthogonal expects one or more axes, got the shape \(\)$"):
        initializers.orthogonal(0, ())


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 3)])
def test_weights_may_be_empty(shape):  # Flux divides by zero here, sqrt(24 / 0) = Inf
    inits = [
        initializers.glorot_normal,
        initializers.glorot_uniform,
        initializers.kaiming_normal,
        initializers.kaiming_uniform,
        initializers.lecun_normal,
        initializers.orthogonal,
    ]
    assert all(init(0, shape).shape == shape for init in inits)
    assert lp.Dense(0, 0)(np.ones((2, 0), np.float32), *lp.setup(0, lp.Dense(0, 0)))[0].shape == (2, 0)


def test_gains_equal_pytorchs():  # the table of torch.nn.init.calculate_gain
    assert initializers.calculate_gain(lp.identity) == initializers.calculate_gain("sigmoid") == 1.0
    assert initializers.calculate_gain(lp.tanh) == 5 / 3 and initializers.calculate_gain(lp.selu) == 0.75
    assert initializers.calculate_gain(lp.relu) == 2**0.5 and initializers.calculate_gain(
        lp.leakyrelu, 0.5
    ) == pytest.approx(1.6**0.5)
    with pytest.raises(ValueError, match="^a gain is known for identity, .*, got 'mish'$"):
        initializers.calculate_gain(lp.mish)


def test_cdf_equals_scipys():
    x = np.array([-35.0, -8.3, -2.0, -1.0, -1e-9, 0.0, 0.5, 2.0, 9.0])
    # A relative error of 1e-16 in the quantile x gives one of x² 1e-16 in the probability.
    for point, wanted in zip(x, ndtr(x), strict=True):
        assert standard_normal_cdf(float(point)) == pytest.approx(wanted, rel=4e-16 * max(1.0, point * point), abs=0)


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-1.0, 3.0), (2.5, 4.0), (-9.0, -3.0)])
def test_truncated_normals_have_their_distribution(bounds):
    values = Rng(3).truncated_normal((4000,), 1.0, 2.0, *(1.0 + 2.0 * b for b in bounds))
    # Deterministic, because the seed is fixed
    assert kstest((values - 1.0) / 2.0, truncnorm(*bounds).cdf).pvalue > 0.01
    assert values.min() >= 1.0 + 2.0 * bounds[0] and values.max() <= 1.0 + 2.0 * bounds[1]


def test_lecun_normal_has_its_variance_and_bounds():
    values = initializers.lecun_normal(0, (100, 500)) * 10.0
    assert values.var() == pytest.approx(1.0, rel=4 * (2 / values.size) ** 0.5)
    assert np.abs(values).max() <= 2.0 / truncnorm(-2, 2).std() * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(40, 40), (33, 100), (70, 90)])
def test_orthonormal_rows_equal_qr(shape):
    a = Rng(0).normal(shape).astype(np.float64)
    q, r = np.linalg.qr(a.T)
    # Products keep 40 bits after the binary point, and the last rows of a square matrix lose more.
    np.testing.assert_allclose(make_orthonormal_rows(a), (q * np.sign(np.diag(r))).T, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        make_orthonormal_rows(a) @ make_orthonormal_rows(a).T, np.eye(len(a)), rtol=0, atol=1e-10
    )


def test_orthonormal_rows_do_not_depend_on_the_order_of_sums(monkeypatch):
    import luxport.random.reproducible_sums as module

    a = Rng(0).normal((70, 90)).astype(np.float64)
    split = module._split

    class Backwards(np.ndarray):
        def __matmul__(self, other):  # another order of summation, as in another library
            total = np.zeros((self.shape[0], other.shape[1]))
            for k in reversed(range(self.shape[1])):
                total += np.asarray(self)[:, k, None] * np.asarray(other)[None, k]
            return total

    wanted = make_orthonormal_rows(a)
    monkeypatch.setattr(module, "_split", lambda x: tuple(part.view(Backwards) for part in split(x)))
    np.testing.assert_array_equal(np.asarray(make_orthonormal_rows(a)), wanted)


def test_row_sums_equal_numpys():
    for n in (0, 1, 2, 3, 7, 8, 100):
        np.testing.assert_allclose(sum_rows(np.arange(2.0 * n).reshape(2, n)), np.arange(2.0 * n).reshape(2, n).sum(1))


def test_orthogonal_scales_by_its_gain_and_flattens_shapes():
    matrix = initializers.orthogonal(0, (4, 2, 3), gain=2.0).reshape(4, 6)
    np.testing.assert_allclose(matrix @ matrix.T, 4.0 * np.eye(4), atol=1e-6)
    assert np.linalg.norm(initializers.orthogonal(0, (5,))) == pytest.approx(1.0)
    assert initializers.orthogonal(0, (0, 3)).shape == (0, 3)


FIRST = {  # a change would give every model other initial parameters
    "truncated_normal": [
        "-0x1.d3faaa0000000p+0",
        "-0x1.5406b60000000p-1",
        "-0x1.2170c40000000p+0",
        "0x1.3ce4300000000p-3",
    ],
    "lecun_normal": ["-0x1.78320e0000000p+0", "-0x1.1156720000000p-1", "-0x1.d158b00000000p-1", "0x1.fd7afc0000000p-4"],
    "orthogonal": ["-0x1.e938620000000p-1", "-0x1.2e0b1c0000000p-2", "-0x1.2e0b1c0000000p-2", "0x1.e938620000000p-1"],
    "sparse_init": ["-0x1.7439ba0000000p-6", "0x0.0p+0", "0x0.0p+0", "0x1.a91f7e0000000p-10"],
}


@pytest.mark.parametrize("name", FIRST)
def test_first_draws_of_seed_0_never_change(name):
    init = initializers.sparse_init(sparsity=0.5) if name == "sparse_init" else getattr(lp.initializers, name)
    assert [float(value).hex() for value in init(0, (2, 2)).ravel()] == FIRST[name]


def test_parameters_are_counted_without_drawing(monkeypatch):
    monkeypatch.setattr(Rng, "_draw_raw", lambda self, shape: pytest.fail("drawn"))
    for init in (
        initializers.orthogonal,
        initializers.truncated_normal,
        initializers.sparse_init(sparsity=0.5),
        initializers.lecun_normal,
        initializers.identity_init,
    ):
        assert lp.parameter_length(lp.Dense(30, 20, init_weight=init)) == 30 * 20 + 20
