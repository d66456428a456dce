"""`Selection`: the checks of a run, as plain values that can be sent to another process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luxport.backend import register_backend
from luxport_conformance import arrays, backends
from luxport_conformance.backends import Found, note_abilities
from luxport_conformance.cases import CASES
from luxport_conformance.check_list import list_checks
from luxport_conformance.compiling import compiles_operations
from luxport_conformance.named_objects import find_object
from luxport_conformance.peers import find_peer
from luxport_conformance.peers.checks import list_peer_checks
from luxport_conformance.runner import Check

__all__ = ["Selection"]


@dataclass(frozen=True)
class Selection:
    """The backends and peers of a run, and the options that select its checks.

    `backends` are names of luxport's backends, or ``module:object`` for a third party's. `pattern` is a regular
    expression for subjects and ids of checks. With neither `jit` nor `full` everything runs eagerly; with `full` each
    case runs in both modes and in each dtype. `dtypes`, if not empty, and `device` restrict the run. `petab` is a
    folder of the PEtab SciML test suite, whose networks are run too. `peers` are the libraries whose own layers are
    checked (`luxport_conformance.peers`); with `alone` no backend is. `abilities` are the results of the probes of
    third parties' backends.
    """

    backends: tuple[str, ...]
    pattern: str = ""
    dtypes: tuple[str, ...] = ()
    device: str | None = None
    jit: bool = False
    full: bool = False
    petab: str | None = None
    peers: tuple[str, ...] = ()
    alone: bool = False
    abilities: tuple[tuple[str, Found], ...] = ()

    def load(self) -> Selection:
        """Import and register third parties' backends, and return the selection with their names.

        Raises: ValueError if there is no such module or backend; ImportingError if the module raises an error
        """
        for name, found in self.abilities:
            note_abilities(name, found)
        return replace(self, backends=tuple(_load_by_name(name) for name in self.backends))

    def list_checks(self) -> Iterator[Check]:
        """Yield the checks of the backends, then those of the peers."""
        names = list(self.load().backends)
        arrays.place_on(self.device)
        yield from () if self.alone else self._list_backend_checks(names)
        yield from self._list_peer_checks()

    def _list_backend_checks(self, names: list[str]) -> Iterator[Check]:
        cases = CASES if self.petab is None else (*CASES, *_read_petab(self.petab))
        for check in list_checks(names, cases, pattern=self.pattern, thorough=self.full):
            wanted = not self.dtypes or check.dtype in self.dtypes or check.backend == backends.HOST
            if wanted and (self.jit or self.full or check.mode == "eager" or _is_quick(check)):
                yield check

    def _list_peer_checks(self) -> Iterator[Check]:
        for check in list_peer_checks(tuple([find_peer(name) for name in self.peers])):
            wanted = not self.dtypes or check.dtype in self.dtypes
            if wanted and (re.search(self.pattern, check.subject) or re.search(self.pattern, check.id)):
                yield check

    def keep_room(self, room: str) -> Selection:
        """Return the part of the selection for one process: one peer's checks, or without `room` those of backends."""
        if not room:
            return replace(self, peers=())
        peers = tuple([name for name in self.peers if find_peer(name).name == room])
        return replace(self, backends=(), alone=True, peers=peers)

    def find_environment(self) -> dict[str, str]:
        """Return the environment variables that the process of a peer sets before it imports the library."""
        return dict(find_peer(self.peers[0]).environment) if self.alone else {}


def _is_quick(check: Check) -> bool:
    return compiles_operations(check.backend) and check.kind == "case"


def _read_petab(folder: str) -> Any:
    from luxport_conformance.petab import make_petab_cases

    return make_petab_cases(Path(folder))


def _load_by_name(name: str) -> str:
    if ":" not in name:
        return name
    backend = find_object("backend", name)
    try:
        register_backend(backend)
    except TypeError as error:
        raise ValueError(f"no backend at {name!r}: {error}") from None
    return backend.name
