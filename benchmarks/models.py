"""The eight training steps that are measured, in luxport: one definition for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import (
    BatchNorm,
    Chain,
    Conv,
    Dense,
    FlattenLayer,
    GlobalMeanPool,
    LayerNorm,
    LSTMCell,
    MaxPool,
    MultiHeadAttention,
    Recurrence,
    SamePad,
    SkipConnection,
    gelu,
    losses,
    optimizers,
    relu,
    tanh,
)
from luxport.training import TrainState, train_step

__all__ = ["CASES", "name_by_case", "list_by_name", "make_luxport_step"]


def _make_block(n: int, m: int, stride: int) -> Chain:
    body = Chain(
        *(Conv((3, 3), n, m, stride=stride, padding=1, use_bias=False), BatchNorm(m, relu)),
        *(Conv((3, 3), m, m, padding=SamePad(), use_bias=False), BatchNorm(m)),
    )
    if stride == 1:
        return Chain(SkipConnection(body, _add), relu)
    shortcut = Conv((1, 1), n, m, stride=stride, use_bias=False)
    return Chain(luxport.Parallel(_add, body=body, shortcut=shortcut), relu)


def _add(y: Any, x: Any) -> Any:
    return y + x


def _make_transformer_block(dims: int) -> Chain:
    return Chain(
        SkipConnection(Chain(LayerNorm(dims), MultiHeadAttention(dims, nheads=4, return_scores=False)), _add),
        SkipConnection(Chain(LayerNorm(dims), Dense(dims, 4 * dims, gelu), Dense(4 * dims, dims)), _add),
    )


TINY = Chain(Dense(4, 16, relu), Dense(16, 16, relu), Dense(16, 1))
MLP = Chain(Dense(784, 256, relu), Dense(256, 256, relu), Dense(256, 10))
QUICK_START = Chain(
    BatchNorm(128),
    Dense(128, 256, tanh),
    BatchNorm(256),
    Chain(Dense(256, 1, tanh), Dense(1, 10)),
)
LENET = Chain(
    *(Conv((5, 5), 1, 6, relu), MaxPool((2, 2)), Conv((5, 5), 6, 16, relu), MaxPool((2, 2))),
    *(FlattenLayer(), Dense(256, 120, relu), Dense(120, 84, relu), Dense(84, 10)),
)
RESNET = Chain(
    *(Conv((3, 3), 3, 16, padding=SamePad(), use_bias=False), BatchNorm(16, relu)),
    *[_make_block(n, m, s) for n, m, s in [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2],
    *[_make_block(n, m, s) for n, m, s in [(32, 64, 2)] + [(64, 64, 1)] * 2],
    *(GlobalMeanPool(), FlattenLayer(), Dense(64, 10)),
)
LSTM = Chain(Recurrence(LSTMCell(32, 64, use_recurrent_bias=False)), Dense(64, 10))
TRANSFORMER = Chain(*[_make_transformer_block(64) for _ in range(4)])
DEEP = Chain(*[Dense(64, 64, relu) for _ in range(200)], scan=True)

_rng = np.random.default_rng(0)


def _draw_normal(*shape: int) -> Any:
    return _rng.standard_normal(shape, np.float32)


def _draw_one_hot(n: int) -> Any:
    return np.eye(10, dtype=np.float32)[_rng.integers(0, 10, n)]


_MSE, _ENTROPY = losses.MSELoss(), losses.CrossEntropyLoss(logits=True)
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "W1 MLP 4-16-16-1, batch 8": (TINY, _MSE, _draw_normal(8, 4), _draw_normal(8, 1)),
    "W2 MLP 784-256-256-10, batch 128": (MLP, _ENTROPY, _draw_normal(128, 784), _draw_one_hot(128)),
    "W3 quick start, batch 64": (QUICK_START, _MSE, _draw_normal(64, 128), _draw_normal(64, 10)),
    "W4 LeNet, batch 64": (LENET, _ENTROPY, _draw_normal(64, 1, 28, 28), _draw_one_hot(64)),
    "W5 ResNet-20, batch 32": (RESNET, _ENTROPY, _draw_normal(32, 3, 32, 32), _draw_one_hot(32)),
    "W6 LSTM, 64 steps, batch 32": (LSTM, _ENTROPY, _draw_normal(32, 64, 32), _draw_one_hot(32)),
    "W7 four transformer blocks, batch 8": (TRANSFORMER, _MSE, _draw_normal(8, 64, 64), _draw_normal(8, 64, 64)),
    "W8 200 x Dense(64), batch 32": (DEEP, _MSE, _draw_normal(32, 64), _draw_normal(32, 64)),
}


def make_luxport_step(
    case: str,
    backend: str,
    *,
    compiled: bool,
    wait: Callable[[Any], Any],
    begin: Callable[[TrainState], TrainState] = lambda state: state,
    steps: int = 1,
) -> Callable[[], Any]:
    """Return a function that takes steps from where the last one ended, waits for it, and returns the last loss.

    One call takes all of several `steps`.
    """
    model, loss, x, target = CASES[case]
    data = luxport.asarray(x, backend=backend), luxport.asarray(target, backend=backend)
    carried = [begin(TrainState.create(model, optimizers.Adam(0.0001), backend=backend))]
    batches = [data, *[tuple([part + 0 for part in data]) for _ in range(steps - 1)]]

    def take_steps() -> Any:
        values, _, carried[0] = train_step(loss, batches, carried[0], jit=compiled, steps_per_call=steps)
        wait((values,))
        return values[-1]

    def take_step() -> Any:
        value, _, carried[0] = train_step(loss, data, carried[0], jit=compiled)
        wait((value,))  # what one program returns is ready together
        return value

    return take_step if steps == 1 else take_steps


_NAMES = ("scale", "weight", "weight_ih", "weight_hh", "bias", "bias_ih", "running_mean", "running_var")


def name_by_case(
    mlp: Any, quick_start: Any, lenet: Any, resnet: Any, lstm: Any, transformer: Any, deep: Any
) -> dict[str, Any]:
    """Return a framework's models by case; the first two cases share one."""
    forms = (mlp, mlp, quick_start, lenet, resnet, lstm, transformer, deep)
    return dict(zip([case[:2] for case in CASES], forms, strict=True))


def list_by_name(values: Any) -> list[Any]:
    """List the arrays of a model layer by layer, each layer's in the order in which frameworks have them."""
    if not isinstance(values, dict):
        return []
    own = [values[name] for name in _NAMES if name in values]
    return own or [array for layer in values.values() for array in list_by_name(layer)]
