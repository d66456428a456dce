"""Judge wrong calls, each in a child process: accepted, refused with luxport's own message, or raw."""

from __future__ import annotations

import dis
import faulthandler
import os
import re
import resource
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import luxport

__all__ = [
    "BACKENDS",
    "WRONG_ARGUMENTS",
    "Call",
    "Finding",
    "enable_doubles",
    "limit_memory",
    "judge",
    "judge_all",
    "label",
    "sweep",
]

BACKENDS = ("numpy", "jax", "torch", "tf")
SOURCES = (str(Path(luxport.__file__).parent), *[f"luxport_{name}" for name in BACKENDS])

Call = tuple[str, Callable[[], Any]]
"""A wrong call with a line that identifies it and begins with the called name."""

WRONG_ARGUMENTS: tuple[Any, ...] = (
    *(-1, 0, 1.5, float("nan"), "relu", "3", True, None, (), (1,), (2, 3, 4, 5, 6), (2.5, 1), ("a", "b"), [], {}),
    *(object(), np.zeros(2), b"x", lambda: None, luxport.relu, luxport.Dense(2, 2)),
)

_DEVICES = re.compile(rf"\b(?:{'|'.join(BACKENDS)})(?= has the devices)")
"""Messages about devices contain the backend's name."""

SECONDS = 20
"""Seconds a call may take; after three times that, a call stuck in native code is ended with its process."""


def label(value: Any) -> str:
    """Return a short text of a value that is the same in every process."""
    return _without_addresses(" ".join(repr(value).split()))[:40]


def judge(call: Callable[[], Any]) -> tuple[str, str]:
    """Run a call; return "taken", "own" (refused with luxport's own message) or "raw", and the message."""
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)  # a call that hangs is as bad as one that crashes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        file = frame.tb_frame.f_code.co_filename if frame is not None else ""
        own = any(source in file for source in SOURCES)
        # Raised when there is no checkpoint
        documented = (TypeError, ValueError, ImportError, IndexError, FileNotFoundError)
        own = own and (isinstance(error, documented) or _is_luxports(error))
        explicit = own and frame is not None and _raises_there(frame)
        # Raised by every failing open()
        explicit = explicit or (isinstance(error, OSError) and error.filename is not None)
        return ("own" if explicit and "\n" not in str(error) else "raw"), text
    finally:
        signal.alarm(0)
    return "taken", ""


def _is_luxports(error: Exception) -> bool:
    """Return whether an error's class is defined in luxport."""
    return type(error).__module__.startswith("luxport")


def _raises_there(frame: TracebackType) -> bool:
    """Return whether an error was raised in a frame by a raise statement, and not by a call in it."""
    return frame.tb_frame.f_code.co_code[frame.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _stop(*args: Any) -> None:
    raise TimeoutError(f"the call takes more than {SECONDS} seconds")


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def limit_memory(most: int) -> None:
    """Limit the memory of this process to `most` more bytes, so that calls do not fill the machine for a minute."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + most, resource.RLIM_INFINITY))


def enable_doubles(backend: str) -> None:
    """Enable float64 in JAX, in which the examples of layers are."""
    if backend == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)


def judge_all(calls: Iterable[Call], first: int, most: int) -> None:
    """Judge the calls from number `first` on, and print two lines for each: the work of a child process.

    Each call may use `most` bytes more than the process had before it, since compiled programs stay in memory.
    """
    for number, (name, call) in enumerate(calls):
        if number < first:
            continue
        print(f"@{number}\t{name}".replace("\n", " "), flush=True)
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
        limit_memory(most)
        verdict, text = judge(call)
        print(f"={verdict}\t{text!r}", flush=True)
    faulthandler.cancel_dump_traceback_later()


@dataclass(frozen=True)
class Finding:
    """A wrong call with its verdict and message."""

    name: str
    verdict: str
    text: str

    @property
    def subject(self) -> str:
        """The called name."""
        match = re.match(r"[\w.]+", self.name)
        return match.group() if match else self.name

    @property
    def answer(self) -> str:
        """The outcome of the call, which must be the same on every backend."""
        return self.verdict if self.verdict in ("taken", "crash") else _without_addresses(_DEVICES.sub("", self.text))


def sweep(backend: str, child: list[str]) -> list[Finding]:
    """Judge all calls of a child command on one backend; after a call that ends it, restart it behind that call."""
    found: list[Finding] = []
    first = 0
    while True:
        command = [sys.executable, *child, "--child", backend, "--first", str(first)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        name, number = "", first - 1
        for line in run.stdout.splitlines():
            if line.startswith("@"):
                head, _, name = line[1:].partition("\t")
                number = int(head)
            elif line.startswith("="):
                verdict, _, text = line[1:].partition("\t")
                found.append(Finding(name, verdict, text))
        if run.returncode == 0:
            return found
        if number < first:
            raise RuntimeError(f"the calls on {backend} do not start: {run.stderr[-2000:]}")
        found.append(Finding(name, "crash", f"exit status {run.returncode}: {_read_last_words(run.stderr)}"))
        first = number + 1


def _read_last_words(stderr: str) -> str:
    """Return the last output of a process in one line, from a crash dump on if there is one."""
    dump = re.search(
        r"^(Timeout|Fatal Python error|Traceback|F\d{4} |LLVM ERROR|terminate called)", stderr, re.MULTILINE
    )
    said = stderr[dump.start() :] if dump else stderr[-1000:]
    return " / ".join(line.strip() for line in said.splitlines() if line.strip())[:1000]


def count_by_subject(found: list[Finding]) -> dict[str, Counter[str]]:
    """Count the verdicts of calls by called name."""
    counts: dict[str, Counter[str]] = {}
    for finding in found:
        counts.setdefault(finding.subject, Counter())[finding.verdict] += 1
    return counts


def find_different_answers(one: list[Finding], other: list[Finding]) -> list[tuple[Finding, Finding]]:
    """Return the calls that two backends answered differently."""
    others = MappingProxyType({finding.name: finding for finding in other})
    pairs = [(finding, others[finding.name]) for finding in one if finding.name in others]
    # These differ for known reasons: the first name the backends, strings are NumPy's, and numbers of segments were
    # checked by the caller.
    known = ("reduce_known_segments: argument 1 of ", "reduce_known_segments (2): argument 1 of ")
    unlike = ("of another backend", "strings", *known)
    return [(a, b) for a, b in pairs if a.answer != b.answer and not any(what in a.name for what in unlike)]
