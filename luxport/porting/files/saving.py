"""`save` and `load`: parameters and states in a safetensors file, the same bits back on any backend."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Literal, overload

import numpy as np

from luxport import tree
from luxport.backend import Backend, check_dtype_name
from luxport.call_arguments import says_what_it_takes
from luxport.core.anatomy import Parameters, States
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer
from luxport.porting.errors import FileFormatError, refuse_file, show
from luxport.porting.files.described import TreeReader, TreeWriter
from luxport.porting.files.detect import HDF5_SIGNATURE, describe_foreign
from luxport.porting.files.names import expect_own_name
from luxport.porting.files.opening import check_path, read_bytes
from luxport.porting.files.replacing import replacing
from luxport.porting.files.safetensors_reader import read_safetensors
from luxport.porting.files.safetensors_writer import write_safetensors
from luxport.porting.loading import place_values
from luxport.text import make_safe
from luxport.tree.places import check_size
from luxport.tree.static import Static
from luxport.version import __version__

__all__ = ["load", "save"]

_FORMAT = 2
"""The latest version of what is written here. A reader takes it and earlier ones; a file says the first that it
needs: 2 if an array is in several places or a rule of an optimizer is among the constants, else 1."""


@says_what_it_takes
def save(
    path: str | PathLike[str],
    ps: Parameters,
    st: States | None = None,
    *,
    model: Layer | None = None,
    optimizer: tree.Tree = None,
) -> None:
    """Write parameters and states to a safetensors file, which `load` reads back on any backend.

    Arrays are named by their dotted paths, ``ps.layer_1.weight`` and ``st.layer_2.running_mean``, so that any reader
    of safetensors finds them; numbers, `Static` entries, None, the order of names, and whether a sequence was a list
    or a tuple, are kept as JSON beside them. An array that is in several places (the same object) is in the file
    once, under the first; the metadata's ``aliases`` name the others.

    The file is there whole or not at all: it is written under another name in the same folder and then renamed, and
    one that was there before stays until then. The next `save` there removes what a killed process left behind.

    Args:
        path: the file, which is written anew
        ps: parameters
        st: states; None for none
        model: a layer whose one-line description goes into the file, for who reads it later
        optimizer: the state that `optimizers.setup` made, with which training goes on as if it had not stopped

    Raises: TypeError for an entry that cannot be kept, by its path; ValueError for two of one dotted path; OSError

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
    expect_own_name("save", path, ".safetensors", "; porting.save_flux_state and to_onnx write other formats")
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
    with replacing(path) as file:
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
@says_what_it_takes
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
    """Read what `save` wrote: ``ps, st``, on the default backend or the one named.

    With `model` every name and size is checked; what a model's state does not have from the beginning (a carry, say)
    may be there or not. If the file has no states, they are empty, or with `model` initial. An array that was in
    several places is one array again. The optimizer's state keeps its dtypes.

    Models that Julia saved are for `luxport.porting.load_model`.

    Args:
        path: the file
        model: the layer against which names and sizes are checked; None for no check
        optimizer: whether the optimizer's state is returned as well: ``ps, st, opt_state``
        classes: classes of your own rules and schedules, which the optimizer's state has
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the floating dtype of parameters and states; that of the file if None

    Raises: FileFormatError if this is no such file; ValueError that names every entry that does not fit the model,
            or if the backend cannot hold a dtype, or for an optimizer's state that is not in the file;
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
            raise FileFormatError("a file that luxport.save wrote expected: its metadata are missing")
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
        ps, st = fit_trees(model, ps, st, problems)
        if problems:
            origin = f", which was saved from {metadata['model']}" if "model" in metadata else ""
            told = f"load expects {model!r} in {path}{origin}: {'; '.join(problems)}"
            raise ValueError(show(told, None))  # names are the file's
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
            foreign = f"HDF5: {advice}" if start.startswith(HDF5_SIGNATURE) else describe_foreign(start)
            if start.startswith(_JLD2):
                foreign = f"JLD2: {advice}"
            elif start.lstrip().startswith((b"{", b"[")):
                foreign = "JSON"
            elif not start:
                foreign = "an empty file"
            if foreign is not None:
                raise FileFormatError(f"load expects a safetensors file, this is {foreign}") from error
            raise FileFormatError(
                f"no whole safetensors file: {error.reason}; {advice}", offset=error.offset
            ) from error


def fit_trees(model: Layer, ps: Any, st: Any, problems: list[str]) -> tuple[Any, Any]:
    """Hold trees against a model, note what does not fit, and put them in its order."""
    ps = _compare(describe_values(initial_parameters, model), ps, "ps", problems)
    initial = initial_states(0, model)
    return ps, initial if st is None else _compare(initial, st, "st", problems)


def expect_fitting(caller: str, model: Layer, ps: Any, st: Any) -> tuple[Any, Any]:
    """Expect a model's parameters and states, and return them in its order.

    Raises: ValueError that names every entry that is not the model's
    """
    problems: list[str] = []
    ps, st = fit_trees(model, ps, st, problems)
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
    # What a state has not yet, or has no longer, is None: a carry before the first call, say.
    if not (path.startswith("st.") and (wanted is None or found is None)) and _name_kind(wanted) != _name_kind(found):
        problems.append(f"{path}: {_name_kind(wanted)} expected, got {_name_kind(found)}")
    return found


def _name_kind(entry: Any) -> str:
    if isinstance(entry, (Mapping, tuple, list)):
        return f"{'a dict' if isinstance(entry, Mapping) else 'a sequence'} of {len(entry)}"
    if entry is None or isinstance(entry, (Static, str)):
        return type(entry).__name__
    return f"shape {tuple(np.shape(entry))}"
