"""Cases of `luxport.losses`: values, options, errors, and first and second derivatives, also at extreme numbers."""

from __future__ import annotations

from luxport_conformance.case import Case
from luxport_conformance.discovery import find_tables

__all__ = ["CASES"]

CASES: list[Case] = [case for family in find_tables(__name__, "CASES") for case in family]
