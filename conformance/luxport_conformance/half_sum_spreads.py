"""Examples of operations, layers and losses whose sums can overflow or lose digits in half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport_conformance.half_sums import Spread

__all__ = ["SPREAD"]

N, MANY = 3000, 5000


def _draw(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _draw_near_1(*shape: int, seed: int = 1) -> Any:
    return _draw(seed).uniform(0.5, 1.5, shape)


def _draw_near_500(*shape: int) -> Any:
    return 500.0 + 4.0 * _draw(1).normal(size=shape)


def _draw_weight(*shape: int) -> Any:
    return _draw(2).uniform(0.1, 0.5, shape)


def _draw_normal(*shape: int, seed: int = 4) -> Any:
    return _draw(seed).normal(size=shape)


def _draw_indices(*shape: int, below: int) -> Any:
    return _draw(3).integers(0, below, shape).astype(np.int32)


def _make_both(
    name: str, f: Any, shape: tuple[int, ...], *more: Any, far: float = 1.0, **options: Any
) -> Iterator[Spread]:
    """Yield a `Spread` with numbers near 1, and one with numbers near 500 and cotangents of size `far`."""
    yield Spread(f"{name}, near 1", f, (_draw_near_1(*shape), *more), **options)
    yield Spread(f"{name}, near 500", f, (_draw_near_500(*shape), *more), weight=far, **options)


def _get_operation(name: str, **options: Any) -> Callable[..., Any]:
    return lambda *arrays: getattr(ops, name)(*arrays, **options)


def _get_loss(name: str, **options: Any) -> Callable[..., Any]:
    return lambda *arrays: getattr(losses, name)(*arrays, **options)


def _list_products() -> Iterator[Spread]:
    small = 1 / 64
    yield from _make_both("dense", ops.dense, (N, 3), _draw_weight(3, 2), _draw_weight(2), far=small)
    yield from _make_both(
        "dense of three axes", ops.dense, (N // 10, 10, 3), _draw_weight(3, 2), _draw_weight(2), far=small
    )
    yield from _make_both("dense of long rows", ops.dense, (2, MANY), _draw_weight(MANY, 2) / 500, _draw_weight(2))
    bilinear = luxport.Bilinear((3, 2), 2)

    def multiply(x: Any, y: Any, weight: Any, bias: Any) -> Any:
        return bilinear((x, y), {"weight": weight, "bias": bias}, {})[0]

    yield from _make_both(
        "Bilinear", multiply, (N, 3), _draw_near_1(N, 2), _draw_weight(2, 3, 2), _draw_weight(2), far=small
    )
    for name, layer in (("Scale", luxport.Scale(3)), ("Diagonal", luxport.Diagonal(3))):

        def scale(x: Any, weight: Any, bias: Any, layer: Any = layer) -> Any:
            return layer(x, {"weight": weight, "bias": bias}, {})[0]

        yield from _make_both(name, scale, (N, 3), _draw_weight(3), _draw_weight(3), far=small)

    def bend(x: Any, weight: Any) -> Any:
        return luxport.PReLU(3)(-x, {"weight": weight}, {})[0]

    yield from _make_both("PReLU", bend, (N, 3), _draw_weight(3), far=small)
    for rank, kernel in ((1, (3,)), (2, (3, 3)), (3, (2, 1, 2))):
        shape = (40, 2, *((75,), (8, 8), (4, 4, 4))[rank - 1])
        yield from _make_both(f"conv {rank}d", ops.conv, shape, _draw_weight(3, 2, *kernel), _draw_weight(3), far=small)
        arrays = _draw_weight(2, 3, *kernel), _draw_weight(3)
        yield from _make_both(f"conv_transpose {rank}d", ops.conv_transpose, shape, *arrays, far=small)
    yield from _make_both("fold", _get_operation("fold", output_size=(60,), window=(20,)), (2, 40, 41))
    yield from _make_both("unfold", _get_operation("unfold", window=(600,)), (1, 1, 900))
    yield from _make_both("batched_mul", ops.batched_mul, (N, 2, 3), _draw_weight(3, 2), far=small)
    yield from _make_both("batched_matmul", ops.batched_matmul, (N, 2, 3), _draw_weight(1, 3, 2), far=small)
    yield from _make_both("batched_vec", ops.batched_vec, (N, 2, 3), _draw_weight(3), far=small)
    yield from _make_both(
        "bias_activation", _get_operation("bias_activation", activation=ops.relu), (N, 3), _draw_weight(3)
    )
    yield from _make_both("weight_norm", ops.weight_norm, (MANY, 3), _draw_near_1(1, 3))
    yield from _make_both(
        "spectral_norm",
        _get_operation("spectral_norm", axis=0, iterations=2),
        (3, MANY),
        _draw_near_1(3),
        constant=(1,),
    )


def _list_pools_and_norms() -> Iterator[Spread]:
    for name in ("mean_pool", "max_pool", "lp_pool"):
        yield from _make_both(name, _get_operation(name, window=(60, 50)), (2, 2, 60, 100))
        yield from _make_both(f"global_{name}", _get_operation(f"global_{name}"), (2, 2, 60, 100))
        for variable in (True, False):
            options = {"output_size": (2, 3), "variable_windows": variable}
            yield from _make_both(
                f"adaptive_{name} {variable}", _get_operation(f"adaptive_{name}", **options), (2, 2, 61, 50)
            )
    padded = {"window": (60, 50), "padding": (10, 11), "count_include_pad": False}
    yield from _make_both("mean_pool with padding", _get_operation("mean_pool", **padded), (2, 2, 60, 100))
    yield from _make_both(
        "mean_pool, dilated", _get_operation("mean_pool", window=(30, 30), dilation=2), (2, 2, 62, 62)
    )
    yield from _make_both("upsample_nearest", _get_operation("upsample_nearest", scale=(60, 50)), (2, 2, 2, 2))
    yield from _make_both("upsample_linear", _get_operation("upsample_linear", scale=(60, 50)), (2, 2, 3, 3))
    yield from _make_both("resize_nearest", _get_operation("resize_nearest", size=(121, 99)), (2, 2, 2, 2))
    yield from _make_both("pad_edge", _get_operation("pad_edge", padding=((300, 300),)), (2, 2, 3))
    channels = _draw_weight(3), _draw_weight(3)
    for shape in ((N, 3), (30, 3, 10, 10)):
        norm = _get_operation("batch_norm", training=True, epsilon=1e-3)
        yield from _make_both(
            f"batch_norm {shape}", norm, shape, *channels, _draw_near_1(3), _draw_near_1(3), constant=(3, 4)
        )
    norm = _get_operation("instance_norm", training=True, epsilon=1e-3)
    yield from _make_both(
        "instance_norm", norm, (3, 3, 60, 50), *channels, _draw_near_1(3), _draw_near_1(3), constant=(3, 4)
    )
    yield from _make_both(
        "group_norm", _get_operation("group_norm", groups=3, epsilon=1e-3), (30, 3, 10, 10), *channels
    )
    for name, parameters in (("layer_norm", 2), ("rms_norm", 1)):
        for rows, length in ((N, 8), (3, MANY)):
            arrays = [_draw_weight(length) for _ in range(parameters)]
            yield from _make_both(f"{name} of {rows} rows", _get_operation(name, epsilon=1e-3), (rows, length), *arrays)
    yield from _make_both("normalize", _get_operation("normalize", axis=0), (MANY, 3))


def _list_tables_and_sequences() -> Iterator[Spread]:
    for name in ("softmax", "logsoftmax", "logsumexp"):
        for axis in (0, (0, 1)):
            yield from _make_both(f"{name} along {axis}", _get_operation(name, axis=axis), (MANY, 2))
    zeros = np.zeros((2, 70000))
    yield Spread("softmax of 70,000 zeros", _get_operation("softmax"), (zeros,))
    yield Spread("logsoftmax of 70,000 zeros", _get_operation("logsoftmax"), (zeros,), weight=1 / 128)
    rows = _draw_indices(N, below=4)
    for name in ("embedding", "gather"):
        yield from _make_both(name, _get_operation(name), (4, 3), rows)
    for op in ("+", "-", "mean", "max"):
        yield from _make_both(f"scatter {op}", _get_operation("scatter", op=op, size=4), (N, 2), rows, far=1 / 64)
    for op in ("sum", "max"):
        yield from _make_both(f"segment_reduce {op}", _get_operation("segment_reduce", op=op, size=4), (N, 2), rows)
    factors = 1.0 + 0.01 * _draw_normal(N, 2)
    yield Spread("segment_reduce prod", _get_operation("segment_reduce", op="prod", size=4), (factors, rows))
    for reduction in ("mean", "sum"):
        bag = luxport.EmbeddingBag(4, 3, reduction)
        bags = _draw_indices(2, MANY, below=4)

        def look_up(weight: Any, x: Any, bag: Any = bag) -> Any:
            return bag(x, {"weight": weight}, {})[0]

        yield from _make_both(f"EmbeddingBag {reduction}", look_up, (4, 3), bags)
    offsets = np.array([0, 10], np.int32)
    bag_mean = luxport.EmbeddingBag(4, 3)

    def look_up_by_offsets(weight: Any, x: Any, offsets: Any) -> Any:
        return bag_mean((x, offsets), {"weight": weight}, {})[0]

    yield from _make_both("EmbeddingBag by offsets", look_up_by_offsets, (4, 3), _draw_indices(MANY, below=4), offsets)
    for scores in (True, False):
        name, attend = (
            "scaled_dot_product_attention",
            _get_operation("scaled_dot_product_attention", return_scores=scores),
        )
        queries, keys = _draw_normal(2, 3, 2, 4), _draw_normal(2, MANY, 2, 4, seed=5)
        yield Spread(f"{name} to many, scores {scores}", attend, (queries, keys, _draw_near_1(2, MANY, 2, 4)))
        large = 300 * _draw(1).uniform(0.9, 1.0, (2, 3, 2, 4)), 300 * _draw(2).uniform(0.9, 1.0, (2, 5, 2, 4))
        yield Spread(f"{name} with logits of 100,000, scores {scores}", attend, (*large, _draw_near_1(2, 5, 2, 4)))
        many = _draw_normal(600, 5, 2, 4), _draw_normal(600, 5, 2, 4, seed=5), _draw_near_1(600, 5, 2, 4)
        yield Spread(f"{name} with a bias, scores {scores}", attend, (*many, _draw_normal(2, 5, 5)))
    for name, gates, carries in (("rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1)):
        half = {"low": -0.5, "high": 0.5}
        sizes = ((3, 2 * gates), (2, 2 * gates), (2 * gates,), (2 * gates,), *[(N // 2, 2)] * carries)
        parameters = [_draw(20 + i).uniform(size=size, **half) for i, size in enumerate(sizes)]
        yield Spread(f"{name}_sweep", _get_operation(f"{name}_sweep"), (_draw_near_1(3, N // 2, 3), *parameters))
    sizes = (3, 6), (2, 6), (2, 2), (6,), (N // 2, 2)
    parameters = [_draw(20 + i).uniform(-0.5, 0.5, size) for i, size in enumerate(sizes)]
    yield Spread("gru_v3_sweep", ops.gru_v3_sweep, (_draw_near_1(3, N // 2, 3), *parameters))
    scores = _get_operation("dot_product_attention_scores")
    yield Spread(
        "dot_product_attention_scores", scores, (_draw_normal(2, 3, 2, 4), _draw_normal(2, MANY, 2, 4, seed=5))
    )
    yield from _make_both("stft", _compute_power_of_stft, (2, 4000), _draw_near_1(512), far=1 / 512)
    yield from _make_both("imrotate", _get_operation("imrotate", angle=0.3), (1, 2, 60, 60))
    window = _draw_near_1(512)
    yield from _make_both("spectrogram", _get_operation("spectrogram", n_fft=512, power=1.0), (2, 4000), window)
    normalized = _get_operation("spectrogram", n_fft=512, window_normalized=True)
    yield from _make_both("spectrogram with a window's norm", normalized, (2, 4000), window, far=1 / 64)
    grid = _draw(4).uniform(-0.9, 0.9, (1, 40, 40, 2))
    yield Spread("grid_sample", ops.grid_sample, (_draw_near_1(1, 1, 400, 300), grid), constant=(1,))


def _compute_power_of_stft(x: Any, window: Any) -> Any:
    found = ops.stft(x, window, n_fft=512)
    xp = luxport.namespace(found)
    return xp.real(found) + xp.imag(found)


def _list_losses() -> Iterator[Spread]:
    other = _draw_near_1(MANY, seed=5)
    for name in (
        "mse",
        "mae",
        "huber_loss",
        "hinge_loss",
        "squared_hinge_loss",
        "poisson_loss",
        "logitbinarycrossentropy",
    ):
        yield from _make_both(name, _get_loss(name), (MANY,), other)
    for name in ("dice_coeff_loss", "tversky_loss", "cosine_similarity_loss", "siamese_contrastive_loss"):
        yield from _make_both(name, _get_loss(name), (MANY,), other)
        if not name.startswith("cosine"):  # for the cosine the error of float32 itself is too large here
            yield Spread(f"{name} of 500 and 600", _get_loss(name), (_draw_near_500(MANY), _draw_near_500(MANY) + 100))
    triplet = [_draw_near_1(2, MANY, seed=seed) for seed in (5, 6)]
    yield Spread("triplet_margin_loss, near 1", losses.triplet_margin_loss, (_draw_near_1(2, MANY), *triplet))
    # All three near 500: otherwise two distances of 35,000 differ by 1, which float32 itself computes inexactly.
    triplet = [_draw_near_500(2, MANY) + 4.0 * _draw_normal(2, MANY, seed=seed) for seed in (5, 6)]
    yield Spread("triplet_margin_loss, near 500", losses.triplet_margin_loss, (_draw_near_500(2, MANY), *triplet))
    yield from _make_both("gaussian_nll", losses.gaussian_nll, (MANY,), other, _draw_near_1(MANY, seed=6))
    labels = _draw_indices(MANY, below=4)
    shares, one_hot = _draw(4).dirichlet(np.ones(4), MANY) * 0.9 + 0.025, np.eye(4)[labels]
    for name in ("crossentropy", "focal_loss", "kldivergence"):
        yield Spread(name, _get_loss(name, epsilon=1e-3), (shares, one_hot), constant=(1,))
    yield from _make_both("msle", _get_loss("msle", epsilon=1e-3), (MANY,), other)
    yield Spread("sparse_crossentropy", _get_loss("sparse_crossentropy", epsilon=1e-3), (shares, labels))
    for name in ("binarycrossentropy", "binary_focal_loss"):
        yield Spread(name, _get_loss(name, epsilon=1e-3), (shares[:, 0], one_hot[:, 0]), constant=(1,))
    rows = np.tile(np.eye(2), (35000, 1))
    yield Spread("logitcrossentropy over 70,000 rows", losses.logitcrossentropy, (np.zeros((70000, 2)), rows))
    wide = np.zeros((1, 70000)), np.eye(1, 70000)
    yield Spread("logitcrossentropy of 70,000 classes", losses.logitcrossentropy, wide)
    for name in ("sparse_logitcrossentropy", "nll_loss"):
        yield Spread(name, _get_loss(name), (_draw_normal(70000, 4), _draw_indices(70000, below=4)))
    yield Spread("ctc_loss", losses.ctc_loss, (_draw_normal(N, 6, 4), _draw_indices(N, 2, below=3)))


SPREAD = (*_list_products(), *_list_pools_and_norms(), *_list_tables_and_sequences(), *_list_losses())
