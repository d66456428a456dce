"""Constants, and what the namespace says about itself."""

from __future__ import annotations

import math

import tensorflow as tf

from ._dtypes import (
    BOOL,
    COMPLEX,
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INT,
    INDEX,
    KINDS,
    SIGNED,
    UNSIGNED,
)

__all__ = ["__array_api_version__", "__array_namespace_info__", "e", "inf", "nan", "newaxis", "pi"]

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
__array_api_version__ = VERSIONS[-1]
e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
newaxis = None

_STANDARD = (*BOOL, *SIGNED, *UNSIGNED, tf.float32, tf.float64, *COMPLEX)


class Info:
    """What this namespace can do, and on which devices."""

    def capabilities(self):
        """Return the limits: masks and shapes that depend on data work outside XLA; 8 axes work everywhere."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 8}

    def default_device(self):
        """Return the device of arrays that are made without naming one."""
        return tf.zeros(()).device if tf.executing_eagerly() else self.devices()[-1]

    def devices(self):
        """Return the names of the devices."""
        return tuple(_complete_name(device.name) for device in tf.config.list_logical_devices())

    def default_dtypes(self, *, device=None):
        """Return the types of arrays that are made without naming one."""
        return {
            "real floating": DEFAULT_FLOAT,
            "complex floating": DEFAULT_COMPLEX,
            "integral": DEFAULT_INT,
            "indexing": INDEX,
        }

    def dtypes(self, *, device=None, kind=None):
        """Return the standard's types, of one kind or of several if ``kind`` says so, by name."""
        kinds = tuple(KINDS) if kind is None else kind if isinstance(kind, tuple) else (kind,)
        unknown = [k for k in kinds if k not in KINDS]
        if unknown:
            raise ValueError(f"kind must be among {', '.join(KINDS)}; got {unknown[0]!r}")
        return {d.name: d for d in _STANDARD if any(d in KINDS[k] for k in kinds)}


def _complete_name(name: str) -> str:
    return name if name.startswith("/job:") else "/job:localhost/replica:0/task:0" + name


def __array_namespace_info__() -> Info:
    """Return what this namespace can do, and on which devices."""
    return Info()
