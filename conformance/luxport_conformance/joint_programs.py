"""Programs compiled as one, as a compiler takes a tenth of a second and more to start."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

__all__ = ["Together"]

Job = tuple[Callable[..., Any], tuple[Any, ...]]


class Together:
    """The results of several programs on their inputs, compiled and run as one program when the first is wanted.

    If that fails, each is compiled alone as it is wanted, so that the one at fault fails and no other.
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
        except Exception:  # whatever it is, it comes again from the program alone
            return {}
        return dict(zip(self._jobs, results, strict=True))
