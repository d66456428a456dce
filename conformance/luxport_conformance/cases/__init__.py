"""The cases, one file a family: each file's ``CASES`` are found by themselves."""

from luxport_conformance.case import Case
from luxport_conformance.discovery import found_in

__all__ = ["BY_ID", "CASES"]

CASES: tuple[Case, ...] = tuple([case for family in found_in(__name__, "CASES") for case in family])

BY_ID = {case.id: case for case in CASES}
