"""PyTorch's own recurrent sweeps, run without a compiler: values and gradients of the definition."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from luxport.ops import _recurrent as definitions
from luxport_torch.ops import lstm_layer, sweeps

KINDS = [("rnn", name) for name in ("tanh", "relu", "sigmoid", "identity")]
KINDS += [("lstm", "tanh"), ("gru", "tanh"), ("gru_v3", "tanh")]


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize(("kind", "activation"), KINDS)
def test_a_sweep_and_its_gradients_equal_single_steps(kind: str, activation: str) -> None:
    gates = {"rnn": 1, "lstm": 4}.get(kind, 3)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.bool)
    others = {"gru": [_draw(6), None], "gru_v3": [_draw(2, 2)]}.get(kind, [None])
    calls: Any = itertools.product(others, (None, mask), (False, True))
    for other, keep, reverse in calls:
        carry = (_draw(3, 2), _draw(3, 2) + 1.0)[: 2 if kind == "lstm" else 1]
        arrays = [_draw(4, 3, 2 * gates), _draw(2, 2 * gates), *carry, *([] if other is None else [other])]
        variables = [array.requires_grad_() for array in arrays]
        function = sweeps._ACTIVATIONS[activation]
        found = sweeps.sweep_in_one_call(kind, arrays[0], arrays[1], other, carry, keep, reverse, function)
        step = sweeps._make_step(kind, activation, arrays[1], other)
        wanted = definitions.sweep(step, arrays[0], carry, keep, reverse)
        for mine, exact in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, exact)

        def sum_weighted(results: tuple[torch.Tensor, ...]) -> torch.Tensor:
            return sum([(n + 1.0) * (result * result).sin().sum() for n, result in enumerate(results)], torch.zeros(()))

        mine, exact = [torch.autograd.grad(sum_weighted(r), variables, create_graph=True) for r in (found, wanted)]
        torch.testing.assert_close(mine, exact)
        second = [torch.autograd.grad(sum([(g * g).sum() for g in r]), variables) for r in (mine, exact)]  # type: ignore[arg-type]
        torch.testing.assert_close(*second)


def test_a_masked_step_may_have_any_input() -> None:
    projected = torch.full((2, 1, 8), torch.inf).requires_grad_()
    weight, state = _draw(2, 8).float().requires_grad_(), torch.ones(1, 2)
    mask = torch.zeros(2, 1).bool()
    y, *_ = sweeps.sweep_in_one_call("lstm", projected, weight, None, (state, state), mask, False)
    assert not y.any()
    for gradient in torch.autograd.grad(y.sum(), (projected, weight)):
        assert not gradient.any()


@pytest.mark.parametrize("reverse", [False, True])
def test_the_librarys_lstm_and_its_gradients_equal_single_steps(reverse: bool) -> None:
    drawn = [_draw(*shape) for shape in ((4, 3, 5), (5, 8), (2, 8), (8,), (3, 2), (3, 2))]
    drawn[-1] = drawn[-1] + 1.0
    exact_arrays = [array.requires_grad_() for array in drawn]
    arrays = [array.detach().float().requires_grad_() for array in drawn]

    def sum_weighted(results: Any) -> torch.Tensor:
        return sum([(n + 1.0) * (result * result).sin().sum() for n, result in enumerate(results)], torch.zeros(()))

    found = lstm_layer._run(int(reverse), *arrays)
    x, weight_ih, weight_hh, bias, *carry = exact_arrays
    wanted = lstm_layer._define_lstm(x, weight_ih, weight_hh, bias, None, *carry, reverse=reverse)
    near: Any = {"rtol": 1e-4, "atol": 1e-5, "check_dtype": False}  # sums of ten terms of size 1 in float32
    torch.testing.assert_close(found, wanted, **near)
    mine = torch.autograd.grad(sum_weighted(found), arrays, create_graph=True)
    exact = torch.autograd.grad(sum_weighted(wanted), exact_arrays, create_graph=True)
    torch.testing.assert_close(mine, exact, **near)
    second = torch.autograd.grad(sum([(g * g).sum() for g in mine], torch.zeros(())), arrays)
    exact_second = torch.autograd.grad(sum([(g * g).sum() for g in exact], torch.zeros(())), exact_arrays)
    for one, other in zip(second, exact_second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()), check_dtype=False)


def test_the_gradient_of_an_lstm_works_with_a_copied_workspace() -> None:
    shapes = (4, 3, 5), (5, 8), (2, 8), (8,), (3, 2), (3, 2)
    arrays = [_draw(*shape).float() for shape in shapes]
    run: Any = lstm_layer
    y, last, end, workspace = run._forward(False, *arrays)
    whole, copied = [
        run._backward(False, y, last, end, *arrays, y, last, end, one) for one in (workspace, workspace.clone())
    ]
    torch.testing.assert_close(copied, whole)
