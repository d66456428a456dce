"""The cases, one file for each family; the list ``CASES`` of every module is collected automatically.

Names of functions: ``check_…`` returns a case, or several; ``compute_…`` and other plain verbs are programs
that a case runs on luxport; ``expect_…``, ``derive_…`` and ``…_by_hand`` compute the expected result with NumPy;
``estimate_…`` does so by finite differences. Formulas have the names that they have in mathematics (``sigmoid``,
``hann``, ``affine``), and a function inside another that fills a field of the `Case` has the field's name (``program``,
``expected``).
"""

from luxport_conformance.case import Case
from luxport_conformance.discovery import find_tables

__all__ = ["BY_ID", "CASES"]

CASES: tuple[Case, ...] = tuple([case for family in find_tables(__name__, "CASES") for case in family])

BY_ID = {case.id: case for case in CASES}
