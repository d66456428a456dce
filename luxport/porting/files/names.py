"""What a file to write is called: not as a file of another format, and not as the one that is read."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import PurePath

__all__ = ["expect_another_file", "expect_own_name"]

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


def expect_own_name(caller: str, path: str | PathLike[str], ending: str, cure: str = "") -> None:
    """Expect a path that does not end as files of another format do; of its own or of none is right.

    Raises: ValueError

    >>> expect_own_name("save", "m.pt", ".safetensors")
    Traceback (most recent call last):
    ValueError: save writes a file of safetensors, got the name of one of PyTorch, 'm.pt': let it end in .safetensors
    """
    name = PurePath(os.fsdecode(path))
    other = _FORMATS.get(name.suffix.lower())
    if other is not None and other != _FORMATS[ending]:
        raise ValueError(
            f"{caller} writes a file of {_FORMATS[ending]}, got the name of one of {other}, {name.name!r}: "
            f"let it end in {ending}{cure}"
        )


def expect_another_file(read: str | PathLike[str], written: str | PathLike[str]) -> None:
    """Expect two files, so that what is read is not lost.

    Raises: ValueError
    """
    if os.path.exists(written) and os.path.exists(read) and os.path.samefile(read, written):
        raise ValueError(
            f"another file to write expected than the one that is read, got {os.fsdecode(written)!r} twice"
        )
