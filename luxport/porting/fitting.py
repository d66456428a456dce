"""`fit`: match the values of a Julia file with the parameters and states of a model, by path, order or flat layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from luxport.porting.julia.flux_versions import FIRST, LAST
from luxport.porting.julia.nodes import has_arrays, is_array, is_node, read_entries, unwrap_node
from luxport.text import warn
from luxport.tree import paths

__all__ = ["draw_initial", "squeeze_shape", "fit", "fit_states"]


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
"""The names that a parameter has had in versions of Flux and Lux, by its name in luxport."""


_INSIDE = ("layers", "cell", "diag", "over", "layer")
"""Fields in which Flux nests the parameters of a layer."""


_INITIAL = ("state0", "h", "c")
"""The initial state of Flux's cells, which was trained until 0.14; luxport's cells start from zeros by default."""


_IGNORED = ("state", "init", "σ", "active", "rng", "training", "carry")
"""Fields that need no place in a model."""


def draw_initial(model: Layer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the initial parameters and states of a model; those of a `Tied` model include the tied places."""
    if isinstance(model, Tied):
        return draw_initial(model.layer)
    return initial_parameters(0, model), initial_states(0, model)


def fit(
    model: Layer,
    value: Any,
    initial: tuple[dict[str, Any], dict[str, Any]] | None = None,
    versions: tuple[int, int] | None = (FIRST, LAST),
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return a model's parameters and states with the numbers of a saved value, and a list of what does not fit.

    `initial` are the model's initial parameters and states, drawn if None. `versions` are the first and the last minor
    version of Flux that can have written the value; None means that its numbers are used unchanged. A missing bias,
    ``false`` and a bias of zeros are treated alike. A `Tied` model needs equal numbers in all its tied places.
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
        return ps, st, [f"expected parameters, got {julia.name_type(value)}"]
    unflipped = {".".join(path) for path, layer in named_modules(model) if getattr(layer, "cross_correlation", False)}
    ps, st = _fit_by_path(ps, st, value, "", _Context(unflipped, versions, problems))
    return ps, st, problems


def _fit_tied(
    model: Tied, value: Any, initial: tuple[dict[str, Any], dict[str, Any]], versions: tuple[int, int] | None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    full, st, problems = fit(model.layer, value, initial, versions)
    repeated = []
    for first, *others in model.groups:
        wanted = tree.leaves(paths.find_entry(full, first))
        for place in others:
            repeated.append(place)
            if not all(map(np.array_equal, wanted, tree.leaves(paths.find_entry(full, place)))):
                problems.append(f"{'.'.join(place)} differs from {'.'.join(first)}, to which it is tied")
    return paths.leave_out(full, repeated), st, problems


@dataclass(frozen=True)
class _Context:
    """What is the same for all layers while parameters are fitted by path."""

    unflipped: set[str]
    """The paths of layers that do not flip their kernels."""
    versions: tuple[int, int] | None
    problems: list[str]


def _fit_by_path(ps: Any, st: Any, value: Any, path: str, context: _Context) -> tuple[Any, Any]:
    node, problems = _convert_deviation(value, read_entries(value), path, context), context.problems
    for inside in _INSIDE:
        if inside in node and inside not in ps:
            return _fit_by_path(ps, st, node[inside], path, context)
    new_ps, new_st, used = dict(ps), dict(st), set()
    for side, new in ((ps, new_ps), (st, new_st)):
        for name, wanted in side.items():
            here = f"{path}.{name}" if path else name
            found = next((alias for alias in _ALIASES.get(name, (name,)) if alias in node), None)
            if isinstance(wanted, Mapping):
                used.add(name)
                if side is st and name in ps:
                    continue  # fitted together with the parameters of the same name
                inner = ps.get(name, {}), st.get(name, {})
                if found is not None:
                    used.add(found)
                    filled = _fit_by_path(*inner, node[found], here, context)
                    new_ps |= {name: filled[0]} if name in ps else {}
                    new_st |= {name: filled[1]} if name in st else {}
                elif tree.leaves(inner[0]):
                    problems.append(f"{here} is missing")
            elif found is not None:
                used.add(found)
                new[name] = _check(unwrap_node(node[found]), wanted, here, problems)
                if name == "weight" and path in context.unflipped and _has_flipped_kernel(value, node):
                    new[name] = np.ascontiguousarray(np.flip(new[name], tuple(range(2, np.ndim(new[name])))))
            elif side is ps:
                problems.append(f"{here} is missing")
    for name, entry in node.items():
        if name in used or name in _IGNORED or _is_zero_bias(name, entry):
            continue
        if has_arrays(entry):
            problems.append(f"{f'{path}.{name}' if path else name} is left over")
    return new_ps, new_st


def _has_flipped_kernel(value: Any, node: Mapping[str, Any]) -> bool:
    """Return whether Flux flips the kernel of a layer, in which a CrossCor and other convolutions differ.

    A struct has the name of the layer. A state of `Flux.state` has no name, but only that of a CrossCor has no groups.
    """
    kind = _find_flux_name(value)
    return kind != "CrossCor" if kind else "groups" in node


def _convert_deviation(value: Any, node: dict[str, Any], path: str, context: _Context) -> dict[str, Any]:
    """Return the fields of a BatchNorm with a variance in place of the standard deviation that Flux kept until 0.6."""
    deviation = unwrap_node(node.get("σ²"))
    if context.versions is None or _find_flux_name(value) != "BatchNorm" or not is_array(deviation):
        return node
    try:
        deviates, sure = detect_standard_deviation(value, node, context.versions)
        variance = compute_variance(deviation, read_number(node["ϵ"], "ϵ")) if deviates else deviation
    except FileFormatError as error:
        context.problems.append(f"{path}.{error.reason}" if path else error.reason)
        return node
    if not sure:
        warn(
            f"{show(path) or 'the model'}: a BatchNorm has a standard deviation until Flux 0.6 and a variance since; "
            f"the file does not say which, and {'a standard deviation' if deviates else 'a variance'} is assumed: "
            "give the version of Flux, as load_parameters(..., flux='0.6')"
        )
    return {**node, "σ²": variance}


def _find_flux_name(value: Any) -> str:
    """Return the name of a Flux struct, "" for any other value."""
    struct = isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName)
    return value.type.name if struct and "Flux" in value.type.module else ""


def _fit_by_order(ps: Any, arrays: list[Any], problems: list[str]) -> Any:
    """Return parameters from the list that `Flux.params` makes.

    Flux lists them layer by layer: the bias of a norm before its scale, and the initial state of a cell last.
    """
    wanted = list(tree.leaves_with_path(ps))
    arrays = _drop_zeros(arrays, [leaf for _, leaf in wanted])
    if len(wanted) != len(arrays):
        problems.append(f"expected {len(wanted)} arrays, got {len(arrays)}")
        return ps
    given = {
        path: _check(found, leaf, ".".join(path), problems) for (path, leaf), found in zip(wanted, arrays, strict=True)
    }
    return _fill(ps, given.__getitem__)


def _drop_zeros(arrays: list[Any], wanted: list[Any]) -> list[Any]:
    """Return the arrays without vectors of zeros that fit nowhere: biases and initial states that were not trained."""
    kept: list[Any] = []
    for position, found in enumerate(arrays):
        left, places = len(arrays) - position, len(wanted) - len(kept)
        has_place = places > 0 and squeeze_shape(found) == squeeze_shape(wanted[len(kept)])
        if has_place or left <= places or len(squeeze_shape(found)) > 1 or np.any(found):
            kept.append(found)
    return kept


def squeeze_shape(array: Any) -> tuple[int, ...]:
    """Return the shape of an array without axes of 1."""
    return tuple([n for n in array.shape if n != 1])


def _fit_by_layout(ps: Any, vector: Any, problems: list[str]) -> Any:
    layout = Layout.of(dict(tree.leaves_with_path(ps)))
    if layout.size != vector.size:
        problems.append(f"expected a vector of {layout.size} numbers, got {vector.size}")
        return ps
    return _fill(ps, layout.build(vector, restore=False).__getitem__)


def _fill(ps: Any, value_at: Callable[[tuple[str, ...]], Any], path: tuple[str, ...] = ()) -> Any:
    return {
        name: _fill(entry, value_at, (*path, name)) if isinstance(entry, Mapping) else value_at((*path, name))
        for name, entry in ps.items()
    }


def fit_states(value: Any, st: dict[str, Any]) -> dict[str, Any]:
    """Return a model's states with the arrays of a Lux state, such as running statistics, where their shapes match."""
    node, new = read_entries(value), dict(st)
    for name, entry in st.items():
        if name in node and isinstance(entry, Mapping):
            new[name] = fit_states(node[name], dict(entry))
        elif name in node and is_array(node[name]) and np.shape(node[name]) == np.shape(entry):
            new[name] = node[name]
    return new


def _is_zero_bias(name: str, entry: Any) -> bool:
    """Return whether an entry is a bias or an initial state of zeros, which a model need not have."""
    entry = unwrap_node(entry)
    return name in (*_ALIASES["bias"], *_INITIAL) and is_array(entry) and not np.any(entry)


def _check(found: Any, wanted: Any, path: str, problems: list[str]) -> Any:
    if found is False:
        return np.zeros_like(wanted)
    if not is_array(found):
        problems.append(f"{path}: expected an array, got {julia.name_type(found)}")
        return wanted
    if found.shape != wanted.shape and squeeze_shape(found) == squeeze_shape(wanted):
        found = found.reshape(wanted.shape)  # some versions of Lux save a bias with an additional axis of size 1
    if found.shape != wanted.shape:
        problems.append(f"{path}: shape {wanted.shape} expected, got {found.shape}")
        return wanted
    return found
