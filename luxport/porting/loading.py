"""`load_model`: a model in a file of Julia's, as a layer with its parameters and states."""

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
from luxport.call_arguments import says_what_it_takes
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file, show
from luxport.porting.files.reading import read
from luxport.porting.flux import is_model as is_flux
from luxport.porting.flux import port as port_flux
from luxport.porting.julia.entries import find_entry_at, list_children, list_inner_entries
from luxport.porting.julia.generation import find_versions_for, read_version
from luxport.porting.lux.saved import build_with_parameters_beside, is_saved_model
from luxport.porting.lux.structs import find_kind
from luxport.porting.lux.train_state import SavedOptimizer, read_optimizer
from luxport.text import warn
from luxport.tree.ordered_keys import add_places

__all__ = ["SavedTraining", "load", "load_model", "find_models", "place_values", "read_training"]

_DEEPEST = 4
"""How far inside a file's entries models are looked for."""

_MOST = 10_000
"""How many values of a file without a model are looked at."""


@says_what_it_takes
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
    """Read a model of Flux or Lux that was saved whole: ``model, ps, st``, on the default backend or the one named.

    A function that the file has only by name becomes a `Hole`, which says so when it is called; `functions` fills
    holes.

    A model of Lux takes the parameters and states that the file has beside it (``JLD2.@save path model ps st``), or
    that are with it in a ``TrainState`` or a ``StatefulLuxLayer``. A layer in it that is none of Lux's, or that
    ``@compact`` made, is a `Hole` too: `functions` fills it with a function, or with a layer that takes the parameters.

    Some layers compute otherwise in later versions of Flux. `luxport inspect` shows which version the file says; where
    it does not, `flux` does. Such a layer warns, if it matters.

    A model that is alone inside something else is loaded with a warning that says which it is, as is one beside which
    something else has layers. Layers that share their arrays in the file are tied (`luxport.tie`).

    Args:
        path: a file of BSON.jl or JLD2
        name: which model, if there are several; dotted where it is inside something else, such as ``"agent.policy"``
        functions: what fills each `Hole`, by a function's name in Julia or the path in the model
        flux: the version of Flux that wrote the file, such as ``"0.6"``, where the file does not say
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the floating dtype of the arrays, that of the file if None

    Raises: FileFormatError if the file cannot be read, or holds no model: parameters alone are for
            `load_parameters`; ValueError if `flux` is no version
    """
    told = None if flux is None else read_version("load_model", flux)
    saved = read(path)
    with refuse_file(str(path)):
        value, parent = _choose(saved.values, name, str(path))
    with refuse_file(str(path), "no layer can be built"):
        if is_flux(value):
            ported = port_flux(value, functions or {}, versions=told or find_versions_for(value, saved.values))
        else:
            ported = build_with_parameters_beside(value, parent, functions or {}, str(path))
        layer, ps = ported.layer, ported.ps
        if groups := _find_shared(ps):
            layer, ps, _ = luxport.tie(layer, ps, ported.st, groups)
    return layer, *place_values((ps, ported.st), backend, device, dtype)


@dataclass(frozen=True)
class SavedTraining:
    """What a ``TrainState`` of Lux has, its arrays on a backend."""

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
    """Read the one ``TrainState`` of a file, or that of a name, to a backend, a device and a dtype.

    Raises: FileFormatError
    """
    saved = read(path)
    with refuse_file(str(path)):
        trainings = {
            found: (value, saved.values) for found, value in saved.values.items() if find_kind(value) == "TrainState"
        }
        if name is None and len(trainings) == 1:  # whatever models are beside it
            ((value, parent),) = trainings.values()
        else:
            value, parent = _choose(saved.values, name, str(path))
        around = next((one for one in (value, parent) if find_kind(one) == "TrainState"), None)
        if around is None:
            raise FileFormatError("it has a model, but no TrainState: see load_model")
    with refuse_file(str(path), "no training can go on"):
        ported = build_with_parameters_beside(around, parent, functions, str(path))
        optimizer = read_optimizer(around, functions)
        step = np.asarray(list_children(around).get("step", 0), np.int32)
    ps, st, clock, states = place_values((ported.ps, ported.st, optimizer.clock, optimizer.states), *placing)
    return SavedTraining(
        ported.layer, ps, st, SavedOptimizer(optimizer.rule, clock, states), place_values(step, *placing)
    )


load = load_model
"""`load_model` by the shorter name that it has beside `read`."""


def _find_shared(ps: dict[str, Any]) -> list[list[tuple[str, ...]]]:
    """Return the paths of parameters that are one array in the file, which its layers share."""
    places: dict[Any, list[tuple[str, ...]]] = {}
    for path, leaf in tree.leaves_with_path(ps):
        if isinstance(leaf, np.ndarray) and leaf.size:
            memory = leaf.__array_interface__["data"][0], leaf.shape, leaf.strides, leaf.dtype
            places.setdefault(memory, []).append(path)
    return [paths for paths in places.values() if len(paths) > 1]


def place_values(values: Any, backend: str | Backend | None, device: str | None, dtype: str | None) -> Any:
    """Copy the arrays of a tree to a backend, floating ones in a dtype."""
    owner = default_backend() if backend is None else get_backend(backend)

    def place(path: tuple[str, ...], value: Any) -> Any:
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        wanted = choose_dtype_at(path, dtype) if is_inexact(np.asarray(value)) else None
        return owner.asarray(value, dtype=wanted, device=device)

    # An array that is in several places is one array there, too.
    values = tree.map_with_path(convert_once(place, dtype), values)
    return add_places(values, known=can(owner, "sorted keys"))


def _is_model(value: Any) -> bool:
    return is_flux(value) or is_saved_model(value)


def _choose(values: dict[str, Any], name: str | None, path: str) -> tuple[Any, Any]:
    """Return the model of a name, or the only one in a file, and what it is in.

    Raises: FileFormatError if there is none, or more than one
    """
    if name is not None:
        try:
            value, parent = find_entry_at(values, name)
        except KeyError:
            there = ", ".join(find_models(values)) or "none"
            raise FileFormatError(f"no model {name!r}; there are {there}", path=path) from None
        if not _is_model(value):
            raise FileFormatError(f"{name} is no layer of Flux or Lux; {_advise(value)}", path=path)
        return value, parent
    models = find_models(values)
    if models and len({id(value) for value, _ in models.values()}) == 1:  # one, maybe under several names
        found, (value, sure) = next(iter(models.items()))
        top = {entry: other for entry, other in values.items() if entry != found.partition(".")[0]}
        left = [
            entry
            for entry, other in top.items()
            if any(one is not value for one, _ in find_models({entry: other}).values())
        ]
        if left or not sure:
            others = f" and leaves behind what else has layers: {', '.join(map(show, left))}" if left else ""
            warn(f"{path}: this loads {found}{others}; name= chooses")
        return value, find_entry_at(values, found)[1]
    if models:
        raise FileFormatError(
            f"one model expected, got {len(models)}; choose one by name: {', '.join(models)}", path=path
        )
    raise FileFormatError(f"one model expected, got none; {_advise(values)}", path=path)


def find_models(values: dict[str, Any]) -> dict[str, tuple[Any, bool]]:
    """Return the models at the top of a file, or else inside: each with whether nothing but dictionaries is around."""
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
    """Say what to do with a file without a model: what there is instead."""
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
        return f"{there}of something in it luxport says: {hole.reason}"
    if not floating:
        return f"{there}no array of floating numbers is in it either"
    return f"{there}for parameters alone, see load_parameters"


_BASIC = ("Base", "Core", "Random", "Optimisers", "Static")
"""Packages whose structs are no models."""
