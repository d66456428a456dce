"""`save` and `load`: parameters and states in a safetensors file, the same bits back on any backend."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Array, Backend, backend_of, find_owner
from luxport.keys import in_order
from luxport.layer import Layer, Parameters, States, abstract_values, initial_parameters, initial_states
from luxport.porting.errors import FileFormatError
from luxport.porting.loading import placed
from luxport.porting.replacing import replacing
from luxport.static import Static
from luxport.version import __version__

__all__ = ["load", "save"]

_FORMAT = 1
"""The version of what is written here; a reader takes its own and earlier ones."""

_ARRAY = "array"
"""What stands in the description of a tree for an array, which the file has under its dotted path."""


def save(path: str | PathLike[str], ps: Parameters, st: States | None = None, *, model: Layer | None = None) -> None:
    """Write parameters and states to a safetensors file, which `load` reads back on any backend.

    Arrays are named by their dotted paths, ``ps.layer_1.weight`` and ``st.layer_2.running_mean``, so that any reader
    of safetensors finds them; numbers, `Static` entries, None, and whether a sequence was a list or a tuple, are
    kept as JSON beside them. With `model` its one-line description goes into the file, for who reads it later.

    The file is there whole or not at all: it is written under another name in the same folder and then renamed, and
    one that was there before stays until then.

    Raises: TypeError for an entry that cannot be kept, by its path; ValueError for two of one dotted path;
            ModuleNotFoundError without the extra ``safetensors``

    >>> import luxport, os, tempfile
    >>> model = luxport.Dense(2, 3)
    >>> path = os.path.join(tempfile.mkdtemp(), "dense.safetensors")
    >>> save(path, *luxport.setup(0, model), model=model)
    >>> load(path, model=model)[0]["weight"].shape
    (2, 3)
    """
    arrays: dict[str, Any] = {}
    states = {} if st is None else {"st": _described(st, "st", arrays)}
    metadata = {
        "luxport": __version__,
        "format": str(_FORMAT),
        "trees": json.dumps({"ps": _described(ps, "ps", arrays), **states}),
    }
    if model is not None:
        metadata["model"] = repr(model)
    _write(path, arrays, metadata)


def load(
    path: str | PathLike[str],
    *,
    model: Layer | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `save` wrote: ``ps, st``, on the default backend or the one named.

    `dtype` converts floating arrays. With `model` every name and size is held against it; what a model's state has
    not from the beginning (a carry, say) may be there or not. Of a file without states they are empty, or with
    `model` initial.

    Models that Julia saved are for `luxport.porting.load`.

    Raises: FileFormatError if this is no such file; ValueError that names every entry that does not fit the model,
            or if the backend cannot hold a dtype; ModuleNotFoundError without the extra ``safetensors``
    """
    arrays, metadata = _read(path)
    try:
        if "trees" not in metadata or not metadata.get("format", "").isdecimal():
            raise FileFormatError("a file that luxport.save wrote expected: its metadata are missing")
        if int(metadata["format"]) > _FORMAT:
            raise FileFormatError(
                f"its format {metadata['format']} is newer than this luxport: "
                f"update to {metadata.get('luxport', 'a later version')}"
            )
        described = json.loads(metadata["trees"])
        ps = _built(described["ps"], "ps", arrays)
        st = _built(described["st"], "st", arrays) if "st" in described else None
    except FileFormatError as error:
        raise FileFormatError(error.reason, path=str(path)) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"its metadata are damaged: {error!r}", path=str(path)) from None
    if model is not None:
        problems: list[str] = []
        ps, st = fitted(model, ps, st, problems)
        if problems:
            origin = f", which was saved from {metadata['model']}" if "model" in metadata else ""
            raise ValueError(f"load expects {model!r} in {path}{origin}: {'; '.join(problems)}")
    return placed((ps, {} if st is None else st), backend, device, dtype)


