"""PyTorch's operations and layers give the same results for any memory layout of their inputs.

Convolutions leave images with channels last in memory, for which other kernels run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import luxport
from luxport import ops, tree
from luxport.backend import get_backend
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

LAST = torch.channels_last
OWN = [name for name in OPERATIONS if getattr(get_backend("torch").ops, name, None) is not None]
IMAGES = {
    "numbers": lambda x: x,
    "equal": np.round,
    "not numbers": lambda x: np.where(x > 1.0, math.nan, x),
    "infinite": lambda x: np.where(x > 1.0, math.inf, np.where(x < -1.0, -math.inf, x)),
    "far away": lambda x: x * 1e25,
    "far from 0": lambda x: x + 1e6,
}


def to_c_order(array: Any) -> Any:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array))


def reverse_layout(array: Any) -> Any:
    """Return an array with its axes reversed in memory; images get channels last."""
    if array is None or array.ndim < 2:
        return array
    if array.ndim == 4:
        return array.contiguous(memory_format=LAST)
    axes = tuple(reversed(range(array.ndim)))
    return array.permute(axes).contiguous().permute(axes)


def compute_outcome(f: Any, arrays: Any) -> Any:
    """Return the outputs of f, and the gradients of a weighted sum of them."""
    variables = [
        x.clone().requires_grad_() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in arrays
    ]
    wrt = [x for x in variables if isinstance(x, torch.Tensor) and x.requires_grad]
    leaves = [x for x in tree.leaves(f(*variables)) if isinstance(x, torch.Tensor)]
    ends = [x for x in leaves if x.requires_grad]
    slopes = ()
    if ends:
        weights = [torch.linspace(-1.0, 1.0, x.numel(), dtype=x.dtype).reshape(x.shape) for x in ends]
        slopes = torch.autograd.grad(ends, wrt, weights, allow_unused=True)
    return [x.detach() for x in leaves], [None if x is None else x.detach() for x in slopes]


def assert_equal(one: Any, other: Any) -> None:
    for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            # Sums in another order differ by rounding errors of their largest terms.
            size = b.nan_to_num(0.0, 0.0, 0.0).abs().max().item() if b.numel() else 0.0
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * max(size, 1.0), equal_nan=True)


def assert_layout_does_not_matter(name: str, options: Any, arrays: list[Any]) -> None:
    """Assert that an operation in single precision gives the same for both memory layouts."""
    given = [x.float() if x is not None and x.dtype is torch.float64 else x for x in arrays]

    def called(*arrays: Any) -> Any:
        return every_operation()[name](*arrays, **options)

    assert_equal(compute_outcome(called, [reverse_layout(x) for x in given]), compute_outcome(called, given))


@pytest.mark.parametrize("name", OWN)
def test_operations_ignore_the_memory_layout(name):
    for example in OPERATIONS[name]:
        if example.looks or example.tells or not any(getattr(x, "ndim", 0) > 1 for x in example.arrays):
            continue
        assert_layout_does_not_matter(name, example.options, [to_c_order(x) for x in example.arrays])


@pytest.mark.parametrize("numbers", IMAGES)
@pytest.mark.parametrize(
    "name", [name for name in OWN if any(getattr(e.arrays[0], "ndim", 0) == 4 for e in OPERATIONS[name])]
)
def test_operations_on_images_ignore_the_memory_layout(name, numbers):
    for example in OPERATIONS[name]:
        if example.looks or example.tells or example.arrays[0].ndim != 4 or example.arrays[0].dtype.kind != "f":
            continue
        first, *others = [to_c_order(x) for x in example.arrays]
        images = torch.from_numpy(IMAGES[numbers](first.numpy()))
        assert_layout_does_not_matter(name, example.options, [images, *others])


LAYERS = [
    (f"{name} {number}", example)
    for name, examples in EXAMPLES.items()
    for number, example in enumerate(examples, 1)
    if isinstance(example.x, tuple) and len(example.x) == 4 and all(isinstance(n, int) for n in example.x)
]


@pytest.mark.parametrize(("name", "example"), LAYERS, ids=[name for name, _ in LAYERS])
def test_layers_of_images_ignore_the_memory_layout(name, example):
    x, ps, st = luxport.to(example.draw_values(), backend="torch", dtype="float32")

    def called(x: Any) -> Any:
        return example.layer(x, ps, st)[0]

    assert_equal(compute_outcome(called, [reverse_layout(x)]), compute_outcome(called, [x]))


def test_a_chain_of_convolutions_converts_its_input_once():
    """This makes chains fast. A single image, a kernel of one place and double precision keep their layout."""
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3)
    options: Any = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    y = ops.conv(x, weight, **options)
    assert y.is_contiguous(memory_format=LAST) and not y.is_contiguous()
    assert ops.relu(ops.max_pool(y, window=2)).is_contiguous(memory_format=LAST)
    assert ops.conv(x[:1], weight, **options).is_contiguous()
    assert ops.conv(x, weight[:, :, :1, :1]).is_contiguous()
    assert ops.conv(x.double(), weight.double(), **options).is_contiguous()
