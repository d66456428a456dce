"""`load_model`: read a model of Flux or Lux from a Julia file, as a layer with its parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, can, default_backend, get_backend, is_inexact
from luxport.backend._precision import choose_dtype_at, convert_once
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file, show
from luxport.porting.files.reading import read
from luxport.porting.flux import is_model as is_flux
from luxport.porting.flux import port as port_flux
from luxport.porting.julia.entries import find_entry_at, list_children, list_inner_entries
from luxport.porting.julia.flux_versions import find_versions_for, read_version
from luxport.porting.lux.saved_models import build_with_parameters_beside, is_saved_model
from luxport.porting.lux.structs import find_kind
from luxport.porting.lux.train_state import SavedOptimizer, read_optimizer
from luxport.text import warn
from luxport.tree.ordered_keys import add_places

__all__ = ["SavedTraining", "load", "load_model", "find_models", "place_values", "read_training"]

_DEEPEST = 4
"""How many levels deep models are searched for in the entries of a file."""

_MOST = 10_000
"""How many values of a file without a model are examined for the error message."""


@explain_call_errors
def load_model(
    path: str | PathLike[str],
    *,
    name: str | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    flux: str | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Read a saved model of Flux or Lux: ``model, ps, st``, on the default backend or the one named.

    A function of which the file has only the name becomes a `Hole`, which raises an error when it is called;
    `functions` gives the functions to use instead.

    The parameters and states of a Lux model are those that the file has beside it (``JLD2.@save path model ps st``), or
    that are with it in a ``TrainState`` or a ``StatefulLuxLayer``. A layer of another package, or one that ``@compact``
    made, becomes a `Hole` too: `functions` replaces it by a function, or by a layer that takes its parameters.

    Some layers have other formulas in later versions of Flux. `luxport inspect` shows the version that follows from the
    file; if none does, give it as `flux`. A warning says if a layer depends on an unknown version.

    A warning names the loaded model if it is inside another value, or if the file has other values with layers. Layers
    that share their arrays in the file are tied (`luxport.tie`).

    Args:
        path: a BSON.jl or JLD2 file
        name: the name of the model, if there are several; dotted if it is inside another value: ``"agent.policy"``
        functions: the function or layer for each `Hole`, by its name in Julia or its path in the model
        flux: the version of Flux that wrote the file, such as ``"0.6"``, if the file does not say it
        backend: the backend of the arrays; the default backend if None
        device: the device of the arrays; the backend's default device if None
        dtype: the floating dtype of the arrays; that of the file if None

    Raises: FileFormatError if the file cannot be read, or has no model: for parameters without a model, see
            `load_parameters`; ValueError if `flux` is no version
    """
    stated = None if flux is None else read_version("load_model", flux)
    saved = read(path)
    with refuse_file(str(path)):
        value, parent = _choose(saved.values, name, str(path))
    with refuse_file(str(path), "no layer can be built"):
        if is_flux(value):
            ported = port_flux(value, functions or {}, versions=stated or find_versions_for(value, saved.values))
        else:
            ported = build_with_parameters_beside(value, parent, functions or {}, str(path))
        layer, ps = ported.layer, ported.ps
        if groups := _find_shared(ps):
            layer, ps, _ = luxport.tie(layer, ps, ported.st, groups)
    return layer, *place_values((ps, ported.st), backend, device, dtype)


@dataclass(frozen=True)
class SavedTraining:
    """The content of a Lux ``TrainState``, with its arrays on a backend."""

    layer: Layer
    ps: dict[str, Any]
    st: dict[str, Any]
    optimizer: SavedOptimizer
    step: Any


def read_training(
    path: str | PathLike[str],
    name: str | None,
    functions: Mapping[str, Callable[..., Any]],
    placing: tuple[str | Backend | None, str | None, str | None],
) -> SavedTraining:
    """Read the only ``TrainState`` of a file, or that of a name, with its arrays on a backend, device and dtype.

    Raises: FileFormatError
    """
    saved = read(path)
    with refuse_file(str(path)):
        trainings = {
            found: (value, saved.values) for found, value in saved.values.items() if find_kind(value) == "TrainState"
        }
        if name is None and len(trainings) == 1:  # models beside it do not make the choice ambiguous
            ((value, parent),) = trainings.values()
        else:
            value, parent = _choose(saved.values, name, str(path))
        around = next((struct for struct in (value, parent) if find_kind(struct) == "TrainState"), None)
        if around is None:
            raise FileFormatError("it has a model, but no TrainState: see load_model")
    with refuse_file(str(path), "training cannot be continued"):
        ported = build_with_parameters_beside(around, parent, functions, str(path))
        optimizer = read_optimizer(around, functions)
        step = np.asarray(list_children(around).get("step", 0), np.int32)
    ps, st, clock, states = place_values((ported.ps, ported.st, optimizer.clock, optimizer.states), *placing)
    return SavedTraining(
        ported.layer, ps, st, SavedOptimizer(optimizer.rule, clock, states), place_values(step, *placing)
    )


