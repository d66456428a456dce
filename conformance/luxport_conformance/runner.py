"""Crossing cases and laws with backends, modes and dtypes, and running what comes of it."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Backend, get_backend
from luxport_conformance.arrays import has_complex, on_backend, on_host, widened
from luxport_conformance.backends import (
    HOST,
    abilities,
    broken_probes,
    compiled,
    compiles_operations,
    holding,
    load,
    probes,
    ways,
)
from luxport_conformance.case import Case
from luxport_conformance.cases import CASES
from luxport_conformance.compare import Violation, compare
from luxport_conformance.evaluation import Evaluations
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.half_layers import every_spread
from luxport_conformance.half_sums import HALVES, half_sums
from luxport_conformance.laws import LAWS, Law
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import Overrides, expect_held
from luxport_conformance.together import Together

__all__ = [
    "Check",
    "Evidence",
    "Outcome",
    "checks",
    "run",
    "run_case",
    "run_held",
    "run_law",
    "run_override",
    "run_probe",
]


@dataclass(frozen=True)
class Check:
    """One case or law on one backend, in one mode and dtype. `run` returns a deviation or raises `Violation`.

    `of` is what the deviation is one of: a value ("forward") or a gradient ("backward").
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
        """The peer that the check's process is to itself, if it is of one."""
        return self.backend if self.kind == "peer" else ""


class Evidence:
    """What a case wanted and what it got, and what is to be said about it, written down if someone asks for it."""

    def __init__(self) -> None:
        self.expected = ""
        self.got = ""
        self.remark = ""
        self.differences: tuple[str, ...] = ()

    def note(self, expected: Any, got: Any) -> None:
        """Write both down, in short."""
        self.expected, self.got = _short(expected), _short(got)


@dataclass(frozen=True)
class Outcome:
    """What came of a check: how far off in units of eps, or the complaint."""

    check: Check
    deviation: float
    complaint: str | None
    seconds: float


def checks(
    backends: list[str],
    cases: tuple[Case, ...] = CASES,
    *,
    pattern: str = "",
    thorough: bool = False,
    share: bool = False,
) -> Iterator[Check]:
    """Yield every check of these cases, and of all laws, on these backends.

    `pattern` is a regular expression that a subject (a layer or operation) or a check's id must contain. With
    `thorough` cases run in both modes, and in each dtype, and what sums does so over thousands in half types; without
    it a few that take long are left out. With `share`,
    where operations are not compiled by themselves, the first case of a subject is compiled and a layer's first
    example, and other dtypes than float32 are asked of that example alone: compiling takes most of the time, and
    programs are traced much alike.
    """
    for check in (
        *_probe_checks(backends),
        *_case_checks(backends, cases, thorough, share),
        *_law_checks(backends, thorough, share),
        *_override_checks(backends, thorough),
        *(_half_checks(backends) if thorough else ()),
    ):
        raises = check.kind == "probe" and check.name in broken_probes(check.backend)
        if raises or re.search(pattern, check.subject) or re.search(pattern, check.id):
            yield check


def run(check: Check, evidence: Evidence | None = None) -> Outcome:
    """Run one check, whatever comes of it: a failure of any kind becomes a complaint."""
    start = time.perf_counter()
    try:
        noting = {"evidence": evidence} if evidence is not None and check.kind in ("case", "peer") else {}
        deviation, complaint = check.run(**noting), None
    except Exception as error:
        deviation = float("inf")
        complaint = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
    return Outcome(check, deviation, complaint, time.perf_counter() - start)


def run_case(
    case: Case,
    backend_name: str,
    mode: str = "eager",
    dtype: str = "float32",
    batch: _Batch | None = None,
    evidence: Evidence | None = None,
) -> float:
    """Run a case on a backend and return the deviation in units of eps; compiled, with the others of its batch.

    Raises: Violation, with the case and its source
    """
    backend = load(backend_name)
    with holding(backend, dtype), np.errstate(all="ignore"):  # some inputs are NaN or infinite
        inputs = [on_backend(value, backend, dtype) for value in case.inputs.values()] if backend else []
        try:
            if case.raises is not None:
                return _expect_error(case, inputs)
            if mode == "jit" and backend is not None:
                results = (batch or _Batch((case,))).compiled(backend, dtype)[case.id]
            else:
                results = case.program(*inputs)
            got = on_host(results, backend)
            expected = case.expected
            if callable(expected):
                expected = expected(*[widened(on_host(value, backend)) for value in inputs])
            if evidence is not None:
                evidence.note(expected, got)
            return compare(got, expected, dtype=dtype, tolerance=case.tolerance)
        except Violation as violation:
            raise Violation(f"{case.id} on {backend_name} ({', '.join(case.source)}): {violation}") from None


