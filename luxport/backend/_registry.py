"""Which backend owns an array, and how backends become known.

A backend is a module (or any object) that satisfies `Backend`. Two entry points make one known: in the group
``luxport.backends`` its name, and in ``luxport.arrays`` the root module of its array types, so that an array
of a framework finds its backend without any other framework being imported.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from luxport.backend._capabilities import CAPABILITIES, can
from luxport.backend._protocol import Array, Backend
from luxport.call_arguments import says_what_it_takes
from luxport.errors import BackendNotFoundError, LayerTypeError
from luxport.text import show
from luxport.when_imported import when_imported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "FRAMEWORKS",
    "adopt_type",
    "available_backends",
    "find_backend_name",
    "backend_of",
    "is_casting",
    "find_owner",
    "get_backend",
    "is_array",
    "list_known_backends",
    "load_backends_on_arrival",
    "load_present_backends",
    "register_backend",
]


class _Registry:
    """What this process knows of backends: their names, the types of their arrays, whether one is compiling.

    Loading a backend holds the lock. Looking one up and adding one do not: each is a single step of a dict. A backend
    adds itself while it is imported, in any thread; if that took the lock, it would wait for the thread that holds the
    lock and waits for this import.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Backend] = {}
        self.by_type: dict[type, Backend] = {}
        self.compiling: list[Callable[[], bool]] = []  # each tells whether its framework reads Python to compile it
        self.loading = threading.RLock()

    @functools.cached_property
    def named(self) -> dict[str, EntryPoint]:
        """The entry points of backends by their names."""
        return _read_entry_points("luxport.backends")

    @functools.cached_property
    def array_roots(self) -> dict[str, EntryPoint]:
        """The entry points of backends by the root modules of their arrays."""
        return _read_entry_points("luxport.arrays")


def _read_entry_points(group: str) -> dict[str, EntryPoint]:
    # Importing this takes a third of luxport's own import time, and only the first array needs it.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}


KNOWN = _Registry()

_owners = KNOWN.by_type  # by a name of its own: every call of an operation looks here


def backend_of(array: Array = None, /, *more: Array) -> Backend:
    """Return the one backend that owns all of these arrays; entries that are None are passed over.

    Args:
        array: an array of any backend, or None
        *more: others

    Raises: TypeError if an argument is no array of a known backend, or if two backends meet

    >>> import numpy as np
    >>> backend_of(np.zeros(2)).name
    'numpy'
    """
    if not more:
        backend = _owners.get(type(array))
        if backend is not None:
            return backend
    found: Backend | None = None
    for one in (array, *more):
        if one is None:
            continue
        backend = _owners.get(type(one)) or _require_owner(type(one))
        if found is None:
            found = backend
        elif backend is not found:
            # NumPy's are where data come from: they go to the others.
            target = backend if found.name == "numpy" else found
            raise LayerTypeError(
                f"expects arrays of one backend, got {found.name} and {backend.name} together: "
                f"move one with luxport.to(..., backend={show(target.name)})",
                culprit="luxport",
            )
    if found is None:
        raise LayerTypeError("expects an array, got None: make one with luxport.asarray", culprit="luxport")
    return found


@says_what_it_takes
def get_backend(name: str | Backend) -> Backend:
    """Return a backend by name, importing it (and its framework) the first time; "pytorch" and "tensorflow" will do.

    Raises: ValueError if no such backend is known; BackendNotFoundError if its framework is not installed
    """
    if not isinstance(name, str):
        if getattr(name, "owns_type", None) is None:
            raise TypeError(f"a backend or its name expected, got {show(name)}")
        return name
    if name in KNOWN.by_name:
        return KNOWN.by_name[name]
    entry = KNOWN.named.get(name) or KNOWN.named.get(find_backend_name(name))
    if entry is None:
        raise ValueError(f"unknown backend {show(name)}: expected one of {', '.join(list_known_backends())}")
    return _load(entry)


def find_backend_name(name: str) -> str:
    """Return the name of the backend that a framework's own name stands for.

    >>> find_backend_name("pytorch"), find_backend_name("TensorFlow"), find_backend_name("jax")
    ('torch', 'tf', 'jax')
    """
    return {"pytorch": "torch", "tensorflow": "tf"}.get(name.lower(), name)


@says_what_it_takes
def available_backends() -> list[str]:
    """Name the backends whose frameworks are installed, without importing them."""
    installed = {
        entry.value for entry in KNOWN.array_roots.values() if find_spec(entry.name.partition(".")[0]) is not None
    }
    return sorted({name for name, entry in KNOWN.named.items() if entry.value in installed} | set(KNOWN.by_name))


def list_known_backends() -> list[str]:
    """Name the backends that are known, whether their frameworks are installed or not."""
    return sorted({*KNOWN.named, *KNOWN.by_name})


