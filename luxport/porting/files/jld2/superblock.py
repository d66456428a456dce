"""The beginning of a JLD2 file: who wrote it, and where everything else is."""

from __future__ import annotations

from dataclasses import dataclass, field

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.checksum import compute_lookup3
from luxport.porting.files.source import Source

__all__ = ["UNDEFINED_ADDRESS", "Hdf5", "check_ends", "open_file"]

UNDEFINED_ADDRESS = 0xFFFF_FFFF_FFFF_FFFF
# Early versions of JLD2 called their files as JLD does.
_MAGIC = ("HDF5-based Julia Data Format, version ", "Julia data file (HDF5), version ")


@dataclass
class Hdf5:
    """An open file: its bytes, and what addresses in it count from."""

    source: Source
    base: int
    root: int
    written_by: str
    heaps: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def offset(self, address: int) -> int:
        """Return where an address is in the file.

        Raises: FileFormatError if it is outside
        """
        if not 0 <= address < self.source.size:
            raise FileFormatError(f"an address ({address}) is outside the file: truncated or damaged")
        return self.base + address

    def check(self, start: int, end: int, what: str) -> None:
        """Compare the checksum at ``end`` with that of the bytes before it.

        Raises: FileFormatError if they differ
        """
        (written,) = self.source.unpack("I", end, "a checksum")
        if compute_lookup3(self.source.view(start, end - start, what)) != written:
            raise FileFormatError(f"the checksum of {what} is wrong: the file is damaged", offset=start)


def check_ends(source: Source, offset: int, base: int, end: int) -> None:
    """Expect addresses that count from no later than the superblock, and all bytes of the file.

    Raises: FileFormatError
    """
    if base > offset:
        raise FileFormatError(f"addresses count from byte {base}, after the superblock", offset=offset)
    # The end counts from the beginning of the file or from the base, depending on the writer.
    if end != UNDEFINED_ADDRESS and min(end, base + end) > source.size:
        raise FileFormatError(f"the file should have {end} bytes and has {source.size}: truncated", offset=source.size)


def open_file(source: Source, offset: int) -> Hdf5:
    """Read the superblock at ``offset``.

    Raises: FileFormatError if it is not JLD2's kind, is damaged, or says that the file should be longer
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
    file.check(offset, offset + 44, "the superblock")
    check_ends(source, offset, base, end)
    return file


def _explain_writer(source: Source) -> str:
    """Say who wrote a file of HDF5 that is not JLD2's, and what reads it."""
    if bytes(source.data[:64]).startswith(b"Julia data file (HDF5)"):
        return "JLD.jl wrote it, whose arrays h5py reads"
    if source.raw is not None and source.raw.find(b"keras_version") >= 0:
        return "Keras wrote it; load it there, and luxport.from_keras takes the model"
    return "JLD.jl, h5py or another program wrote it; h5py reads its arrays"


def _read_writer(source: Source) -> str:
    """Return the line of text at the beginning, in which JLD2 says its version of the format and of Julia."""
    parts = bytes(source.data[:512]).split(b"\0")
    text = " ".join(part.decode("ascii", "replace").strip() for part in parts[:2])
    for magic in _MAGIC:
        if text.startswith(magic):
            return text.removeprefix(magic).strip()
    return ""
