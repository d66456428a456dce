"""The expected numbers of NNlib's tests of convolution and pooling, axes reversed; the inputs are 1, 2, 3, …"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["count_up", "read_answer", "read_pooling_answers"]


@functools.cache
def _read_all() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("nnlib_answers.json").read_text(encoding="utf-8"))


def read_answer(operation: str, rank: int, name: str) -> np.ndarray:
    """Read one expected array, with one sample and one channel: ``read_answer("conv", 2, "dx_pad")``."""
    entry = _read_all()[operation][str(rank)][name]
    return np.array(entry["values"].split(), np.float64).reshape(1, 1, *entry["shape"])


def read_pooling_answers(rank: int) -> dict[str, dict[str, Any]]:
    """Read the settings, inputs and gradients of the pools: window, stride, padding, x, dx_max and dx_mean."""
    entries: dict[str, dict[str, Any]] = _read_all()["pool_gradients"][str(rank)]
    return {
        name: {key: entry[key] for key in ("stride", "padding")}
        | {"window": tuple(entry["window"])}
        | {
            key: np.array(entry[key].split(), np.float64).reshape(1, 1, *entry["shape"])
            for key in ("x", "dx_max", "dx_mean")
        }
        for name, entry in entries.items()
    }


def count_up(*shape: int) -> np.ndarray:
    """Return an array of this shape with the numbers 1, 2, 3, …"""
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)
