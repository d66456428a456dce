"""What half precision sums up: operations, layers and losses whose sums overflow or lose digits there."""

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


def _near(*shape: int, seed: int = 1) -> Any:
    return _draw(seed).uniform(0.5, 1.5, shape)


def _far(*shape: int) -> Any:
    return 500.0 + 4.0 * _draw(1).normal(size=shape)


def _weight(*shape: int) -> Any:
    return _draw(2).uniform(0.1, 0.5, shape)


def _normal(*shape: int, seed: int = 4) -> Any:
    return _draw(seed).normal(size=shape)


def _indices(*shape: int, below: int) -> Any:
    return _draw(3).integers(0, below, shape).astype(np.int32)


def _both(name: str, f: Any, shape: tuple[int, ...], *more: Any, far: float = 1.0, **options: Any) -> Iterator[Spread]:
    """Call with numbers near 1 and near 500; `far` is the size of the cotangents of the latter."""
    yield Spread(f"{name}, near 1", f, (_near(*shape), *more), **options)
    yield Spread(f"{name}, near 500", f, (_far(*shape), *more), weight=far, **options)


def _op(name: str, **options: Any) -> Callable[..., Any]:
    return lambda *arrays: getattr(ops, name)(*arrays, **options)


def _loss(name: str, **options: Any) -> Callable[..., Any]:
    return lambda *arrays: getattr(losses, name)(*arrays, **options)


