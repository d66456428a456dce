"""Networks of the PEtab SciML test suite give the outputs that Lux.jl computed, on every backend."""

from __future__ import annotations

from typing import Any

import pytest
import real_files

from luxport_conformance.petab import make_petab_cases
from luxport_conformance.runner import run_case

FOLDER = real_files.folder("petab")
CASES = make_petab_cases(FOLDER)


def test_every_folder_has_three_cases() -> None:
    folders = [path.parent.name for path in FOLDER.glob("*/solutions.yaml")]
    assert len(CASES) == 3 * len(folders) > 0


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_outputs_equal_those_of_lux(case: Any, backend: str) -> None:
    assert run_case(case, backend) < float("inf")
