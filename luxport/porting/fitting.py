"""`fit`: what a file of Julia's holds, put in the places of a model's parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport import tree
from luxport.core.flat_layout import Layout
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.surgery import named_modules
from luxport.layers._tying import Tied
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.fields import compute_variance, detect_standard_deviation, read_number
from luxport.porting.julia.generation import FIRST, LAST
from luxport.porting.julia.nodes import has_arrays, is_array, is_node, read_entries, unwrap_node
from luxport.text import warn
from luxport.tree import paths

__all__ = ["draw_initial", "drop_axes_of_one", "fit", "fit_states"]


_ALIASES: Mapping[str, tuple[str, ...]] = {
    "bias": ("bias", "b", "β"),
    "bias_ih": ("bias_ih", "b", "bias"),
    "fusion": ("fusion", "connection"),
    "hidden_state": ("hidden_state", "state0", "h"),
    "memory": ("memory", "c"),
    "running_mean": ("running_mean", "μ"),
    "running_var": ("running_var", "σ²"),
    "scale": ("scale", "γ", "α"),
    "weight": ("weight", "W", "scale", "α"),
    "weight_hh": ("weight_hh", "Wh"),
    "weight_hn": ("weight_hn", "Wh_h̃"),
    "weight_ih": ("weight_ih", "Wi"),
}
"""What Flux has called a parameter of ours."""


_INSIDE = ("layers", "cell", "diag", "over", "layer")
"""Fields of Flux around a layer's own."""


_INITIAL = ("state0", "h", "c")
"""What a cell of Flux starts from, trained until 0.14. Zeros are what a cell here starts from."""


_KEPT_OUT = ("state", "init", "σ", "active", "rng", "training", "carry")


