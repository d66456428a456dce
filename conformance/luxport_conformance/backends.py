"""The abilities of each backend, how to enable float64 on it, and the modes in which cases run on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from luxport import jit, value_and_grad
from luxport.backend import (
    Backend,
    available_backends,
    can,
    dtype_name,
    find_backend_name,
    get_backend,
    list_known_backends,
    register_backend,
)
from luxport_conformance import strict32
from luxport_conformance.compiling import compiles_operations

__all__ = [
    "BACKENDS",
    "HOST",
    "Abilities",
    "Found",
    "describe_missing",
    "find_abilities",
    "find_broken_probes",
    "hold_dtype",
    "is_known",
    "list_differentiating",
    "list_ways",
    "load",
    "make_probes",
    "note_abilities",
    "run_probe",
    "run_probes",
    "select_backends",
]

BACKENDS = ("numpy", "jax", "torch", "tf", "strict", "strict32")
"""The backends of a run by default, unless they are excluded by name; other backends have to be chosen by name."""

HOST = "host"
"""The name used in place of a backend for cases that need no arrays."""


@dataclass(frozen=True)
class Abilities:
    """The features of a backend beyond running layers forward."""

    gradients: bool = True
    compiles: bool = True
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")
    complex: bool = True
    integers: tuple[str, ...] = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    looks: bool = True
    """Whether the values of arrays can be read while a layer is called; False if calls only record a graph."""

    def list_missing(self) -> list[str]:
        """Return the names of the abilities and dtypes that the backend lacks."""
        lacks = [what for what in ("gradients", "complex") if not getattr(self, what)]
        lacks += [] if self.compiles else ["a compiler"]
        lacks += [] if self.looks else ["numbers at hand"]
        lacks += [dtype for dtype in Abilities.dtypes if dtype not in self.dtypes]
        return [*lacks, *[dtype for dtype in Abilities.integers if dtype not in self.integers]]


_KNOWN = {
    "jax": Abilities(),
    "torch": Abilities(),
    "tf": Abilities(),
    "numpy": Abilities(gradients=False, compiles=False, dtypes=("float16", "float32", "float64")),
    "mlx": Abilities(dtypes=("float16", "bfloat16", "float32")),
    "strict": Abilities(gradients=False, compiles=False, dtypes=("float32", "float64")),
    "strict32": Abilities(gradients=False, compiles=False, dtypes=("float32",), complex=False),
    HOST: Abilities(gradients=False, compiles=False, dtypes=("float64",)),
}


register_backend(strict32)


def find_abilities(name: str) -> Abilities:
    """Return the abilities of a backend: from the table above for luxport's own backends, otherwise from probes."""
    if not is_known(name):
        note_abilities(name, run_probes(get_backend(name)))
    return _KNOWN[name]


def is_known(name: str) -> bool:
    """Return whether the abilities of a backend are known without running probes."""
    return name in _KNOWN


_BROKEN: dict[str, dict[str, str]] = {}


def find_broken_probes(name: str) -> dict[str, str]:
    """Return the error of each probe of a backend that raised one, by the probe's name."""
    find_abilities(name)
    return _BROKEN.get(name, {})


def make_probes(backend: Backend) -> dict[str, Callable[[], bool]]:
    """Return the probes of a backend by the name of the ability: functions that try it and return whether it exists.

    An exception raised by a probe is a fault of the backend: each probe is also a check, which then fails.
    """

    def square(x: Any) -> Any:
        return x * x

    def differentiates() -> bool:
        if can(backend, "gradients"):
            value_and_grad(square)(backend.asarray(2.0, dtype="float32"))
        return can(backend, "gradients")

    def compiles() -> bool:
        if can(backend, "compiler"):
            jit(square)(backend.asarray(2.0, dtype="float32"))
        return can(backend, "compiler")

    def holds(dtype: str) -> bool:
        if getattr(backend.xp, dtype, None) is None:
            return False
        return dtype_name(backend.asarray([1.0], dtype=dtype)) == dtype

    def takes(dtype: str) -> bool:
        """Return whether an array of this dtype can be made.

        A backend whose namespace lacks the dtype may store it as a narrower one instead.
        """
        try:
            backend.asarray([1], dtype=dtype)
        except Exception:
            if getattr(backend.xp, dtype, None) is None:
                return False
            raise
        return True

    return {
        "gradients": differentiates,
        "compiles": compiles,
        "complex": lambda: holds("complex64"),
        "looks": lambda: not can(backend, "recording"),
        **{dtype: partial(holds, dtype) for dtype in Abilities.dtypes},
        **{dtype: partial(takes, dtype) for dtype in Abilities.integers},
    }


