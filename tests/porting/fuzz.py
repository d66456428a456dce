"""Bounded fuzzing of the readers: `python tests/porting/fuzz.py 100000`.

It damages sound files, or makes random ones from the parts of sound files, and reads them.

``fuzz_limits.py`` has the limits that every input must keep. An input that fails is printed with its number: the same
number and seed make the same input again.
"""

from __future__ import annotations

import random
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import random_files
import real_files
import samples
from fuzz_limits import Attack, limit_resources, main

from luxport import porting
from luxport.porting import julia
from luxport.porting.files.jld2.superblock import Hdf5

INTERESTING = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def list_seeds(folder: Path | None) -> list[bytes]:
    """Return sound files: the real ones if they are there, and those that the tests write."""
    real = sorted(folder.glob("*.bson")) + sorted(folder.glob("*.jld2")) if folder and folder.is_dir() else []
    return [file.read_bytes() for file in real] + list(samples.FILES.values())


def mutate(rng: random.Random, files: list[bytes]) -> bytes:
    """Return a damaged copy of one of the files, mostly a small one, which is faster to read."""
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
                # Swap two words: references then lead elsewhere.
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
    """Read one input as a user would and return how it ended; raise for whatever must not happen."""
    # Without checksums, damage gets past the first object of a JLD2 file.
    unchecked = nullcontext() if checked else mock.patch.object(Hdf5, "check_checksum", lambda *_: None)
    try:
        with unchecked, limit_resources(len(data)):
            saved = porting.read(data, allow_unavailable=bool(len(data) % 2))
            for _, value in julia.walk(saved.values):
                if isinstance(value, (julia.Struct, julia.Function)):
                    str(value.type)
                if isinstance(value, julia.Function):
                    [str(method) for method in value.methods]
    except porting.FileFormatError:
        return "refused"
    return "read"


def make_attack(seed: int, files: list[bytes]) -> Attack:
    """Return the attack on `luxport.porting.read` that damages these files."""

    def make(number: int) -> bytes:
        rng = random.Random(f"{seed}/{number}")
        match rng.randrange(8):
            case 0:
                return random_files.bson_file(rng)
            case 1:
                return random_files.jld2_file(rng)
            case 2:
                return mutate(rng, [random_files.jld2_file(rng) if rng.random() < 0.5 else random_files.bson_file(rng)])
        return mutate(rng, files)

    return Attack("bson and jld2", make, lambda data, number: exercise(data, checked=number % 3 == 0))


if __name__ == "__main__":
    sys.exit(main(__doc__, {"all": lambda seed: make_attack(seed, list_seeds(real_files.FIXTURES / "flux"))}))
