"""Pooling: every backend compared with the definition, options of the layers, compilation and errors."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport.backend import Backend, get_backend, namespace
from luxport.errors import LayerError, LayerTypeError


def pull_back(backend: Backend, f: Any, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    """Return the gradient of ``sum(f(x) * cotangent)``."""
    weights = backend.asarray(cotangent)
    return backend.to_numpy(
        jit_on_jax(backend, luxport.grad(lambda x: namespace(weights).sum(f(x) * weights)))(backend.asarray(x))
    )


def jit_on_jax(backend: Backend, f: Any) -> Any:
    # JAX compiles every operation that runs by itself; one program takes a tenth of the time.
    return luxport.jit(f) if backend.name == "jax" else f


# --- Every backend compared with the definition, and the definition with loops

CASES = [
    # sizes, window, stride, padding, dilation
    ((9,), (2,), (2,), ((0, 0),), (1,)),
    ((9,), (3,), (1,), ((1, 2),), (2,)),
    ((6, 8), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((7, 5), (3, 2), (2, 1), ((1, 1), (1, 0)), (1, 1)),
    ((7, 6), (2, 3), (1, 2), ((0, 0), (1, 1)), (3, 1)),
    ((5, 5), (2, 2), (2, 2), ((3, 3), (3, 3)), (1, 1)),  # some windows contain only padding
    ((4, 5, 6), (2, 3, 2), (2, 1, 2), ((1, 0), (1, 1), (0, 0)), (1, 1, 1)),
    ((4, 4, 5), (2, 1, 2), (1, 1, 1), ((1, 1), (0, 0), (1, 1)), (1, 1, 2)),
    ((3, 2, 3, 2), (2, 2, 2, 1), (1, 1, 1, 1), ((0, 0), (1, 0), (0, 0), (0, 0)), (1, 1, 1, 1)),
]
KINDS = ["max", "mean", "mean_of_inside"]


def make_options(case: Any) -> dict[str, Any]:
    return dict(zip(("window", "stride", "padding", "dilation"), case[1:], strict=True))


def make_pool(kind: str, case: Any, definition: bool = False) -> Callable[..., Any]:
    operation = ops.max_pool if kind == "max" else ops.mean_pool
    rest = {} if kind == "max" else {"count_include_pad": kind == "mean"}
    return functools.partial(ops.definition_of(operation) if definition else operation, **make_options(case), **rest)


def make_sample(case: Any) -> np.ndarray:
    """Return distinct numbers, so that each window has a single maximum."""
    shape = (2, 3, *case[0])
    return np.random.default_rng(0).permutation(np.arange(float(np.prod(shape)))).reshape(shape) / 8 - 10


def pool_by_loops(x: np.ndarray, kind: str, case: Any) -> np.ndarray:
    """Take the maximum or mean of each window's elements by loops."""
    sizes, window, stride, padding, dilation = case
    places = [
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(sizes, window, stride, padding, dilation, strict=True)
    ]
    y = np.zeros((*x.shape[:2], *places))
    for place in np.ndindex(*places):
        inside = []
        for k in itertools.product(*map(range, window)):
            at = [p * s + i * d - low for p, s, i, d, (low, _) in zip(place, stride, k, dilation, padding, strict=True)]
            if all(0 <= i < n for i, n in zip(at, sizes, strict=True)):
                inside.append(x[(slice(None), slice(None), *at)])
        here = (slice(None), slice(None), *place)
        if kind == "max":
            y[here] = np.max(inside, axis=0) if inside else -np.inf
        else:
            y[here] = sum(inside) / (np.prod(window) if kind == "mean" else max(len(inside), 1))
    return y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_values_equal_loops_over_windows(backend: Backend, number: int, kind: str) -> None:
    case = CASES[number]
    x = make_sample(case)
    y = backend.to_numpy(jit_on_jax(backend, make_pool(kind, case))(backend.asarray(x)))
    np.testing.assert_allclose(y, pool_by_loops(x, kind, case), rtol=1e-12, atol=1e-12)


