"""Running the probes of a third party's backend in a separate process, because a probe may crash or never return."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

from luxport.backend import get_backend
from luxport_conformance.backends import Found, make_probes, run_probe
from luxport_conformance.selection import Selection
from luxport_conformance.worker_processes import START

__all__ = ["ask"]


def ask(selection: Selection, name: str, limit: float) -> Found:
    """Return the result of each probe of a backend, or a text if it crashed or took longer than `limit` seconds."""
    names, found = list(make_probes(get_backend(name))), dict[str, bool | str]()
    while left := [probe for probe in names if probe not in found]:
        for told in _collect_answers(selection, name, left, limit):
            found[left.pop(0)] = told
    return tuple([(probe, found[probe]) for probe in names])


def _collect_answers(selection: Selection, name: str, names: list[str], limit: float) -> Iterator[bool | str]:
    """Run these probes in a new process and yield their results, until the process ends or takes too long."""
    context = multiprocessing.get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=_probe, args=(theirs, selection, name, names), daemon=True)
    process.start()
    theirs.close()
    ready = False
    try:
        for _ in range(len(names) + 1):
            if not connection.poll(limit if ready else START):
                yield f"gave no answer in {limit if ready else START:g} s"
                return
            answer = connection.recv()
            if ready:
                yield answer
            ready = True
    except (EOFError, OSError):
        process.join()
        yield f"ended the process, with exit code {process.exitcode}"
    finally:
        connection.close()
        process.kill()
        process.join()


def _probe(connection: Connection, selection: Selection, name: str, names: list[str]) -> None:
    selection.load()
    asked = make_probes(get_backend(name))
    connection.send(None)
    for probe in names:
        connection.send(run_probe(asked[probe]))
