"""`load_parameters`: arrays in a file of Julia's, fitted to a model that is there already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from os import PathLike
from typing import Any

from luxport import tree
from luxport.backend import Backend
from luxport.call_arguments import says_what_it_takes
from luxport.core.layer import Layer, check_layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file
from luxport.porting.files.reading import read
from luxport.porting.fitting import draw_initial, drop_axes_of_one, fit, fit_states
from luxport.porting.julia.entries import find_entry_at, find_states_beside, is_container, list_inner_entries
from luxport.porting.julia.generation import find_versions_for, read_version
from luxport.porting.julia.nodes import is_array
from luxport.porting.loading import place_values
from luxport.porting.other_activations import warn_of_other_activations

__all__ = ["load_parameters"]


_DEEPEST = 3
"""How far inside a file's entries parameters are looked for, where there are several."""

_MOST_LEVELS = 100


@says_what_it_takes
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

    The file may hold `Flux.state`, a whole Flux model, Lux's ``ps`` and ``st`` (NamedTuples or a ComponentVector), the
    list of `Flux.params` or a flat vector as `Flux.destructure` makes it. What it holds is fitted by path, by order, or
    by the flat layout, and every size is checked. Whatever else is in the file (the state of an optimizer, say) is left
    alone. States that are not in the file are initial. The state of a Flux `Conv` or `ConvTranspose` in a layer here
    that does not flip its kernel is turned round.

    Where the file has its model, too, activations that differ from those of `model` are told in a warning.

    A BatchNorm of Flux 0.6 kept a standard deviation, which becomes a variance, with a warning.

    Args:
        path: a file of BSON.jl or JLD2
        model: the layer whose parameters they are
        name: which entry of the file, if several fit; dotted where it is inside something else
        flux: the version of Flux that wrote the file, such as ``"0.6"``, where the file does not say
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the floating dtype of the arrays, that of the file if None

    Raises: FileFormatError if the file cannot be read, or says of each entry what did not fit; ValueError if `flux`
            is no version
    """
    check_layer("load_parameters", model)
    told = None if flux is None else read_version("load_parameters", flux)
    values, initial = read(path).values, draw_initial(model)
    with refuse_file(str(path)):
        ps, st = _choose(values, model, initial, name, told, str(path))
    return place_values((ps, st), backend, device, dtype)


def _choose(
    values: dict[str, Any],
    model: Layer,
    initial: tuple[dict[str, Any], dict[str, Any]],
    name: str | None,
    told: tuple[int, int] | None,
    file: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters and states from the one entry of a file that fits.

    Raises: FileFormatError
    """
    entries = {key: (value, values) for key, value in values.items()}
    if name is not None:
        try:
            entries = {name: find_entry_at(values, name)}
        except KeyError:
            raise FileFormatError(f"no entry {name!r}; there are {', '.join(entries) or 'none'}", path=file) from None
    fitting, complaints = _split_fitting(model, entries, initial)
    level, hint, wide = entries, "", 0
    if not fitting and name is None:
        level = {"the file": (values, values)}
        fitting, _ = _split_fitting(model, level, initial)
        level = level if fitting else entries
    for _ in range(_MOST_LEVELS if name is None else 0):
        if fitting or hint or wide == _DEEPEST or not level:
            break
        # What is wrapped again and again, one thing in another, is as good as at the top.
        wide += len(level) > 1
        level = list_inner_entries(level)
        fitting, _ = _split_fitting(model, level, initial)
        if not all(is_container(level[key][1]) for key in fitting):
            hint, fitting = f". Inside, {' and '.join(fitting)} would fit: choose it by name", []
    if len(fitting) != 1:
        why = (
            f"more than one entry fits: {', '.join(fitting)}; choose one by name" if fitting else ". ".join(complaints)
        )
        raise FileFormatError(why + hint or "nothing is in it", path=file)
    (chosen,) = fitting
    value, parent = level[chosen]
    ps, st, problems = fit(model, value, initial, told or find_versions_for(value, values))
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
    """Return the entries that fit, and of the others why they do not."""
    fitting, complaints = [], []
    for key, (value, _) in entries.items():
        *_, problems = fit(model, value, initial, None)
        if problems:
            complaints.append((_measure_distance(value, initial[0]), _write_complaint(key, problems)))
        else:
            fitting.append(key)
    # What fits nearest comes first: it is what was meant.
    return fitting, [complaint for _, complaint in sorted(complaints, key=lambda entry: entry[0])]


def _measure_distance(value: Any, wanted: dict[str, Any]) -> int:
    """Return how many arrays a value has too few or too many for a model's parameters, by their shapes."""
    there = Counter(drop_axes_of_one(found) for found in julia.yield_values(value) if is_array(found))
    here = Counter(drop_axes_of_one(leaf) for leaf in tree.leaves(wanted))
    return 2 * (here - there).total() + (there - here).total()


def _write_complaint(key: str, problems: list[str]) -> str:
    more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
    return f"{key or 'the file'}: {'; '.join(problems[:8])}{more}"
