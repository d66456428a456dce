"""Padding and resampling are exported as one operator each, and onnxruntime's results equal NumPy's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport_conformance.onnx_exports import Exported

IMAGES = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype(np.float32)
OPERATORS: dict[str, tuple[str, Callable[..., Any]]] = {
    "constant": ("Pad", lambda x: ops.pad_constant(x, padding=((1, 2), (0, 3)), value=2.0)),
    "edge": ("Pad", lambda x: ops.pad_edge(x, padding=3)),
    "reflect": ("Pad", lambda x: ops.pad_reflect(x, padding=2)),
    "circular": ("Pad", lambda x: ops.pad_circular(x, padding=(2, (0, 1)))),
    "shuffle": ("DepthToSpace", lambda x: ops.pixel_shuffle(x, factor=2)),
    "nearest": ("Resize", lambda x: ops.upsample_nearest(x, scale=(2, 3))),
    "linear": ("Resize", lambda x: ops.upsample_linear(x, scale=2)),
    "linear_cells": ("Resize", lambda x: ops.upsample_linear(x, scale=3, align_corners=False)),
    "linear_size": ("Resize", lambda x: ops.upsample_linear(x, size=(3, 11))),
    "linear_cells_size": ("Resize", lambda x: ops.upsample_linear(x, size=(3, 11), align_corners=False)),
}


@pytest.mark.parametrize("shape", [("N", 4, "H", "W"), IMAGES.shape], ids=["free", "fixed"])
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operation_is_one_operator(name: str, shape: tuple[Any, ...]) -> None:
    operator, f = OPERATORS[name]
    run = Exported(luxport.WrappedFunction(f), {}, {}, shape)
    assert [node.op_type for node in run.graph.graph.node] == [operator]
    for x in (IMAGES, np.concatenate([IMAGES] * 2, axis=3)) if "N" in shape else (IMAGES,):
        np.testing.assert_allclose(run(x)[0], f(x), rtol=0, atol=8 * np.finfo(np.float32).eps * np.abs(x).max())


def test_fractional_scales_with_free_sizes() -> None:
    def f(x: Any) -> Any:
        return ops.upsample_linear(x, scale=1.5)

    run = Exported(luxport.WrappedFunction(f), {}, {}, ("N", 4, "H", "W"))
    np.testing.assert_allclose(run(IMAGES)[0], f(IMAGES), rtol=0, atol=1e-6)


def test_any_and_all_of_an_empty_axis() -> None:
    """For an empty axis, such as CTC's labels may have, `any` is false and `all` is true."""

    def f(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.astype(xp.any(x > 0, axis=1), xp.float32), xp.astype(xp.all(x > 0, axis=1), xp.float32)

    run = Exported(luxport.WrappedFunction(f), {}, {}, ("N", "T"))
    none, all_ = run(np.zeros((3, 0), np.float32))
    assert none.tolist() == [0.0] * 3
    assert all_.tolist() == [1.0] * 3


def test_a_transposed_matrix_times_a_vector() -> None:
    """onnxruntime fuses transpose and product wrongly for a vector, so vectors are exported as matrices."""

    def f(x: Any) -> Any:
        matrix, right, left = x
        xp = luxport.namespace(matrix)
        turned = xp.matrix_transpose(matrix)
        return xp.matmul(turned, right), xp.matmul(left, turned), xp.matmul(turned, xp.stack([right, right], axis=1))

    draw = np.random.default_rng(0)
    x = tuple(draw.normal(size=shape).astype(np.float32) for shape in ((3, 4), (3,), (4,)))
    for got, want in zip(Exported(luxport.WrappedFunction(f), {}, {}, x)(x), f(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["log2", "log10"])
def test_logarithms_keep_the_dtype(name: str) -> None:
    for dtype in (np.float16, np.float32):
        x = np.array([0.5, 1.0, 8.0], dtype)
        (got,) = Exported(luxport.WrappedFunction(lambda x: getattr(luxport.namespace(x), name)(x)), {}, {}, x)(x)
        np.testing.assert_allclose(got, getattr(np, name)(x), rtol=1e-3)
        assert got.dtype == dtype


INFINITE = np.array([[-np.inf, -2.0, 0.5], [np.inf, 3.0, -1.0], [np.nan, 1.0, 1.0]], np.float32)


@pytest.mark.parametrize(
    "f",
    [ops.softmax, ops.logsoftmax, ops.gelu_erf, ops.gelu_tanh, ops.swish, ops.hardswish, ops.mish, ops.softsign],
    ids=lambda f: f.__name__,
)
def test_infinite_inputs_give_the_formulas_values(f: Callable[..., Any]) -> None:
    """onnxruntime's own operators give NaN; graphs whose inputs come from a layer need no extra operators."""
    run = Exported(luxport.WrappedFunction(f), {}, {}, ("N", 3))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(run(INFINITE)[0], f(INFINITE), rtol=1e-5, atol=1e-6)
    behind = luxport.Chain(luxport.Dense(3, 3), f)
    ps, st = luxport.setup(0, behind)
    operators = [node.op_type for node in Exported(behind, ps, st, ("N", 3)).graph.graph.node]
    assert {"Min", "Max", "Where"}.isdisjoint(operators)