load = load_model
"""A shorter name of `load_model`."""


def _find_shared(ps: dict[str, Any]) -> list[list[tuple[str, ...]]]:
    """Return groups of paths of parameters that are one array in the file, shared by several layers."""
    places: dict[Any, list[tuple[str, ...]]] = {}
    for path, leaf in tree.leaves_with_path(ps):
        if isinstance(leaf, np.ndarray) and leaf.size:
            memory = leaf.__array_interface__["data"][0], leaf.shape, leaf.strides, leaf.dtype
            places.setdefault(memory, []).append(path)
    return [paths for paths in places.values() if len(paths) > 1]


def place_values(values: Any, backend: str | Backend | None, device: str | None, dtype: str | None) -> Any:
    """Copy the arrays of a tree to a backend, with a floating dtype for floating arrays."""
    owner = default_backend() if backend is None else get_backend(backend)

    def place(path: tuple[str, ...], value: Any) -> Any:
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        wanted = choose_dtype_at(path, dtype) if is_inexact(np.asarray(value)) else None
        return owner.asarray(value, dtype=wanted, device=device)

    # `convert_once` makes an array that is in several places one array on the backend, too.
    values = tree.map_with_path(convert_once(place, dtype), values)
    return add_places(values, known=can(owner, "sorted keys"))


def _is_model(value: Any) -> bool:
    return is_flux(value) or is_saved_model(value)


def _choose(values: dict[str, Any], name: str | None, path: str) -> tuple[Any, Any]:
    """Return the model of a name, or the only one in a file, and the value that contains it.

    Raises: FileFormatError if there is no model, or more than one
    """
    if name is not None:
        try:
            value, parent = find_entry_at(values, name)
        except KeyError:
            there = ", ".join(find_models(values)) or "none"
            raise FileFormatError(f"it has no model {name!r}; its models are {there}", path=path) from None
        if not _is_model(value):
            raise FileFormatError(f"{name} is no layer of Flux or Lux; {_advise(value)}", path=path)
        return value, parent
    models = find_models(values)
    if models and len({id(value) for value, _ in models.values()}) == 1:  # one model, which may have several names
        found, (value, sure) = next(iter(models.items()))
        top = {entry: other for entry, other in values.items() if entry != found.partition(".")[0]}
        left = [
            entry
            for entry, other in top.items()
            if any(model is not value for model, _ in find_models({entry: other}).values())
        ]
        if left or not sure:
            others = f", but other entries have layers, too: {', '.join(map(show, left))}" if left else ""
            warn(f"{path}: loaded {found}{others}; choose another by name=")
        return value, find_entry_at(values, found)[1]
    if models:
        raise FileFormatError(
            f"expected one model, got {len(models)}; choose one by name: {', '.join(models)}", path=path
        )
    raise FileFormatError(f"expected one model, got none; {_advise(values)}", path=path)


def find_models(values: dict[str, Any]) -> dict[str, tuple[Any, bool]]:
    """Return the models of a file by path, those on the highest level that has any.

    Each comes with whether only dictionaries and named tuples contain it, and no struct or list.
    """
    level = {name: (value, values) for name, value in values.items()}
    sure = True
    for _ in range(_DEEPEST):
        found = {name: (value, sure) for name, (value, _) in level.items() if _is_model(value)}
        if found:
            return found
        level = list_inner_entries(level)
        sure = sure and all(isinstance(parent, (dict, julia.Dict, julia.NamedTuple)) for _, parent in level.values())
    return {}


def _advise(values: Any) -> str:
    """Return what a file without a model has instead, and what to do with it."""
    found = list(islice(julia.yield_values(values), _MOST))
    kinds = dict.fromkeys(
        value.type.path
        for value in found
        if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) and value.type.module
        if value.type.module[0] not in _BASIC
    )
    floating = any(isinstance(value, np.ndarray) and is_inexact(value) for value in found)
    there = f"it has structs of {', '.join(map(show, islice(kinds, 3)))}; " if kinds else ""
    if hole := next((value for value in found if isinstance(value, julia.Unavailable)), None):
        return f"{there}a value in it cannot be read: {hole.reason}"
    if not floating:
        return f"{there}it has no array of floating numbers, either"
    return f"{there}for parameters without a model, see load_parameters"


_BASIC = ("Base", "Core", "Random", "Optimisers", "Static")
"""Packages whose structs are not worth mentioning in an error message."""