def draw_initial(model: Layer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a model's initial parameters and states, of a `Tied` one those of all places."""
    if isinstance(model, Tied):
        return draw_initial(model.layer)
    return initial_parameters(0, model), initial_states(0, model)


def fit(
    model: Layer,
    value: Any,
    initial: tuple[dict[str, Any], dict[str, Any]] | None = None,
    versions: tuple[int, int] | None = (FIRST, LAST),
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Fit a value of the readers to a model: parameters, states and what did not fit.

    `initial` are the values of parameters and states that the model begins with, if they are at hand; `versions` the
    first and the last minor version of Flux that can have written the value, None to take its numbers as they are.
    A bias that is absent, ``false``, and a bias of zeros are the same. What a `Tied` model has once the value has in
    all its places, with the same numbers.
    """
    ps, st = draw_initial(model) if initial is None else initial
    if isinstance(model, Tied):
        return _fit_tied(model, value, (ps, st), versions)
    value = unwrap_node(value)
    problems: list[str] = []
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return _fit_by_layout(ps, value, problems), st, problems
    if isinstance(value, (list, tuple)) and value and all(is_array(unwrap_node(entry)) for entry in value):
        return _fit_by_order(ps, [unwrap_node(entry) for entry in value], problems), st, problems
    if not is_node(value):
        return ps, st, [f"parameters expected, got {julia.name_type(value)}"]
    crossing = {".".join(path) for path, layer in named_modules(model) if getattr(layer, "cross_correlation", False)}
    ps, st = _fit_by_path(ps, st, value, "", _Fit(crossing, versions, problems))
    return ps, st, problems


def _fit_tied(
    model: Tied, value: Any, initial: tuple[dict[str, Any], dict[str, Any]], versions: tuple[int, int] | None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    full, st, problems = fit(model.layer, value, initial, versions)
    later = []
    for first, *others in model.groups:
        wanted = tree.leaves(paths.find_entry(full, first))
        for place in others:
            later.append(place)
            if not all(map(np.array_equal, wanted, tree.leaves(paths.find_entry(full, place)))):
                problems.append(f"{'.'.join(place)} differs from {'.'.join(first)}, to which it is tied")
    return paths.leave_out(full, later), st, problems


@dataclass(frozen=True)
class _Fit:
    """What is known of model and file, and what did not fit."""

    crossing: set[str]
    """Where the model has layers that do not flip their kernels."""
    versions: tuple[int, int] | None
    problems: list[str]


def _fit_by_path(ps: Any, st: Any, value: Any, path: str, known: _Fit) -> tuple[Any, Any]:
    node, problems = _add_variance(value, read_entries(value), path, known), known.problems
    for inside in _INSIDE:
        if inside in node and inside not in ps:
            return _fit_by_path(ps, st, node[inside], path, known)
    new_ps, new_st, used = dict(ps), dict(st), set()
    for side, new in ((ps, new_ps), (st, new_st)):
        for name, wanted in side.items():
            here = f"{path}.{name}" if path else name
            found = next((alias for alias in _ALIASES.get(name, (name,)) if alias in node), None)
            if isinstance(wanted, Mapping):
                used.add(name)
                if side is st and name in ps:
                    continue  # goes with the parameters of the same name
                inner = ps.get(name, {}), st.get(name, {})
                if found is not None:
                    used.add(found)
                    filled = _fit_by_path(*inner, node[found], here, known)
                    new_ps |= {name: filled[0]} if name in ps else {}
                    new_st |= {name: filled[1]} if name in st else {}
                elif next(_yield_arrays(inner[0]), None) is not None:
                    problems.append(f"{here} is missing")
            elif found is not None:
                used.add(found)
                new[name] = _check(unwrap_node(node[found]), wanted, here, problems)
                if name == "weight" and path in known.crossing and _convolves(value, node):
                    new[name] = np.ascontiguousarray(np.flip(new[name], tuple(range(2, np.ndim(new[name])))))
            elif side is ps:
                problems.append(f"{here} is missing")
    for name, entry in node.items():
        if name in used or name in _KEPT_OUT or _is_no_bias(name, entry):
            continue
        if has_arrays(entry):
            problems.append(f"{f'{path}.{name}' if path else name} is left over")
    return new_ps, new_st


def _convolves(value: Any, node: Mapping[str, Any]) -> bool:
    """Tell whether Flux flips the kernels of a layer: a struct says so by its name, a state by having groups."""
    kind = _find_flux_name(value)
    return kind != "CrossCor" if kind else "groups" in node


def _add_variance(value: Any, node: dict[str, Any], path: str, known: _Fit) -> dict[str, Any]:
    """Turn the moving standard deviation that Flux kept until 0.6 into the variance that it keeps since."""
    deviation = unwrap_node(node.get("σ²"))
    if known.versions is None or _find_flux_name(value) != "BatchNorm" or not is_array(deviation):
        return node
    try:
        deviates, sure = detect_standard_deviation(value, node, known.versions)
        variance = compute_variance(deviation, read_number(node["ϵ"], "ϵ")) if deviates else deviation
    except FileFormatError as error:
        known.problems.append(f"{path}.{error.reason}" if path else error.reason)
        return node
    if not sure:
        warn(
            f"{show(path) or 'the model'}: a BatchNorm that has a standard deviation until Flux 0.6 and a variance "
            f"since; the file does not say which, and {'a standard deviation' if deviates else 'a variance'} is taken: "
            "give the version of Flux, as load_parameters(..., flux='0.6')"
        )
    return {**node, "σ²": variance}


def _find_flux_name(value: Any) -> str:
    """Return the name of a struct of Flux, nothing for any other value."""
    struct = isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName)
    return value.type.name if struct and "Flux" in value.type.module else ""


def _fit_by_order(ps: Any, arrays: list[Any], problems: list[str]) -> Any:
    """Flux lists the parameters layer by layer, of a norm the bias first, of a cell what it starts from last."""
    wanted = list(tree.leaves_with_path(ps))
    arrays = _drop_zeros(arrays, [leaf for _, leaf in wanted])
    if len(wanted) != len(arrays):
        problems.append(f"{len(wanted)} arrays expected, got {len(arrays)}")
        return ps
    given = {
        path: _check(found, leaf, ".".join(path), problems) for (path, leaf), found in zip(wanted, arrays, strict=True)
    }
    return _fill(ps, given.__getitem__)


def _drop_zeros(arrays: list[Any], wanted: list[Any]) -> list[Any]:
    """Leave out vectors of zeros that have no place, as biases and initial states that were never trained."""
    kept: list[Any] = []
    for position, found in enumerate(arrays):
        left, places = len(arrays) - position, len(wanted) - len(kept)
        fits = places > 0 and drop_axes_of_one(found) == drop_axes_of_one(wanted[len(kept)])
        if fits or left <= places or len(drop_axes_of_one(found)) > 1 or np.any(found):
            kept.append(found)
    return kept


def drop_axes_of_one(array: Any) -> tuple[int, ...]:
    """Return the shape of an array without axes of 1."""
    return tuple([n for n in array.shape if n != 1])


def _fit_by_layout(ps: Any, vector: Any, problems: list[str]) -> Any:
    layout = Layout.of(dict(tree.leaves_with_path(ps)))
    if layout.size != vector.size:
        problems.append(f"a vector of {layout.size} numbers expected, got {vector.size}")
        return ps
    return _fill(ps, layout.build(vector, restore=False).__getitem__)


def _fill(ps: Any, value_at: Callable[[tuple[str, ...]], Any], path: tuple[str, ...] = ()) -> Any:
    return {
        name: _fill(entry, value_at, (*path, name)) if isinstance(entry, Mapping) else value_at((*path, name))
        for name, entry in ps.items()
    }


def fit_states(value: Any, st: dict[str, Any]) -> dict[str, Any]:
    """Take the running statistics that a Lux state has."""
    node, new = read_entries(value), dict(st)
    for name, entry in st.items():
        if name in node and isinstance(entry, Mapping):
            new[name] = fit_states(node[name], dict(entry))
        elif name in node and is_array(node[name]) and np.shape(node[name]) == np.shape(entry):
            new[name] = node[name]
    return new


def _is_no_bias(name: str, entry: Any) -> bool:
    """Tell whether adding this, or starting from it, changes nothing."""
    entry = unwrap_node(entry)
    return name in (*_ALIASES["bias"], *_INITIAL) and is_array(entry) and not np.any(entry)


def _check(found: Any, wanted: Any, path: str, problems: list[str]) -> Any:
    if found is False:
        return np.zeros_like(wanted)
    if not is_array(found):
        problems.append(f"{path}: an array expected, got {julia.name_type(found)}")
        return wanted
    if found.shape != wanted.shape and drop_axes_of_one(found) == drop_axes_of_one(wanted):
        found = found.reshape(wanted.shape)  # Lux keeps a bias of one axis with an axis of 1 in some versions
    if found.shape != wanted.shape:
        problems.append(f"{path}: shape {wanted.shape} expected, got {found.shape}")
        return wanted
    return found


def _yield_arrays(ps: Any) -> Iterator[Any]:
    for entry in ps.values():
        if isinstance(entry, Mapping):
            yield from _yield_arrays(entry)
        else:
            yield entry
