"""Adam's step in the backends' own kernels equals its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import luxport
from luxport import optimizers
from luxport.backend import get_backend
from luxport.ops import definition_of
from luxport.optimizers._adam import adam_step


def make_operands(backend, dtype, shape):
    rng = np.random.default_rng(0)
    m, v, dx = rng.standard_normal(shape), rng.random(shape), rng.standard_normal(shape)
    return [get_backend(backend).asarray(np.asarray(values, dtype)) for values in (dx, m, v)]


def make_hyper_parameters(backend, dtype):
    """Return the hyper-parameters as a state holds them."""
    asarray = get_backend(backend).asarray
    single = "float32" if dtype == "float16" else dtype
    values = {"powers": (0.9**3, 0.999**3), "eta": 0.01, "beta": (0.9, 0.999), "epsilon": 1e-8}
    return luxport.tree.map(lambda value: asarray(np.asarray(value, single)), values)


@pytest.mark.parametrize("shape", [(), (0,), (7,), (5, 4)])
# The two terms of a moment may cancel, which leaves a unit in the last place of each: hence atol.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 4e-3), ("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("backend", ["torch", "tf"])
def test_native_steps_equal_the_definition(backend, dtype, tolerance, shape):
    given = make_operands(backend, dtype, shape)
    before = [np.array(get_backend(backend).to_numpy(array)) for array in given]
    options = make_hyper_parameters(backend, dtype)
    native, defined = adam_step(*given, **options), definition_of(adam_step)(*given, **options)
    for ours, theirs in zip(native, defined, strict=True):
        assert ours.dtype == theirs.dtype and tuple(ours.shape) == tuple(theirs.shape)
        to_numpy = get_backend(backend).to_numpy
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol=tolerance, atol=tolerance / 10)
    for array, kept in zip(given, before, strict=True):
        np.testing.assert_array_equal(get_backend(backend).to_numpy(array), kept)


def test_torch_accepts_strided_gradients():
    dx, m, v = make_operands("torch", "float32", (5, 4))
    strided = dx.mT.contiguous().mT
    assert not strided.is_contiguous()
    from_strided, from_plain = (adam_step(g, m, v, **make_hyper_parameters("torch", "float32")) for g in (strided, dx))
    torch.testing.assert_close(from_strided, from_plain, rtol=1e-6, atol=1e-7)


def test_torch_differentiates_and_vmaps_an_update():
    """Learning to learn: the loss after a step is differentiated by the parameters before it."""
    ps = {"w": torch.tensor([1.0, 2.0], dtype=torch.float64)}
    state = optimizers.setup(optimizers.Adam(0.1), ps)

    def after_a_step(ps):
        grads = luxport.grad(lambda ps: (ps["w"] ** 2).sum())(ps)
        return (optimizers.update(state, ps, grads)[1]["w"] ** 3).sum()

    slope = luxport.grad(after_a_step)(ps)["w"]
    h = 1e-6
    for i in range(2):
        shift = torch.eye(2, dtype=torch.float64)[i] * h
        difference = after_a_step({"w": ps["w"] + shift}) - after_a_step({"w": ps["w"] - shift})
        assert float(slope[i]) == pytest.approx(float(difference) / (2 * h), rel=1e-6)

    gradients = torch.tensor([[1.0, -1.0], [2.0, 3.0]], dtype=torch.float64)
    mapped = torch.func.vmap(lambda dx: optimizers.update(state, ps, {"w": dx})[1]["w"])(gradients)
    for row, dx in zip(mapped, gradients, strict=True):
        torch.testing.assert_close(row, optimizers.update(state, ps, {"w": dx})[1]["w"])
