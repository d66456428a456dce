"""`Device`, a function that moves trees to a device, and the functions that find one: `gpu_device` and others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from luxport import tree
from luxport.backend._choice import default_backend
from luxport.backend._move import to
from luxport.backend._protocol import Backend
from luxport.backend._registry import backend_of, get_backend
from luxport.call_arguments import explain_call_errors, explain_construction
from luxport.text import show, warn

__all__ = ["Device", "cpu_device", "expect_device", "get_device", "gpu_device", "list_devices"]


@explain_construction
class Device:
    """A device of a backend: called with a tree of arrays, it returns the tree with its arrays on the device.

    With a `backend`, arrays of other backends are converted; without one, each stays with its own. Gradients and the
    option `dtype` of a call are as in `luxport.to`. A layer holds no arrays: move its parameters and states.

    Args:
        name: the device as `list_devices` names it, such as ``"gpu:0"``
        backend: whose arrays it holds; None to leave arrays with their backends

    Raises: TypeError for a layer; ValueError if the backend has no such device

    >>> import numpy as np
    >>> dev = cpu_device()
    >>> dev({"x": np.ones(2), "n": None})
    {'x': array([1., 1.]), 'n': None}
    """

    __slots__ = ("backend", "name")

    def __init__(self, name: str, backend: str | None = None) -> None:
        self.name: str = name
        self.backend: str | None = backend

    def __call__(self, values: tree.Tree, *, dtype: str | None = None) -> tree.Tree:
        """Return the tree with its arrays on this device."""
        if callable(values):
            raise TypeError(f"a device expects arrays, got the layer {show(values)}: move its parameters and states")
        return to(values, backend=self.backend, device=self.name, dtype=dtype)

    def each(self, batches: Iterable[tree.Tree]) -> Iterator[tree.Tree]:
        """Yield batches moved to this device, each when it is asked for."""
        return map(self, batches)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.name, self.backend) == (other.name, other.backend)

    def __hash__(self) -> int:
        return hash((self.name, self.backend))

    def __repr__(self) -> str:
        return f"Device({self.name!r}{'' if self.backend is None else f', backend={self.backend!r}'})"


def expect_device(backend: str, name: Any, devices: Sequence[str]) -> str:
    """Return the name of an existing device, with "gpu" for "cuda"; a kind alone, such as "gpu", is accepted too.

    Raises: ValueError if there is no such device

    >>> expect_device("torch", "cuda:0", ["cpu", "gpu:0"])
    'gpu:0'
    """
    wanted = str(name).replace("cuda", "gpu")
    if wanted not in (*devices, *[device.partition(":")[0] for device in devices]):
        raise ValueError(f"{backend} has the devices {', '.join(devices)}, got {show(name)}")
    return wanted


@explain_call_errors
def list_devices(backend: str | Backend | None = None) -> list[Device]:
    """List the devices of a backend.

    Args:
        backend: whose devices; those of the default backend if None

    >>> list_devices("numpy")
    [Device('cpu', backend='numpy')]
    """
    owner = _find_owner(backend)
    return [Device(name, owner.name) for name in owner.devices()]


@explain_call_errors
def cpu_device(backend: str | Backend | None = None) -> Device:
    """Return the host's memory as a device.

    Args:
        backend: whose arrays it holds; None to leave arrays with their backends

    Source: MLDataDevices.jl ``cpu_device``
    """
    return Device("cpu", None if backend is None else _find_owner(backend).name)


@explain_call_errors
def gpu_device(backend: str | Backend | None = None, *, index: int | None = None, force: bool = False) -> Device:
    """Return an accelerator of a backend: the first, or the one with a given number.

    Without an accelerator it returns the CPU and warns, or raises if `force`; it also raises for a missing number.

    Args:
        backend: whose accelerator; that of the default backend if None
        index: which, counted from 0; None for the first
        force: whether to raise where there is none, instead of returning the CPU with a warning

    Raises: ValueError, with the devices that exist
    Source: MLDataDevices.jl ``gpu_device``, whose numbers begin at 1
    """
    owner = _find_owner(backend)
    names = owner.devices()
    found = [name for name in names if name != "cpu"]
    if index is not None and found:
        named = [name for name in found if (name.partition(":")[2] or "0") == str(index)]
        if not named:
            raise ValueError(f"{owner.name} has the devices {', '.join(names)}, and no accelerator {index}")
        return Device(named[0], owner.name)
    if found:
        return Device(found[0], owner.name)
    if force:
        raise ValueError(f"{owner.name} has the device {', '.join(names)}, and no accelerator")
    warn(f"{owner.name} has the device {', '.join(names)}, and no accelerator: using the CPU")
    return Device("cpu", owner.name)


@explain_call_errors
def get_device(values: tree.Tree) -> Device | None:
    """Return the device that all arrays of a tree live on; None if there is no array.

    Raises: ValueError if they live on several, or belong to several backends

    >>> import luxport
    >>> get_device(luxport.setup(0, luxport.Dense(2, 3)))
    Device('cpu', backend='numpy')
    """
    found: dict[Device, str] = {}
    for path, leaf in tree.leaves_with_path(values):
        owner = backend_of(leaf)
        found.setdefault(Device(owner.device_of(leaf), owner.name), ".".join(path))
    if len(found) > 1:
        places = ", ".join(
            f"{device.backend} on {device.name} at {path or 'the top'}" for device, path in found.items()
        )
        raise ValueError(f"arrays on one device expected, got {places}: move them with a device or luxport.to")
    return next(iter(found), None)


def _find_owner(backend: str | Backend | None) -> Backend:
    return default_backend() if backend is None else get_backend(backend)
