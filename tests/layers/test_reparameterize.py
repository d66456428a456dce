"""`WeightNorm` and `SpectralNorm` compared with PyTorch's parametrizations, and their errors."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations

import luxport as lp
from luxport import Conv, Dense, SpectralNorm, WeightNorm

X = np.random.default_rng(0).normal(size=(4, 3))


def test_weight_norm_equals_pytorchs(backend):
    model = WeightNorm(Dense(3, 2))
    ps, st = lp.setup(0, model, backend=backend, dtype="float64")
    host = lp.tree.map(backend.to_numpy, ps)
    linear = parametrizations.weight_norm(torch.nn.Linear(3, 2).double())
    stored = {
        "bias": host["unnormalized"]["bias"],
        "parametrizations.weight.original0": 2.0 * host["normalized"]["weight_g"].T,
        "parametrizations.weight.original1": host["normalized"]["weight_v"].T,
    }
    linear.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in stored.items()})
    ps["normalized"]["weight_g"] = 2.0 * ps["normalized"]["weight_g"]
    y, _ = model(backend.asarray(X), ps, st)
    np.testing.assert_allclose(backend.to_numpy(y), linear(torch.from_numpy(X)).detach().numpy(), rtol=0, atol=1e-14)


def test_spectral_norm_equals_pytorchs(backend):
    model = SpectralNorm(Dense(3, 2))
    ps, st = lp.setup(0, model, backend=backend, dtype="float64")
    weight, u = backend.to_numpy(ps["weight"]).T, backend.to_numpy(st["u"]["weight"])
    linear = torch.nn.Linear(3, 2).double()
    linear.load_state_dict({"weight": torch.from_numpy(weight.copy()), "bias": torch.zeros(2, dtype=torch.float64)})
    linear = parametrizations.spectral_norm(linear)
    parametrized: Any = linear.parametrizations
    power = parametrized.weight[0]
    u = u / np.linalg.norm(u)
    v = weight.T @ u
    with torch.no_grad():  # PyTorch begins with fifteen steps; start from the same vectors instead
        power._u.copy_(torch.from_numpy(u))
        power._v.copy_(torch.from_numpy(v / np.linalg.norm(v)))
    x = backend.asarray(X)
    for mode, train in ((lp.train_mode, True), (lp.train_mode, True), (lp.test_mode, False)):
        linear.train(train)
        y, st = model(x, ps, mode(st))
        wanted = linear(torch.from_numpy(X)).detach().numpy()
        np.testing.assert_allclose(backend.to_numpy(y), wanted, rtol=0, atol=1e-14)
    np.testing.assert_allclose(backend.to_numpy(st["u"]["weight"]), power._u.numpy(), rtol=0, atol=1e-14)


def test_rows_of_a_transposed_convolution_equal_pytorchs():
    theirs: Any = parametrizations.spectral_norm(torch.nn.ConvTranspose2d(2, 4, (3, 5))).parametrizations
    _, st = lp.setup(0, SpectralNorm(lp.ConvTranspose((3, 5), 2, 4)))
    assert st["u"]["weight"].shape == tuple(theirs.weight[0]._u.shape)


def test_the_gradient_of_spectral_norm_equals_pytorchs(differentiating):
    # As in PyTorch, the vector is a constant in the gradient.
    model = SpectralNorm(Dense(3, 2, use_bias=False))
    ps, st = lp.setup(0, model, backend=differentiating, dtype="float64")
    xp, x = differentiating.xp, differentiating.asarray(X)
    found = lp.grad(lambda ps: xp.sum(model(x, ps, st)[0] ** 2))(ps)["weight"]
    host = differentiating.to_numpy
    weight, u = (torch.from_numpy(array.copy()) for array in (host(ps["weight"]).T, host(st["u"]["weight"])))
    with torch.no_grad():
        u = torch.nn.functional.normalize(weight @ (weight.T @ u), dim=0)
        v = torch.nn.functional.normalize(weight.T @ u, dim=0)
    weight.requires_grad_()
    (torch.from_numpy(X) @ (weight / (u @ weight @ v)).T).square().sum().backward()
    assert weight.grad is not None
    np.testing.assert_allclose(differentiating.to_numpy(found), weight.grad.T.numpy(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("layer", "options", "shape"),
    [
        (Dense(3, 2), {}, (1, 2)),
        (Dense(3, 2), {"axes": 0}, (3, 1)),
        (Conv((3, 5), 2, 4), {}, (4, 1, 1, 1)),
        (Conv((3, 5), 2, 4), {"axes": (-1,)}, (1, 1, 1, 5)),
        (lp.ConvTranspose((3, 5), 2, 4), {}, (1, 4, 1, 1)),
        (lp.DebugLayer(lp.ConvTranspose((3, 5), 2, 4)), {}, (1, 4, 1, 1)),
        (lp.FrozenLayer(lp.ConvTranspose((3, 5), 2, 4), ("bias",)), {}, (1, 4, 1, 1)),
        (lp.Bilinear((3, 5), 2), {}, (1, 1, 2)),
    ],
)
def test_norms_are_kept_for_each_index_of_an_axis(layer, options, shape):
    ps, _ = lp.setup(0, WeightNorm(layer, **options))
    assert ps["normalized"]["weight_g"].shape == shape
    norms = np.sqrt(np.sum(ps["normalized"]["weight_v"] ** 2, tuple(i for i, n in enumerate(shape) if n == 1)))
    np.testing.assert_allclose(ps["normalized"]["weight_g"].ravel(), norms, rtol=1e-6)


def test_directions_of_zeros_stay_finite(differentiating):
    array = differentiating.asarray
    v, g = array(np.array([[0.0, 3.0], [0.0, 4.0]])), array(np.array([[2.0, 5.0]]))
    np.testing.assert_allclose(differentiating.to_numpy(lp.ops.weight_norm(v, g)), [[0.0, 3.0], [0.0, 4.0]])
    gradient = lp.grad(lambda v: differentiating.xp.sum(lp.ops.weight_norm(v, g)))(v)
    assert np.isfinite(differentiating.to_numpy(gradient)).all()


def test_wrong_names_and_axes_are_errors():
    for wrong, text in (
        (lambda: WeightNorm(Dense(3, 2), ("weight", "weight")), "names among weight, bias, got weight, weight"),
        (lambda: WeightNorm(Dense(3, 2), ()), "names among weight, bias, got none"),
        (lambda: WeightNorm(lp.NoOpLayer()), "names among none, got weight"),
        (lambda: WeightNorm(lp.Chain(Dense(3, 2)), "layer_1"), "names among none, got layer_1"),
        (lambda: WeightNorm(Dense(3, 2), axes=(0, 1)), r"as many axes as names, 1, got \(0, 1\)"),
        (lambda: WeightNorm(Dense(3, 2), axes=2), r"an axis of weight in \[-2, 2\), got 2"),
    ):
        with pytest.raises(ValueError, match=f"^WeightNorm expects {text}$"):
            wrong()
    with pytest.raises(ValueError, match="^SpectralNorm expects an int of at least 0 as iterations, got -1$"):
        SpectralNorm(Dense(3, 2), iterations=-1)
    with pytest.raises(TypeError, match="^WeightNorm expects a layer, got 3$"):
        WeightNorm(3)
