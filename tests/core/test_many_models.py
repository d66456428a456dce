"""Many models that PyTorch compiles in one process, whose sizes and options differ from the first one's.

PyTorch's compiler makes symbolic what differs between two calls of the same code: sizes of inputs, and numbers that a
model holds. Comparisons may then be between a number and a symbol.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import luxport
from luxport import Chain, Conv, Dense, MultiHeadAttention, losses, optimizers, relu, tanh, training, tree
from luxport_conformance.examples import EXAMPLES, Example

MODELS = [
    (Dense(6, 3), (8, 6)),
    (Dense(1, 3), (8, 1)),
    (Dense(5, 4, tanh), (2, 5)),
    (Conv((3, 3), 2, 4, relu), (2, 2, 6, 6)),
    (Conv((2, 2), 1, 3), (1, 1, 5, 5)),
    (Chain(Dense(4, 4), Dense(4, 4), Dense(4, 1), scan=True), (3, 4)),
    (Chain(Dense(1, 1), Dense(1, 1), Dense(1, 2), scan=True), (1, 1)),
    (MultiHeadAttention(4, nheads=2), (2, 3, 4)),
    (MultiHeadAttention(1), (1, 2, 1)),
]


@pytest.fixture(autouse=True)
def reset_compiler():
    torch._dynamo.reset()


def assert_same(got: Any, want: Any) -> None:
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-5)


def test_models_of_other_sizes_are_compiled() -> None:
    with torch._dynamo.config.patch(recompile_limit=len(MODELS)):
        for model, shape in MODELS:
            ps, st = luxport.setup(0, model, backend="torch")
            x = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
            compiled = torch.compile(model, fullgraph=True, backend="eager")
            assert_same(compiled(x, ps, st)[0], model(x, ps, st)[0])


def test_ten_models_are_isolated() -> None:
    """As docs/compiling.md shows; `luxport.jit` isolates models by itself."""
    for n in range(1, 11):
        model = Chain(*[Dense(n, n, tanh)] * (1 + n % 3))
        ps, st = luxport.setup(0, model, backend="torch")
        compiled = torch.compile(model, fullgraph=True, backend="eager", isolate_recompiles=True)  # pyright: ignore[reportCallIssue]
        x = torch.ones((2, n))
        assert_same(compiled(x, ps, st)[0], model(x, ps, st)[0])


def test_options_of_the_next_model_stay_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols: list[int] = []

    def look(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        symbols.append(sum(not isinstance(value, torch.Tensor) for value in inputs))
        return graph

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=look))
    for n in (6, 1, 5, 2):
        model = Chain(Dense(n, 4, tanh), Dense(4, n))
        ps, st = luxport.setup(0, model, backend="torch")
        x = torch.full((4 + n, n), 0.5)
        assert_same(luxport.jit(model)(x, ps, st)[0], model(x, ps, st)[0])
    assert symbols == [0] * 4


def test_one_step_trains_many_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    for n in (3, 1, 2):
        model = Chain(*[Dense(n, n, tanh)] * n)
        state = training.TrainState.create(model, optimizers.Adam(), backend="torch")
        x = torch.full((4 + n, n), 0.5)
        want = losses.mse(model(x, state.ps, state.st)[0], x)
        loss, _, _ = training.train_step(losses.MSELoss(), (x, x), state)
        assert float(loss) == pytest.approx(float(want.detach()), rel=1e-5)


def _single(leaf: Any) -> str | None:
    return "float32" if leaf.dtype == np.float64 else None


@pytest.mark.parametrize("name", ["Dense", "ReshapeLayer", "RotaryPositionalEmbedding"])
def test_numbers_may_be_symbols(name: str) -> None:
    for example in EXAMPLES[name]:
        _expect_same_with_symbols(example)


@pytest.mark.parametrize("name", EXAMPLES)
def test_all_numbers_may_be_symbols(name: str) -> None:
    for example in EXAMPLES[name]:
        _expect_same_with_symbols(example)


def _expect_same_with_symbols(example: Example) -> None:
    torch._dynamo.reset()
    x, ps, st = tree.map(
        lambda leaf: luxport.asarray(leaf, backend="torch", dtype=_single(leaf)), example.draw_values()
    )
    compiled = torch.compile(example.layer, fullgraph=True, backend="eager", dynamic=True)
    assert_same(compiled(x, ps, st)[0], example.layer(x, ps, st)[0])
