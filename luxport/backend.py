"""Backends: which one owns an array, which one makes new arrays, and what each of them must offer.

A backend is a module (or any object) that satisfies `Backend`. Two entry points make one known: in the group
``luxport.backends`` its name, and in ``luxport.arrays`` the root module of its array types, so that an array
of a framework finds its backend without any other framework being imported.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from luxport.errors import BackendNotFoundError, LayerTypeError
from luxport.when_imported import when_imported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "Array",
    "Backend",
    "asarray",
    "available_backends",
    "backend_of",
    "default_backend",
    "get_backend",
    "namespace",
    "register_backend",
    "set_backend",
    "using",
]

Array: TypeAlias = Any
"""An array of any framework: `numpy.ndarray`, `jax.Array`, `torch.Tensor`, `tensorflow.Tensor`, …"""


@runtime_checkable
class Backend(Protocol):
    """What a backend offers. What it cannot do raises an error that says so and names who can."""

    @property
    def name(self) -> str:
        """The name by which users ask for it."""
        ...

    @property
    def xp(self) -> Any:
        """Its Array API namespace."""
        ...

    @property
    def ops(self) -> Any:
        """Its own versions of functions in `luxport.ops`, by the same names; empty is fine."""
        ...

    def owns_type(self, array_type: type) -> bool:
        """Tell whether values of this type are this backend's arrays."""
        ...

    def asarray(self, values: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        """Copy host values (or one of its own arrays) to a new array; `dtype` is a name such as "float32"."""
        ...

    def to_numpy(self, array: Array) -> Any:
        """Copy to a `numpy.ndarray` on the host."""
        ...

    def from_dlpack(self, array: Array, *, share: bool) -> Array:
        """Take another framework's array through DLPack: a copy, or the same memory if `share`."""
        ...

    def devices(self) -> list[str]:
        """Name the devices that arrays can live on: "cpu", "gpu:0", …"""
        ...

    def device_of(self, array: Array) -> str:
        """Name the device that an array lives on, as `devices` does."""
        ...

    def value_and_grad(
        self, f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool
    ) -> Callable[..., Any]:
        """Differentiate a scalar function of trees with respect to the trees at `argnums`."""
        ...

    def vjp(self, f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """Evaluate f and return the function that pulls a cotangent back to the arguments."""
        ...

    def jvp(self, f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """Evaluate f and push tangents forward."""
        ...

    def jacobian(self, f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
        """Differentiate every output of f with respect to every entry of one argument."""
        ...

    def stop_gradient(self, array: Array) -> Array:
        """Return the same values, constant under differentiation."""
        ...

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Compile a function of trees."""
        ...


_BY_NAME: dict[str, Backend] = {}
_BY_TYPE: dict[type, Backend] = {}
_chosen: str | None = None
_using: ContextVar[str | None] = ContextVar("luxport_using", default=None)


def backend_of(array: Array = None, /, *more: Array) -> Backend:
    """Return the one backend that owns all of these arrays; entries that are None are passed over.

    Raises: TypeError if an argument is no array of a known backend, or if two backends meet

    >>> import numpy as np
    >>> backend_of(np.zeros(2)).name
    'numpy'
    """
    if not more:
        backend = _BY_TYPE.get(type(array))
        if backend is not None:
            return backend
    found: Backend | None = None
    for one in (array, *more):
        if one is None:
            continue
        backend = _BY_TYPE.get(type(one)) or _owner(type(one))
        if found is None:
            found = backend
        elif backend is not found:
            raise LayerTypeError(
                f"expects arrays of one backend, got {found.name} and {backend.name} together: "
                f"move one with luxport.to(..., backend={found.name!r})",
                culprit="luxport",
            )
    if found is None:
        raise LayerTypeError("expects an array, got None: make one with luxport.asarray", culprit="luxport")
    return found


def namespace(*arrays: Array) -> Any:
    """Return the Array API namespace of these arrays.

    >>> import numpy as np
    >>> namespace(np.zeros(2)).__name__
    'array_api_compat.numpy'
    """
    return backend_of(*arrays).xp


def array_device(array: Array) -> Any:
    """Return the device of an array as its namespace's creation functions take it; None where a program has none yet.

    It is None, too, for an array that is spread over several devices: what it names there fits its own shape alone.

    >>> import numpy as np
    >>> array_device(np.zeros(2))
    'cpu'
    """
    device = getattr(array, "device", None)
    return None if getattr(device, "device_set", None) is not None else device


def default_backend() -> Backend:
    """Return the backend that new arrays come from.

    The innermost `using`, else `set_backend`, else the environment's ``LUXPORT_BACKEND``, else NumPy.
    """
    return get_backend(_using.get() or _chosen or os.environ.get("LUXPORT_BACKEND") or "numpy")


def set_backend(name: str | None) -> None:
    """Choose the backend that new arrays come from, for the whole process; None takes the choice back.

    Raises: ValueError if no such backend is known; BackendNotFoundError if its framework is not installed
    """
    global _chosen
    if name is not None:
        get_backend(name)
    _chosen = name


@contextmanager
def using(name: str) -> Iterator[Backend]:
    """Choose the backend that new arrays come from, inside a ``with`` block (and its thread or task only).

    >>> with using("numpy") as backend:
    ...     default_backend().name
    'numpy'
    """
    backend = get_backend(name)
    token = _using.set(name)
    try:
        yield backend
    finally:
        _using.reset(token)


def get_backend(name: str | Backend) -> Backend:
    """Return a backend by name, importing it (and its framework) the first time; "pytorch" and "tensorflow" will do.

    Raises: ValueError if no such backend is known; BackendNotFoundError if its framework is not installed
    """
    if not isinstance(name, str):
        return name
    if name in _BY_NAME:
        return _BY_NAME[name]
    entry = _named().get(name) or _named().get(backend_name(name))
    if entry is None:
        raise ValueError(f"unknown backend {name!r}: expected one of {', '.join(known_backends())}")
    return _load(entry)


def backend_name(name: str) -> str:
    """Return the name of the backend that a framework's own name stands for.

    >>> backend_name("pytorch"), backend_name("TensorFlow"), backend_name("jax")
    ('torch', 'tf', 'jax')
    """
    return {"pytorch": "torch", "tensorflow": "tf"}.get(name.lower(), name)


def available_backends() -> list[str]:
    """Name the backends whose frameworks are installed, without importing them."""
    installed = {
        entry.value for entry in _array_roots().values() if find_spec(entry.name.partition(".")[0]) is not None
    }
    return sorted({name for name, entry in _named().items() if entry.value in installed} | set(_BY_NAME))


def known_backends() -> list[str]:
    """Name the backends that are known, whether their frameworks are installed or not."""
    return sorted({*_named(), *_BY_NAME})


def register_backend(backend: Backend) -> None:
    """Make a backend known under its name, in this process; packages do it by their entry points instead."""
    missing = [name for name in _REQUIRED if getattr(backend, name, None) is None]
    if missing:
        name = getattr(backend, "name", backend)
        raise TypeError(f"backend {name!r} misses {', '.join(missing)}: see luxport.backend.Backend")
    _BY_NAME[backend.name] = backend


def load_present_backends() -> None:
    """Load the backends of frameworks that the process has already imported.

    A framework's pytree library learns of `Static` when its backend loads, and a user may hand a state made
    on NumPy straight to `jax.jit`.
    """
    for root, entry in _array_roots().items():
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
"""The root modules of frameworks whose backends come with luxport: entry points are slow to read, these are not."""


def _load_on_arrival(root: str) -> None:
    # Another thread that is loading a backend may wait for the import that this is the end of.
    if not _loading.acquire(blocking=False):
        return
    try:
        entry = _array_roots().get(root)
        if entry is not None and entry.value not in sys.modules:
            _load(entry)
    except Exception:  # nobody has asked for it yet: the first call says what is wrong
        return
    finally:
        _loading.release()


def asarray(
    values: Any, *, backend: str | Backend | None = None, device: str | None = None, dtype: str | None = None
) -> Array:
    """Copy values to a new array of the chosen backend.

    Python's floats become float32, as everything in luxport does unless told otherwise; arrays keep their dtype,
    whichever backend they come from. (JAX outside its 64-bit mode takes int64 as int32, if the values fit.)

    Raises: ValueError if the dtype is unknown, or if the backend cannot hold it or the values;
            TypeError if the values are no numbers

    >>> asarray([1.0, 2.0], backend="numpy")
    array([1., 2.], dtype=float32)
    """
    owner = default_backend() if backend is None else get_backend(backend)
    check_dtype_name(dtype)
    source = find_owner(type(values))
    if source is None:
        values = np.asarray(values)
        values = values.astype({"float64": "float32", "complex128": "complex64"}.get(values.dtype.name, values.dtype))
    elif source is not owner:
        values = source.to_numpy(values)
    if isinstance(values, (np.ndarray, np.generic)) and values.dtype.kind in "OSUMm":
        raise TypeError(f"asarray expects numbers, got values of the dtype {values.dtype}")
    return owner.asarray(values, dtype=dtype, device=device)


def check_dtype_name(dtype: Any, *, floating: bool = False) -> None:
    """Expect the name of a dtype, or None.

    Raises: TypeError for anything but a string, ValueError for an unknown name
    """
    known = _FLOATING if floating else (*_FLOATING, *_COUNTING)
    if dtype is not None and not isinstance(dtype, str):
        raise TypeError(f"a dtype expected by name, such as 'float32', got {dtype!r}")
    if dtype is not None and dtype not in known:
        raise ValueError(
            f"{'a floating dtype' if floating else 'a dtype'} expected, got {dtype!r}: one of {', '.join(known)}"
        )


def dtype_name(array: Array) -> str:
    """Return the name of an array's dtype, the same on every backend: "float32".

    >>> import numpy as np
    >>> dtype_name(np.zeros(2, np.float32))
    'float32'
    """
    dtype = array.dtype
    return _NUMPY_NAMES.get(type(dtype)) or getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]


def is_inexact(value: Any) -> bool:
    """Tell a floating or complex array from whatever else stands in a tree.

    >>> import numpy as np
    >>> is_inexact(np.zeros(2)), is_inexact(np.array(1)), is_inexact(0.5)
    (True, False, False)
    """
    if find_owner(type(value)) is None:
        return False
    kind = dtype_name(value)
    return "float" in kind or "complex" in kind


def same_shape(shape: Any, other: Any) -> bool:
    """Compare two shapes, in which a compiled program may not know every size yet.

    >>> same_shape((2, None), (2, 3)), same_shape((2, 3), (3, 2))
    (True, False)
    """
    return len(shape) == len(other) and all([n == m or None in (n, m) for n, m in zip(shape, other, strict=True)])


_FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
_COUNTING = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

# NumPy takes some microseconds to name a dtype, and has a class for each.
_NUMPY_NAMES = {type(np.dtype(name)): name for name in (*_FLOATING, *_COUNTING) if name != "bfloat16"}


def casts(x: Array, other: Array) -> bool:
    """Tell whether two dtypes may meet, because the framework itself is told to cast: `torch.autocast`.

    A backend says so by a function of the same name, which it may leave out.
    """
    own = getattr(find_owner(type(x)), "casts", None)
    return own is not None and own(x, other)


def is_compiling() -> bool:
    """Tell whether a framework is reading Python to compile it, where there is nothing to look at but the program."""
    return any([asked() for asked in _COMPILING])


def ask_when_compiling(asked: Callable[[], bool]) -> None:
    """Let a backend tell whether its framework is reading Python to compile it."""
    _COMPILING.append(asked)


_COMPILING: list[Callable[[], bool]] = []


def adopt_type(array_type: type, backend: Backend) -> None:
    """Let a backend own a type from now on: no look-up is left to the first array of it."""
    _BY_TYPE[array_type] = backend


# A backend may leave the rest out only by raising where it is called.
_REQUIRED = tuple(name for name in vars(Backend) if not name.startswith("_"))


def _owner(array_type: type) -> Backend:
    backend = find_owner(array_type)
    if backend is None:
        raise LayerTypeError(
            f"expects an array, got {array_type.__name__}: make one with luxport.asarray", culprit="luxport"
        )
    return backend


def find_owner(array_type: type) -> Backend | None:
    """Return the backend that owns a type, and remember it; None if there is none."""
    known = _BY_TYPE.get(array_type)
    if known is not None:
        return known
    if array_type in _NO_ARRAYS:
        return None
    for backend in tuple(_BY_NAME.values()):
        if backend.owns_type(array_type):
            return _BY_TYPE.setdefault(array_type, backend)
    for ancestor in array_type.__mro__:
        entry = _array_roots().get(ancestor.__module__.partition(".")[0])
        if entry is not None:
            backend = _load(entry)
            if backend.owns_type(array_type):
                return _BY_TYPE.setdefault(array_type, backend)
    return None


# Seen quickly, and by torch.compile, which cannot look up the ancestors of a type of Python's own.
_NO_ARRAYS = frozenset({type(None), bool, int, float, complex, str, bytes, dict, tuple, list})


_loading = threading.RLock()


def _load(entry: EntryPoint) -> Backend:
    """Load a backend in one thread; the others have it when it is whole."""
    with _loading:
        return _load_now(entry)


def _load_now(entry: EntryPoint) -> Backend:
    module, _, attribute = entry.value.partition(":")
    try:
        loaded: Any = import_module(module)
    except ModuleNotFoundError as error:
        roots = [root for root, other in _array_roots().items() if other.value == entry.value]
        if error.name is None or error.name.partition(".")[0] not in roots:
            raise
        name = next((n for n, other in _named().items() if other.value == entry.value), entry.name)
        raise BackendNotFoundError(
            f"backend {name!r} needs {error.name}, which is not installed: pip install 'luxport-nn[{name}]'",
            name=error.name,
        ) from None
    for part in filter(None, attribute.split(".")):
        loaded = getattr(loaded, part)
    register_backend(loaded)
    return loaded


@functools.cache
def _named() -> dict[str, EntryPoint]:
    return _entries("luxport.backends")


@functools.cache
def _array_roots() -> dict[str, EntryPoint]:
    return _entries("luxport.arrays")


def _entries(group: str) -> dict[str, EntryPoint]:
    # A third of luxport's own import time, and needed only when the first array is met.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}
