"""The conformance suite: the numbers that luxport must give on every backend.

A `Case` is one check with numbers and their source; a law holds for every layer without being written for it.
``python -m luxport_conformance`` prints them as a table, ``pytest --pyargs luxport_conformance`` runs them as tests.
"""

from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.check_list import list_checks
from luxport_conformance.compare import Tolerance, Violation
from luxport_conformance.runner import Check, Outcome, run

__all__ = ["Case", "Check", "Outcome", "Property", "Shape", "Tolerance", "Violation", "list_checks", "run"]
