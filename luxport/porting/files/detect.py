"""Detect the format of a file by its content, since the names of model files are often wrong."""

from __future__ import annotations

from luxport.porting.errors import FileFormatError
from luxport.porting.files.source import Source

__all__ = ["HDF5_SIGNATURE", "describe_other_format", "find_hdf5_offset", "identify_format", "is_safetensors"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_REPLACED = "\N{REPLACEMENT CHARACTER}".encode()
_JULIA_SERIALIZATION = b"7JL"
_FOREIGN = (
    (_JULIA_SERIALIZATION, "a stream of Julia's Serialization, which only the Julia that wrote it can read; "
     "load it there and save it with BSON.jl or JLD2"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the model itself; fetch it with `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint, a .npz, or a packed model); load it by the library that "
     "wrote it, and bring a module by luxport.from_torch, a Keras model by luxport.from_keras"),
    (b"\x1f\x8b", "compressed with gzip; decompress it first"),
    (b"BZh", "compressed with bzip2; decompress it first"),
    (b"\xfd7zXZ\x00", "compressed with xz; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"),
    (b"\x93NUMPY", "a NumPy array; numpy.load reads it"),
    (b"\x80\x02", "a Python pickle; reading one can run any code, so luxport does not"),
    (b"\x80\x03", "a Python pickle; reading one can run any code, so luxport does not"),
    (b"\x80\x04", "a Python pickle; reading one can run any code, so luxport does not"),
    (b"\x80\x05", "a Python pickle; reading one can run any code, so luxport does not"),
    (b"<!DOCTYPE", "a web page, saved in place of the file"),
    (b"<!doctype", "a web page, saved in place of the file"),
    (b"<html", "a web page, saved in place of the file"),
)  # fmt: skip


def identify_format(source: Source) -> str:
    """Return the format of a file, ``"JLD2"`` or ``"BSON"``.

    Raises: FileFormatError that says what the file is if it has neither format
    """
    if source.size == 0:
        raise FileFormatError("the file is empty", offset=0)
    if _has_spaces_for_zeros(source):
        raise FileFormatError(
            "some program took this file for text and put spaces (0x20) for its bytes 0x00; "
            "transfer it again, in binary mode"
        )
    if find_hdf5_offset(source) is not None:
        return "JLD2"
    start = bytes(source.data[:512])
    # A BSON document begins with its own size, whose bytes may be the first bytes of a pickle or another format.
    size_matches = source.size >= 5 and source.unpack("i", 0) == (source.size,) and source.data[source.size - 1] == 0
    other = None if size_matches else describe_other_format(start)
    if other is not None:
        raise FileFormatError(f"this is {other}", offset=0)
    if not size_matches and _is_decoded_as_text(bytes(source.data[:4096])):
        raise FileFormatError(
            "some program took this file for text and replaced bytes that are no UTF-8 by U+FFFD; "
            "transfer it again, in binary mode",
            offset=source.data[:4096].tobytes().find(_REPLACED),
        )
    if start.startswith((b"HDF5-based Julia Data Format", b"Julia data file (HDF5)")):
        raise FileFormatError("a JLD2 file without a superblock: it was never closed, or it is truncated", offset=0)
    if source.size < 5:
        raise FileFormatError(f"the file has {source.size} bytes, fewer than any BSON or JLD2 file", offset=0)
    if start.strip(b" \t\r\n").startswith((b"{", b"[")) and source.data[source.size - 1] != 0:
        raise FileFormatError("this is JSON, not BSON", offset=0)
    (size,) = source.unpack("i", 0)
    kind = source.data[4]
    if size == 5 and kind == 0:
        return _check_whole(source, size)
    # The first element of a document has a type that BSON defines, then a key that a zero byte ends.
    key = bytes(source.data[5:261]).partition(b"\0")
    if is_safetensors(start):
        raise FileFormatError("this is a safetensors file, which luxport.load reads", offset=0)
    if size < 5 or not (1 <= kind <= 0x13 or kind in (0x7F, 0xFF)) or not key[1]:
        raise FileFormatError("neither BSON nor JLD2 nor any other format that luxport knows", offset=0)
    return _check_whole(source, size)


def describe_other_format(start: bytes) -> str | None:
    """Describe the format of a file that begins with these bytes; None if it is no known format that is not read."""
    if is_safetensors(start):  # it begins with a length, whose bytes may be the first bytes of a pickle
        return None
    return next((what for magic, what in _FOREIGN if start.startswith(magic)), None)


def is_safetensors(start: bytes) -> bool:
    """Return whether these are the first bytes of a safetensors file: the length of a header, then its JSON."""
    return start[4:8] == bytes(4) and start[8:9] == b"{"


def _is_decoded_as_text(start: bytes) -> bool:
    """Return whether bytes were replaced by U+FFFD: the first of HDF5's signature, or several of a BSON document.

    A few may be genuine: BSON.jl can save a text that contains U+FFFD.
    """
    return start.count(_REPLACED) > 3 or _REPLACED + b"HDF" in start


def _has_spaces_for_zeros(source: Source) -> bool:
    """Return whether zero bytes were replaced by spaces: an intact file has zero bytes near its beginning."""
    start = bytes(source.data[:4096])
    if b"\0" in start or start.count(b" ") < 4 or len(start) < 16:
        return False
    # A BSON document begins with its size in four bytes, of which at least one is zero.
    size = int.from_bytes(start[:4].replace(b" ", b"\0"), "little")
    return HDF5_SIGNATURE in start or size == source.size


def _check_whole(source: Source, size: int) -> str:
    if size > source.size:
        raise FileFormatError(
            f"the document says that it has {size} bytes, but the file has {source.size}: truncated, or no BSON",
            offset=0,
        )
    return "BSON"


def find_hdf5_offset(source: Source) -> int | None:
    """Return the offset of the HDF5 superblock, None if the file has none."""
    offset = 0
    while offset + len(HDF5_SIGNATURE) <= source.size:
        if source.data[offset : offset + len(HDF5_SIGNATURE)] == HDF5_SIGNATURE:
            return offset
        offset = max(512, 2 * offset)
    return None
