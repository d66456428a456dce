"""The training steps by `torch.nn` modules and `torch.optim.Adam(fused=True)`, as PyTorch's tutorials write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import luxport
from benchmarks.models import CASES

__all__ = ["MODELS", "make_step"]


def deep() -> nn.Module:
    return nn.Sequential(*[layer for _ in range(200) for layer in (nn.Linear(64, 64), nn.ReLU())])


def mlp(*sizes: int) -> nn.Module:
    pairs = list(zip(sizes, sizes[1:], strict=False))
    hidden = [layer for n, m in pairs[:-1] for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(*pairs[-1]))


def quick_start() -> nn.Module:
    return nn.Sequential(
        *(nn.BatchNorm1d(128), nn.Linear(128, 256), nn.Tanh(), nn.BatchNorm1d(256)),
        *(nn.Linear(256, 1), nn.Tanh(), nn.Linear(1, 10)),
    )


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), mlp(256, 120, 84, 10)),
    )


class Block(nn.Module):
    def __init__(self, n: int, m: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(n, m, 3, stride, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU()),
            *(nn.Conv2d(m, m, 3, 1, 1, bias=False), nn.BatchNorm2d(m)),
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(n, m, 1, stride, bias=False)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet() -> nn.Module:
    sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *[Block(*size) for size in sizes],
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(32, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


class TransformerBlock(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.one, self.two = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.attention = nn.MultiheadAttention(dims, 4, bias=False, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(dims, 4 * dims), nn.GELU("tanh"), nn.Linear(4 * dims, dims))

    def forward(self, x: Any) -> Any:
        y = self.one(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.feed(self.two(x))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "W1": lambda: mlp(4, 16, 16, 1),
    "W2": lambda: mlp(784, 256, 256, 10),
    "W3": quick_start,
    "W4": lenet,
    "W5": resnet,
    "W6": Lstm,
    "W7": lambda: nn.Sequential(*[TransformerBlock(64) for _ in range(4)]),
    "W8": deep,
}


def make_step(
    case: str,
    wrap: Callable[[Any], Any] = lambda model: model,
    average: Callable[[Any], Any] = lambda model: None,
) -> Callable[[], Any]:
    """Return a function that takes one step, from the modules' own initial values; several processes average."""
    _, objective, x, target = CASES[case]
    model = wrap(MODELS[case[:2]]())
    loss = nn.MSELoss() if isinstance(objective, luxport.losses.MSELoss) else nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0001, fused=True)
    x, target = torch.from_numpy(x), torch.from_numpy(target)

    def take_step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), target)
        value.backward()
        average(model)
        optimizer.step()
        return value.detach()

    return take_step
