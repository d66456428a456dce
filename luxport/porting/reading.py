"""Read a model file: find out what it is, and give its values as plain Python."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luxport.porting import bson, jld2, julia
from luxport.porting.detect import identify
from luxport.porting.errors import FileFormatError
from luxport.porting.source import Source
from luxport.porting.type_rules import is_gpu_array

__all__ = ["SavedFile", "read"]


@dataclass(frozen=True, eq=False)
class SavedFile:
    """What a file holds: its values by their names, as `luxport.porting.julia` describes them.

    ``format`` is ``"BSON"`` or ``"JLD2"``; ``written_by`` is what the file says of its writer, for JLD2 only.
    """

    format: str
    written_by: str
    values: dict[str, Any]


def read(file: str | os.PathLike[str] | bytes, *, allow_unavailable: bool = False) -> SavedFile:
    """Read a file of BSON.jl or JLD2, given by its path or its bytes; its content decides which it is.

    No code from the file is run. Arrays are read-only views of the bytes read, with the axes reversed.

    Args:
        file: the path, or the file's bytes
        allow_unavailable: leave a `julia.Unavailable` in the place of an array that stayed on a GPU

    Raises:
        FileFormatError: if the file is something else, is damaged, or refers to weights that it does not hold
        OSError: if it cannot be opened

    >>> document = b"\\x10\\x00\\x00\\x00\\x10a\\x00\\x07\\x00\\x00\\x00\\x08b\\x00\\x01\\x00"
    >>> read(document).values
    {'a': 7, 'b': True}
    """
    data, path = (file, None) if isinstance(file, bytes) else (_bytes_of(Path(file)), str(file))
    try:
        return _read(Source(data), allow_unavailable)
    except FileFormatError as error:
        error.path = path
        raise
    except MemoryError:
        raise FileFormatError("the file's arrays need more memory than there is", path=path) from None
    except RecursionError:
        raise FileFormatError("values are nested too deep for this Python's stack", path=path) from None


def _read(source: Source, allow_unavailable: bool) -> SavedFile:
    if identify(source) == "JLD2":
        values, written_by = jld2.read(source)
        saved = SavedFile("JLD2", written_by, values)
    else:
        root, end = bson.parse(source)
        _refuse_databases(source, root, end)
        saved = SavedFile("BSON", "", bson.values_of(root))
    if not allow_unavailable:
        for place, value in julia.walk(saved.values):
            if isinstance(value, julia.Unavailable) and is_gpu_array(value.type):
                name = value.type.path
                raise FileFormatError(
                    f"{'.'.join(place)} is a {name}: {value.reason}; "
                    "in Julia, move the model to the CPU and save it again"
                )
    return saved


def _refuse_databases(source: Source, root: bson.Document, end: int) -> None:
    if end != source.size:
        raise FileFormatError(
            f"{source.size - end} bytes follow the document: several documents, as MongoDB writes them, or damage",
            offset=end,
        )
    if "_id" in root and "_backrefs" not in root:
        raise FileFormatError("this is a MongoDB document (it has an _id), not a file of BSON.jl", offset=0)


def _bytes_of(path: Path) -> bytes:
    # Devices and pipes may never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileFormatError("not a regular file", path=str(path))
    return path.read_bytes()