@says_what_it_takes
def register_backend(backend: Backend) -> None:
    """Make a backend known under its name, in this process; packages do it by their entry points instead."""
    missing = [name for name in _REQUIRED if getattr(backend, name, None) is None]
    if missing:
        name = getattr(backend, "name", backend)
        raise TypeError(f"backend {show(name)} misses {', '.join(missing)}: see luxport.backend.Backend")
    unknown = [name for name in backend.capabilities if name not in CAPABILITIES]
    if unknown:
        known = ", ".join(CAPABILITIES)
        raise TypeError(f"backend {show(backend.name)} expects capabilities among {known}, got {', '.join(unknown)}")
    for capability in backend.capabilities:
        missing = [name for name in CAPABILITIES[capability] if getattr(backend, name, None) is None]
        if missing:
            raise TypeError(f"backend {show(backend.name)} with {capability} misses {', '.join(missing)}")
    KNOWN.by_name[backend.name] = backend


def load_present_backends() -> None:
    """Load the backends of frameworks that the process has already imported.

    A framework's pytree library learns of `Static` when its backend loads, and a user may hand a state made
    on NumPy straight to `jax.jit`.
    """
    for root, entry in KNOWN.array_roots.items():
        if sys.modules.get(root) is not None and entry.value not in sys.modules:
            _load(entry)


def load_backends_on_arrival() -> None:
    """Load the backend of each known framework as soon as that is imported, before luxport or after it.

    A compiler that reads Python, as `torch.compile` does, cannot read how a backend is loaded: it must be there before
    the first call. Those of other frameworks are loaded when their first array is met.
    """
    for root in FRAMEWORKS:
        when_imported(root, functools.partial(_load_on_arrival, root))


FRAMEWORKS = ("jax", "tensorflow", "torch")
"""The root modules of frameworks whose backends come with luxport, listed here as entry points are slow to read."""


def _load_on_arrival(root: str) -> None:
    # Another thread that is loading a backend may be waiting for the import that has just ended here.
    if not KNOWN.loading.acquire(blocking=False):
        return
    try:
        entry = KNOWN.array_roots.get(root)
        if entry is not None and entry.value not in sys.modules:
            _load(entry)
    except Exception:  # the backend may never be needed: its first call raises the error
        return
    finally:
        KNOWN.loading.release()


def is_casting(x: Array, other: Array) -> bool:
    """Tell whether two dtypes may meet because the user told the framework to cast by itself, as `torch.autocast` does.

    That is the capability "autocast".
    """
    owner: Any = find_owner(type(x))
    return owner is not None and can(owner, "autocast") and owner.casts(x, other)


def adopt_type(array_type: type, backend: Backend) -> None:
    """Let a backend own a type from now on, so that the first array of it needs no search."""
    KNOWN.by_type[array_type] = backend


_REQUIRED = tuple(name for name in vars(Backend) if not name.startswith("_"))


def _require_owner(array_type: type) -> Backend:
    backend = find_owner(array_type)
    if backend is None:
        from luxport.habits import advise_on_type  # mistakes alone need it

        advice = advise_on_type(array_type)
        raise LayerTypeError(f"expects an array, got {array_type.__name__}: {advice}", culprit="luxport")
    return backend


def find_owner(array_type: type) -> Backend | None:
    """Return the backend that owns a type, and remember it; None if there is none."""
    known = _owners.get(array_type)
    if known is not None:
        return known
    if array_type in _NO_ARRAYS:
        return None
    for backend in tuple(KNOWN.by_name.values()):
        if backend.owns_type(array_type):
            return KNOWN.by_type.setdefault(array_type, backend)
    for ancestor in array_type.__mro__:
        entry = KNOWN.array_roots.get(ancestor.__module__.partition(".")[0])
        if entry is not None:
            backend = _load(entry)
            if backend.owns_type(array_type):
                return KNOWN.by_type.setdefault(array_type, backend)
    return None


def is_array(value: Any) -> bool:
    """Tell an array, of any backend, from everything else."""
    return find_owner(type(value)) is not None


# Listed to be fast, and for torch.compile, which cannot look up the ancestors of a built-in type.
_NO_ARRAYS = frozenset({type(None), bool, int, float, complex, str, bytes, dict, tuple, list})


def _load(entry: EntryPoint) -> Backend:
    """Load a backend in one thread, while others that need one wait."""
    with KNOWN.loading:
        return _load_now(entry)


def _load_now(entry: EntryPoint) -> Backend:
    module, _, attribute = entry.value.partition(":")
    try:
        loaded: Any = import_module(module)
    except ModuleNotFoundError as error:
        roots = [root for root, other in KNOWN.array_roots.items() if other.value == entry.value]
        root = (error.name or "").partition(".")[0]
        if root not in roots:
            raise
        name = next((n for n, other in KNOWN.named.items() if other.value == entry.value), entry.name)
        raise BackendNotFoundError(
            f"backend {show(name)} needs {root}, which is not installed: pip install 'luxport-nn[{name}]'",
            name=root,
        ) from None
    for part in filter(None, attribute.split(".")):
        loaded = getattr(loaded, part)
    register_backend(loaded)
    return loaded
