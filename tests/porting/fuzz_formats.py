"""Bounded fuzzing of the other functions that read files: `python tests/porting/fuzz_formats.py yaml 100000`.

The formats: ``yaml`` and ``hdf5`` (PEtab SciML), ``safetensors`` (`luxport.load`), ``models`` (BSON and JLD2 through
`load`, `load_parameters` and ``luxport inspect``) and ``convert`` (the command, on files of all kinds).
``fuzz_limits.py`` has the limits that every input must keep. A number and a seed make the same input again.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import lru_cache, partial
from typing import Any
from unittest import mock

import bson_writer as bw
import fuzz
import hdf5_forms
import numpy as np
import random_files
import samples
from fuzz_limits import Attack, check_error, limit_resources, main

import luxport
from luxport import porting
from luxport.core.layer_base import NamedLayers
from luxport.porting import convert_command as converting
from luxport.porting import inspect_command as inspecting
from luxport.porting import loading, parameters, petab
from luxport.porting.files import reading, saving
from luxport.porting.files.detect import is_safetensors
from luxport.porting.files.jld2.superblock import Hdf5
from luxport.porting.files.source import Source
from luxport.porting.flux import state_file as flux_state
from luxport.porting.network import Call, Network, Result
from luxport.porting.petab import files

NET = Network(NamedLayers({"m": luxport.Dense(3, 2)}), ("x",), (Call("y", "m", (Result("x"),)),), Result("y"))
MODEL = luxport.Chain(luxport.Dense(3, 2))

LAYERS = [
    ("Linear", "{in_features: 3, out_features: 2, bias: true}"),
    ("Conv2d", "{in_channels: 2, out_channels: 4, kernel_size: [3, 2], stride: 2, padding: same, dilation: [1, 2]}"),
    ("ConvTranspose1d", "{in_channels: 2, out_channels: 4, kernel_size: 3, output_padding: 0}"),
    ("MaxPool2d", "{kernel_size: 2, stride: [], ceil_mode: false}"),
    ("AdaptiveAvgPool1d", "{output_size: 5}"),
    ("BatchNorm2d", "{num_features: 3, eps: 1.0e-05, momentum: 0.1, affine: true}"),
    ("LayerNorm", "{normalized_shape: [2, 3]}"),
    ("Dropout1d", "{p: 0.5, inplace: false}"),
    ("Flatten", "{start_dim: 1, end_dim: -1}"),
    ("Bilinear", "{in1_features: 3, in2_features: 4, out_features: 2}"),
]
TOKENS = [
    *("null", "~", "true", ".inf", ".nan", "-1", "0", "1e400", "99999999999999999999", "0x7f", "1:30:00", "2001-13-45"),
    *("2001-01-01T99:99:99Z", "[]", "{}", "[[[]]]", "{a: 1}", "!!binary x", "!!int x", "!!timestamp x", "!!set {a}"),
    *("!!python/name:os.system", "&a [1]", "*a", "<<: {a: 1}", "!!float '1:2'", "!!omap [a: 1]", "? [1]", "|", ">"),
    *("---", "...", "'", '"', '"\\x1b[2J"', '"\\u202e"', "\ufeff", "\x07", "x", "m", "y", "Linear", "relu", "output"),
]  # fmt: skip


def yaml_text(rng: random.Random) -> bytes:
    """Return a network's description, sound or with some words changed."""
    chosen = rng.choices(LAYERS, k=rng.choice((1, 1, 1, 2, 3)))
    lines = ["nn_model_id: net", "layers:"]
    for i, (kind, args) in enumerate(chosen):
        lines += [f"- layer_id: m{i}", f"  layer_type: {kind}", f"  args: {args}"]
    lines += ["forward:", "- {name: x, op: placeholder, target: x, args: [], kwargs: {}}"]
    before = "x"
    for i in range(len(chosen)):
        lines.append(f"- {{name: y{i}, op: call_module, target: m{i}, args: [{before}], kwargs: {{}}}}")
        before = f"y{i}"
    lines.append(f"- {{name: z, op: call_function, target: relu, args: [{before}], kwargs: {{inplace: true}}}}")
    lines.append("- {name: output, op: output, target: output, args: [z]}")
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(lines))
        words = lines[at].split(" ")
        match rng.randrange(7):
            case 0 | 1 | 2:
                words[rng.randrange(len(words))] = rng.choice(TOKENS) + rng.choice(("", ",", "}", "]", ":"))
                lines[at] = " ".join(words)
            case 3:
                del lines[at]
            case 4:
                lines.insert(at, rng.choice(lines))
            case 5:
                lines[at] = " " * rng.randrange(4) + lines[at]
            case _:
                name = rng.choice("abc")
                lines.insert(at, f"{name}{at}: &{name} [*{rng.choice('abc')}, *{rng.choice('abc')}]")
        if not lines:
            break
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    return fuzz.mutate(rng, [data]) if rng.random() < 0.3 else data


