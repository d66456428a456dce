"""Cases of `luxport.losses`: functions, Lux's values with options, and gradients where they are delicate."""

from __future__ import annotations

from luxport_conformance.case import Case
from luxport_conformance.discovery import find_tables

__all__ = ["CASES"]

CASES: list[Case] = [case for family in find_tables(__name__, "CASES") for case in family]
