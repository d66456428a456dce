"""Faulty variants of the toy backend of examples/, which `luxport conformance` must report without failing itself."""

# pyright: reportMissingImports=false
from __future__ import annotations

import os
import time
from multiprocessing import parent_process
from types import SimpleNamespace
from typing import Any

import numpy as np
from toy_backend import ToyArray, toy

from luxport.backend import CAPABILITIES


def _with(tanh: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(toy), "ops": SimpleNamespace(tanh=tanh)})


crashing = _with(lambda x: os._exit(3))
hanging = _with(lambda x: time.sleep(600))
wrong_type = _with(lambda x: x.values)
wrong_shape = _with(lambda x: ToyArray(np.tanh(x.values)[..., None]))
wrong_dtype = _with(lambda x: ToyArray(np.tanh(x.values).astype(np.float16)))
not_a_number = _with(lambda x: ToyArray(np.full_like(x.values, np.nan)))
in_place = _with(lambda x: ToyArray(np.tanh(x.values, out=x.values)))
incomplete = SimpleNamespace(name="incomplete")


class _Narrow:
    """A namespace without double precision, complex numbers and wide unsigned integers."""

    missing = ("float64", "complex64", "complex128", "uint16", "uint32", "uint64")

    def __getattr__(self, name: str) -> Any:
        if name in self.missing:
            raise AttributeError(f"narrow has no {name}")
        return getattr(toy.xp, name)


def _as_narrow(values: Any, dtype: str | None = None, device: str | None = None) -> ToyArray:
    array = toy.asarray(values, dtype=dtype, device=device)
    if array.dtype.name in _Narrow.missing:
        raise ValueError(f"narrow has no {array.dtype.name}")
    return array


narrow = SimpleNamespace(
    **{**vars(toy), "name": "narrow", "ops": SimpleNamespace(), "xp": _Narrow(), "asarray": _as_narrow}
)
_GRADIENTS = dict.fromkeys(CAPABILITIES["gradients"], lambda *args: 1 / 0)
unsure = SimpleNamespace(**{**vars(toy), **_GRADIENTS, "name": "unsure", "capabilities": frozenset({"gradients"})})
_ENDING = dict.fromkeys(CAPABILITIES["gradients"], lambda *args: os._exit(3))
ending = SimpleNamespace(**{**vars(toy), **_ENDING, "name": "ending", "capabilities": frozenset({"gradients"})})
compiling = SimpleNamespace(**{**vars(toy), "name": "compiling", "capabilities": {"compiler"}, "jit": lambda f: f})


def __getattr__(name: str) -> Any:
    """Return the backend `only_here` in the main process; it is missing in the processes that run checks."""
    if name == "only_here" and parent_process() is None:
        return SimpleNamespace(**{**vars(toy), "name": "only_here"})
    raise AttributeError(f"there is no {name} here")