def _words(data: bytes) -> list[int]:
    """Return the positions of a file's words that are not zero."""
    return [i for i in range(0, len(data) - 8, 8) if any(data[i : i + 8])]


HDF5 = [(file, _words(file)) for file in (*hdf5_forms.SOUND.values(), *hdf5_forms.HOSTILE.values())]


def hdf5_bytes(rng: random.Random) -> bytes:
    """Return a damaged file of h5py's; the damage goes where something is, since most of such a file is empty."""
    file, taken = rng.choice(HDF5)
    data = bytearray(file)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.choice(taken)
        match rng.randrange(4):
            case 0:
                data[at + rng.randrange(8)] ^= 1 << rng.randrange(8)
            case 1:
                there = rng.choice(taken)
                data[at : at + 8], data[there : there + 8] = data[there : there + 8], data[at : at + 8]
            case 2:
                width = rng.choice((1, 2, 4, 8))
                value = rng.choice(fuzz.INTERESTING) % (1 << 8 * width)
                place = at + rng.randrange(0, 8, width)
                data[place : place + width] = value.to_bytes(width, "little")
            case _:
                data[at + rng.randrange(8)] = rng.randrange(256)
    return fuzz.mutate(rng, [bytes(data)]) if rng.random() < 0.2 else bytes(data)


TYPES = ["F32", "F64", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "U8", "BOOL", "C64", "F4", "", 3, None]


def safetensors_bytes(rng: random.Random) -> bytes:
    """Return a file of `luxport.save`, with parts of its header changed."""
    width = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8, "C64": 8}
    header: dict[str, Any] = {}
    place, tree = 0, {}
    for i in range(rng.randrange(1, 4)):
        kind, shape = (
            rng.choice(TYPES if rng.random() < 0.2 else list(width)),
            [rng.randrange(4) for _ in range(rng.randrange(3))],
        )
        size = int(np.prod(shape)) * width.get(str(kind), 1)
        header[f"ps.a{i}"] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + size]}
        place += size
        tree[f"a{i}"] = rng.choice(
            ("array", "array", {"value": 1}, {"static": {"tuple": [1]}}, {"list": ["array"]}, [])
        )
    odd = [-1, 2**62, 2**70, 1.5, True, None, "x", [], {}, [2**62, 0], [0] * 40, [[]]]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        header[rng.choice(list(header))][rng.choice(("dtype", "shape", "data_offsets", "more"))] = rng.choice(odd)
    about = {"format": rng.choice(("1", "1", "2", "99", "x")), "trees": json.dumps({"ps": {"dict": tree}})}
    if rng.random() < 0.2:
        about["aliases"] = rng.choice(("{}", '{"ps.a0": "ps.a1"}', "[1]", '{"ps.a0": []}', "{"))
    if rng.random() < 0.1:
        about["trees"] = rng.choice(
            ("[" * 2000, '{"ps": {"dict": {"a": {"static": {"rule": "Adam", "fields": {}}}}}}', "1")
        )
    header["__metadata__"] = about if rng.random() < 0.95 else rng.choice(odd)
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + rng.randbytes(place)
    return fuzz.mutate(rng, [data]) if rng.random() < 0.5 else data


