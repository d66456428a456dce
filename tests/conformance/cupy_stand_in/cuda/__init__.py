"""One device."""

from types import SimpleNamespace

from .device import Device as Device

runtime = SimpleNamespace(getDeviceCount=lambda: 1)
