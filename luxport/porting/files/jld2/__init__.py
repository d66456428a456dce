"""Read and write JLD2 files: HDF5 files that describe the Julia type of each value."""

from __future__ import annotations

from typing import Any

from luxport.porting.errors import FileFormatError
from luxport.porting.files.detect import find_hdf5_offset
from luxport.porting.files.jld2.superblock import read_superblock
from luxport.porting.files.jld2.values import Values
from luxport.porting.files.source import Source

__all__ = ["read"]


def read(source: Source) -> tuple[dict[str, Any], str]:
    """Return the values of a JLD2 file by name, and the versions of the format and of Julia that it names.

    Raises: FileFormatError if it is damaged, or has a value of an unsupported form
    """
    offset = find_hdf5_offset(source)
    if offset is None:
        raise FileFormatError("not an HDF5 file", offset=0)
    file = read_superblock(source, offset)
    return Values(file).read_root(), file.written_by
