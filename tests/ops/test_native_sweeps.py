"""PyTorch's sweeps of compiled programs, run without a compiler: the definition's values and gradients."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from luxport.ops import _recurrent as definitions
from luxport_torch.ops import sweeps

KINDS = [("rnn", name) for name in ("tanh", "relu", "sigmoid", "identity")]
KINDS += [("lstm", "tanh"), ("gru", "tanh"), ("gru_v3", "tanh")]


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize(("kind", "activation"), KINDS)
def test_a_sweep_and_its_gradients_are_the_steps(kind: str, activation: str) -> None:
    gates = {"rnn": 1, "lstm": 4}.get(kind, 3)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.bool)
    others = {"gru": [_draw(6), None], "gru_v3": [_draw(2, 2)]}.get(kind, [None])
    calls: Any = itertools.product(others, (None, mask), (False, True))
    for other, keep, reverse in calls:
        carry = (_draw(3, 2), _draw(3, 2) + 1.0)[: 2 if kind == "lstm" else 1]
        arrays = [_draw(4, 3, 2 * gates), _draw(2, 2 * gates), *carry, *([] if other is None else [other])]
        variables = [array.requires_grad_() for array in arrays]
        found = sweeps._sweep(kind, activation, reverse, arrays[0], arrays[1], other, carry, keep)
        step = sweeps._step(kind, activation, arrays[1], other)
        wanted = definitions.sweep(step, arrays[0], carry, keep, reverse)
        for mine, exact in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, exact)

        def weighted(results: tuple[torch.Tensor, ...]) -> torch.Tensor:
            return sum([(n + 1.0) * (result * result).sin().sum() for n, result in enumerate(results)], torch.zeros(()))

        mine, exact = [torch.autograd.grad(weighted(r), variables, create_graph=True) for r in (found, wanted)]
        torch.testing.assert_close(mine, exact)
        second = [torch.autograd.grad(sum([(g * g).sum() for g in r]), variables) for r in (mine, exact)]  # type: ignore[arg-type]
        torch.testing.assert_close(*second)


def test_a_step_that_is_masked_out_may_hold_anything() -> None:
    projected = torch.full((2, 1, 8), torch.inf).requires_grad_()
    weight, state = _draw(2, 8).float().requires_grad_(), torch.ones(1, 2)
    y, *_ = sweeps._sweep("lstm", "tanh", False, projected, weight, None, (state, state), torch.zeros(2, 1).bool())
    assert not y.any()
    for gradient in torch.autograd.grad(y.sum(), (projected, weight)):
        assert not gradient.any()