def _described(node: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Describe a tree for JSON, and gather its arrays by their paths."""
    if isinstance(node, Mapping):
        strange = [key for key in node if not isinstance(key, str)]
        if strange:
            raise TypeError(f"save expects strings as names, got {strange[0]!r} at {path}")
        return {"dict": {key: _described(node[key], f"{path}.{key}", arrays) for key in in_order(node)}}
    if isinstance(node, (tuple, list)):
        kind = "list" if isinstance(node, list) else "tuple"
        return {kind: [_described(value, f"{path}.{i}", arrays) for i, value in enumerate(node)]}
    if isinstance(node, Static):
        return {"static": _constant(node.value, path)}
    if node is None or isinstance(node, (bool, int, float, str)) and not isinstance(node, np.generic):
        return {"value": node}
    if path in arrays:
        raise ValueError(f"save expects one array a path, got two at {path}: a name in the tree has a dot")
    arrays[path] = _host(node, path)
    return _ARRAY


def _constant(value: Any, path: str) -> Any:
    if type(value) is tuple:
        return {"tuple": [_constant(entry, path) for entry in value]}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"save expects numbers, strings, None and tuples of these as Static, got {value!r} at {path}")


def _host(leaf: Array, path: str) -> Any:
    if find_owner(type(leaf)) is None:
        raise TypeError(f"save expects arrays, numbers, Static and None, got {type(leaf).__name__} at {path}")
    host = np.asarray(backend_of(leaf).to_numpy(leaf), order="C")
    if host.dtype.kind in "OSUMm" or host.dtype.name == "complex128":
        raise TypeError(f"save expects a dtype that safetensors has, got {host.dtype} at {path}")
    return host.astype(host.dtype.newbyteorder("<"), copy=False)


def _write(path: str | PathLike[str], arrays: dict[str, Any], metadata: dict[str, str]) -> None:
    safetensors = _safetensors()
    from safetensors.numpy import save_file

    try:
        with replacing(path) as unfinished:
            save_file(arrays, unfinished, metadata)
    except safetensors.SafetensorError as error:
        raise OSError(f"{path} could not be written: {error}") from None


def _read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, str]]:
    safetensors = _safetensors()
    os.stat(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        advice = "; luxport.porting.load and load_parameters read BSON and JLD2"
        raise FileFormatError(f"no whole safetensors file: {error}{advice}", path=str(path)) from None


def _safetensors() -> Any:
    try:
        import safetensors
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "saving and loading need safetensors, which is not installed: pip install 'luxport-nn[safetensors]'",
            name="safetensors",
        ) from None
    return safetensors


def _built(node: Any, path: str, arrays: Mapping[str, Any]) -> Any:
    if node == _ARRAY:
        if path not in arrays:
            raise FileFormatError(f"{path} is missing")
        return arrays[path]
    if not isinstance(node, dict) or len(node) != 1:
        raise ValueError(f"one kind expected at {path}")
    ((kind, value),) = node.items()
    match kind:
        case "dict":
            return {key: _built(entry, f"{path}.{key}", arrays) for key, entry in value.items()}
        case "list":
            return [_built(entry, f"{path}.{i}", arrays) for i, entry in enumerate(value)]
        case "tuple":
            return tuple([_built(entry, f"{path}.{i}", arrays) for i, entry in enumerate(value)])
        case "static":
            return Static(_built_constant(value))
        case "value":
            return value
    raise ValueError(f"unknown kind {kind!r} at {path}")


def _built_constant(value: Any) -> Any:
    return tuple([_built_constant(entry) for entry in value["tuple"]]) if isinstance(value, dict) else value


def fitted(model: Layer, ps: Any, st: Any, problems: list[str]) -> tuple[Any, Any]:
    """Hold trees against a model, note what does not fit, and put them in its order."""
    ps = _compared(abstract_values(initial_parameters, model), ps, "ps", problems)
    initial = initial_states(0, model)
    return ps, initial if st is None else _compared(initial, st, "st", problems)


def _compared(wanted: Any, found: Any, path: str, problems: list[str]) -> Any:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        problems += [f"{path}.{name} is missing" for name in wanted if name not in found]
        problems += [f"{path}.{name} is left over" for name in found if name not in wanted]
        both = [name for name in wanted if name in found]
        return {name: _compared(wanted[name], found[name], f"{path}.{name}", problems) for name in both}
    if isinstance(wanted, (tuple, list)) and isinstance(found, (tuple, list)) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return tree.like_sequence(found, [_compared(*pair, f"{path}.{i}", problems) for i, pair in pairs])
    # What a state has not yet, or has no longer, is None: a carry before the first call, say.
    if not (path.startswith("st.") and (wanted is None or found is None)) and _kind(wanted) != _kind(found):
        problems.append(f"{path}: {_kind(wanted)} expected, got {_kind(found)}")
    return found


def _kind(entry: Any) -> str:
    if isinstance(entry, (Mapping, tuple, list)):
        return f"{'a dict' if isinstance(entry, Mapping) else 'a sequence'} of {len(entry)}"
    if entry is None or isinstance(entry, (Static, str)):
        return type(entry).__name__
    return f"shape {tuple(np.shape(entry))}"
