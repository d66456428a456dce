"""Read JLD2's committed datatypes: HDF5 datatypes, each with the Julia type of its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.files.jld2.datatypes import Datatype, Shared
from luxport.porting.files.jld2.headers import Attribute, read_header
from luxport.porting.files.jld2.superblock import Hdf5

__all__ = ["CommittedType", "CommittedTypes"]

DATATYPE: Final = julia.TypeName(("Core",), "DataType")


@dataclass(frozen=True)
class CommittedType:
    """A Julia type, and how its values are stored.

    ``written`` is the type to which its package converted the value before saving, None if it did not. ``fields`` maps
    the names of all fields to the addresses of their committed types (0 for none); None if the file has no names.
    """

    address: int
    type: Any
    written: Any
    datatype: Datatype
    empty: bool
    fields: dict[str, int] | None
    # The addresses in the older form without names of fields, in the order of the record's members.
    order: list[int] = field(default_factory=list)

    def find_member_type(self, name: str, position: int) -> int:
        """Return the address of the committed type of a record's member, 0 if it has none."""
        if self.fields is not None:
            return self.fields.get(name, 0)
        return self.order[position] if position < len(self.order) else 0


class CommittedTypes:
    """The committed types of a file by address; each is read once."""

    def __init__(self, file: Hdf5, read_attribute: Callable[[Attribute], Any]) -> None:
        self._file = file
        self._read = read_attribute
        self._known: dict[int, CommittedType | None] = {}

    def __getitem__(self, address: int) -> CommittedType:
        """Return the type at an address.

        Raises: FileFormatError if there is no type, or its description contains itself
        """
        if address in self._known:
            known = self._known[address]
            if known is None:
                raise FileFormatError(
                    "the description of a type contains itself", offset=self._file.find_offset(address)
                )
            return known
        self._known[address] = None
        known = self._known[address] = self._read_type(address)
        return known

    def _read_type(self, address: int) -> CommittedType:
        header = read_header(self._file, address)
        if header.datatype is None or isinstance(header.datatype, Shared):
            raise FileFormatError("a reference to a datatype leads to no datatype", offset=header.offset)
        attributes = header.attributes
        # JLD 0.x wrote "julia type", with a space.
        described = attributes.get("julia_type") or attributes.get("julia type")
        if described is None:
            type: Any = None
        elif described.datatype == Shared(address):
            # Only DataType, the type of all types, is described by a value of itself.
            type = DATATYPE
        else:
            type = self._read(described)
        written = self._read(attributes["written_type"]) if "written_type" in attributes else None
        names, fields, order = self._read_list(attributes, "field_names", str), None, []
        addresses = self._read_list(attributes, "field_types", int)
        addresses = addresses or self._read_list(attributes, "field_datatypes", int)
        if names is not None:
            if addresses is None or len(addresses) != len(names):
                raise FileFormatError("the fields of a type have names but no types", offset=header.offset)
            fields = dict(zip(names, addresses, strict=True))
        elif addresses is not None:
            order = addresses
        return CommittedType(address, type, written, header.datatype, "empty" in attributes, fields, order)

    def _read_list(self, attributes: dict[str, Attribute], name: str, kind: type) -> list[Any] | None:
        if name not in attributes:
            return None
        value = self._read(attributes[name])
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise FileFormatError(f"the attribute {name} is no list of {kind.__name__}", offset=attributes[name].offset)
        return value
