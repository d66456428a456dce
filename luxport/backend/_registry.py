"""The registry of backends: register one, load one by name, find the one that owns an array.

A backend is a module (or any object) that satisfies `Backend`. A package declares one by two entry points: its name in
the group ``luxport.backends``, and the root module of its array types in ``luxport.arrays``, so that the backend of an
array is found without importing any other framework.
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
from luxport.call_arguments import explain_call_errors
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
    """The backends of this process, by their names and by the types of their arrays.

    Loading a backend holds the lock. Looking one up and adding one do not need it, as each is a single operation on a
    dict. Adding must not take it: a backend adds itself while it is imported, and the thread that holds the lock may be
    waiting for that import.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Backend] = {}
        self.by_type: dict[type, Backend] = {}
        self.compiling: list[Callable[[], bool]] = []  # each returns whether its framework is compiling Python code
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
    # Imported here as it would add a third to luxport's import time, and is needed only for the first array.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}


KNOWN = _Registry()

_owners = KNOWN.by_type  # a global name is faster than an attribute, and every call of an operation reads it


def backend_of(array: Array = None, /, *more: Array) -> Backend:
    """Return the one backend that owns all of these arrays; arguments that are None are ignored.

    Args:
        array: an array of any backend, or None
        *more: others

    Raises: TypeError if an argument is not an array of a known backend, or if they belong to two backends

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
            # Data are often NumPy's: advise to move those to the other backend.
            target = backend if found.name == "numpy" else found
            raise LayerTypeError(
                f"expects arrays of one backend, got {found.name} and {backend.name} together: "
                f"move one with luxport.to(..., backend={show(target.name)})",
                culprit="luxport",
            )
    if found is None:
        raise LayerTypeError("expects an array, got None: make one with luxport.asarray", culprit="luxport")
    return found


@explain_call_errors
def get_backend(name: str | Backend) -> Backend:
    """Return a backend by name, importing it (and its framework) the first time; "pytorch" and "tensorflow" work too.

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
    """Return the backend's name for the name of a framework.

    >>> find_backend_name("pytorch"), find_backend_name("TensorFlow"), find_backend_name("jax")
    ('torch', 'tf', 'jax')
    """
    return {"pytorch": "torch", "tensorflow": "tf"}.get(name.lower(), name)


@explain_call_errors
def available_backends() -> list[str]:
    """List the names of the backends whose frameworks are installed, without importing them."""
    installed = {
        entry.value for entry in KNOWN.array_roots.values() if find_spec(entry.name.partition(".")[0]) is not None
    }
    return sorted({name for name, entry in KNOWN.named.items() if entry.value in installed} | set(KNOWN.by_name))


def list_known_backends() -> list[str]:
    """List the names of all known backends, whether their frameworks are installed or not."""
    return sorted({*KNOWN.named, *KNOWN.by_name})


@explain_call_errors
def register_backend(backend: Backend) -> None:
    """Register a backend under its name in this process; packages use entry points instead."""
    missing = [name for name in _REQUIRED if getattr(backend, name, None) is None]
    if missing:
        name = getattr(backend, "name", backend)
        raise TypeError(f"backend {show(name)} misses {', '.join(missing)}: see luxport.backend.Backend")
    if not isinstance(backend.name, str):
        raise TypeError(f"a backend expects its name as a string, got {show(backend.name)}")
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

    Loading a backend registers `Static` with its framework's tree library, which is needed even where no array of the
    framework has been seen: a user may pass a state made on NumPy to `jax.jit`.
    """
    for root, entry in KNOWN.array_roots.items():
        if sys.modules.get(root) is not None and entry.value not in sys.modules:
            _load(entry)


def load_backends_on_arrival() -> None:
    """Load the backend of each framework in `FRAMEWORKS` once that is imported, be it before luxport or after it.

    `torch.compile` reads the Python code of a call and cannot compile the loading of a backend, so it must be loaded
    before the first call. Backends of other frameworks are loaded when their first array is seen.
    """
    for root in FRAMEWORKS:
        when_imported(root, functools.partial(_load_on_arrival, root))


FRAMEWORKS = ("jax", "tensorflow", "torch")
"""The root modules of the frameworks that luxport supports; a constant, as reading entry points is slow."""


def _load_on_arrival(root: str) -> None:
    # Waiting for the lock could deadlock: the thread that holds it may be waiting for the import that ends here.
    if not KNOWN.loading.acquire(blocking=False):
        return
    try:
        entry = KNOWN.array_roots.get(root)
        if entry is not None and entry.value not in sys.modules:
            _load(entry)
    except Exception:  # the backend may never be used; if it is, the same error is raised then
        return
    finally:
        KNOWN.loading.release()


def is_casting(x: Array, other: Array) -> bool:
    """Return whether the framework converts these two dtypes to one by itself, as inside `torch.autocast`.

    Backends with the capability "autocast" can.
    """
    owner: Any = find_owner(type(x))
    return owner is not None and can(owner, "autocast") and owner.casts(x, other)


def adopt_type(array_type: type, backend: Backend) -> None:
    """Register an array type with a backend, so that the first array of the type needs no search."""
    KNOWN.by_type[array_type] = backend


_REQUIRED = tuple(name for name in vars(Backend) if not name.startswith("_"))


def _require_owner(array_type: type) -> Backend:
    backend = find_owner(array_type)
    if backend is None:
        from luxport.hints import advise_on_type  # imported only when a call fails

        advice = advise_on_type(array_type)
        raise LayerTypeError(f"expects an array, got {array_type.__name__}: {advice}", culprit="luxport")
    return backend


def find_owner(array_type: type) -> Backend | None:
    """Return the backend that owns a type, or None, and cache it."""
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
    """Return whether a value is an array of any backend."""
    return find_owner(type(value)) is not None


# Types that are no arrays, to be fast, and because torch.compile cannot look up the base classes of built-in types.
_NO_ARRAYS = frozenset({type(None), bool, int, float, complex, str, bytes, dict, tuple, list})


def _load(entry: EntryPoint) -> Backend:
    """Load a backend while holding the lock, so that two threads do not load it at once."""
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
