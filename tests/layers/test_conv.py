"""Convolution: every backend compared with the definition, options of the layer, compilation and errors."""

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


def make_arrays(backend: Backend, *values: Any, dtype: str | None = None) -> list[Any]:
    return [None if v is None else backend.asarray(v, dtype=dtype) for v in values]


def pull_back(backend: Backend, f: Any, values: Any, cotangent: np.ndarray) -> list[np.ndarray]:
    """Return the gradients of ``sum(f(*values) * cotangent)``."""
    weights = backend.asarray(cotangent)
    gradient = luxport.grad(lambda inputs: namespace(weights).sum(f(*inputs) * weights))
    return [backend.to_numpy(g) for g in gradient(tuple(make_arrays(backend, *values)))]


# --- Every backend compared with the definition, and the definition with loops

CASES = [
    # rank, size, kernel, stride, padding, dilation, channels, out, groups
    ((9,), (3,), (1,), ((0, 0),), (1,), 2, 3, 1),
    ((9,), (4,), (2,), ((3, 1),), (1,), 2, 4, 2),
    ((11,), (2,), (3,), ((0, 2),), (4,), 3, 6, 3),
    ((1,), (1,), (1,), ((0, 0),), (1,), 1, 1, 1),
    ((6, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2, 3, 1),
    ((7, 5), (2, 3), (2, 1), ((1, 0), (0, 2)), (1, 1), 4, 2, 2),
    ((7, 8), (3, 2), (2, 2), ((2, 1), (0, 3)), (2, 3), 2, 4, 1),
    ((6, 6), (3, 3), (2, 2), ((0, 1), (1, 1)), (1, 1), 3, 6, 3),
    ((5, 6), (2, 2), (1, 2), ((1, 1), (0, 0)), (2, 1), 3, 3, 3),
    ((5, 5), (5, 1), (1, 1), ((0, 0), (4, 4)), (1, 1), 1, 2, 1),
    ((4, 5, 3), (2, 3, 2), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 1), 2, 2, 1),
    ((4, 4, 5), (2, 1, 2), (2, 1, 1), ((1, 0), (0, 0), (2, 1)), (2, 1, 3), 2, 4, 2),
    ((3, 3, 2, 3), (2, 2, 1, 2), (1, 1, 1, 2), ((0, 0), (1, 0), (0, 0), (0, 1)), (1, 1, 1, 1), 2, 2, 1),
]


def make_options(case: Any, flip: bool) -> dict[str, Any]:
    return {"stride": case[2], "padding": case[3], "dilation": case[4], "groups": case[7], "flip": flip}