Found = tuple[tuple[str, bool | str], ...]
"""Pairs of a probe's name and its result: whether the backend has the ability, or a text about the error raised."""


def run_probes(backend: Backend) -> Found:
    """Run every probe of a backend and return the results."""
    return tuple([(name, run_probe(probe)) for name, probe in make_probes(backend).items()])


def run_probe(probe: Callable[[], bool]) -> bool | str:
    """Return the result of a probe, or a text with the name of the exception that it raised."""
    try:
        return probe()
    except Exception as error:  # the check of this probe fails and shows the error
        return f"raised {type(error).__name__}"


def note_abilities(name: str, found: Found) -> None:
    """Store the results of a backend's probes, so that it is not probed again."""
    able = {probe: told is True for probe, told in found}
    dtypes = tuple([dtype for dtype in Abilities.dtypes if able.pop(dtype)])
    integers = tuple([dtype for dtype in Abilities.integers if able.pop(dtype)])
    _KNOWN[name] = Abilities(**able, dtypes=dtypes, integers=integers)
    _BROKEN[name] = {probe: told for probe, told in found if isinstance(told, str)}


def select_backends(chosen: list[str] | None = None, excluded: list[str] | None = None) -> list[str]:
    """Return the names of the backends of a run.

    These are the chosen ones, or `BACKENDS` if none is chosen, without the ones excluded by the argument or by the
    environment variable LUXPORT_EXCLUDE.

    Raises: ValueError if a chosen or excluded backend does not exist
    """
    out = [find_backend_name(name) for name in (excluded or [])]
    out += filter(None, os.environ.get("LUXPORT_EXCLUDE", "").split(","))
    unknown = [name for name in out if name not in BACKENDS]
    if unknown:
        raise ValueError(f"backends to exclude are among {', '.join(BACKENDS)}, got {', '.join(unknown)}")
    wanted = [find_backend_name(name) for name in chosen or BACKENDS]
    unknown = [name for name in wanted if ":" not in name and name not in list_known_backends()]
    if unknown:
        known = ", ".join(list_known_backends())
        raise ValueError(f"unknown backend {', '.join(unknown)}: expected one of {known}, or module:object")
    return [name for name in wanted if name not in out]


@cache
def list_differentiating() -> list[str]:
    """Return the names of the installed backends that have gradients, the fastest to import first."""
    return [name for name in ("torch", "tf", "jax") if name in available_backends()]


def describe_missing(names: list[str]) -> str | None:
    """Return a message about the backends among these whose framework is not installed; None if all are installed."""
    absent = [name for name in names if name not in available_backends()]
    if not absent:
        return None
    return (
        f"backends whose framework is not installed: {', '.join(absent)}. Install 'luxport-nn[{absent[0]}]', "
        f"or leave them out by name: LUXPORT_EXCLUDE={','.join(absent)} or --exclude-backend {','.join(absent)}"
    )


def load(name: str) -> Backend | None:
    """Return the backend of this name, or None for `HOST`."""
    return None if name == HOST else get_backend(name)


@contextmanager
def hold_dtype(backend: Backend | None, dtype: str) -> Iterator[None]:
    """Enable a dtype within this context: JAX supports float64 only after it has been enabled."""
    if backend is not None and backend.name == "jax" and dtype == "float64":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield


def list_ways(
    name: str, dtypes: tuple[str, ...], *, compiles: bool = True, traces: bool = True, thorough: bool = False
) -> list[tuple[str, str]]:
    """List the modes and dtypes in which a case runs on a backend.

    The case runs in every dtype in the faster mode of the backend, and only in its first dtype in the other mode,
    because tracing hardly depends on the dtype. On a backend that compiles every operation even in eager mode, the
    case runs only once unless `thorough`.
    """
    able = find_abilities(name)
    dtypes = tuple(dtype for dtype in dtypes if dtype in able.dtypes)
    one_of_all = compiles_operations(name) and not thorough
    quick, other = ("jit", "eager") if compiles_operations(name) and traces else ("eager", "jit")
    both = able.compiles and compiles and not one_of_all
    return [
        *((quick, dtype) for dtype in (dtypes[:1] if one_of_all else dtypes)),
        *((other, dtype) for dtype in dtypes[:1] if both),
    ]
