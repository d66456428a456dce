"""Models that users of Flux saved, on every backend, against their authors' records and an independent forward pass."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest
import real_files

import luxport as lp
from luxport.porting import FileFormatError, load_model, load_parameters

FLUX, MNIST = real_files.folder("flux"), real_files.folder("mnist")


@pytest.fixture(params=["numpy", "jax", "torch", "tf"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def compute_output(model: Any, ps: Any, st: Any, x: Any, backend: str) -> Any:
    y, _ = model(lp.asarray(x, backend=backend, dtype="float32"), ps, lp.test_mode(st))
    return lp.to(y, backend="numpy")


def load_record(name: str) -> dict[str, Any]:
    """Return recorded inputs and outputs, in Julia's order of axes."""
    return {key: np.ascontiguousarray(value.T) for key, value in np.load(FLUX / name).items()}


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    images = gzip.decompress((MNIST / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((MNIST / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    # Julia's first axis is the width, which is our last.
    return np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28) / 255, np.frombuffer(labels, np.uint8)


def test_boston_dense_gives_the_recorded_error(backend: str) -> None:
    data = load_record("boston_dense.npz")
    y = compute_output(*load_model(FLUX / "boston_dense.bson", backend=backend), data["x"], backend)
    errors = (y[:, 0].astype(np.float64) - data["target"].ravel()) ** 2
    # To the seven digits of float32 in the author's notebook.
    assert errors[:355].mean() == pytest.approx(4.3577601e14, rel=1e-7)
    assert errors[355:].mean() == pytest.approx(7.4994467e14, rel=1e-7)


def test_cartpole_with_tracker_arrays_and_an_anonymous_softmax_gives_the_recorded_outputs(backend: str) -> None:
    data = load_record("ppo_cartpole_policy.npz")
    y = compute_output(*load_model(FLUX / "cartpole_policy_tracker.bson", backend=backend), data["x"], backend)
    np.testing.assert_allclose(y, data["y"], atol=1e-6)


def test_the_course_network_of_flux_0_11_gives_the_recorded_outputs(backend: str, digits: tuple[Any, Any]) -> None:
    model, ps, st = load_model(FLUX / "course_mnist_flux011.bson", backend=backend)
    data = load_record("course_bson_flux011.npz")
    np.testing.assert_allclose(compute_output(model, ps, st, data["x"], backend), data["y"], atol=1e-5)
    right = compute_output(model, ps, st, digits[0], backend).argmax(-1) == digits[1]
    assert right.sum() == 9815


COURSE = lp.Chain(
    *(lp.Conv((2, 2), 1, 16, lp.relu), lp.MaxPool((2, 2)), lp.Conv((2, 2), 16, 8, lp.relu), lp.MaxPool((2, 2))),
    *(lp.FlattenLayer(), lp.Dense(288, 10), lp.ops.softmax),
)


def test_the_course_networks_state_gives_the_recorded_outputs(backend: str, digits: tuple[Any, Any]) -> None:
    ps, st = load_parameters(FLUX / "course_mnist.jld2", COURSE, backend=backend)
    data = load_record("course_jld2_relu.npz")
    np.testing.assert_allclose(compute_output(COURSE, ps, st, data["x"], backend), data["y"], atol=1e-5)
    right = compute_output(COURSE, ps, st, digits[0], backend).argmax(-1) == digits[1]
    assert right.sum() == 9775


def test_a_state_without_bias_gives_the_recorded_outputs(backend: str) -> None:
    model = lp.Chain(lp.Dense(2, 1, lp.tanh, use_bias=False), lp.FlattenLayer())
    ps, st = load_parameters(FLUX / "lightglow_777.jld2", model, backend=backend)
    data = load_record("lightglow_777.npz")
    y = compute_output(model, ps, st, data["x"], backend)
    np.testing.assert_allclose(y, data["y"], atol=1e-6)
    error = ((y[:, 0].astype(np.float64) - data["target"]) ** 2).mean()
    assert error == pytest.approx(0.04338834434747696, rel=1e-6)


def test_parameters_of_another_model_are_refused() -> None:
    with pytest.raises(FileFormatError, match=r"layer_1\.weight: shape \(16, 1, 2, 2\) expected, got \(2, 1\)"):
        load_parameters(FLUX / "lightglow_777.jld2", COURSE)
