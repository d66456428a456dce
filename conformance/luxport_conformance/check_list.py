"""The list of all checks: every case and law on each backend, in the modes and dtypes that the backend has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from luxport.backend import get_backend
from luxport_conformance.arrays import has_complex
from luxport_conformance.backends import HOST, find_abilities, find_broken_probes, list_ways, make_probes
from luxport_conformance.case import Case
from luxport_conformance.cases import CASES
from luxport_conformance.compiling import compiles_operations
from luxport_conformance.evaluation import Evaluations
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.half_layers import list_spreads
from luxport_conformance.half_sums import HALVES, measure_half_sums
from luxport_conformance.laws import LAWS
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import Overrides
from luxport_conformance.runner import Batch, Check, run_case, run_held, run_law, run_override, run_probe, shorten

__all__ = ["list_checks"]


def list_checks(
    backends: list[str],
    cases: tuple[Case, ...] = CASES,
    *,
    pattern: str = "",
    thorough: bool = False,
    share: bool = False,
) -> Iterator[Check]:
    """Yield every check of these cases, and of all laws, on these backends.

    `pattern` is a regular expression that must match a part of the check's subject (a layer or operation) or id.
    With `thorough` every case runs in both modes and in each dtype, and the sums over thousands of numbers in half
    precision are checked too; without it a few slow checks are left out. With `share`, on backends that do not
    compile each operation by itself, only the first case of each subject and the first example of each layer are
    compiled, and only that example runs in other dtypes than float32: compiling takes most of the time, and the
    other programs of a subject are traced in much the same way.
    """
    for check in (
        *_list_probe_checks(backends),
        *_list_case_checks(backends, cases, thorough, share),
        *_list_law_checks(backends, thorough, share),
        *_list_override_checks(backends, thorough),
        *(_list_half_checks(backends) if thorough else ()),
    ):
        raises = check.kind == "probe" and check.name in find_broken_probes(check.backend)
        if raises or re.search(pattern, check.subject) or re.search(pattern, check.id):
            yield check


def _describe_inputs(example: Example) -> str:
    return f"{example} on {example.x}: x by Philox(7), parameters from seed 1 and moved, weights by Philox(11)"


def _choose_compiled(cases: tuple[Case, ...]) -> set[str]:
    """Return the ids of the cases to compile: for each subject the first case that can be compiled."""
    first: dict[str, str] = {}
    for case in cases:
        if case.may_compile and not case.on_host:
            first.setdefault(case.subject, case.id)
    return set(first.values())


def _make_batches(cases: tuple[Case, ...], chosen: set[str], thorough: bool) -> dict[str, Batch]:
    """Return the batch of each case that can be compiled, by the case's id.

    A batch has consecutive cases; chosen cases and the others are in separate batches.
    """
    able = [case for case in cases if case.may_compile and not case.on_host]
    halves = [case for case in able if case.id in chosen], [case for case in able if case.id not in chosen]
    groups = [tuple(half[i : i + _BATCH]) for half in halves for i in range(0, len(half), _BATCH)]
    return {case.id: batch for group in groups for batch in [Batch(group, thorough=thorough)] for case in group}


_BATCH = 12
"""The number of cases in a batch: larger batches save little time, because compile time grows with the program."""


def _list_probe_checks(backends: list[str]) -> Iterator[Check]:
    for backend in backends:
        for name in make_probes(get_backend(backend)):
            yield Check(
                id=f"probe.{name}-{backend}",
                kind="probe",
                subject="abilities",
                name=name,
                backend=backend,
                run=partial(run_probe, name, backend),
            )


def _list_case_checks(backends: list[str], cases: tuple[Case, ...], thorough: bool, share: bool) -> Iterator[Check]:
    chosen = _choose_compiled(cases) if share else {case.id for case in cases}
    batches = _make_batches(cases, chosen, thorough)
    for case in cases:
        for backend in [HOST] if case.on_host else backends:
            able = find_abilities(backend)
            needs = (case.differentiates, able.gradients), (case.is_complex, able.complex), (case.looks, able.looks)
            if any([needed and not has for needed, has in needs]) or not set(case.integers) <= set(able.integers):
                continue
            for mode, dtype in list_ways(
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
                    inputs=partial(shorten, case.inputs),
                )


def _list_law_checks(backends: list[str], thorough: bool, share: bool) -> Iterator[Check]:
    evaluations = Evaluations(thorough=thorough, share=share)
    for subject, examples in EXAMPLES.items():
        for law in LAWS.values():
            for backend in [HOST] if law.on_host else backends:
                able = find_abilities(backend)
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
                            inputs=partial(_describe_inputs, example),
                        )


def _list_override_checks(backends: list[str], thorough: bool) -> Iterator[Check]:
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
            dtypes = {dtype for _, dtype in list_ways(backend, ("float32", "float64"), thorough=thorough)}
            for position, example in enumerate(examples):
                if has_complex(example.arrays) and not find_abilities(backend).complex:
                    continue
                if example.looks and not find_abilities(backend).looks:
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


def _list_half_checks(backends: list[str]) -> Iterator[Check]:
    for backend in backends:
        for dtype in [dtype for dtype in HALVES if dtype in find_abilities(backend).dtypes]:
            for spread in list_spreads():
                yield Check(
                    id=f"half_sums-{re.sub('[^0-9A-Za-z_]+', '_', spread.name)}-{backend}-{dtype}",
                    kind="half",
                    subject=spread.subject,
                    name="half_sums",
                    backend=backend,
                    run=partial(measure_half_sums, spread, get_backend(backend), dtype),
                    dtype=dtype,
                    of="backward" if find_abilities(backend).gradients else "forward",
                )