def make_inputs(case: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes, kernel, *_, channels, out, groups = case
    rng = np.random.default_rng(len(sizes))
    shapes = ((2, channels, *sizes), (out, channels // groups, *kernel), (out,))
    x, weight, bias = (rng.standard_normal(shape) for shape in shapes)
    return x, weight, bias


def convolve_by_loops(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, case: Any, flip: bool) -> np.ndarray:
    """Compute the sum that defines a convolution term by term."""
    sizes, kernel, stride, padding, dilation, channels, out, groups = case
    places = [
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    y = np.zeros((len(x), out, *places))
    for o, place in itertools.product(range(out), np.ndindex(*places)):
        for c, k in itertools.product(range(channels // groups), np.ndindex(*kernel)):
            at = [p * s + i * d - low for p, s, i, d, (low, _) in zip(place, stride, k, dilation, padding, strict=True)]
            if all(0 <= i < n for i, n in zip(at, sizes, strict=True)):
                tap = tuple(n - 1 - i for n, i in zip(kernel, k, strict=True)) if flip else k
                source = o // (out // groups) * (channels // groups) + c
                y[(slice(None), o, *place)] += x[(slice(None), source, *at)] * weight[(o, c, *tap)]
    return y + bias.reshape(-1, *[1] * len(sizes))


@functools.cache
def compute_reference(number: int, flip: bool) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Return the value by loops, and first and second gradients of the definition in PyTorch."""
    case = CASES[number]
    values = make_inputs(case)
    y = convolve_by_loops(*values, case, flip)
    definition = functools.partial(ops.definition_of(ops.conv), **make_options(case, flip))
    return y, *compute_gradients(get_backend("torch"), definition, values, np.cos(y))


def compute_gradients(
    backend: Backend, f: Any, values: Any, cotangent: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the gradients of ``sum(f² cotangent)``, and those of the sum of their squares."""
    weights = backend.asarray(cotangent)
    xp = namespace(weights)

    def loss(inputs: Any) -> Any:
        y = f(*inputs)
        return xp.sum(y * y * weights)

    def size(inputs: Any) -> Any:
        first = luxport.grad(loss)(inputs)
        return sum(xp.sum(g * g) for g in first), first

    second_and_first = luxport.grad(size, has_aux=True)
    # JAX compiles every operation that runs by itself; one program takes a tenth of the time.
    differentiate = luxport.jit(second_and_first) if backend.name == "jax" else second_and_first
    second, first = differentiate(tuple(make_arrays(backend, *values)))
    return [backend.to_numpy(g) for g in first], [backend.to_numpy(g) for g in second]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values_equal_the_defining_sum(backend: Backend, number: int) -> None:
    case, flip = CASES[number], number % 3 != 0
    values = make_inputs(case)
    conv = functools.partial(ops.conv, **make_options(case, flip))
    y = (luxport.jit(conv) if backend.name == "jax" else conv)(*make_arrays(backend, *values))
    np.testing.assert_allclose(backend.to_numpy(y), convolve_by_loops(*values, case, flip), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_gradients_equal_the_definitions(differentiating: Backend, number: int) -> None:
    case, flip = CASES[number], number % 3 != 0
    y, first, second = compute_reference(number, flip)
    conv = functools.partial(ops.conv, **make_options(case, flip))
    got_first, got_second = compute_gradients(differentiating, conv, make_inputs(case), np.cos(y))
    for got, want in zip(got_first + got_second, first + second, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_gradients_equal_finite_differences(differentiating: Backend) -> None:
    case = CASES[6]
    values = make_inputs(case)
    conv = functools.partial(ops.conv, **make_options(case, True))
    cotangent = np.cos(convolve_by_loops(*values, case, True))
    step = 1e-6
    for which, gradient in enumerate(pull_back(differentiating, conv, values, cotangent)):
        direction = np.random.default_rng(which).standard_normal(gradient.shape)
        ends = [
            float(
                np.sum(
                    conv(*[v + sign * step * direction if i == which else v for i, v in enumerate(values)]) * cotangent
                )
            )
            for sign in (1, -1)
        ]
        # Central differences of a linear function have only rounding errors, about 1e-16 / 1e-6 of values near 10.
        assert np.sum(gradient * direction) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-7)


def test_dtypes_are_promoted(backend: Backend) -> None:
    x, weight, bias = make_inputs(CASES[4])
    y = ops.conv(
        *(*make_arrays(backend, x, dtype="float32"), *make_arrays(backend, weight), None),
        **make_options(CASES[4], True),
    )
    want = convolve_by_loops(x.astype(np.float32), weight, 0 * bias, CASES[4], True)
    assert backend.to_numpy(y).dtype == np.float64  # x and w may have different dtypes
    np.testing.assert_allclose(backend.to_numpy(y), want, rtol=1e-12, atol=1e-12)


def test_complex_input_is_convolved_by_parts(backend: Backend) -> None:
    # Convolution is linear in the real and imaginary parts.
    x, weight, bias = make_inputs(CASES[4])
    given = make_arrays(backend, x + 1j * x[::-1], weight, None)
    y = ops.conv(*given, **make_options(CASES[4], True))
    real, imaginary = (convolve_by_loops(part, weight, 0 * bias, CASES[4], True) for part in (x, x[::-1]))
    np.testing.assert_allclose(backend.to_numpy(y), real + 1j * imaginary, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("number", [2, 6, 11])
def test_half_precision_is_within_rounding_errors(differentiating: Backend, dtype: str, number: int) -> None:
    case = CASES[number]
    x, weight, bias = values = make_inputs(case)
    y = convolve_by_loops(x, weight, bias, case, True)
    given: Any = tuple(make_arrays(differentiating, *values, dtype=dtype))
    xp = namespace(given[0])
    conv = functools.partial(ops.conv, **make_options(case, True))
    got = xp.astype(conv(*given), xp.float32)
    # The error of a sum of n products is at most n + 3 roundings, to 11 or 8 bits, of the sum of absolute values: one
    # for each factor and the product, and one for each addition.
    unit = 2.0 ** (-11 if dtype == "float16" else -8)
    sizes = np.abs(x), np.abs(weight), np.abs(bias)
    bound = (weight[0].size + 3) * unit * convolve_by_loops(*sizes, case, True)
    assert (np.abs(differentiating.to_numpy(got) - y) <= bound).all()
    differentiate = luxport.grad(lambda inputs: xp.sum(xp.astype(conv(*inputs), xp.float32)))
    gradient = (luxport.jit(differentiate) if differentiating.name == "jax" else differentiate)(given)
    ones = [np.ones_like(part) for part in values]
    want, sums, terms = (pull_back(get_backend("torch"), conv, v, np.ones_like(y)) for v in (values, sizes, ones))
    for g, w, size, n in zip(gradient, want, sums, terms, strict=True):
        assert g.dtype == given[0].dtype
        assert (np.abs(differentiating.to_numpy(xp.astype(g, xp.float32)) - w) <= (n + 3) * unit * size).all()


# --- The layer


@pytest.mark.parametrize(
    ("options", "sizes", "places"),
    [
        ({}, (10, 10), (8, 8)),
        ({"stride": 2}, (5, 5), (2, 2)),
        ({"stride": 2, "padding": 3}, (5, 5), (5, 5)),
        ({"stride": 2, "padding": 3, "dilation": 2}, (5, 5), (4, 4)),
        ({"kernel": (2, 2)}, (10, 10), (9, 9)),
        ({"kernel": (2, 2), "stride": (2, 2), "padding": (2, 2)}, (10, 10), (7, 7)),
        ({"kernel": (4, 3), "stride": (2, 1), "padding": (3, 2)}, (10, 10), (7, 12)),
        ({"kernel": (2, 2), "stride": (2, 1), "padding": (3, 2), "dilation": (2, 2)}, (10, 10), (7, 12)),
        # from a case with a 1 x 2 kernel on 5 x 4 in Julia
        ({"kernel": (2, 1)}, (4, 5), (3, 5)),
        ({"kernel": (2, 1), "stride": 2, "dilation": 2, "padding": 3}, (4, 5), (4, 6)),
        ({"kernel": (2, 1), "stride": (2, 1), "dilation": (2, 1), "padding": (1, 0)}, (4, 5), (2, 5)),
        ({"kernel": (2, 1), "padding": ((3, 4), (1, 2))}, (4, 5), (10, 8)),
    ],
)
def test_output_sizes_are_exact(options: dict[str, Any], sizes: tuple[int, ...], places: tuple[int, ...]) -> None:
    kernel = options.get("kernel", (3, 3))
    rest = {name: value for name, value in options.items() if name != "kernel"}
    for layer in (luxport.Conv(kernel, 3, 16, **rest), luxport.CrossCor(kernel, 3, 16, **rest)):
        assert luxport.output_shape(layer, (7, 3, *sizes)) == (7, 16, *places)
        ps, st = luxport.setup(0, layer)
        assert layer(np.zeros((7, 3, *sizes), np.float32), ps, st)[0].shape == (7, 16, *places)


def test_a_layer_is_built_from_its_weight() -> None:
    for layer in (luxport.Conv, luxport.CrossCor):
        assert layer.from_weight(np.ones((4, 3, 2)))[1]["bias"].dtype == np.float64
        assert list(layer.from_weight(np.ones((5, 4, 3, 2)), False)[1]) == ["weight"]
        assert layer.from_weight(np.ones((6, 5, 4, 3, 2)), np.ones(6))[0] == layer((4, 3, 2), 5, 6)
        with pytest.raises(ValueError, match=r"expects a bias \(4,\) for its weight \(4, 3, 2\), got \(6,\)"):
            layer.from_weight(np.ones((4, 3, 2)), np.ones(6))
    with pytest.raises(ValueError, match="expects a weight"):
        luxport.Conv.from_weight(np.ones((4, 3)))


def test_parameters_are_counted_and_printed() -> None:
    layer = luxport.Conv((3, 2), 4, 6, luxport.relu, stride=(2, 1), padding=luxport.SamePad(), groups=2)
    assert repr(layer) == "Conv((3, 2), 4, 6, relu, stride=(2, 1), padding=SamePad(), groups=2)"
    assert repr(luxport.CrossCor((3,), 1, 2, use_bias=False)) == "CrossCor((3,), 1, 2, use_bias=False)"
    assert luxport.parameter_length(layer) == 6 * 2 * 3 * 2 + 6
    assert layer == luxport.Conv((3, 2), 4, 6, luxport.relu, stride=(2, 1), padding=luxport.SamePad(), groups=2)
    assert len({layer, layer, luxport.Conv((3, 2), 4, 6)}) == 2
    ps, _ = luxport.setup(0, layer)
    # glorot_uniform: fan in 2 · 6, fan out 6 · 6
    assert np.abs(ps["weight"]).max() <= np.sqrt(6 / (12 + 36)) and not ps["bias"].any()


# --- Compiled


def compile_function(backend: Backend, f: Callable[..., Any]) -> Callable[..., Any]:
    if backend.name == "torch":
        import torch

        return torch.compile(f, backend="aot_eager", fullgraph=True)
    return luxport.jit(f)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_compiled_equals_eager(differentiating: Backend, rank: int) -> None:
    layer = luxport.Conv((2, 3, 2)[:rank], 4, 4, luxport.tanh, stride=2, padding=luxport.SamePad(), groups=2)
    ps, st = luxport.setup(0, layer, backend=differentiating)
    x = differentiating.asarray(np.random.default_rng(0).random((3, 4, 6, 5, 4)[: rank + 2], np.float32))
    xp = namespace(x)

    def step(x: Any, ps: Any) -> Any:
        return luxport.value_and_grad(lambda ps: xp.sum(layer(x, ps, st)[0] ** 2))(ps)

    for got, want in zip(
        luxport.tree.leaves(compile_function(differentiating, step)(x, ps)),
        luxport.tree.leaves(step(x, ps)),
        strict=True,
    ):
        np.testing.assert_allclose(differentiating.to_numpy(got), differentiating.to_numpy(want), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("kernel", [(2,), (3, 2), (2, 1, 2)])
def test_the_batch_may_be_unknown_in_a_tensorflow_graph(kernel: tuple[int, ...], xla: bool) -> None:
    import tensorflow as tf

    layer = luxport.Conv(kernel, 2, 4, groups=2, padding=luxport.SamePad(), dilation=2)
    ps, st = luxport.setup(0, layer, backend="tf")
    spec = tf.TensorSpec((None, 2, *[5] * len(kernel)), tf.float32)
    graph = tf.function(lambda x: layer(x, ps, st)[0], input_signature=[spec], jit_compile=xla, autograph=False)
    x = tf.constant(np.random.default_rng(0).random((3, 2, *[5] * len(kernel)), np.float32))
    np.testing.assert_allclose(graph(x), layer(x, ps, st)[0], rtol=1e-5, atol=1e-5)
    if not xla:  # XLA knows the sizes at the call
        assert graph.get_concrete_function().output_shapes.as_list() == [None, 4, *[5] * len(kernel)]


def test_all_sizes_may_be_unknown_in_a_tensorflow_graph() -> None:
    import tensorflow as tf

    layer = luxport.Conv((3, 3), 1, 2, stride=2, padding=1)
    ps, st = luxport.setup(0, layer, backend="tf")
    graph = tf.function(lambda x: layer(x, ps, st)[0], input_signature=[tf.TensorSpec((None, 1, None, None))])
    x = tf.ones((1, 1, 7, 6))
    np.testing.assert_allclose(graph(x), layer(x, ps, st)[0], rtol=1e-6)


# --- Errors

BAD_OPTIONS = [
    ({"groups": 2}, "groups divides, got 3 and 10 in groups=2"),
    ({"in_channels": 2, "out_channels": 9, "groups": 2}, "got 2 and 9 in groups=2"),
    ({"in_channels": 0}, "in_channels and out_channels as positive channels"),
    ({"kernel": (2, 0)}, "kernel as a positive int or a tuple of 2, got (2, 0)"),
    ({"kernel": ()}, "kernel as a tuple of an int for each spatial axis, got ()"),
    ({"kernel": 2.5}, "got 2.5"),
    ({"stride": (1,)}, "stride as a positive int or a tuple of 2, got (1,)"),
    ({"stride": (1, 1, 1)}, "stride"),
    ({"stride": 0}, "stride"),
    ({"dilation": (1,)}, "dilation"),
    ({"dilation": (1, 1, 1)}, "dilation"),
    ({"padding": (1, 1, 1)}, "padding as an int of at least 0, a tuple of 2"),
    ({"padding": (1, 1, 1, 1)}, "or of pairs (low, high), or SamePad(), got (1, 1, 1, 1)"),
    ({"padding": -1}, "got -1"),
    ({"padding": ((0, 1), (-1, 0))}, "got ((0, 1), (-1, 0))"),
    ({"padding": ((0, 1, 2), 0)}, "padding"),
    ({"padding": "same"}, "got 'same'"),
    ({"padding": 1.5}, "got 1.5"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_wrong_options_are_errors_when_built(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        luxport.Conv(**{"kernel": (2, 2), "in_channels": 3, "out_channels": 10, **options})
    assert str(raised.value).startswith("Conv expects ") and message in str(raised.value)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        # an axis is missing
        ((2, 5, 5), "float32", "Conv at layer_1 expects (N, 3, H, W), got (2, 5, 5)"),
        ((1, 2, 5, 5), "float32", "Conv at layer_1 expects (N, 3, H, W), got (1, 2, 5, 5)"),
        # the dilated kernel exceeds the input
        (
            (1, 3, 5, 2),
            "float32",
            "expects at least 3 along axis 3 for its window of 3, got (1, 3, 5, 2): pad the input",
        ),
        ((1, 3, 0, 5), "float32", "along axis 2"),
        ((1, 3, 5, 5), "float64", "Conv at layer_1 expects float32 as its parameters, got float64"),
    ],
)
def test_wrong_inputs_are_errors(backend: Backend, shape: tuple[int, ...], dtype: str, message: str) -> None:
    model = luxport.Chain(luxport.Conv((3, 3), 3, 2, padding=((1, 1), 0)))
    ps, st = luxport.setup(0, model, backend=backend)
    with pytest.raises(LayerTypeError if dtype == "float64" else LayerError) as raised:
        model(backend.asarray(np.zeros(shape, dtype)), ps, st)
    assert message in str(raised.value) and "\n" not in str(raised.value)
