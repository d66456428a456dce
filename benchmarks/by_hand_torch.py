"""The training steps as one writes them in PyTorch: `nn.Sequential`, `torch.optim.Adam`, three lines a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import luxport
from benchmarks.models import CASES, by_name

__all__ = ["COMPILED", "ready", "step"]

COMPILED = False


def ready(values: Any) -> None:
    """Wait for nothing: the CPU's tensors are there when the call returns."""


def quick_start() -> nn.Module:
    return nn.Sequential(
        *(nn.BatchNorm1d(128), nn.Linear(128, 256), nn.Tanh(), nn.BatchNorm1d(256)),
        *(nn.Linear(256, 1), nn.Tanh(), nn.Linear(1, 10)),
    )


def mlp() -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)),
    )


def step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step."""
    initial, _, x, target = CASES[case]
    model, loss = (quick_start(), nn.MSELoss()) if "quick" in case else (mlp(), nn.CrossEntropyLoss())
    ps, _ = luxport.setup(0, initial, backend="torch")
    with torch.no_grad():
        for theirs, ours in zip(model.parameters(), by_name(ps), strict=True):
            theirs.copy_(ours.mT if ours.ndim == 2 else ours)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0001)
    x, target = torch.from_numpy(x), torch.from_numpy(target)

    def once() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), target)
        value.backward()
        optimizer.step()
        return value.detach()

    return once
