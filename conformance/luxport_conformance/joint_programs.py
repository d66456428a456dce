"""Compiling several programs as one, because each start of a compiler takes a tenth of a second or more."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

__all__ = ["Together"]

Job = tuple[Callable[..., Any], tuple[Any, ...]]


class Together:
    """A mapping from names to the results of several programs on their inputs.

    At the first access all programs are compiled and run as one. If that fails, each program is compiled alone when
    its result is accessed, so that only the faulty program raises an error.
    """

    def __init__(self, compiled: Callable[[Callable[..., Any]], Callable[..., Any]], jobs: Mapping[Any, Job]):
        self._compiled = compiled
        self._jobs = jobs
        self._results: dict[Hashable, Any] | None = None

    def __getitem__(self, name: Hashable) -> Any:
        if self._results is None:
            self._results = self._run()
        if name in self._results:
            return self._results[name]
        program, inputs = self._jobs[name]
        return self._compiled(program)(*inputs)

    def _run(self) -> dict[Hashable, Any]:
        programs = [program for program, _ in self._jobs.values()]

        def program(*groups: Any) -> Any:
            return tuple([part(*inputs) for part, inputs in zip(programs, groups, strict=True)])

        try:
            results = self._compiled(program)(*[inputs for _, inputs in self._jobs.values()])
        except Exception:  # the faulty program raises the error again when it is compiled alone
            return {}
        return dict(zip(self._jobs, results, strict=True))