def compute_gradients(backend: Backend, f: Any, x: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    """Return the gradient of ``sum(f(x)² cotangent)``, and that of the sum of its squares."""
    weights = backend.asarray(cotangent)
    xp = namespace(weights)

    def loss(x: Any) -> Any:
        y = f(x)
        y = xp.where(y < -1e300, xp.zeros_like(y), y)  # windows of padding alone
        return xp.sum(y * y * weights)

    def size(x: Any) -> Any:
        first = luxport.grad(loss)(x)
        return xp.sum(first**2), first

    second_and_first = jit_on_jax(backend, luxport.grad(size, has_aux=True))
    return [backend.to_numpy(g) for g in second_and_first(backend.asarray(x))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_gradients_equal_the_definitions(differentiating: Backend, number: int, kind: str) -> None:
    case = CASES[number]
    x = make_sample(case)
    cotangent = np.cos(np.arange(pool_by_loops(x, kind, case).size, dtype=float)).reshape(
        pool_by_loops(x, kind, case).shape
    )
    want = compute_gradients(get_backend("torch"), make_pool(kind, case, definition=True), x, cotangent)
    for got, wanted in zip(compute_gradients(differentiating, make_pool(kind, case), x, cotangent), want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_the_gradient_of_equal_maxima_goes_to_the_first(differentiating: Backend, number: int) -> None:
    case = CASES[number]
    x = np.ones((1, 1, *case[0]))
    y = pool_by_loops(x, "max", case)
    got = pull_back(differentiating, make_pool("max", case), x, np.ones_like(y))[0, 0]
    want = np.zeros(case[0])
    for place in np.ndindex(*y.shape[2:]):
        for k in itertools.product(*map(range, case[1])):
            at = tuple(
                p * s + i * d - low for p, s, i, d, (low, _) in zip(place, case[2], k, case[4], case[3], strict=True)
            )
            if all(0 <= i < n for i, n in zip(at, case[0], strict=True)):
                want[at] += 1
                break
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("number", [0, 3, 4, 6])
def test_nan_is_the_maximum_of_its_windows(backend: Backend, number: int) -> None:
    case = CASES[number]
    x = make_sample(case)
    x[(0, 1) + (2,) * len(case[0])] = np.nan
    x[(1, 0) + (1,) * len(case[0])] = np.inf
    x[1, 1] = -np.inf
    got = backend.to_numpy(jit_on_jax(backend, make_pool("max", case))(backend.asarray(x)))
    want = pool_by_loops(x, "max", case)
    assert np.isnan(want).any() and np.isposinf(want).any() and np.isneginf(want).any()
    np.testing.assert_array_equal(got, want)


def test_integers_have_a_maximum(backend: Backend) -> None:
    x = np.array([[[-5, -7, -2]]])
    y, _ = luxport.MaxPool((2,), padding=1)(backend.asarray(x, dtype="int32"), {}, {})
    assert backend.to_numpy(y).tolist() == [[[-5, -2]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_within_rounding_errors(differentiating: Backend, kind: str, number: int, dtype: str) -> None:
    case = CASES[number]
    x = make_sample(case) / 16
    given = differentiating.asarray(x, dtype=dtype)
    xp = namespace(given)
    y = jit_on_jax(differentiating, make_pool(kind, case))(given)
    assert y.dtype == given.dtype
    # About ten roundings to 11 or 8 bits: of x, its powers, their sums and the root.
    tolerance = 10 * 2.0 ** (-11 if dtype == "float16" else -8)
    got = differentiating.to_numpy(xp.astype(y, xp.float32))
    np.testing.assert_allclose(got, pool_by_loops(x, kind, case), rtol=tolerance, atol=tolerance)


# --- The layers


@pytest.mark.parametrize("layer", [luxport.MaxPool, luxport.MeanPool])
@pytest.mark.parametrize(
    ("options", "sizes", "places"),
    [
        ({}, (10, 10), (5, 5)),
        ({"stride": 1}, (5, 5), (4, 4)),
        ({"stride": 2, "padding": 3}, (5, 5), (5, 5)),
        ({"padding": (1, 1), "stride": (2, 2)}, (10, 10), (6, 6)),
    ],
)
def test_output_sizes_are_exact(
    layer: Any, options: dict[str, Any], sizes: tuple[int, ...], places: tuple[int, ...]
) -> None:
    assert luxport.output_shape(layer((2, 2), **options), (7, 3, *sizes)) == (7, 3, *places)
    assert layer((2, 2), **options)(np.zeros((7, 3, *sizes)), {}, {})[0].shape == (7, 3, *places)


def test_layers_are_printed_and_have_no_parameters() -> None:
    assert repr(luxport.MaxPool((2, 2))) == "MaxPool((2, 2))"
    assert repr(luxport.MeanPool((3,), stride=1, count_include_pad=False)) == (
        "MeanPool((3,), stride=1, count_include_pad=False)"
    )
    assert luxport.parameter_length(luxport.MaxPool((2, 2))) == luxport.state_length(luxport.MaxPool((2, 2))) == 0


@pytest.mark.parametrize("layer", [luxport.MaxPool((2, 2)), luxport.MeanPool((3, 2), padding=1, stride=2)])
def test_compiled_equals_eager(differentiating: Backend, layer: Any) -> None:
    x = differentiating.asarray(np.random.default_rng(0).random((3, 4, 6, 5), np.float32))
    xp = namespace(x)

    def step(x: Any) -> Any:
        return luxport.value_and_grad(lambda x: xp.sum(layer(x, {}, {})[0] ** 2))(x)

    if differentiating.name == "torch":
        import torch

        compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
    else:
        compiled = luxport.jit(step)
    for got, want in zip(compiled(x), step(x), strict=True):
        np.testing.assert_allclose(differentiating.to_numpy(got), differentiating.to_numpy(want), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("layer", [luxport.MaxPool, functools.partial(luxport.MeanPool, count_include_pad=False)])
@pytest.mark.parametrize("window", [(2,), (3, 2), (2, 1, 2)])
def test_the_batch_may_be_unknown_in_a_tensorflow_graph(window: tuple[int, ...], layer: Any, xla: bool) -> None:
    import tensorflow as tf

    model = layer(window, padding=1)
    spec = tf.TensorSpec((None, 2, *[5] * len(window)), tf.float32)
    graph = tf.function(lambda x: model(x, {}, {})[0], input_signature=[spec], jit_compile=xla, autograph=False)
    x = tf.constant(np.random.default_rng(0).random((3, 2, *[5] * len(window)), np.float32))
    np.testing.assert_allclose(graph(x), model(x, {}, {})[0], rtol=1e-6)


# --- Errors


@pytest.mark.parametrize("layer", [luxport.MaxPool, luxport.MeanPool])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": (0, 2)}, "window as a positive int"),
        ({"window": 2}, "window as a tuple of an int for each spatial axis, got 2: (2,) is for (N, C, L)"),
        ({"window": (2, -1)}, "got (2, -1)"),
        ({"stride": (1,)}, "stride as a positive int or a tuple of 2, got (1,)"),
        ({"padding": -1}, "padding as an int of at least 0"),
        ({"padding": (1, 2, 3)}, "got (1, 2, 3)"),
        ({"dilation": 0}, "dilation"),
    ],
)
def test_wrong_options_are_errors_when_built(layer: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        layer(**{"window": (2, 2), **options})
    assert str(raised.value).startswith(f"{layer.__name__} expects ") and message in str(raised.value)


def test_wrong_inputs_are_errors(backend: Backend) -> None:
    for layer in (luxport.MaxPool, luxport.MeanPool):
        name = layer.__name__
        with pytest.raises(LayerError, match=rf"{name} expects \(N, C, H, W\), got \(2, 3, 4\)"):
            layer((2, 2))(backend.asarray(np.zeros((2, 3, 4))), {}, {})
        with pytest.raises(LayerError, match=rf"{name} expects at least 3 along axis 3 for its window of 3, got"):
            layer((1, 3))(backend.asarray(np.zeros((2, 3, 4, 2))), {}, {})
        with pytest.raises(LayerTypeError, match=rf"{name} expects .*, got bool"):
            layer((2,))(backend.asarray(np.zeros((1, 1, 4), bool)), {}, {})
    with pytest.raises(LayerTypeError, match="MaxPool expects real numbers, got complex128"):
        luxport.MaxPool((2,))(backend.asarray(np.zeros((1, 1, 4), complex)), {}, {})
    with pytest.raises(LayerTypeError, match="MeanPool expects .*, got int64"):
        luxport.MeanPool((2,))(backend.asarray(np.zeros((1, 1, 4), np.int64)), {}, {})
