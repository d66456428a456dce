"""Cases of `luxport.losses`: functions, Lux's values with options, and gradients where they are delicate."""

from __future__ import annotations

from luxport_conformance.case import Case
from luxport_conformance.cases.losses import classes, numbers, refusals, slopes, two_classes

__all__ = ["CASES"]

CASES: list[Case] = [*numbers.CASES, *classes.CASES, *two_classes.CASES, *slopes.CASES, *refusals.CASES]
