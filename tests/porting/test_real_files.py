"""Files that users of Flux wrote: every array, and the numbers that their authors recorded (SOURCES.md)."""

from __future__ import annotations

import numpy as np
import pytest
import real_files

from luxport import porting
from luxport.porting import julia

FLUX = real_files.folder("flux")
FILES = ["boston_dense.bson", "cartpole_policy_tracker.bson", "course_mnist.jld2", "course_mnist_flux011.bson",
         "lightglow_777.jld2"]  # fmt: skip

# Shapes in our order of axes: the size in Julia, reversed.
COURSE = [(16, 1, 2, 2), (16,), (8, 16, 2, 2), (8,), (288, 10), (10,)]
ARRAYS = {
    "boston_dense.bson": [(13, 1), (1,)],
    # A TrackedArray has its data, its gradient and, in its tape, its data again.
    "cartpole_policy_tracker.bson": [s for s in [(4, 30), (30,), (30, 2), (2,)] for _ in range(3)],
    "course_mnist.jld2": COURSE,
    "course_mnist_flux011.bson": COURSE,
    "lightglow_777.jld2": [(2, 1)],
}


@pytest.mark.parametrize("name", FILES)
def test_every_array_is_found(name):
    saved = porting.read(FLUX / name)
    assert saved.format == ("JLD2" if name.endswith("jld2") else "BSON")
    found = [value for _, value in julia.walk(saved.values) if isinstance(value, np.ndarray)]
    assert [array.shape for array in found] == ARRAYS[name]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def convolve(x, weight, bias):
    """Convolve images (N, C, H, W) with flipped kernels, as Flux does."""
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight[:, :, ::-1, ::-1]) + bias[:, None, None]


def max_pool(x):
    n, c, h, w = x.shape
    return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def run_course_network(x, first, second, dense):
    x = max_pool(relu(convolve(x, *first)))
    x = max_pool(relu(convolve(x, *second)))
    return x.reshape(len(x), -1) @ dense[0] + dense[1]


def test_boston_gives_the_recorded_errors():
    weight, bias, activation = porting.read(FLUX / "boston_dense.bson").values["model"].fields
    assert activation.path == "Base.identity"
    data = np.load(FLUX / "boston_dense.npz")
    error = ((data["x"].T @ weight.astype(np.float64) + bias).ravel() - data["target"]) ** 2
    # The figures in the author's notebook, with as many digits as SOURCES.md has.
    np.testing.assert_allclose(error[:355].mean(), 4.3577601e14, rtol=1e-8)
    np.testing.assert_allclose(error[355:].mean(), 7.4994467e14, rtol=1e-8)


def test_lightglow_gives_the_recorded_error():
    layer, flatten = porting.read(FLUX / "lightglow_777.jld2").values["model_state"]["layers"]
    assert (layer.names, layer["bias"], layer["σ"], flatten) == (("weight", "bias", "σ"), False, (), ())
    data = np.load(FLUX / "lightglow_777.npz")
    output = np.tanh(data["x"].T @ layer["weight"].astype(np.float64)).ravel()
    np.testing.assert_allclose(output, data["y"].ravel(), rtol=1e-12)
    # Recorded by the author, in Float32.
    np.testing.assert_allclose(((output - data["target"]) ** 2).mean(), 0.04338834434747696, rtol=1e-6)


def test_the_course_networks_state_gives_the_recorded_outputs():
    layers = porting.read(FLUX / "course_mnist.jld2").values["model_state"]["layers"]
    weights = [(layers[i]["weight"], layers[i]["bias"]) for i in (0, 2, 5)]
    assert layers[0]["stride"] == (1, 1)
    assert layers[0]["groups"] == 1
    data = np.load(FLUX / "course_jld2_relu.npz")
    logits = run_course_network(data["x"].T, *weights)
    np.testing.assert_allclose(logits, data["logits"].T, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(softmax(logits), data["y"].T, atol=1e-6)


def test_the_course_network_gives_the_recorded_outputs():
    (layers,) = porting.read(FLUX / "course_mnist_flux011.bson").values["m"].fields
    first, _, second, pool, flatten, dense, last = layers
    assert first.type.path == "Flux.Conv"
    assert first.type.params[:2] == (2, 4)
    assert pool.fields == [(2, 2), (0, 0, 0, 0), (2, 2)]
    assert (flatten.path, last.path) == ("Flux.flatten", "NNlib.softmax")
    data = np.load(FLUX / "course_bson_flux011.npz")
    logits = run_course_network(data["x"].T, first.fields[1:3], second.fields[1:3], dense.fields[:2])
    np.testing.assert_allclose(softmax(logits), data["y"].T, atol=1e-6)


def test_cartpole_gives_the_recorded_outputs():
    (layers,) = porting.read(FLUX / "cartpole_policy_tracker.bson").values["π"].fields
    first, second, last = layers
    (method,) = last.methods
    assert str(method).splitlines()[1] == "    %1 = Main.softmax(x)"
    data = np.load(FLUX / "ppo_cartpole_policy.npz")
    weights = [[tracked.fields[1] for tracked in layer.fields[:2]] for layer in (first, second)]
    hidden = relu(data["x"].T @ weights[0][0] + weights[0][1])
    output = softmax(hidden @ weights[1][0] + weights[1][1])
    np.testing.assert_allclose(output, data["y"].T, atol=1e-6)
