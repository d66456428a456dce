"""Checks of the names of files to write: the suffix belongs to the format, and the file is not the one being read."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import PurePath

__all__ = ["check_different_files", "check_file_suffix"]

_FORMATS = {
    ".bson": "BSON",
    ".jld2": "JLD2",
    ".safetensors": "safetensors",
    ".onnx": "ONNX",
    **dict.fromkeys((".pt", ".pth"), "PyTorch"),
    **dict.fromkeys((".npz", ".npy"), "NumPy"),
    **dict.fromkeys((".h5", ".hdf5"), "HDF5"),
    ".keras": "Keras",
    **dict.fromkeys((".pkl", ".pickle"), "pickle"),
    ".json": "JSON",
}


def check_file_suffix(caller: str, path: str | PathLike[str], ending: str, hint: str = "") -> None:
    """Refuse a path with the suffix of another format; its own suffix, an unknown one and none are allowed.

    Raises: ValueError

    >>> check_file_suffix("save", "m.pt", ".safetensors")
    Traceback (most recent call last):
    ValueError: save writes a safetensors file, got a name with the suffix of PyTorch, 'm.pt': use .safetensors
    """
    name = PurePath(os.fsdecode(path))
    other = _FORMATS.get(name.suffix.lower())
    if other is not None and other != _FORMATS[ending]:
        raise ValueError(
            f"{caller} writes a {_FORMATS[ending]} file, got a name with the suffix of {other}, {name.name!r}: "
            f"use {ending}{hint}"
        )


def check_different_files(read: str | PathLike[str], written: str | PathLike[str]) -> None:
    """Refuse to write to the file that is read, whose content would be lost.

    Raises: ValueError
    """
    if os.path.exists(written) and os.path.exists(read) and os.path.samefile(read, written):
        raise ValueError(f"the file to write must not be the file that is read, got {os.fsdecode(written)!r} for both")
