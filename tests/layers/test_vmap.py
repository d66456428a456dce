"""Every layer and its gradient under PyTorch's `vmap`, for which some functions have no rule of their own."""

from __future__ import annotations

import pytest
import torch

import luxport as lp
from luxport import ops, tree
from luxport_conformance.examples import EXAMPLES, Example


@pytest.mark.parametrize("name", EXAMPLES)
def test_vmap_over_two_inputs_equals_two_calls(name):
    for example in EXAMPLES[name]:
        slopes, x = _make_slopes(example)
        other = tree.map(lambda leaf: leaf.flip(0), x)
        together = torch.func.vmap(slopes, randomness="error")(tree.map(lambda a, b: torch.stack([a, b]), x, other))
        for i, one in enumerate((x, other)):
            for got, want in zip(together, slopes(one), strict=True):
                torch.testing.assert_close(got[i], want, rtol=1e-4, atol=1e-5)


def _make_slopes(example: Example):
    x, ps, st = [
        tree.map(lambda leaf: leaf.float() if leaf.is_floating_point() else leaf, lp.to(part, backend="torch"))
        for part in example.draw_values()
    ]

    def loss(ps, x):
        y, new = example.layer(x, ps, st)
        leaves = tree.leaves((y, new))
        return sum([torch.sin(leaf.float()).sum() for leaf in tree.leaves(y)]), leaves

    if not tree.leaves(ps):
        return lambda x: loss(ps, x)[1], x

    def slopes(x):
        gradients, leaves = torch.func.grad(loss, has_aux=True)(ps, x)
        return [*tree.leaves(gradients), *leaves]

    return slopes, x


def test_ctc_loss_and_weight_norm_vmap():
    logits, labels = (
        torch.randn(2, 3, 7, 5, generator=torch.Generator().manual_seed(0)),
        torch.tensor([[0, 1], [2, 2], [3, 0]]),
    )
    got = torch.func.vmap(ops.ctc_loss, in_dims=(0, None))(logits, labels)
    torch.testing.assert_close(got, torch.stack([ops.ctc_loss(one, labels) for one in logits]))
    direction, size = torch.tensor([[-2.0, 0.0, torch.nan]]), torch.tensor([[3.0, 4.0, 5.0]])
    got = torch.func.vmap(ops.weight_norm)(direction, size)
    torch.testing.assert_close(got, torch.tensor([[-3.0, 0.0, torch.nan]]), equal_nan=True)
