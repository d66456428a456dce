"""`save` and `load`: parameters and states in a safetensors file, which any backend reads with the same bits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Literal, overload

import numpy as np

from luxport import tree
from luxport.backend import Backend, check_dtype_name
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.porting.errors import FileFormatError, refuse_file, show
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.detect import HDF5_SIGNATURE, describe_other_format
from luxport.porting.files.file_names import check_file_suffix
from luxport.porting.files.opening import check_path, read_bytes
from luxport.porting.files.safetensors_reader import read_safetensors
from luxport.porting.files.safetensors_writer import write_safetensors
from luxport.porting.files.tree_json import TreeReader, TreeWriter
from luxport.porting.loading import place_values
from luxport.text import make_safe
from luxport.tree.size_limit import check_size
from luxport.tree.static import Static
from luxport.version import __version__

__all__ = ["load", "save"]

_FORMAT = 2
"""The latest version of the format, which `load` reads along with earlier ones. A file is marked with the earliest
version that can express it: 2 if an array is in several places or a constant is a rule of an optimizer, else 1."""


@explain_call_errors
def save(
    path: str | PathLike[str],
    ps: Parameters,
    st: States | None = None,
    *,
    model: Layer | None = None,
    optimizer: tree.Tree = None,
) -> None:
    """Write parameters and states to a safetensors file, which `load` reads back on any backend.

    Arrays are named by their dotted paths, ``ps.layer_1.weight`` and ``st.layer_2.running_mean``, so that any
    safetensors reader finds them. Numbers, `Static` entries, None, the order of names, and whether a sequence was a
    list or a tuple, are kept as JSON in the metadata. An array that is in several places (the same object) is written
    once, under its first path; the ``aliases`` of the metadata name the other paths.

    The file is written completely or not at all: it has a temporary name in the same folder until it is complete, and
    then replaces an older file. The next `save` in that folder removes what a killed process left behind.

    Args:
        path: the file to write; an existing one is replaced
        ps: parameters
        st: states; None for none
        model: a layer whose one-line description is written to the file, as information for readers
        optimizer: the state that `optimizers.setup` made, with which training continues as if it had not stopped

    Raises: TypeError with the path of an entry that cannot be saved; ValueError for two of one dotted path; OSError

    >>> import luxport, os, tempfile
    >>> model = luxport.Dense(2, 3)
    >>> path = os.path.join(tempfile.mkdtemp(), "dense.safetensors")
    >>> save(path, *luxport.setup(0, model), model=model)
    >>> load(path, model=model)[0]["weight"].shape
    (2, 3)
    """
    if type(ps).__name__ == "TrainState":
        raise TypeError(
            "save expects parameters as ps, got a TrainState: luxport.save(path, state.ps, state.st), or "
            "luxport.training.save_checkpoint(folder, state) for all of it"
        )
    check_path(path)
    check_file_suffix("save", path, ".safetensors", "; porting.save_flux_state and to_onnx write other formats")
    writer = TreeWriter()
    given = {"ps": ps, "st": st, "opt": optimizer}
    for values in given.values():
        check_size("save", values)
    trees = {name: writer.describe(values, name) for name, values in given.items() if values is not None}
    metadata = {
        "luxport": __version__,
        "format": str(_FORMAT if writer.aliases or writer.has_rules else 1),
        "trees": json.dumps(trees),
    }
    if writer.aliases:
        metadata["aliases"] = json.dumps(writer.aliases)
    if model is not None:
        metadata["model"] = repr(model)
    with open_atomic(path) as file:
        write_safetensors(file, writer.arrays, metadata)


@overload
def load(
    path: str | PathLike[str],
    *,
    model: Layer | None = None,
    optimizer: Literal[False] = False,
    classes: Iterable[type] = (),
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]: ...
@overload
def load(
    path: str | PathLike[str],
    *,
    model: Layer | None = None,
    optimizer: Literal[True],
    classes: Iterable[type] = (),
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], Any]: ...
@explain_call_errors
def load(
    path: str | PathLike[str],
    *,
    model: Layer | None = None,
    optimizer: bool = False,
    classes: Iterable[type] = (),
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> Any:
    """Read parameters and states that `save` wrote: ``ps, st``, on the default backend or the one named.

    With `model`, every name and shape is checked; a state that is None initially, such as a carry, may be in the file
    or not. If the file has no states, they are empty, or with `model` the initial ones. An array that was in several
    places is one array again. The optimizer's state keeps its dtypes.

    For models that Julia saved, see `luxport.porting.load_model`.

    Args:
        path: the file
        model: the layer against which names and shapes are checked; None for no check
        optimizer: whether the optimizer's state is returned as well: ``ps, st, opt_state``
        classes: your own classes of rules and schedules that occur in the optimizer's state
        backend: the backend of the arrays; the default backend if None
        device: the device of the arrays; the backend's default device if None
        dtype: the floating dtype of parameters and states; that of the file if None

    Raises: FileFormatError if this is no file of `save`; ValueError that names every entry that does not fit the
            model, or if the backend lacks a dtype, or if the file has no optimizer's state;
            ModuleNotFoundError for a dtype that needs ml_dtypes, where that is not installed

    >>> import luxport, os, tempfile
    >>> model = luxport.Dense(2, 3)
    >>> ps, st = luxport.setup(0, model)
    >>> opt = luxport.optimizers.setup(luxport.optimizers.Adam(0.01), ps)
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> save(path, ps, st, optimizer=opt)
    >>> ps, st, opt = load(path, optimizer=True)
    >>> luxport.optimizers.current_rule(opt)
    Adam(eta=0.01, beta=(0.9, 0.999), epsilon=1e-08)
    """
    check_dtype_name(dtype, floating=True)
    if model is not None:
        check_layer("load", model)
    arrays, metadata = _read(path)
    with refuse_file(str(path), "its metadata are damaged"):
        if "trees" not in metadata or not metadata.get("format", "").isdecimal():
            raise FileFormatError("expected a file that luxport.save wrote, but its metadata are missing")
        if int(metadata["format"]) > _FORMAT:
            raise FileFormatError(
                f"its format {metadata['format']} is newer than this luxport: "
                f"update to {metadata.get('luxport', 'a later version')}"
            )
        reader = TreeReader(arrays, json.loads(metadata.get("aliases", "{}")), classes)
        described = json.loads(metadata["trees"])
        ps = reader.build(described["ps"], "ps")
        st = reader.build(described["st"], "st") if "st" in described else None
        has_optimizer = "opt" in described
        opt = reader.build(described["opt"], "opt") if optimizer and has_optimizer else None
    if optimizer and not has_optimizer:
        raise ValueError(f"load expects an optimizer's state in {path}, which was saved without: save(optimizer=...)")
    if model is not None:
        problems: list[str] = []
        ps, st = match_trees(model, ps, st, problems)
        if problems:
            origin = f", which was saved from {metadata['model']}" if "model" in metadata else ""
            message = f"load expects {model!r} in {path}{origin}: {'; '.join(problems)}"
            raise ValueError(show(message, None))  # it contains names from the file
    ps, st = place_values((ps, {} if st is None else st), backend, device, dtype)
    return (ps, st, place_values(opt, backend, device, None)) if optimizer else (ps, st)


_JLD2 = (b"HDF5-based Julia", b"Julia data file ")


def _read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, str]]:
    data = read_bytes(path)
    with refuse_file(str(path)):
        try:
            return read_safetensors(data)
        except FileFormatError as error:
            advice = "porting.load_model and porting.load_parameters read BSON and JLD2"
            start = bytes(data[:16])
            other = f"HDF5: {advice}" if start.startswith(HDF5_SIGNATURE) else describe_other_format(start)
            if start.startswith(_JLD2):
                other = f"JLD2: {advice}"
            elif start.lstrip().startswith((b"{", b"[")):
                other = "JSON"
            elif not start:
                other = "an empty file"
            if other is not None:
                raise FileFormatError(f"load expects a safetensors file, this is {other}") from error
            raise FileFormatError(
                f"not a complete safetensors file: {error.reason}; {advice}", offset=error.offset
            ) from error


def match_trees(model: Layer, ps: Any, st: Any, problems: list[str]) -> tuple[Any, Any]:
    """Return trees in the order of a model's own, and append to `problems` each entry that differs from the model."""
    ps = _compare(describe_values(initial_parameters, model), ps, "ps", problems)
    initial = initial_states(0, model)
    return ps, initial if st is None else _compare(initial, st, "st", problems)


