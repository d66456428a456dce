"""What the suite knows of each backend: its abilities, how to enable float64, and the modes in which cases run."""

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
"""Those that a run covers unless they are excluded by name; others are chosen by name."""

HOST = "host"
"""Where cases run that need no arrays."""


@dataclass(frozen=True)
class Abilities:
    """What a backend can do beyond running layers forward."""

    gradients: bool = True
    compiles: bool = True
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")
    complex: bool = True
    integers: tuple[str, ...] = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    looks: bool = True
    """Numbers are at hand when a layer is called: it does not only record what is to be computed."""

    def list_missing(self) -> list[str]:
        """Name what is not among these abilities."""
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
    """Return what a backend can do: by the table above for luxport's own, by probes for others'."""
    if not is_known(name):
        note_abilities(name, run_probes(get_backend(name)))
    return _KNOWN[name]


def is_known(name: str) -> bool:
    """Tell whether the abilities of a backend are known without probing it."""
    return name in _KNOWN


_BROKEN: dict[str, dict[str, str]] = {}


def find_broken_probes(name: str) -> dict[str, str]:
    """Return the probes of a backend that failed, by name, with what they raised: those abilities are unknown."""
    find_abilities(name)
    return _BROKEN.get(name, {})


def make_probes(backend: Backend) -> dict[str, Callable[[], bool]]:
    """Return functions that try an ability of a backend, by its name: False if the backend says that it has it not.

    A probe that raises anything else has found a fault: each probe is a check of its own, which then fails.
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
        """Try to make an array; a dtype that the namespace lacks may also be stored as a narrower one."""
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
"""The answer of each probe of a backend, by its name, or what the probe raised."""


def run_probes(backend: Backend) -> Found:
    """Run each probe of a backend."""
    return tuple([(name, run_probe(probe)) for name, probe in make_probes(backend).items()])


def run_probe(probe: Callable[[], bool]) -> bool | str:
    """Return the answer of a probe, or the name of the exception that it raised."""
    try:
        return probe()
    except Exception as error:  # shown by the check of this probe, which fails
        return f"raised {type(error).__name__}"


def note_abilities(name: str, found: Found) -> None:
    """Record what the probes of a backend found, so that it is not probed again."""
    able = {probe: told is True for probe, told in found}
    dtypes = tuple([dtype for dtype in Abilities.dtypes if able.pop(dtype)])
    integers = tuple([dtype for dtype in Abilities.integers if able.pop(dtype)])
    _KNOWN[name] = Abilities(**able, dtypes=dtypes, integers=integers)
    _BROKEN[name] = {probe: told for probe, told in found if isinstance(told, str)}


def select_backends(chosen: list[str] | None = None, excluded: list[str] | None = None) -> list[str]:
    """Name the backends of a run: those chosen (all if none), without those excluded here or by LUXPORT_EXCLUDE.

    Raises: ValueError if a backend is chosen or excluded that does not exist, for then something else was meant
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
    """Name luxport's backends that have gradients and are installed, those that are quick to start first."""
    return [name for name in ("torch", "tf", "jax") if name in available_backends()]


def describe_missing(names: list[str]) -> str | None:
    """Say in one line which of these backends cannot run for want of their framework, if any."""
    absent = [name for name in names if name not in available_backends()]
    if not absent:
        return None
    return (
        f"backends whose framework is not installed: {', '.join(absent)}. Install 'luxport-nn[{absent[0]}]', "
        f"or leave them out by name: LUXPORT_EXCLUDE={','.join(absent)} or --exclude-backend {','.join(absent)}"
    )


def load(name: str) -> Backend | None:
    """Return the backend, or None for the host."""
    return None if name == HOST else get_backend(name)


@contextmanager
def hold_dtype(backend: Backend | None, dtype: str) -> Iterator[None]:
    """Enable a dtype within this context: JAX has float64 only where it is enabled."""
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

    It runs in each dtype in the mode that is the quicker there, and in its first dtype in the other mode, as a
    program is traced alike in all of them; where both modes compile, all but one only if `thorough`.
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
