"""Bounded fuzzing of the readers: `python tests/porting/fuzz.py 100000` mutates sound files, or grows
random ones from their parts, and reads what comes out.

Every input has to be read, or refused with the one documented error, within two seconds, within the memory limit,
and without code being run, files being opened or modules being loaded. An input that fails is kept, with its number:
the same number and seed make the same input again.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import grown
import real_files
import samples

from luxport import porting
from luxport.porting import (
    julia,
    lowered,  # noqa: F401  (imported on first use, which is no finding)
)
from luxport.porting.jld2.superblock import Hdf5

SLOWEST = 2.0
LARGEST = 2 << 30
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
INTERESTING = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class HangError(BaseException):
    """Reading took too long; no reader catches this."""


class _Watch:
    """Notes what Python's audit hooks report while a file is read, and the longest that one took."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        self.slowest = 0.0

    def __call__(self, event: str, _: Any) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen.append(event)


WATCH = _Watch()


def seeds(folder: Path | None) -> list[bytes]:
    """Return the sound files: the real ones where they are, and those that the tests write."""
    real = sorted(folder.glob("*.bson")) + sorted(folder.glob("*.jld2")) if folder and folder.is_dir() else []
    return [file.read_bytes() for file in real] + list(samples.FILES.values())


def mutate(rng: random.Random, files: list[bytes]) -> bytes:
    """Return a damaged copy of one of the files; small ones are taken more often, being faster to read."""
    data = bytearray(rng.choices(files, [1 / (2000 + len(file)) for file in files])[0])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        at = rng.randrange(len(data))
        match rng.randrange(10):
            case 0 | 1:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at] = rng.randrange(256)
            case 3 | 4:
                width = rng.choice((1, 2, 4, 8))
                value = rng.choice(INTERESTING) + rng.choice((0, 0, -1, len(data)))
                data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
            case 5:
                del data[at : at + rng.choice((1, 4, 8, 100))]
            case 6:
                data[at:at] = data[at : at + rng.choice((1, 8, 64, 512))]
            case 7:
                other = rng.choice(files)
                start = rng.randrange(len(other))
                piece = other[start : start + rng.choice((4, 16, 128))]
                data[at : at + len(piece)] = piece
            case 8:
                # Two words change places: references lead elsewhere.
                there = rng.randrange(len(data))
                first, second = bytes(data[at : at + 8]), bytes(data[there : there + 8])
                if len(first) == len(second) == 8 and abs(at - there) >= 8:
                    data[at : at + 8], data[there : there + 8] = second, first
            case 9:
                if rng.random() < 0.3:
                    del data[at:]
                else:
                    number = int.from_bytes(data[at : at + 4], "little") + rng.randrange(-9, 10)
                    data[at : at + 4] = (number % (1 << 32)).to_bytes(4, "little")[: len(data) - at]
    return bytes(data)


def exercise(data: bytes, checked: bool) -> str:
    """Read one input as a user would, and return how that ended; whatever should not happen is raised."""
    WATCH.seen.clear()
    WATCH.on = True
    # The time of this process alone: what else the machine does is no finding.
    begin = time.process_time()
    try:
        # Without the checksums, damage gets past the first object of a JLD2 file.
        with mock.patch.object(Hdf5, "check", lambda *_: None) if not checked else _nothing():
            saved = porting.read(data, allow_unavailable=bool(len(data) % 2))
        for _, value in julia.walk(saved.values):
            if isinstance(value, (julia.Struct, julia.Function)):
                str(value.type)
            if isinstance(value, julia.Function):
                [str(method) for method in value.methods]
        outcome = "read"
    except porting.FileFormatError as error:
        if "\n" in str(error):
            raise AssertionError(f"the message has several lines: {error}") from None
        outcome = "refused"
    finally:
        WATCH.on = False
        took = time.process_time() - begin
        WATCH.slowest = max(WATCH.slowest, took)
    if WATCH.seen:
        raise AssertionError(f"reading caused {sorted(set(WATCH.seen))}")
    if took > SLOWEST:
        raise AssertionError(f"took {took:.1f} s")
    return outcome


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def run(count: int, seed: int, files: list[bytes], first: int = 0, keep: Path | None = None) -> Counter[str]:
    """Fuzz with ``count`` inputs and count how they ended; "failed" are those that should not have."""
    outcomes: Counter[str] = Counter()
    for number in range(first, first + count):
        rng = random.Random(f"{seed}/{number}")
        match rng.randrange(8):
            case 0:
                data = grown.bson_file(rng)
            case 1:
                data = grown.jld2_file(rng)
            case 2:
                data = mutate(rng, [grown.jld2_file(rng) if rng.random() < 0.5 else grown.bson_file(rng)])
            case _:
                data = mutate(rng, files)
        checked = rng.random() < 0.3
        try:
            # Where no handler is set, as under pytest, a hang is found by its time alone.
            if signal.getsignal(signal.SIGPROF) is _hang:
                signal.setitimer(signal.ITIMER_PROF, 5 * SLOWEST)
            outcomes[exercise(data, checked)] += 1
        except (Exception, HangError) as error:
            outcomes["failed"] += 1
            print(f"input {number} of seed {seed}: {type(error).__name__}: {error}"[:400], flush=True)
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{number}.bin").write_bytes(data)
    return outcomes


def _hang(*_: Any) -> None:
    raise HangError("still reading")


def _main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("count", type=int, nargs="?", default=10_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0, help="number of the first input")
    options.add_argument("--keep", type=Path, help="folder for the inputs that fail")
    options.add_argument("--fixtures", type=Path, default=real_files.FIXTURES)
    chosen = options.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST, LARGEST))
    sys.addaudithook(WATCH)

    signal.signal(signal.SIGPROF, _hang)
    files = seeds(chosen.fixtures / "flux")
    total: Counter[str] = Counter()
    begin = time.perf_counter()
    for first in range(chosen.first, chosen.first + chosen.count, 1000):
        total += run(min(1000, chosen.first + chosen.count - first), chosen.seed, files, first, chosen.keep)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        took = time.perf_counter() - begin
        slowest = f"the slowest {WATCH.slowest:.2f} s"
        print(f"{total.total()} inputs in {took:.0f} s, {slowest}, peak {peak} MiB: {dict(total)}", flush=True)
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(_main())
