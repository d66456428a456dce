"""Transposed convolution, pooling and resampling compared with PyTorch's own, and in TensorFlow's graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch.nn import functional

import luxport
from luxport import ops
from luxport.ops import definition_of


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def assert_equal(ours: torch.Tensor, theirs: torch.Tensor, *inputs: torch.Tensor) -> None:
    """Assert equal values, and equal gradients of a weighted sum."""
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    weights = torch.cos(torch.arange(ours.numel(), dtype=ours.dtype)).reshape(ours.shape)
    got, want = (torch.autograd.grad((y * weights).sum(), inputs) for y in (ours, theirs))
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_equals_pytorchs(rank: int) -> None:
    # torch.nn.functional.conv_transpose1d, 2d and 3d, which do not flip the kernel
    x, weight, bias = draw(2, 4, *(3, 4, 2)[:rank]), draw(4, 3, *(3, 2, 2)[:rank], seed=1), draw(6, seed=2)
    stride, around, more, dilation = ((2, 3, 1)[:rank], (2, 0, 1)[:rank], (1, 2, 0)[:rank], (1, 2, 2)[:rank])
    theirs = getattr(functional, f"conv_transpose{rank}d")(x, weight, bias, stride, around, more, 2, dilation)
    ours = definition_of(ops.conv_transpose)(
        *(x, weight, bias),
        stride=stride,
        padding=tuple((n, n) for n in around),
        output_padding=more,
        dilation=dilation,
        groups=2,
        flip=False,
    )
    assert_equal(ours, theirs, x, weight, bias)


def test_unfold_and_fold_equal_pytorchs() -> None:
    # torch.nn.functional.unfold and fold: channels slowest, windows in C order
    x, columns = draw(2, 3, 6, 5), draw(2, 18, 12, seed=1)
    options: dict[str, Any] = {"window": (3, 2), "stride": (2, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 3)}
    theirs = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 1), "dilation": (1, 3)}
    assert_equal(ops.unfold(x, **options), functional.unfold(x, **theirs), x)
    assert_equal(ops.fold(columns, output_size=(6, 5), **options), functional.fold(columns, (6, 5), **theirs), columns)


@pytest.mark.parametrize("places", [(3, 2), (7, 5), (5, 4), (9, 3), (1, 1)])
def test_pools_with_variable_windows_equal_pytorchs(places: tuple[int, int]) -> None:
    # torch.nn.functional.adaptive_max_pool2d, adaptive_avg_pool2d
    x = draw(2, 3, 7, 5)
    options = {"output_size": places, "variable_windows": True}
    assert_equal(ops.adaptive_max_pool(x, **options), functional.adaptive_max_pool2d(x, places), x)
    assert_equal(ops.adaptive_mean_pool(x, **options), functional.adaptive_avg_pool2d(x, places), x)


def test_power_pools_equal_pytorchs() -> None:
    # torch.nn.functional.lp_pool2d, of positive numbers
    x = draw(2, 3, 7, 5).detach().abs().requires_grad_()
    y, _ = luxport.LPPool((2, 3), stride=1, p=3)(x, {}, {})
    assert_equal(y, functional.lp_pool2d(x, 3.0, (2, 3), 1), x)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(7, 9), (8, 10), (3, 2), (1, 5), (1, 1)])
def test_bilinear_upsampling_equals_pytorchs(size: tuple[int, int], align_corners: bool) -> None:
    # torch.nn.functional.interpolate
    x = draw(2, 3, 4, 5)
    theirs = functional.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)
    assert_equal(ops.upsample_linear(x, size=size, align_corners=align_corners), theirs, x)


def test_nearest_upsampling_and_shuffling_equal_pytorchs() -> None:
    # torch.nn.functional.interpolate and pixel_shuffle
    x = draw(2, 18, 4, 5)
    assert_equal(ops.upsample_nearest(x, scale=(2, 3)), functional.interpolate(x, scale_factor=(2, 3)), x)
    assert_equal(ops.pixel_shuffle(x, factor=3), functional.pixel_shuffle(x, 3), x)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("rank", [2, 3])
def test_sampling_of_grids_equals_pytorchs(rank: int, mode: Any, align: bool) -> None:
    # torch.nn.functional.grid_sample
    x, grid = draw(2, 3, *(4, 5, 3)[:rank]), draw(2, *(3, 2, 4)[:rank], rank, seed=1)
    theirs = functional.grid_sample(x, 2 * grid, padding_mode=mode, align_corners=align)
    assert_equal(ops.grid_sample(x, 2 * grid, padding_mode=mode, align_corners=align), theirs, x, grid)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("mode", ["zeros", "border", "reflection"])
def test_sampling_at_the_borders_equals_pytorchs(mode: Any, align: bool) -> None:
    # Only values are compared: at an edge, the choice between two slopes is a convention.
    edges = torch.linspace(-3.0, 3.0, 49, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(edges, edges, indexing="ij"), dim=-1)[None]
    x = draw(1, 2, 4, 1)
    theirs = functional.grid_sample(x, grid, padding_mode=mode, align_corners=align)
    torch.testing.assert_close(ops.grid_sample(x, grid, padding_mode=mode, align_corners=align), theirs)


@pytest.mark.parametrize("size", [(7, 9), (3, 2), (8, 3), (1, 1)])
def test_nearest_upsampling_to_any_size_equals_pytorchs(size: tuple[int, int]) -> None:
    # torch.nn.functional.interpolate
    x = draw(2, 3, 4, 5)
    assert_equal(luxport.Upsample(size=size)(x, {}, {})[0], functional.interpolate(x, size=size), x)


LAYERS: list[Any] = [
    luxport.ConvTranspose((3, 2), 4, 2, stride=(2, 1), padding=((1, 0), (0, 1)), groups=2),
    luxport.ConvTranspose((3, 2), 4, 2, stride=3, padding=luxport.SamePad()),
    luxport.Conv((3, 2), 4, 2, padding=luxport.SamePad(), padding_mode="reflect"),
    luxport.DepthwiseConv((3, 2), 4, 8),
    luxport.GlobalMaxPool(),
    luxport.GlobalMeanPool(),
    luxport.GlobalLPPool(),
    luxport.AdaptiveMaxPool((2, 3)),
    luxport.AdaptiveMeanPool((2, 3), variable_windows=True),
    luxport.Upsample(2),
    luxport.Upsample(size=(7, 3)),
    luxport.Upsample((1.5, 2), "bilinear"),
    luxport.PixelShuffle(2),
]


def test_layers_run_in_a_tensorflow_graph_for_any_batch() -> None:
    settings = [luxport.setup(0, layer, backend="tf") for layer in LAYERS]

    def programs(x: Any) -> list[Any]:
        return [layer(x, ps, st)[0] for layer, (ps, st) in zip(LAYERS, settings, strict=True)]

    graph: Callable[..., Any] = tf.function(
        programs, input_signature=[tf.TensorSpec((None, 4, 5, 6), tf.float32)], autograph=False
    )
    x = tf.constant(np.random.default_rng(0).standard_normal((3, 4, 5, 6)), tf.float32)
    for got, want in zip(graph(x), programs(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_sampling_runs_in_a_tensorflow_graph_for_any_batch() -> None:
    rng = np.random.default_rng(0)
    x, grid = (tf.constant(rng.standard_normal(shape), tf.float32) for shape in ((3, 2, 4, 5), (3, 2, 3, 2)))

    def programs(x: Any, grid: Any) -> list[Any]:
        columns = ops.unfold(x, window=(2, 2), stride=(1, 1), padding=((0, 0),) * 2, dilation=(1, 1))
        return [ops.grid_sample(x, grid), ops.imrotate(x, angle=0.5), columns]

    specs = [tf.TensorSpec((None, *array.shape[1:]), tf.float32) for array in (x, grid)]
    graph: Callable[..., Any] = tf.function(programs, input_signature=specs, autograph=False)
    for got, want in zip(graph(x, grid), programs(x, grid), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