def _layer(rng: random.Random, depth: int) -> Any:
    """Return a layer of Flux whose fields mostly have the right kinds."""

    def matrix() -> Any:
        shape = rng.choice(((2, 3), (3,), (0, 2**31), (2, 0), (1,), (2, 3, 1, 1), (4, 3)))
        empty = np.empty(0, np.float32) if 0 in shape else np.ones(shape, np.float32)
        return bw.array(empty) | {"size": list(reversed(shape))}

    def any_value() -> Any:
        return rng.choice((matrix(), True, None, 3, 2**40, 0.5, bw.tuple_of(1, 1), bw.function("NNlib.relu"),
                           bw.backref(rng.choice((1, 2))), [1, 2], "x", bw.symbol("a\x1b[2J")))  # fmt: skip

    if depth < 3 and rng.random() < 0.4:
        inner = [_layer(rng, depth + 1) for _ in range(rng.randrange(1, 4))]
        return bw.struct_of(bw.datatype(f"Flux.{rng.choice(('Chain', 'Parallel', 'Maxout'))}"), bw.tuple_of(*inner))
    name = rng.choice(list(GENERATIONS))
    count = len(rng.choice(GENERATIONS[name]))
    return bw.struct_of(bw.datatype(f"Flux.{name}"), *(any_value() for _ in range(count)))


GENERATIONS = inspecting.GENERATIONS


def shared_chain(depth: int, kind: str = "Chain") -> bytes:
    """Return a file in which each layer contains the one before twice."""
    dense = bw.struct_of(bw.datatype("Flux.Dense"), bw.array(samples.WEIGHT), bw.array(samples.BIAS), bw.backref(1))
    levels = [bw.function("NNlib.relu"), dense]
    for i in range(depth):
        levels.append(bw.struct_of(bw.datatype(f"Flux.{kind}"), bw.tuple_of(bw.backref(i + 2), bw.backref(i + 2))))
    return bw.bson({"model": bw.backref(len(levels)), "_backrefs": levels})


def model_bytes(rng: random.Random) -> bytes:
    """Return a file of a model or of parameters, in BSON or JLD2, sound or damaged."""
    match rng.randrange(400):
        case n if n < 70:
            return fuzz.mutate(rng, list(samples.FILES.values()))
        case n if n < 120:
            return random_files.jld2_file(rng) if rng.random() < 0.6 else random_files.bson_file(rng)
        case 399:
            return shared_chain(rng.randrange(30), rng.choice(("Chain", "Parallel", "SkipConnection")))
    data = bw.bson(
        {rng.choice(("model", "ps", "a\x1b[31m")): _layer(rng, 1), "_backrefs": [_layer(rng, 2), _layer(rng, 3)]}
    )
    return fuzz.mutate(rng, [data]) if rng.random() < 0.3 else data


def read_models(path: str) -> None:
    """Read a file as a model, as parameters and for `luxport inspect`."""
    refusals = 0
    for read in (
        lambda: loading.load_model(path, backend="numpy"),
        lambda: parameters.load_parameters(path, MODEL, backend="numpy"),
        lambda: _describe(path),
    ):
        try:
            read()
        except porting.FileFormatError as error:
            check_error(error)
            refusals += 1
    if refusals == 3:
        raise porting.FileFormatError("by all three")


def _describe(path: str) -> None:
    lines = inspecting.describe(porting.read(path, allow_unavailable=True))
    if not all(line.isprintable() for line in lines):
        raise AssertionError("a line of inspect has control characters")


def read_arrays(path: str) -> None:
    """Read a file as a network's input and as its parameters."""
    try:
        petab.load_array(path)
    except porting.FileFormatError as error:
        check_error(error)
    petab.load_parameters(path, NET)


