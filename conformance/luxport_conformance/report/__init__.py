"""What a run found, for people and for programs: a table, JSON, and one self-contained page."""

from luxport_conformance.report.data import as_data, outcomes
from luxport_conformance.report.files import check_folder, write
from luxport_conformance.report.text import complaints, remarks, table, without_numbers

__all__ = ["as_data", "check_folder", "complaints", "outcomes", "remarks", "table", "without_numbers", "write"]
