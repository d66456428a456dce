"""The limits that the fuzzers set for every input, and the child processes in which they run.

Each input must be read, or refused with the one documented error, within two seconds of this process's CPU time and
within 200 MiB plus ten times its size of memory. It may not run code, open files or load modules. The limit of memory
is one of address space: memory counts when it is requested, whether it is used or not.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import mmap
import os
import pkgutil
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import luxport
from luxport.porting import FileFormatError

SLOWEST = 2.0
SPARE = 200 << 20
TIMES = 10
STUCK = 10
"""A child process that takes this many seconds for one input is killed."""

BATCH = 2000
FORBIDDEN = (
    "exec",
    "compile",
    "import",
    "open",
    "os.system",
    "os.exec",
    "subprocess.",
    "socket.",
    "ctypes.",
    "pickle.",
)
OUTCOMES = ("", "read", "refused", "failed", "imported", "raised")


class Watch:
    """Records forbidden events of Python's audit hooks while an input is read, and the longest time of one input."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        self.slowest = 0.0
        self.limited = False

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {given[0]!r:.80}" if given else event)


WATCH = Watch()


@contextmanager
def limit_resources(size: int, ignoring: tuple[str, ...] = ()) -> Iterator[None]:
    """Run the body under the limits for an input of this size; raise for whatever they forbid."""
    if WATCH.limited:
        _limit(size)
    WATCH.seen.clear()
    WATCH.on = True
    # CPU time of this process: other work on the machine does not count.
    begin = time.process_time()
    try:
        yield
    except FileFormatError as error:
        check_error(error)
        raise
    finally:
        WATCH.on = False
        took = time.process_time() - begin
        WATCH.slowest = max(WATCH.slowest, took)
        if WATCH.limited:
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        if touched := sorted({event for event in WATCH.seen if not event.startswith(ignoring)}):
            raise AssertionError(f"reading caused {touched}")
        if took > SLOWEST:
            raise AssertionError(f"took {took:.1f} s")


def check_error(error: BaseException) -> None:
    """Raise if an error's message has control characters, or if it was caused by a lack of memory."""
    if not str(error).isprintable():
        raise AssertionError(f"a message has control characters: {str(error)!r}") from None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise AssertionError(f"needed more memory than {SPARE >> 20} MiB and {TIMES} times the input") from None
        cause = cause.__cause__ or cause.__context__


def _limit(size: int) -> None:
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + SPARE + TIMES * size, resource.RLIM_INFINITY))
    spent = math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + STUCK, resource.RLIM_INFINITY))


class Attack:
    """Makes inputs from their numbers and reads each, returning how it ended."""

    def __init__(self, name: str, make: Callable[[int], bytes | str], read: Callable[[Any, int], str]) -> None:
        self.name = name
        self.make = make
        self.read = read

    def run_one(self, number: int, keep: Path | None = None) -> str:
        """Read one input; if it breaks a limit, print that and keep the input."""
        given = self.make(number)
        try:
            return self.read(given, number)
        except Exception as error:
            print(f"{self.name} {number}: {type(error).__name__}: {error}"[:400], flush=True)
            self.keep(number, keep, given)
            return "failed"

    def keep(self, number: int, folder: Path | None, given: bytes | str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            data = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
            (folder / f"{self.name.replace('/', '-')}-{number}.bin").write_bytes(data)

    def run_here(self, count: int, first: int = 0) -> Counter[str]:
        """Read `count` inputs in this process, without limits of memory, and count how they ended."""
        return Counter(self.run_one(number) for number in range(first, first + count))

    def run_in_children(self, count: int, first: int = 0, keep: Path | None = None) -> Counter[str]:
        """Read `count` inputs in child processes, one after the other, which may die; print the count."""
        total: Counter[str] = Counter()
        slowest, most, begin = 0.0, 0, time.perf_counter()
        number = told = first
        while number < first + count:
            size = min(BATCH, first + count - number)
            ended, took, memory, status = self._child(number, size, keep)
            total.update(ended)
            number += len(ended)
            slowest, most = max(slowest, took), max(most, memory)
            if len(ended) < size:
                print(f"{self.name} {number}: the process ended with {status}", flush=True)
                self.keep(number, keep, self.make(number))
                total["failed"] += 1
                number += 1
            if number - told >= 20 * BATCH or number >= first + count:
                told = number
                spent = (
                    f"{time.perf_counter() - begin:.0f} s, the slowest {slowest:.2f} s, at most {most >> 20} MiB more"
                )
                print(f"{self.name}: {number - first} inputs in {spent}: {dict(total)}", flush=True)
        return total

    def _child(self, first: int, count: int, keep: Path | None) -> tuple[list[str], float, int, int]:
        """Return how each input ended until the child did, its longest time, its memory and its exit status."""
        places = count + 16
        with mmap.mmap(-1, places) as shared:
            sys.stdout.flush()
            before = _measure_resident_memory()
            child = os.fork()
            if not child:
                self._work(first, count, keep, shared)
            _, status, used = os.wait4(child, 0)
            ended = [OUTCOMES[code] for code in shared[:count] if code]
            (took,) = struct.unpack_from("<d", shared, count)
        return ended, took, max(0, used.ru_maxrss * 1024 - before), status

    def _work(self, first: int, count: int, keep: Path | None, shared: mmap.mmap) -> None:
        try:
            gc.freeze()
            sys.addaudithook(WATCH)
            WATCH.limited, WATCH.slowest = True, 0.0
            for i in range(count):
                shared[i] = OUTCOMES.index(self.run_one(first + i, keep))
                struct.pack_into("<d", shared, count, WATCH.slowest)
            sys.stdout.flush()
            os._exit(0)
        except BaseException as error:
            print(f"the child of {self.name} ended: {type(error).__name__}: {error}", flush=True)
            os._exit(70)


def _measure_resident_memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main(about: str | None, attacks: dict[str, Callable[[int], Attack]]) -> int:
    """Run one attack, or all, from the command line; a seed makes each."""
    # Modules imported on first use must not count against an input,
    for module in pkgutil.walk_packages(luxport.__path__, "luxport."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if len(attacks) > 1:
        options.add_argument("form", choices=[*attacks, "all"])
    options.add_argument("count", type=int, nargs="?", default=10_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0, help="number of the first input")
    options.add_argument("--keep", type=Path, help="folder for the inputs that fail")
    chosen = options.parse_args()
    form = getattr(chosen, "form", "all")
    failed = 0
    for name in attacks if form == "all" else [form]:
        attack = attacks[name](chosen.seed)
        # nor what is set up on first use.
        attack.run_here(200, -200)
        failed += attack.run_in_children(chosen.count, chosen.first, chosen.keep)["failed"]
    return 1 if failed else 0
