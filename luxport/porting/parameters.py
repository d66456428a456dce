"""`load_parameters`: read the parameters and states of a given model from a Julia file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from os import PathLike
from typing import Any

from luxport import tree
from luxport.backend import Backend
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer, check_layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file
from luxport.porting.files.reading import read
from luxport.porting.fitting import draw_initial, fit, fit_states, squeeze_shape
from luxport.porting.julia.entries import find_entry_at, find_states_beside, is_container, list_inner_entries
from luxport.porting.julia.flux_versions import find_versions_for, read_version
from luxport.porting.julia.nodes import is_array
from luxport.porting.loading import place_values
from luxport.porting.other_activations import warn_of_other_activations

__all__ = ["load_parameters"]


_DEEPEST = 3
"""How many levels with several entries are searched for parameters."""

_MOST_LEVELS = 100


@explain_call_errors
def load_parameters(
    path: str | PathLike[str],
    model: Layer,
    *,
    name: str | None = None,
    flux: str | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the parameters and states of a model: ``ps, st``, on the default backend or the one named.

    The file may have a `Flux.state`, a whole Flux model, Lux's ``ps`` and ``st`` (NamedTuples or a ComponentVector),
    the list of `Flux.params`, or the flat vector of `Flux.destructure`. Its arrays are matched by path, by order, or by
    the flat layout, and every shape is checked. Other entries, such as the state of an optimizer, are ignored. States
    that are not in the file are initial. Kernels of a Flux `Conv` or `ConvTranspose` are flipped for a layer that does
    not flip its kernel itself.

    If the file also has a model, a warning names activations that differ from those of `model`.

    The standard deviation of a BatchNorm of Flux 0.6 becomes a variance, with a warning.

    Args:
        path: a BSON.jl or JLD2 file
        model: the layer to which the parameters belong
        name: the entry of the file, if several fit; dotted if it is inside another value
        flux: the version of Flux that wrote the file, such as ``"0.6"``, if the file does not say it
        backend: the backend of the arrays; the default backend if None
        device: the device of the arrays; the backend's default device if None
        dtype: the floating dtype of the arrays; that of the file if None

    Raises: FileFormatError if the file cannot be read, or if no entry fits, with the reason for each; ValueError if
            `flux` is no version
    """
    check_layer("load_parameters", model)
    stated = None if flux is None else read_version("load_parameters", flux)
    values, initial = read(path).values, draw_initial(model)
    with refuse_file(str(path)):
        ps, st = _choose(values, model, initial, name, stated, str(path))
    return place_values((ps, st), backend, device, dtype)


def _choose(
    values: dict[str, Any],
    model: Layer,
    initial: tuple[dict[str, Any], dict[str, Any]],
    name: str | None,
    versions: tuple[int, int] | None,
    file: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and states of the only entry of a file that fits.

    Raises: FileFormatError
    """
    entries = {key: (value, values) for key, value in values.items()}
    if name is not None:
        try:
            entries = {name: find_entry_at(values, name)}
        except KeyError:
            there = ", ".join(entries) or "none"
            raise FileFormatError(f"it has no entry {name!r}; its entries are {there}", path=file) from None
    fitting, complaints = _split_fitting(model, entries, initial)
    level, hint, wide = entries, "", 0
    if not fitting and name is None:
        level = {"the file": (values, values)}
        fitting, _ = _split_fitting(model, level, initial)
        level = level if fitting else entries
    for _ in range(_MOST_LEVELS if name is None else 0):
        if fitting or hint or wide == _DEEPEST or not level:
            break
        # A level with a single entry does not count: a value that is wrapped several times is as good as an entry.
        wide += len(level) > 1
        level = list_inner_entries(level)
        fitting, _ = _split_fitting(model, level, initial)
        if not all(is_container(level[key][1]) for key in fitting):
            hint, fitting = f". Inside, {' and '.join(fitting)} would fit: choose it by name", []
    if len(fitting) != 1:
        why = (
            f"more than one entry fits: {', '.join(fitting)}; choose one by name" if fitting else ". ".join(complaints)
        )
        raise FileFormatError(why + hint or "it has no values", path=file)
    (chosen,) = fitting
    value, parent = level[chosen]
    ps, st, problems = fit(model, value, initial, versions or find_versions_for(value, values))
    if problems:
        raise FileFormatError(_write_complaint(chosen, problems), path=file)
    warn_of_other_activations(model, value, parent, file)
    states = find_states_beside(parent, value)
    if states is not None:
        st = fit_states(states, st)
    return ps, st


def _split_fitting(
    model: Layer, entries: Mapping[str, tuple[Any, Any]], initial: tuple[dict[str, Any], dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """Return the names of entries that fit, and the reasons why the others do not, with the nearest first."""
    fitting, complaints = [], []
    for key, (value, _) in entries.items():
        *_, problems = fit(model, value, initial, None)
        if problems:
            complaints.append((_measure_distance(value, initial[0]), _write_complaint(key, problems)))
        else:
            fitting.append(key)
    # The entry that differs least is most likely the one that the user means.
    return fitting, [complaint for _, complaint in sorted(complaints, key=lambda entry: entry[0])]


def _measure_distance(value: Any, wanted: dict[str, Any]) -> int:
    """Return how far a value is from a model's parameters: the number of missing (twice) and extra arrays, by shape."""
    there = Counter(squeeze_shape(found) for found in julia.yield_values(value) if is_array(found))
    here = Counter(squeeze_shape(leaf) for leaf in tree.leaves(wanted))
    return 2 * (here - there).total() + (there - here).total()


def _write_complaint(key: str, problems: list[str]) -> str:
    more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
    return f"{key or 'the file'}: {'; '.join(problems[:8])}{more}"
