"""Reports of a run's findings: a table in the terminal, JSON, and an HTML page."""

from luxport_conformance.report.data import count_outcomes, make_data
from luxport_conformance.report.files import check_folder, write
from luxport_conformance.report.text import (
    leave_out_numbers,
    list_complaints,
    list_remarks,
    make_printable,
    render_table,
)

__all__ = [
    "check_folder",
    "count_outcomes",
    "leave_out_numbers",
    "list_complaints",
    "list_remarks",
    "make_data",
    "make_printable",
    "render_table",
    "write",
]
