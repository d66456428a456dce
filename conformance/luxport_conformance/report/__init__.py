"""What a run found, for people and for programs: a table, JSON, and one self-contained page."""

from luxport_conformance.report.data import as_data, outcomes
from luxport_conformance.report.files import check_folder, write
from luxport_conformance.report.text import complaints, leave_out_numbers, make_printable, remarks, table

__all__ = [
    "as_data",
    "check_folder",
    "complaints",
    "outcomes",
    "make_printable",
    "remarks",
    "table",
    "leave_out_numbers",
    "write",
]
