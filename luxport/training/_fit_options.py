"""Checks of the options of `fit` before the first step, which would otherwise fail only after an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from luxport.backend.option_rules import is_int
from luxport.call_arguments import find_signature_mismatch
from luxport.text import name_kind, show
from luxport.training._data_loader import DataLoader

__all__ = ["expect_options"]


def expect_options(
    epochs: int,
    callbacks: Sequence[Callable[..., Any]],
    metrics: Mapping[str, Callable[..., Any]] | None,
    schedules: Mapping[str, Callable[..., Any]] | None,
    held_out: Any,
    checkpoint: Any,
) -> None:
    """Expect callable callbacks, metrics and schedules, validation data if there are metrics, and a checkpoint path.

    Raises: TypeError; ValueError
    """
    if not is_int(epochs) or epochs < 0:
        raise ValueError(f"fit expects epochs as an int of at least 0, got {show(epochs)}")
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence):
        raise TypeError(f"fit expects callbacks as a list of functions, got {name_kind(callbacks)}")
    if checkpoint is not None and (not isinstance(checkpoint, (str, PathLike)) or not str(checkpoint)):
        raise TypeError(f"fit expects a folder's path as checkpoint, got {show(checkpoint)}")
    for callback in callbacks:
        if isinstance(callback, type) or not callable(callback):
            remedy = ": call it" if isinstance(callback, type) else ""
            raise TypeError(f"fit expects functions of a Progress as callbacks, got {name_kind(callback)}{remedy}")
        if mismatch := find_signature_mismatch(callback, None):
            raise TypeError(f"fit expects functions of one input, a Progress, as callbacks, got {mismatch}")
    _expect_functions("metrics", metrics, '{"accuracy": accuracy}')
    _expect_functions("schedules", schedules, '{"eta": Exp(0.1, 0.9)}')
    if metrics and held_out is None:
        raise ValueError("fit expects validation data for its metrics, got none: validation=(x, y)")
    if isinstance(held_out, DataLoader) and not len(held_out):
        raise ValueError("fit expects validation data with a batch, got none")


def _expect_functions(option: str, given: Any, example: str) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise TypeError(f"fit expects {option} as functions by name, such as {example}, got {show(given)}")
    for name, function in given.items():
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"fit expects a function as {option}[{show(name)}], got {name_kind(function)}")
        if option == "schedules" and (mismatch := find_signature_mismatch(function, None)):
            raise TypeError(f"fit expects a function of one number as {option}[{show(name)}], got {mismatch}")
