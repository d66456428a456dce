"""Read HDF5's global heaps, which hold data of variable length; an index gives each object of a heap."""

from __future__ import annotations

from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.superblock import Hdf5

__all__ = ["read_heap_elements"]


def read_heap_elements(file: Hdf5, data: memoryview, element: int, place: int) -> tuple[memoryview, int, int] | None:
    """Return the elements that a reference into a heap gives, their offset, and their number; None for no reference.

    `data` is the reference: a number of elements, the address of a heap, and the index of an object in it.

    Raises: FileFormatError if there is no such heap or object, or it has fewer elements
    """
    count = int.from_bytes(data[:4], "little")
    address, index = int.from_bytes(data[4:12], "little"), int.from_bytes(data[12:16], "little")
    if address == 0 and index == 0:
        return None
    start, size = _find_object(file, address, index)
    if count * element > size:
        raise FileFormatError(f"{count} elements of {element} bytes in a heap object of {size} bytes", offset=place)
    return file.source.view(start, count * element, "an object of a heap"), start, count


def _find_object(file: Hdf5, address: int, index: int) -> tuple[int, int]:
    """Return the offset and the size of an object in a heap."""
    objects = file.heaps.get(address)
    if objects is None:
        objects = file.heaps[address] = _read_collection(file, address)
    if index not in objects:
        raise FileFormatError(f"a heap has no object {index}", offset=file.find_offset(address))
    return objects[index]


def _read_collection(file: Hdf5, address: int) -> dict[int, tuple[int, int]]:
    source, start = file.source, file.find_offset(address)
    if source.view(start, 4, "a heap") != b"GCOL":
        raise FileFormatError("there is no heap where a reference leads: damaged", offset=start)
    version, _, size = source.unpack("B3sQ", start + 4, "a heap")
    if version != 1:
        raise FileFormatError(f"a heap of version {version} is unknown", offset=start)
    # The size includes the first 16 bytes in HDF5's own files but not in JLD2's: the last 16 bytes may be no object.
    end = min(start + 16 + size, source.size)
    objects: dict[int, tuple[int, int]] = {}
    place = start + 16
    while place + 16 <= end:
        index, _, _, length = source.unpack("HHIQ", place, "an object of a heap")
        if index == 0 or place + 16 + length > end:
            break
        objects[index] = (place + 16, length)
        place += 16 + -(-length // 8) * 8
    return objects