def run_law(
    law: Law, example: Example, backend_name: str, dtype: str = "float32", evaluations: Evaluations | None = None
) -> float:
    """Hold a layer to a law on a backend and return the deviation in units of eps.

    Raises: Violation, with the law and the layer
    """
    backend = load("numpy" if backend_name == HOST else backend_name)
    assert backend is not None
    with holding(backend, dtype):
        try:
            return law.holds(example, backend, dtype, evaluations or Evaluations())
        except Violation as violation:
            raise Violation(f"{law.name} of {example} on {backend_name}: {violation}") from None


class _Batch:
    """Cases whose programs are compiled as one on a backend and in a dtype: those that are compiled in it at all."""

    def __init__(self, cases: tuple[Case, ...], *, thorough: bool = False) -> None:
        self._cases = cases
        self._thorough = thorough
        self._results: dict[tuple[str, str], Together] = {}

    def compiled(self, backend: Backend, dtype: str) -> Together:
        """Return the results of those that run there, by their ids."""
        key = (backend.name, dtype)
        if key not in self._results:
            jobs = {
                case.id: (case.program, tuple([on_backend(value, backend, dtype) for value in case.inputs.values()]))
                for case in self._cases
                if ("jit", dtype) in ways(backend.name, case.dtypes, thorough=self._thorough)
            }
            self._results[key] = Together(lambda f: compiled(backend, f, tracing_only=True), jobs)
        return self._results[key]


def _short(value: Any) -> str:
    """Write values down in a line, long arrays by their ends."""
    text = repr(tree.map(_rounded, value)) if isinstance(value, (dict, tuple, list)) else repr(_rounded(value))
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def _rounded(leaf: Any) -> Any:
    if not isinstance(leaf, (np.ndarray, np.generic)):
        return leaf
    return _Text(
        np.array2string(np.asarray(leaf), precision=7, threshold=8, edgeitems=2, separator=", ").replace("\n", "")
    )


class _Text(str):
    """A text that is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_LINE = 400


def _drawn(example: Example) -> str:
    return f"{example} on {example.x}: x by Philox(7), parameters from seed 1 and moved, weights by Philox(11)"


def _chosen(cases: tuple[Case, ...]) -> set[str]:
    """Return the id of the first case of each subject that can be compiled."""
    first: dict[str, str] = {}
    for case in cases:
        if case.may_compile and not case.on_host:
            first.setdefault(case.subject, case.id)
    return set(first.values())


def _batches(cases: tuple[Case, ...], chosen: set[str], thorough: bool) -> dict[str, _Batch]:
    """Put each case that can be compiled in a batch with its neighbors, with those that are chosen if it is."""
    able = [case for case in cases if case.may_compile and not case.on_host]
    halves = [case for case in able if case.id in chosen], [case for case in able if case.id not in chosen]
    groups = [tuple(half[i : i + _BATCH]) for half in halves for i in range(0, len(half), _BATCH)]
    return {case.id: batch for group in groups for batch in [_Batch(group, thorough=thorough)] for case in group}


_BATCH = 12
"""More at a time saves little: a compiler's work grows with the program."""


def _expect_error(case: Case, inputs: list[Any]) -> float:
    assert case.raises is not None
    try:
        case.program(*inputs)
    except case.raises as error:
        if not re.search(case.message, str(error)):
            raise Violation(f"an error like {case.message!r} expected, got {str(error)!r}") from error
        return 0.0
    raise Violation(f"{case.raises.__name__} expected, got a result")


def _probe_checks(backends: list[str]) -> Iterator[Check]:
    for backend in backends:
        for name in probes(get_backend(backend)):
            yield Check(
                id=f"probe.{name}-{backend}",
                kind="probe",
                subject="abilities",
                name=name,
                backend=backend,
                run=partial(run_probe, name, backend),
            )


def run_probe(name: str, backend_name: str) -> float:
    """Ask a backend whether it can do something; yes and no are both fine, and no other error.

    Raises: Violation, with the traceback
    """
    backend = get_backend(backend_name)
    try:
        with holding(backend, "float64"):
            probes(backend)[name]()
    except Exception:
        told = traceback.format_exc()
        raise Violation(f"{backend_name} does not say whether it has {name}:\n{told}") from None
    return 0.0


