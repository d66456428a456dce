"""`read`: the values of a BSON.jl or JLD2 file as plain Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from luxport.call_arguments import explain_call_errors
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file
from luxport.porting.files import bson, jld2
from luxport.porting.files.detect import identify_format
from luxport.porting.files.opening import read_bytes
from luxport.porting.files.source import Source
from luxport.porting.julia.type_rules import is_gpu_array

__all__ = ["SavedFile", "read"]


@dataclass(frozen=True, eq=False)
class SavedFile:
    """The content of a file: its values by name, of the types of `luxport.porting.julia`.

    ``format`` is ``"BSON"`` or ``"JLD2"``; ``written_by`` names the program that wrote the file, for JLD2 only.
    """

    format: str
    written_by: str
    values: dict[str, Any]


@explain_call_errors
def read(file: str | os.PathLike[str] | bytes, *, allow_unavailable: bool = False) -> SavedFile:
    """Read a BSON.jl or JLD2 file, given by its path or its bytes; the content decides which format it is.

    No code from the file is run. Arrays are read-only views of the bytes read, with the axes reversed.

    Args:
        file: the path, or the file's bytes
        allow_unavailable: return a `julia.Unavailable` in place of an array that was saved on a GPU, without its data

    Raises:
        FileFormatError: if the file has another format, is damaged, or refers to weights that it does not contain
        OSError: if it cannot be opened

    >>> document = b"\\x10\\x00\\x00\\x00\\x10a\\x00\\x07\\x00\\x00\\x00\\x08b\\x00\\x01\\x00"
    >>> read(document).values
    {'a': 7, 'b': True}
    """
    data, path = (file, None) if isinstance(file, bytes) else (read_bytes(file), str(file))
    with refuse_file(path):
        saved = _read(Source(data))
        if not allow_unavailable:
            _refuse_gpu_arrays(saved)
        return saved


def _read(source: Source) -> SavedFile:
    if identify_format(source) == "JLD2":
        values, written_by = jld2.read(source)
        return SavedFile("JLD2", written_by, values)
    root, end = bson.parse(source)
    _refuse_databases(source, root, end)
    return SavedFile("BSON", "", bson.read_values(root, source.size))


def _refuse_gpu_arrays(saved: SavedFile) -> None:
    left = next(filter(_is_left_on_gpu, julia.yield_values(saved.values)), None)
    if left is not None:
        place = next(path for path, value in julia.walk(saved.values) if value is left)
        raise FileFormatError(
            f"{'.'.join(place)} is a {left.type.path}: {left.reason}; "
            "in Julia, move the model to the CPU and save it again"
        )


def _is_left_on_gpu(value: Any) -> bool:
    return isinstance(value, julia.Unavailable) and is_gpu_array(value.type)


def _refuse_databases(source: Source, root: bson.Document, end: int) -> None:
    if end != source.size:
        raise FileFormatError(
            f"{source.size - end} bytes follow the document: several documents, as MongoDB writes them, or damaged",
            offset=end,
        )
    if "_id" in root and "_backrefs" not in root:
        raise FileFormatError("this is a MongoDB document (it has an _id), not a file of BSON.jl", offset=0)
