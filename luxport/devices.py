"""Devices: list them, and call one with a tree to move its arrays there.

>>> import luxport
>>> luxport.devices.list_devices("numpy")
[Device('cpu', backend='numpy')]
"""

from typing import TYPE_CHECKING

from luxport.backend._devices import Device as Device
from luxport.backend._devices import cpu_device as cpu_device
from luxport.backend._devices import get_device as get_device
from luxport.backend._devices import gpu_device as gpu_device
from luxport.backend._devices import list_devices as list_devices
from luxport.lazy import explain_absent_names

__all__ = ["Device", "cpu_device", "get_device", "gpu_device", "list_devices"]

if not TYPE_CHECKING:
    __getattr__ = explain_absent_names(__name__)
