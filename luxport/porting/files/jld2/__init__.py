"""JLD2: HDF5 files whose datatypes say which Julia types their values have."""

from __future__ import annotations

from typing import Any

from luxport.porting.errors import FileFormatError
from luxport.porting.files.detect import find_hdf5_offset
from luxport.porting.files.jld2.superblock import open_file
from luxport.porting.files.jld2.values import Values
from luxport.porting.files.source import Source

__all__ = ["read"]


def read(source: Source) -> tuple[dict[str, Any], str]:
    """Return what a JLD2 file holds, by name, and what it says of its writer.

    Raises: FileFormatError if it is damaged, or holds what is not read here
    """
    offset = find_hdf5_offset(source)
    if offset is None:
        raise FileFormatError("no HDF5 file", offset=0)
    file = open_file(source, offset)
    return Values(file).root(), file.written_by