def _products() -> Iterator[Spread]:
    small = 1 / 64
    yield from _both("dense", ops.dense, (N, 3), _weight(3, 2), _weight(2), far=small)
    yield from _both("dense of three axes", ops.dense, (N // 10, 10, 3), _weight(3, 2), _weight(2), far=small)
    yield from _both("dense of long rows", ops.dense, (2, MANY), _weight(MANY, 2) / 500, _weight(2))
    bilinear = luxport.Bilinear((3, 2), 2)

    def multiply(x: Any, y: Any, weight: Any, bias: Any) -> Any:
        return bilinear((x, y), {"weight": weight, "bias": bias}, {})[0]

    yield from _both("Bilinear", multiply, (N, 3), _near(N, 2), _weight(2, 3, 2), _weight(2), far=small)
    for name, layer in (("Scale", luxport.Scale(3)), ("Diagonal", luxport.Diagonal(3))):

        def scaled(x: Any, weight: Any, bias: Any, layer: Any = layer) -> Any:
            return layer(x, {"weight": weight, "bias": bias}, {})[0]

        yield from _both(name, scaled, (N, 3), _weight(3), _weight(3), far=small)

    def bent(x: Any, weight: Any) -> Any:
        return luxport.PReLU(3)(-x, {"weight": weight}, {})[0]

    yield from _both("PReLU", bent, (N, 3), _weight(3), far=small)
    for rank, kernel in ((1, (3,)), (2, (3, 3)), (3, (2, 1, 2))):
        shape = (40, 2, *((75,), (8, 8), (4, 4, 4))[rank - 1])
        yield from _both(f"conv {rank}d", ops.conv, shape, _weight(3, 2, *kernel), _weight(3), far=small)
        arrays = _weight(2, 3, *kernel), _weight(3)
        yield from _both(f"conv_transpose {rank}d", ops.conv_transpose, shape, *arrays, far=small)
    yield from _both("fold", _op("fold", output_size=(60,), window=(20,)), (2, 40, 41))
    yield from _both("unfold", _op("unfold", window=(600,)), (1, 1, 900))
    yield from _both("batched_mul", ops.batched_mul, (N, 2, 3), _weight(3, 2), far=small)
    yield from _both("batched_matmul", ops.batched_matmul, (N, 2, 3), _weight(1, 3, 2), far=small)
    yield from _both("batched_vec", ops.batched_vec, (N, 2, 3), _weight(3), far=small)
    yield from _both("bias_activation", _op("bias_activation", activation=ops.relu), (N, 3), _weight(3))
    yield from _both("weight_norm", ops.weight_norm, (MANY, 3), _near(1, 3))
    yield from _both("spectral_norm", _op("spectral_norm", axis=0, iterations=2), (3, MANY), _near(3), constant=(1,))


def _pools_and_norms() -> Iterator[Spread]:
    for name in ("mean_pool", "max_pool", "lp_pool"):
        yield from _both(name, _op(name, window=(60, 50)), (2, 2, 60, 100))
        yield from _both(f"global_{name}", _op(f"global_{name}"), (2, 2, 60, 100))
        for variable in (True, False):
            options = {"output_size": (2, 3), "variable_windows": variable}
            yield from _both(f"adaptive_{name} {variable}", _op(f"adaptive_{name}", **options), (2, 2, 61, 50))
    padded = {"window": (60, 50), "padding": (10, 11), "count_include_pad": False}
    yield from _both("mean_pool with padding", _op("mean_pool", **padded), (2, 2, 60, 100))
    yield from _both("mean_pool, dilated", _op("mean_pool", window=(30, 30), dilation=2), (2, 2, 62, 62))
    yield from _both("upsample_nearest", _op("upsample_nearest", scale=(60, 50)), (2, 2, 2, 2))
    yield from _both("upsample_linear", _op("upsample_linear", scale=(60, 50)), (2, 2, 3, 3))
    yield from _both("resize_nearest", _op("resize_nearest", size=(121, 99)), (2, 2, 2, 2))
    yield from _both("pad_edge", _op("pad_edge", padding=((300, 300),)), (2, 2, 3))
    channels = _weight(3), _weight(3)
    for shape in ((N, 3), (30, 3, 10, 10)):
        norm = _op("batch_norm", training=True, epsilon=1e-3)
        yield from _both(f"batch_norm {shape}", norm, shape, *channels, _near(3), _near(3), constant=(3, 4))
    norm = _op("instance_norm", training=True, epsilon=1e-3)
    yield from _both("instance_norm", norm, (3, 3, 60, 50), *channels, _near(3), _near(3), constant=(3, 4))
    yield from _both("group_norm", _op("group_norm", groups=3, epsilon=1e-3), (30, 3, 10, 10), *channels)
    for name, parameters in (("layer_norm", 2), ("rms_norm", 1)):
        for rows, length in ((N, 8), (3, MANY)):
            arrays = [_weight(length) for _ in range(parameters)]
            yield from _both(f"{name} of {rows} rows", _op(name, epsilon=1e-3), (rows, length), *arrays)
    yield from _both("normalize", _op("normalize", axis=0), (MANY, 3))


def _tables_and_sequences() -> Iterator[Spread]:
    for name in ("softmax", "logsoftmax", "logsumexp"):
        for axis in (0, (0, 1)):
            yield from _both(f"{name} along {axis}", _op(name, axis=axis), (MANY, 2))
    zeros = np.zeros((2, 70000))
    yield Spread("softmax of 70,000 zeros", _op("softmax"), (zeros,))
    yield Spread("logsoftmax of 70,000 zeros", _op("logsoftmax"), (zeros,), weight=1 / 128)
    rows = _indices(N, below=4)
    for name in ("embedding", "gather"):
        yield from _both(name, _op(name), (4, 3), rows)
    for op in ("+", "-", "mean", "max"):
        yield from _both(f"scatter {op}", _op("scatter", op=op, size=4), (N, 2), rows, far=1 / 64)
    for op in ("sum", "max"):
        yield from _both(f"segment_reduce {op}", _op("segment_reduce", op=op, size=4), (N, 2), rows)
    factors = 1.0 + 0.01 * _normal(N, 2)
    yield Spread("segment_reduce prod", _op("segment_reduce", op="prod", size=4), (factors, rows))
    for reduction in ("mean", "sum"):
        bag = luxport.EmbeddingBag(4, 3, reduction)
        bags = _indices(2, MANY, below=4)

        def look_up(weight: Any, x: Any, bag: Any = bag) -> Any:
            return bag(x, {"weight": weight}, {})[0]

        yield from _both(f"EmbeddingBag {reduction}", look_up, (4, 3), bags)
    offsets = np.array([0, 10], np.int32)
    bag_mean = luxport.EmbeddingBag(4, 3)

    def by_offsets(weight: Any, x: Any, offsets: Any) -> Any:
        return bag_mean((x, offsets), {"weight": weight}, {})[0]

    yield from _both("EmbeddingBag by offsets", by_offsets, (4, 3), _indices(MANY, below=4), offsets)
    for scores in (True, False):
        name, attend = "scaled_dot_product_attention", _op("scaled_dot_product_attention", return_scores=scores)
        queries, keys = _normal(2, 3, 2, 4), _normal(2, MANY, 2, 4, seed=5)
        yield Spread(f"{name} to many, scores {scores}", attend, (queries, keys, _near(2, MANY, 2, 4)))
        large = 300 * _draw(1).uniform(0.9, 1.0, (2, 3, 2, 4)), 300 * _draw(2).uniform(0.9, 1.0, (2, 5, 2, 4))
        yield Spread(f"{name} with logits of 100,000, scores {scores}", attend, (*large, _near(2, 5, 2, 4)))
        many = _normal(600, 5, 2, 4), _normal(600, 5, 2, 4, seed=5), _near(600, 5, 2, 4)
        yield Spread(f"{name} with a bias, scores {scores}", attend, (*many, _normal(2, 5, 5)))
    for name, gates, carries in (("rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1)):
        half = {"low": -0.5, "high": 0.5}
        sizes = ((3, 2 * gates), (2, 2 * gates), (2 * gates,), (2 * gates,), *[(N // 2, 2)] * carries)
        parameters = [_draw(20 + i).uniform(size=size, **half) for i, size in enumerate(sizes)]
        yield Spread(f"{name}_sweep", _op(f"{name}_sweep"), (_near(3, N // 2, 3), *parameters))
    sizes = (3, 6), (2, 6), (2, 2), (6,), (N // 2, 2)
    parameters = [_draw(20 + i).uniform(-0.5, 0.5, size) for i, size in enumerate(sizes)]
    yield Spread("gru_v3_sweep", ops.gru_v3_sweep, (_near(3, N // 2, 3), *parameters))
    scores = _op("dot_product_attention_scores")
    yield Spread("dot_product_attention_scores", scores, (_normal(2, 3, 2, 4), _normal(2, MANY, 2, 4, seed=5)))
    yield from _both("stft", _power_of_stft, (2, 4000), _near(512), far=1 / 512)
    yield from _both("imrotate", _op("imrotate", angle=0.3), (1, 2, 60, 60))
    window = _near(512)
    yield from _both("spectrogram", _op("spectrogram", n_fft=512, power=1.0), (2, 4000), window)
    normalized = _op("spectrogram", n_fft=512, window_normalized=True)
    yield from _both("spectrogram with a window's norm", normalized, (2, 4000), window, far=1 / 64)
    grid = _draw(4).uniform(-0.9, 0.9, (1, 40, 40, 2))
    yield Spread("grid_sample", ops.grid_sample, (_near(1, 1, 400, 300), grid), constant=(1,))


def _power_of_stft(x: Any, window: Any) -> Any:
    found = ops.stft(x, window, n_fft=512)
    xp = luxport.namespace(found)
    return xp.real(found) + xp.imag(found)


def _of_losses() -> Iterator[Spread]:
    other = _near(MANY, seed=5)
    for name in (
        "mse",
        "mae",
        "huber_loss",
        "hinge_loss",
        "squared_hinge_loss",
        "poisson_loss",
        "logitbinarycrossentropy",
    ):
        yield from _both(name, _loss(name), (MANY,), other)
    for name in ("dice_coeff_loss", "tversky_loss", "cosine_similarity_loss", "siamese_contrastive_loss"):
        yield from _both(name, _loss(name), (MANY,), other)
        if not name.startswith("cosine"):  # of which float32 itself has no more than this much left
            yield Spread(f"{name} of 500 and 600", _loss(name), (_far(MANY), _far(MANY) + 100))
    triplet = [_near(2, MANY, seed=seed) for seed in (5, 6)]
    yield Spread("triplet_margin_loss, near 1", losses.triplet_margin_loss, (_near(2, MANY), *triplet))
    # All three near 500: of two distances of 35,000 that differ by 1 float32 itself has little left.
    triplet = [_far(2, MANY) + 4.0 * _normal(2, MANY, seed=seed) for seed in (5, 6)]
    yield Spread("triplet_margin_loss, near 500", losses.triplet_margin_loss, (_far(2, MANY), *triplet))
    yield from _both("gaussian_nll", losses.gaussian_nll, (MANY,), other, _near(MANY, seed=6))
    labels = _indices(MANY, below=4)
    shares, one_hot = _draw(4).dirichlet(np.ones(4), MANY) * 0.9 + 0.025, np.eye(4)[labels]
    for name in ("crossentropy", "focal_loss", "kldivergence"):
        yield Spread(name, _loss(name, epsilon=1e-3), (shares, one_hot), constant=(1,))
    yield from _both("msle", _loss("msle", epsilon=1e-3), (MANY,), other)
    yield Spread("sparse_crossentropy", _loss("sparse_crossentropy", epsilon=1e-3), (shares, labels))
    for name in ("binarycrossentropy", "binary_focal_loss"):
        yield Spread(name, _loss(name, epsilon=1e-3), (shares[:, 0], one_hot[:, 0]), constant=(1,))
    rows = np.tile(np.eye(2), (35000, 1))
    yield Spread("logitcrossentropy over 70,000 rows", losses.logitcrossentropy, (np.zeros((70000, 2)), rows))
    wide = np.zeros((1, 70000)), np.eye(1, 70000)
    yield Spread("logitcrossentropy of 70,000 classes", losses.logitcrossentropy, wide)
    for name in ("sparse_logitcrossentropy", "nll_loss"):
        yield Spread(name, _loss(name), (_normal(70000, 4), _indices(70000, below=4)))
    yield Spread("ctc_loss", losses.ctc_loss, (_normal(N, 6, 4), _indices(N, 2, below=3)))


SPREAD = (*_products(), *_pools_and_norms(), *_tables_and_sequences(), *_of_losses())
