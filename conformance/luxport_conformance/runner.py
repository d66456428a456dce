"""Running one check: a case, a law, a probe, or a backend's override of an operation."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host, widen_floats
from luxport_conformance.backends import HOST, hold_dtype, list_ways, load, make_probes
from luxport_conformance.case import Case
from luxport_conformance.compare import Violation, compare
from luxport_conformance.compiling import compile_quickly
from luxport_conformance.evaluation import Evaluations
from luxport_conformance.examples import Example
from luxport_conformance.joint_programs import Together
from luxport_conformance.laws import Law
from luxport_conformance.operations import Overrides, expect_held

__all__ = [
    "Batch",
    "Check",
    "Evidence",
    "Outcome",
    "run",
    "run_case",
    "run_held",
    "run_law",
    "run_override",
    "run_probe",
    "shorten",
]


@dataclass(frozen=True)
class Check:
    """One check on one backend, in one mode and dtype. `run` returns a deviation or raises `Violation`.

    `of` tells whether the deviation is that of values ("forward") or gradients ("backward").
    """

    id: str
    kind: str
    subject: str
    name: str
    backend: str
    run: Callable[[], float]
    mode: str = "eager"
    dtype: str = ""
    of: str = "forward"
    source: tuple[str, ...] = ()
    inputs: Callable[[], str] = str

    @property
    def room(self) -> str:
        """The name of the peer, whose checks run in a separate process; empty for checks of backends."""
        return self.backend if self.kind == "peer" else ""


class Evidence:
    """Texts about a check for the report: expected and actual values, a remark, and the names of known differences."""

    def __init__(self) -> None:
        self.expected = ""
        self.got = ""
        self.remark = ""
        self.differences: tuple[str, ...] = ()

    def note(self, expected: Any, got: Any) -> None:
        """Store both values, shortened."""
        self.expected, self.got = shorten(expected), shorten(got)


@dataclass(frozen=True)
class Outcome:
    """The result of a check: the deviation in units of eps, or the complaint.

    For an error other than `Violation`, `place` is the line that raised it.
    """

    check: Check
    deviation: float
    complaint: str | None
    seconds: float
    place: str = ""
    traceback: str = ""


def run(check: Check, evidence: Evidence | None = None) -> Outcome:
    """Run one check and return its outcome; an exception of any kind becomes a complaint."""
    start, place, told = time.perf_counter(), "", ""
    try:
        noting = {"evidence": evidence} if evidence is not None and check.kind in ("case", "peer") else {}
        deviation, complaint = check.run(**noting), None
    except Exception as error:
        deviation = float("inf")
        complaint = str(error)
        if not isinstance(error, Violation):
            complaint = f"{type(error).__name__}: {error}"
            place, told = _find_place(error), traceback.format_exc()
    return Outcome(check, deviation, complaint, time.perf_counter() - start, place, told)


def _find_place(error: Exception) -> str:
    """Return the line that raised an error, and the last line of luxport among its callers."""
    frames = traceback.extract_tb(error.__traceback__)
    asking = [frame for frame in frames if frame.filename.startswith(_LUXPORT)]
    places = [frames[-1], *[frame for frame in asking[-1:] if frame is not frames[-1]]]
    return ", for ".join([f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in places])


_LUXPORT = str(Path(str(luxport.__file__)).parent)


def run_case(
    case: Case,
    backend_name: str,
    mode: str = "eager",
    dtype: str = "float32",
    batch: Batch | None = None,
    evidence: Evidence | None = None,
) -> float:
    """Run a case on a backend and return the deviation in units of eps.

    In the mode "jit" the case is compiled in one program with the other cases of its batch.

    Raises: Violation, with the case and its source
    """
    backend = load(backend_name)
    with hold_dtype(backend, dtype), np.errstate(all="ignore"):  # some inputs are NaN or infinite
        inputs = [move_to_backend(value, backend, dtype) for value in case.inputs.values()] if backend else []
        try:
            if case.raises is not None:
                return _expect_error(case, inputs)
            if mode == "jit" and backend is not None:
                results = (batch or Batch((case,))).run_compiled(backend, dtype)[case.id]
            else:
                results = case.program(*inputs)
            got = move_to_host(results, backend)
            expected = case.expected
            if callable(expected):
                expected = expected(*[widen_floats(move_to_host(value, backend)) for value in inputs])
            if evidence is not None:
                evidence.note(expected, got)
            return compare(got, expected, dtype=dtype, tolerance=case.tolerance)
        except Violation as violation:
            raise Violation(f"{case.id} on {backend_name} ({', '.join(case.source)}): {violation}") from None


def run_law(
    law: Law, example: Example, backend_name: str, dtype: str = "float32", evaluations: Evaluations | None = None
) -> float:
    """Check a law for a layer on a backend and return the deviation in units of eps.

    Raises: Violation, with the law and the layer
    """
    backend = load("numpy" if backend_name == HOST else backend_name)
    assert backend is not None
    with hold_dtype(backend, dtype):
        try:
            return law.holds(example, backend, dtype, evaluations or Evaluations())
        except Violation as violation:
            raise Violation(f"{law.name} of {example} on {backend_name}: {violation}") from None


class Batch:
    """Cases whose programs are compiled as one program, for each backend and dtype."""

    def __init__(self, cases: tuple[Case, ...], *, thorough: bool = False) -> None:
        self._cases = cases
        self._thorough = thorough
        self._results: dict[tuple[str, str], Together] = {}

    def run_compiled(self, backend: Backend, dtype: str) -> Together:
        """Return the results, by the cases' ids, of the cases that are compiled on this backend and in this dtype."""
        key = (backend.name, dtype)
        if key not in self._results:
            jobs = {
                case.id: (
                    case.program,
                    tuple([move_to_backend(value, backend, dtype) for value in case.inputs.values()]),
                )
                for case in self._cases
                if ("jit", dtype) in list_ways(backend.name, case.dtypes, thorough=self._thorough)
            }
            self._results[key] = Together(lambda f: compile_quickly(backend, f, tracing_only=True), jobs)
        return self._results[key]