def check_fit(caller: str, model: Layer, ps: Any, st: Any) -> tuple[Any, Any]:
    """Return parameters and states in the order of the model, after checking that they are the model's.

    Raises: ValueError that names every entry that differs from the model
    """
    problems: list[str] = []
    ps, st = match_trees(model, ps, st, problems)
    if problems:
        raise ValueError(
            f"{caller} expects the parameters and states of {make_safe(repr(model), 200)}: "
            f"{make_safe('; '.join(problems))}"
        )
    return ps, st


def _compare(wanted: Any, found: Any, path: str, problems: list[str]) -> Any:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        problems += [f"{path}.{name} is missing" for name in wanted if name not in found]
        problems += [f"{path}.{name} is left over" for name in found if name not in wanted]
        both = [name for name in wanted if name in found]
        return {name: _compare(wanted[name], found[name], f"{path}.{name}", problems) for name in both}
    if isinstance(wanted, (tuple, list)) and isinstance(found, (tuple, list)) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return tree.like_sequence(found, [_compare(*pair, f"{path}.{i}", problems) for i, pair in pairs])
    # An entry of a state may be None and an array at different times: a carry is None before the first call.
    may_differ = path.startswith("st.") and (wanted is None or found is None)
    if not may_differ and _describe_kind(wanted) != _describe_kind(found):
        problems.append(f"{path}: {_describe_kind(wanted)} expected, got {_describe_kind(found)}")
    return found


def _describe_kind(entry: Any) -> str:
    if isinstance(entry, (Mapping, tuple, list)):
        return f"{'a dict' if isinstance(entry, Mapping) else 'a sequence'} of {len(entry)}"
    if entry is None or isinstance(entry, (Static, str)):
        return type(entry).__name__
    return f"shape {tuple(np.shape(entry))}"
