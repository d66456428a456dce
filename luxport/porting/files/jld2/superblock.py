"""Read the superblock at the beginning of a JLD2 file: its writer, and the address of the root group."""

from __future__ import annotations

from dataclasses import dataclass, field

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.checksum import compute_lookup3
from luxport.porting.files.source import Source

__all__ = ["UNDEFINED_ADDRESS", "Hdf5", "check_extent", "read_superblock"]

UNDEFINED_ADDRESS = 0xFFFF_FFFF_FFFF_FFFF
# The second is JLD.jl's, which early versions of JLD2 wrote as well.
_MAGIC = ("HDF5-based Julia Data Format, version ", "Julia data file (HDF5), version ")


@dataclass
class Hdf5:
    """An HDF5 file: its bytes, the offset from which addresses count, and the address of the root group."""

    source: Source
    base: int
    root: int
    written_by: str
    heaps: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def find_offset(self, address: int) -> int:
        """Return the offset of an address in the file.

        Raises: FileFormatError if it is outside
        """
        if not 0 <= address < self.source.size:
            raise FileFormatError(f"an address ({address}) is outside the file: truncated or damaged")
        return self.base + address

    def check_checksum(self, start: int, end: int, what: str) -> None:
        """Compare the checksum at ``end`` with that of the bytes from ``start`` to ``end``.

        Raises: FileFormatError if they differ
        """
        (written,) = self.source.unpack("I", end, "a checksum")
        if compute_lookup3(self.source.view(start, end - start, what)) != written:
            raise FileFormatError(f"the checksum of {what} is wrong: the file is damaged", offset=start)


def check_extent(source: Source, offset: int, base: int, end: int) -> None:
    """Check that addresses count from the superblock or before it, and that the file is not truncated.

    Raises: FileFormatError
    """
    if base > offset:
        raise FileFormatError(f"addresses count from byte {base}, after the superblock", offset=offset)
    # Depending on the writer, the end counts from the beginning of the file or from the base.
    if end != UNDEFINED_ADDRESS and min(end, base + end) > source.size:
        raise FileFormatError(f"the file should have {end} bytes and has {source.size}: truncated", offset=source.size)


def read_superblock(source: Source, offset: int) -> Hdf5:
    """Read the superblock at ``offset``.

    Raises: FileFormatError if it has a form that JLD2 never writes, is damaged, or says that the file should be longer
    """
    (version,) = source.unpack("B", offset + 8, "the superblock")
    if version in (0, 1):
        raise FileFormatError(
            f"an HDF5 file with a superblock of version {version}, which JLD2 never writes: {_explain_writer(source)}",
            offset=offset,
        )
    if version not in (2, 3):
        raise FileFormatError(f"a superblock of version {version} is unknown", offset=offset)
    sizes = source.unpack("BB", offset + 9, "the superblock")
    base, _, end, root = source.unpack("QQQQ", offset + 12, "the superblock")
    if sizes != (8, 8):
        raise FileFormatError(f"addresses and lengths of {sizes} bytes; JLD2 has 8 and 8", offset=offset)
    file = Hdf5(source, base, root, _read_writer(source))
    file.check_checksum(offset, offset + 44, "the superblock")
    check_extent(source, offset, base, end)
    return file


def _explain_writer(source: Source) -> str:
    """Return a text on which program wrote an HDF5 file that is not JLD2's, and how to read it."""
    if bytes(source.data[:64]).startswith(b"Julia data file (HDF5)"):
        return "JLD.jl wrote it, whose arrays h5py reads"
    if source.raw is not None and source.raw.find(b"keras_version") >= 0:
        return "Keras wrote it; load it there, and pass the model to luxport.from_keras"
    return "JLD.jl, h5py or another program wrote it; h5py reads its arrays"


def _read_writer(source: Source) -> str:
    """Return the versions of JLD2's format and of Julia from the text at the beginning of the file."""
    parts = bytes(source.data[:512]).split(b"\0")
    text = " ".join(part.decode("ascii", "replace").strip() for part in parts[:2])
    for magic in _MAGIC:
        if text.startswith(magic):
            return text.removeprefix(magic).strip()
    return ""