def shorten(value: Any) -> str:
    """Format values in one line; long arrays are shortened to their first and last entries."""
    text = repr(tree.map(_round, value)) if isinstance(value, (dict, tuple, list)) else repr(_round(value))
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def _round(leaf: Any) -> Any:
    if not isinstance(leaf, (np.ndarray, np.generic)):
        return leaf
    return _Text(
        np.array2string(np.asarray(leaf), precision=7, threshold=8, edgeitems=2, separator=", ").replace("\n", "")
    )


class _Text(str):
    """A string whose repr is the string itself, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_LINE = 400


def _expect_error(case: Case, inputs: list[Any]) -> float:
    assert case.raises is not None
    try:
        case.program(*inputs)
    except case.raises as error:
        if not re.search(case.message, str(error)):
            raise Violation(f"an error like {case.message!r} expected, got {str(error)!r}") from error
        return 0.0
    raise Violation(f"{case.raises.__name__} expected, got a result")


def run_probe(name: str, backend_name: str) -> float:
    """Run a probe of a backend and return 0, whether the backend has the ability or not.

    Raises: Violation, with the traceback, if the probe raises an error
    """
    backend = get_backend(backend_name)
    try:
        with hold_dtype(backend, "float64"):
            make_probes(backend)[name]()
    except Exception:
        told = traceback.format_exc()
        raise Violation(f"{backend_name} does not say whether it has {name}:\n{told}") from None
    return 0.0


def run_held(backend_name: str) -> float:
    """Check that the suite has an example of each operation that a backend overrides; return 0.

    Raises: Violation if an example is missing, or a signature differs
    """
    backend = load(backend_name)
    assert backend is not None
    return expect_held(backend)


def run_override(
    name: str, position: int, backend_name: str, dtype: str = "float32", overrides: Overrides | None = None
) -> float:
    """Compare a backend's override of an operation with the definition on one example; return 0 if there is none.

    Raises: Violation, with the operation
    """
    backend = load(backend_name)
    assert backend is not None
    with hold_dtype(backend, dtype):
        try:
            return (overrides or Overrides()).compare(name, position, backend, dtype)
        except Violation as violation:
            raise Violation(f"override_is_definition of {name} on {backend_name}: {violation}") from None
