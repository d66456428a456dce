"""PyTorch's own normalizations and product compared with definitions: values, first and second gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luxport import LayerError, ops
from luxport.ops import definition_of

batch_norm: Any = ops.batch_norm
dense: Any = ops.dense
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-10}


def make_operands(shape, dtype, *, affine=True, tracked=True) -> Any:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=dtype) * 2 + 1
    c = shape[1]
    scale, bias = (torch.randn(c, generator=generator, dtype=dtype) for _ in range(2)) if affine else (None, None)
    mean, var = (torch.randn(c, generator=generator, dtype=dtype) ** 2 for _ in range(2)) if tracked else (None, None)
    return x, scale, bias, mean, var


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_norm_equals_the_definition(shape, affine, tracked, training, dtype):
    given = make_operands(shape, dtype, affine=affine, tracked=tracked)
    before: Any = [None if array is None else array.clone() for array in given]
    options = {"training": training, "momentum": 0.1, "epsilon": 1e-5}
    native = batch_norm(*given, **options)
    for ours, theirs in zip(native, definition_of(batch_norm)(*given, **options), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    for array, kept in zip(given, before, strict=True):
        assert array is kept is None or torch.equal(array, kept)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_batch_norm_equal_the_definitions(training):
    x, scale, bias, mean, var = make_operands((6, 3, 2), torch.float64)

    def slopes(op):
        variables = [array.clone().requires_grad_() for array in (x, scale, bias)]
        y = op(*variables, mean, var, training=training, momentum=0.1, epsilon=1e-5)[0]
        first = torch.autograd.grad(torch.sin(y).sum(), variables, create_graph=True)
        return first, torch.autograd.grad(torch.stack([(g**2).sum() for g in first]).sum(), variables)

    torch.testing.assert_close(slopes(batch_norm), slopes(definition_of(batch_norm)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_batch_norm_of_half_types_keeps_single_statistics(dtype):
    """70,000 ones add up to more than float16's largest number (65,504): the mean must still be 1."""
    x = torch.ones(70_000, 1, dtype=dtype)
    mean, var = torch.zeros(1), torch.ones(1)
    y, mean, var = batch_norm(x, None, None, mean, var, training=True, momentum=0.5, epsilon=1e-5)
    assert y.dtype == dtype and mean.dtype == torch.float32
    assert float(mean) == pytest.approx(0.5) and float(var) == pytest.approx(0.5)
    same = torch.zeros(1, dtype=dtype), torch.ones(1, dtype=dtype)
    y, mean, var = batch_norm(x, None, None, *same, training=True, momentum=0.5, epsilon=1e-5)
    assert float(mean) == 0.5 and float(var) == 0.5 and float(y.abs().max()) < 1e-2


def test_batch_norm_vmaps():
    x, scale, bias, mean, var = make_operands((6, 3), torch.float64)
    options = {"training": True, "momentum": 0.1, "epsilon": 1e-5}
    mapped = torch.func.vmap(lambda x: batch_norm(x, scale, bias, mean, var, **options))(torch.stack([x, 2 * x]))
    alone = batch_norm(2 * x, scale, bias, mean, var, **options)
    for together, single in zip(mapped, alone, strict=True):
        torch.testing.assert_close(together[1], single)


OF_SAMPLES: Any = [  # operation, shape of x, shape of scale and bias, options
    (ops.layer_norm, (4, 5), (5,), {"axes": (1,)}),
    (ops.layer_norm, (2, 4, 5), (4, 5), {"axes": (-1, -2)}),
    (ops.layer_norm, (2, 4, 5), (4, 1), {"axes": (1,)}),
    (ops.group_norm, (3, 6), (6,), {"groups": 2}),
    (ops.group_norm, (2, 6, 2, 3), (6,), {"groups": 3}),
    (ops.instance_norm, (2, 3, 5), (3,), {"training": True, "momentum": 0.1}),
]


@pytest.mark.parametrize(("op", "shape", "parameters", "options"), OF_SAMPLES)
@pytest.mark.parametrize("affine", [True, False])
def test_norms_of_samples_equal_the_definitions(op, shape, parameters, options, affine):
    generator = torch.Generator().manual_seed(0)
    x, scale, bias = (torch.randn(s, generator=generator, dtype=torch.float64) for s in (shape, parameters, parameters))

    def slopes(op):
        variables = [array.clone().requires_grad_() for array in ((x, scale, bias) if affine else (x,))]
        given = [*variables, *(() if affine else (None, None)), *((None, None) if "training" in options else ())]
        y = op(*given, epsilon=1e-3, **options)
        y = y[0] if isinstance(y, tuple) else y
        first = torch.autograd.grad(torch.sin(y).sum(), variables, create_graph=True)
        return y, first, torch.autograd.grad(torch.stack([(g**2).sum() for g in first]).sum(), variables)

    torch.testing.assert_close(slopes(op), slopes(definition_of(op)), rtol=1e-9, atol=1e-9)
    plain = lambda x: _first(op(x, *_absent(options), epsilon=1e-3, **options))  # noqa: E731
    torch.testing.assert_close(torch.func.vmap(plain)(torch.stack([x, 2 * x]))[1], plain(2 * x))


def test_axes_out_of_range_are_an_error():
    with pytest.raises(IndexError, match="out of range"):
        definition_of(ops.layer_norm)(torch.ones(2, 3), None, None, axes=(3,), epsilon=1e-3)
    with pytest.raises(LayerError, match=r"^layer_norm expects axes as a tuple of axes .* for the shape \(2, 3\), got"):
        ops.layer_norm(torch.ones(2, 3), None, None, axes=(3,), epsilon=1e-3)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_parameters_of_wrong_sizes_are_refused_before_the_kernel(at):
    # `native_batch_norm` would read beyond the memory of statistics that are too short.
    parameters = [torch.ones(3) for _ in range(4)]
    parameters[at] = torch.ones(0)
    with pytest.raises(LayerError, match=r"\(C\) with C = 3 as in x, got \(0,\)$"):
        ops.batch_norm(torch.ones(6, 3), *parameters, training=True)


def _absent(options) -> Any:
    return (None,) * (4 if "training" in options else 2)


def _first(result) -> Any:
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_dense_equals_the_definition(shape, bias, dtype):
    generator = torch.Generator().manual_seed(0)
    real = torch.float64 if dtype == torch.float64 else torch.float32
    x = torch.randn(shape, generator=generator, dtype=dtype)
    weight = torch.randn((3, 2), generator=generator, dtype=real)
    added: Any = torch.randn(2, generator=generator, dtype=real) if bias else None

    def slopes(op):
        variables = [array.clone().requires_grad_() for array in ((x, weight, added) if bias else (x, weight))]
        y = op(*variables, *(() if bias else (None,)))
        size = (y.abs() ** 3).sum()
        first = torch.autograd.grad(size, variables, create_graph=True)
        return y, first, torch.autograd.grad(torch.stack([(g.abs() ** 2).sum() for g in first]).sum(), variables)

    torch.testing.assert_close(slopes(dense), slopes(definition_of(dense)), rtol=1e-4, atol=1e-5)