def any_bytes(rng: random.Random) -> bytes:
    """Return a file in any format that the command reads."""
    pick = rng.random()
    if pick < 0.6:
        return model_bytes(rng)
    if pick < 0.8:
        return safetensors_bytes(rng)
    model = shared_chain(rng.randrange(4), "Chain")
    return fuzz.mutate(rng, [model]) if rng.random() < 0.7 else model


def convert(path: str) -> None:
    """Run the command on a file whose name decides the name of the output too."""
    end = "jld2" if len(GIVEN[0]) % 2 else "safetensors"
    arguments = [path, f"out.{end}", *(["--model", "fuzz_formats:MODEL"] if len(GIVEN[0]) % 3 == 0 else [])]
    with redirect_stderr(io.StringIO()) as told:
        status = converting.main(arguments)
    lines = told.getvalue().splitlines()
    if not all(line.isprintable() and line.startswith("luxport convert: ") for line in lines):
        raise AssertionError(f"convert printed {lines}")
    if status:
        if status != 2 or not lines:
            raise AssertionError(f"convert ended with {status} and {lines}")
        raise porting.FileFormatError(lines[-1])


FORMATS: dict[str, tuple[Callable[[random.Random], bytes], Callable[[str], Any]]] = {
    "yaml": (yaml_text, petab.load_model),
    "hdf5": (hdf5_bytes, read_arrays),
    "safetensors": (safetensors_bytes, lambda path: saving.load(path, backend="numpy")),
    "models": (model_bytes, read_models),
    "convert": (any_bytes, convert),
}


def make_attack(form: str, seed: int) -> Attack:
    """Return the attack on one format."""
    make = FORMATS[form][0]

    def read(data: bytes, number: int) -> str:
        with give_bytes(data, checked=number % 3 == 0):
            return read_outcome(FORMATS[form][1], len(data))

    return Attack(f"{form}/{seed}", lambda number: make(random.Random(f"{form}/{seed}/{number}")), read)


def read_outcome(read: Callable[[str], Any], size: int) -> str:
    """Read as a user would and return how it ended; raise for whatever must not happen."""
    try:
        with limit_resources(size, ignoring=("import",)):
            read("file")
    except porting.FileFormatError:
        return "refused"
    return "read"


GIVEN = [b""]
"""The bytes that every reader gets instead of a file's."""


@contextmanager
def _discard(_: Any) -> Iterator[io.BytesIO]:
    yield io.BytesIO()


READ = reading._read


@lru_cache(1)
def _read_once(data: bytes, _: bool) -> reading.SavedFile | porting.FileFormatError:
    try:
        return READ(Source(data))
    except porting.FileFormatError as error:
        return error


def _read_shared(source: Source) -> reading.SavedFile:
    """Read a file once for all three ways of reading its values."""
    assert source.raw is not None
    read = _read_once(source.raw, Hdf5.check_checksum is CHECK)
    if isinstance(read, porting.FileFormatError):
        raise read
    return read


CHECK = Hdf5.check_checksum
PATCHES = [
    mock.patch.object(reading, "_read", _read_shared),
    *[mock.patch.object(module, "read_bytes", lambda _: GIVEN[0]) for module in (reading, saving, files)],
    *[mock.patch.object(module, "open_atomic", _discard) for module in (saving, flux_state)],
    mock.patch.object(argparse, "_", str),  # argparse would look for translations on the disk each time
    mock.patch.object(converting, "_is_safetensors", lambda _: is_safetensors(GIVEN[0][:9])),
]
UNCHECKED = mock.patch.object(Hdf5, "check_checksum", lambda *_: None)
"""With checksums on, damage would be found at the first of them."""


@contextmanager
def give_bytes(data: bytes, checked: bool) -> Iterator[None]:
    """Give these bytes to the readers instead of a file's."""
    GIVEN[0] = data
    patches = PATCHES if checked else [*PATCHES, UNCHECKED]
    for patch in patches:
        patch.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for patch in patches:
            patch.stop()


if __name__ == "__main__":
    sys.exit(main(__doc__, {name: partial(make_attack, name) for name in FORMATS}))
