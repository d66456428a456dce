"""What a run found, for people and for programs: a table, JSON, and one self-contained page."""

from luxport_conformance.report.data import as_data, outcomes
from luxport_conformance.report.files import write
from luxport_conformance.report.text import remarks, table

__all__ = ["as_data", "outcomes", "remarks", "table", "write"]