def _case_checks(backends: list[str], cases: tuple[Case, ...], thorough: bool, share: bool) -> Iterator[Check]:
    chosen = _chosen(cases) if share else {case.id for case in cases}
    batches = _batches(cases, chosen, thorough)
    for case in cases:
        for backend in [HOST] if case.on_host else backends:
            able = abilities(backend)
            needs = (case.differentiates, able.gradients), (case.is_complex, able.complex), (case.looks, able.looks)
            if any([needed and not has for needed, has in needs]) or not set(case.integers) <= set(able.integers):
                continue
            for mode, dtype in ways(
                backend, case.dtypes, compiles=case.may_compile, traces=case.may_trace, thorough=thorough
            ):
                if mode == "jit" and case.id not in chosen and not compiles_operations(backend):
                    continue
                yield Check(
                    id=case.id if case.on_host else f"{case.id}-{backend}-{mode}-{dtype}",
                    kind="case",
                    subject=case.subject,
                    name=case.id,
                    backend=backend,
                    run=partial(run_case, case, backend, mode, dtype, batches.get(case.id)),
                    mode=mode,
                    dtype=dtype,
                    of="backward" if case.differentiates else "forward",
                    source=case.source,
                    inputs=partial(_short, case.inputs),
                )


def _law_checks(backends: list[str], thorough: bool, share: bool) -> Iterator[Check]:
    evaluations = Evaluations(thorough=thorough, share=share)
    for subject, examples in EXAMPLES.items():
        for law in LAWS.values():
            for backend in [HOST] if law.on_host else backends:
                able = abilities(backend)
                if (law.gradients and not able.gradients) or (law.compiles and not able.compiles):
                    continue
                few = law.compiles and share and not compiles_operations(backend)
                for position, example in enumerate(examples[:1] if few else examples, start=1):
                    dtypes = [dtype for dtype in law.dtypes if dtype in able.dtypes and dtype in example.dtypes]
                    if share and position > 1 and "float32" in dtypes:
                        dtypes = ["float32"]
                    for dtype in [HOST] if law.on_host else dtypes:
                        yield Check(
                            id=f"{law.name}-{subject}_{position}-{backend}" + ("" if law.on_host else f"-{dtype}"),
                            kind="law",
                            subject=subject,
                            name=law.name,
                            backend=backend,
                            run=partial(run_law, law, example, backend, dtype, evaluations),
                            mode="jit" if law.compiles else "eager",
                            dtype=dtype,
                            of="backward" if law.gradients and not law.compiles else "forward",
                            inputs=partial(_drawn, example),
                        )


def _override_checks(backends: list[str], thorough: bool) -> Iterator[Check]:
    for backend in backends:
        yield Check(
            id=f"overrides_are_held-{backend}",
            kind="override",
            subject="ops",
            name="overrides_are_held",
            backend=backend,
            run=partial(run_held, backend),
        )
    overrides = Overrides()
    for name, examples in OPERATIONS.items():
        for backend in backends:
            dtypes = {dtype for _, dtype in ways(backend, ("float32", "float64"), thorough=thorough)}
            for position, example in enumerate(examples):
                if has_complex(example.arrays) and not abilities(backend).complex:
                    continue
                if example.looks and not abilities(backend).looks:
                    continue
                for dtype in sorted(dtypes):
                    yield Check(
                        id=f"override_is_definition-{name}_{position + 1}-{backend}-{dtype}",
                        kind="override",
                        subject=name,
                        name="override_is_definition",
                        backend=backend,
                        run=partial(run_override, name, position, backend, dtype, overrides),
                        dtype=dtype,
                    )


def _half_checks(backends: list[str]) -> Iterator[Check]:
    for backend in backends:
        for dtype in [dtype for dtype in HALVES if dtype in abilities(backend).dtypes]:
            for spread in every_spread():
                yield Check(
                    id=f"half_sums-{re.sub('[^0-9A-Za-z_]+', '_', spread.name)}-{backend}-{dtype}",
                    kind="half",
                    subject=spread.subject,
                    name="half_sums",
                    backend=backend,
                    run=partial(half_sums, spread, get_backend(backend), dtype),
                    dtype=dtype,
                    of="backward" if abilities(backend).gradients else "forward",
                )


def run_held(backend_name: str) -> float:
    """Expect that a check holds each of a backend's own operations.

    Raises: Violation
    """
    backend = load(backend_name)
    assert backend is not None
    return expect_held(backend)


def run_override(
    name: str, position: int, backend_name: str, dtype: str = "float32", overrides: Overrides | None = None
) -> float:
    """Hold a backend's own version of an operation to the definition, on one of the examples; 0 if it has none.

    Raises: Violation, with the operation
    """
    backend = load(backend_name)
    assert backend is not None
    with holding(backend, dtype):
        try:
            return (overrides or Overrides()).compare(name, position, backend, dtype)
        except Violation as violation:
            raise Violation(f"override_is_definition of {name} on {backend_name}: {violation}") from None
