"""Cases of defaults of operations: options that a call leaves out, or gives in a short form."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, check_refusal

LINE = np.arange(1.0, 6.0)[None, None]
SAMPLES = np.array([[-1e-3, 5.0], [1e-3, 7.0]])


def _compute_convolutions(x: Any, weight: Any) -> dict[str, Any]:
    columns = ops.unfold(x, window=2)
    return {
        "plain": ops.conv(x, weight),
        "correlated": ops.conv(x, weight, flip=False),
        "strided": ops.conv(x, weight, stride=2, padding=1),
        "one_side": ops.conv(x, weight, padding=((0, 1),), dilation=(2,)),
        "transposed": ops.conv_transpose(x[..., :2], weight, stride=2, output_padding=1),
        "columns": columns,
        "folded": ops.fold(columns, output_size=(5,), window=2),
        "dense": ops.dense(x[0, ...], weight[0, ...] * x[0, :, :, None][0, ...]),
    }


def _compute_pools(x: Any) -> dict[str, Any]:
    return {
        "max": ops.max_pool(x, window=2),
        "max_dense": ops.max_pool(x, window=(2,), stride=1, dilation=2),
        "mean": ops.mean_pool(x, window=2, padding=1),
        "mean_inside": ops.mean_pool(x, window=2, padding=((1, 0),), count_include_pad=False),
        "lp": ops.lp_pool(x, window=2, stride=3),
    }


def _compute_norms(x: Any) -> dict[str, Any]:
    y, mean, var = ops.batch_norm(x, training=True)
    _, tracked, _ = ops.batch_norm(x, None, None, x[0, ...], x[0, ...], training=True)
    return {
        "batch": y,
        "untracked": mean is None and var is None,
        "tracked": tracked,
        "instance": ops.instance_norm(ops.batched_transpose(x)[None, ...], training=True)[0],
        "group": ops.group_norm(ops.batched_transpose(x)[None, ...], groups=2),
        "layer": ops.layer_norm(ops.batched_transpose(x)),
        "rms": ops.rms_norm(ops.batched_transpose(x)),
    }


def _expect_norms(x: Any) -> dict[str, Any]:
    epsilon = 2.0 ** (-23 * 5 / 7)
    y = (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon)
    return {
        "batch": y,
        "untracked": True,
        "tracked": 0.9 * x[0] + 0.1 * x.mean(0),
        "instance": y.T[None],
        "group": y.T[None],
        "layer": y.T,
        "rms": (x / np.sqrt((x * x).mean(0) + epsilon)).T,
    }


_OTHER_LENGTH = "nnlib: options of another length than the spatial axes are an error"

CASES: tuple[Case, ...] = (
    check_function(
        "conv.short",
        ("nnlib: conv(x, w; stride=1, pad=0, dilation=1, flipped=false, groups=1), counted by hand",),
        _compute_convolutions,
        LINE,
        np.array([[[1.0, 2.0]]]),
        subject="conv",
        expected={
            "plain": [[[4.0, 7.0, 10.0, 13.0]]],
            "correlated": [[[5.0, 8.0, 11.0, 14.0]]],
            "strided": [[[1.0, 7.0, 13.0]]],
            "one_side": [[[5.0, 8.0, 11.0, 8.0]]],
            "transposed": [[[2.0, 1.0, 4.0, 2.0, 0.0]]],
            "columns": [[[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]]],
            "folded": [[[1.0, 4.0, 6.0, 8.0, 5.0]]],
            "dense": [[55.0, 110.0]],
        },
        dtypes=("float32",),
        compiles=False,
    ),
    check_function(
        "max_pool.short",
        ("nnlib: maxpool(x, k; pad=0, stride=k, dilation=1) and its like, counted by hand",),
        _compute_pools,
        LINE,
        subject="max_pool",
        expected={
            "max": [[[2.0, 4.0]]],
            "max_dense": [[[3.0, 4.0, 5.0]]],
            "mean": [[[0.5, 2.5, 4.5]]],
            "mean_inside": [[[1.0, 2.5, 4.5]]],
            "lp": [[[5**0.5, 41**0.5]]],
        },
        dtypes=("float32",),
        compiles=False,
    ),
    check_function(
        "batch_norm.short",
        ("lux: epsilon is eps(T)^(5/7) and momentum 0.1 in LuxLib's normalizations",),
        _compute_norms,
        SAMPLES,
        subject="batch_norm",
        expected=_expect_norms,
        dtypes=("float32",),
        compiles=False,
    ),
    *(
        check_refusal(
            f"lp_pool.power_{name}",
            ("nnlib: p is positive and finite",),
            lambda x, p=p: ops.lp_pool(x, window=2, p=p),
            {"x": LINE},
            subject="lp_pool",
            message=f"expects p as a positive finite number, got {p}",
        )
        for name, p in (("zero", 0), ("negative", -1.0), ("infinite", float("inf")))
    ),
    *(
        check_refusal(id, (source,), program, {"x": LINE}, subject=id.partition(".")[0], raises=error, message=message)
        for id, source, program, error, message in (
            (
                "conv.uneven_options",
                _OTHER_LENGTH,
                lambda x: ops.conv(x, x, stride=(1, 1)),
                ValueError,
                r"expects one stride for all spatial axes or a tuple of 1, got \(1, 1\)",
            ),
            (
                "max_pool.window_of_another_rank",
                _OTHER_LENGTH,
                lambda x: ops.max_pool(x, window=(1, 2), stride=(1, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
                ValueError,
                r"expects one window for all spatial axes or a tuple of 1, got \(1, 2\)",
            ),
            (
                "max_pool.stride_of_zero",
                "pytorch: a stride of zero is an error",
                lambda x: ops.max_pool(x, window=(2,), stride=(0,), padding=((0, 0),), dilation=(1,)),
                ValueError,
                r"expects a positive stride, got \(0,\)",
            ),
            (
                "max_pool.no_window",
                "python: an argument without a default is required",
                lambda x: ops.max_pool(x),  # type: ignore[call-arg]  # the missing argument is what this case checks
                TypeError,
                r"max_pool expects window, which is missing: it takes \(x, window, stride, padding, dilation\)",
            ),
        )
    ),
)
