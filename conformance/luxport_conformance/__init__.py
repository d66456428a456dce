"""The conformance suite: checks that luxport computes the right numbers on every backend.

A `Case` is one check, with expected numbers and their source; a law is a property that is checked for every layer.
``python -m luxport_conformance`` runs the checks and prints a table of the deviations;
``pytest --pyargs luxport_conformance`` runs the checks as tests.
"""

from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.check_list import list_checks
from luxport_conformance.compare import Tolerance, Violation
from luxport_conformance.runner import Check, Outcome, run

__all__ = ["Case", "Check", "Outcome", "Property", "Shape", "Tolerance", "Violation", "list_checks", "run"]
