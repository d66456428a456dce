"""Batch norms in PyTorch's compiled programs: values and derivatives equal eager ones, for numbers of any size."""

import subprocess
import sys

import pytest
import torch

import luxport
from luxport_torch.ops import compiled_batch_norm


@pytest.mark.parametrize("size", [1.0, 1e30, 1e-25])
def test_compiled_gradients_equal_eager_ones(size: float):
    x = size * torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(0))
    model = luxport.BatchNorm(3)
    ps, st = luxport.setup(0, model, backend="torch")

    def weigh(ps, x):
        return (model(x, ps, st)[0] * torch.arange(2.0)).sum()

    slope = luxport.grad(weigh, argnums=(0, 1))
    of_ps, of_x = torch.compile(slope, backend="aot_eager")(ps, x)
    wanted_of_ps, wanted_of_x = slope(ps, x)
    torch.testing.assert_close(of_x / of_x.abs().max(), wanted_of_x / wanted_of_x.abs().max())
    torch.testing.assert_close(of_ps, wanted_of_ps)


def test_first_and_second_gradients_are_exact():
    generator = torch.Generator().manual_seed(0)
    shapes = (4, 3, 2, 2), (1, 3, 1, 1), (1, 3, 1, 1)
    arrays = [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes]

    def norm(*arrays):
        return compiled_batch_norm._Norm.apply(*arrays, 1e-3)[0]

    assert torch.autograd.gradcheck(norm, arrays)
    assert torch.autograd.gradgradcheck(norm, arrays)


def test_a_compiler_imported_first_is_configured_as_well():
    found = subprocess.run(
        [sys.executable, "-c", "import torch, torch._dynamo\n" + _COMPILE], capture_output=True, text=True, timeout=300
    )
    assert found.stdout.strip() == "bias_ih weight_hh weight_ih", found.stderr


_COMPILE = """
import luxport
model = luxport.LSTM(3, 4)
ps, st = luxport.setup(0, model, backend="torch")
x = torch.ones(5, 2, 3)
slope = luxport.grad(lambda ps, x: model(x, ps, st)[0].sum())
print(*sorted(torch.compile(slope, backend="eager", fullgraph=True)(ps, x)))
"""
