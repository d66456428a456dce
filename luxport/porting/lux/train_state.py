"""Read the optimizer of a saved ``TrainState`` of Lux, and the state that it keeps for each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport import optimizers
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.building import Functions
from luxport.porting.julia.entries import list_children
from luxport.porting.lux.layers import port
from luxport.tree import leaves_with_path

__all__ = ["SavedOptimizer", "read_optimizer"]

Path = tuple[int, ...]
"""A position in the nested tuples that Optimisers.jl keeps for a parameter."""


@dataclass(frozen=True)
class SavedOptimizer:
    """An optimizer's rule, its step counter (`clock`), and its state for each parameter, by dotted path."""

    rule: Any
    clock: Any
    states: Mapping[str, Any]


def read_optimizer(saved: Any, functions: Functions) -> SavedOptimizer:
    """Read the optimizer of a ``TrainState``; its moments get the layout of the model's parameters.

    Raises: FileFormatError if there is none, or it has no counterpart here
    """
    fields = list_children(saved)
    tree = fields.get("optimizer_state")
    leaves = list(_yield_leaves(tree))
    if not leaves:
        raise FileFormatError("the TrainState has no optimizer's state")
    rules = [_build_rule(list_children(leaf)["rule"], ()) for leaf in leaves]
    if any(rule != rules[0] for rule in rules):
        raise FileFormatError(
            "the TrainState has different rules or rates for its parameters: luxport has one rule for all of them"
        )
    rule, kept, clock = rules[0]
    if any(list_children(leaf).get("frozen") is True for leaf in leaves):
        raise FileFormatError("the TrainState has frozen parameters: freeze them in a new state, see optimizers.freeze")
    found = {path: _read_moments(tree, path, fields, functions) for path in _list_paths(kept)}
    if found:
        places = [path for path, _ in leaves_with_path(next(iter(found.values())))]
        entries = {place: {path: dict(leaves_with_path(found[path]))[place] for path in found} for place in places}
    else:
        entries = {}
    states = {".".join(place): _fill(kept, entries[place].__getitem__) for place in entries}
    first = list_children(leaves[0])["state"]
    return SavedOptimizer(rule, _fill(clock, lambda path: _read_number(_find_at(first, path))), states)


def _yield_leaves(tree: Any) -> Iterator[Any]:
    """Yield the state that Optimisers.jl keeps for each parameter, of its type ``Leaf``."""
    pending = [tree]
    while pending:
        value = pending.pop()
        if _read_rule_name(value) == "Leaf":
            yield value
        elif not isinstance(value, np.ndarray):
            pending += reversed(list_children(value).values())


def _read_rule_name(value: Any) -> str:
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName):
        return value.type.name if value.type.module[:1] == ("Optimisers",) else ""
    return ""


def _read_moments(tree: Any, path: Path, fields: Mapping[str, Any], functions: Functions) -> Any:
    """Return one moment of all parameters, in the layout of our layers' parameters."""
    return port(fields["model"], functions, _read_moment(tree, path), fields.get("states")).ps


def _read_moment(value: Any, path: Path) -> Any:
    if _read_rule_name(value) == "Leaf":
        return _find_at(list_children(value)["state"], path)
    if isinstance(value, julia.NamedTuple):
        return julia.NamedTuple(value.names, tuple([_read_moment(entry, path) for entry in value.values]))
    if isinstance(value, (tuple, list)):
        return tuple([_read_moment(entry, path) for entry in value])
    return value


def _find_at(value: Any, path: Path) -> Any:
    for place in path:
        entries = list(list_children(value).values())
        if place >= len(entries):
            raise FileFormatError("the optimizer's saved state has fewer entries than its rule needs")
        value = entries[place]
    return value


def _read_number(value: Any) -> Any:
    kind = np.int32 if isinstance(value, int) else np.float32
    if not isinstance(value, (int, float, np.number)):
        raise FileFormatError("the optimizer's clock is not a number")
    return np.asarray(value, kind)


def _list_paths(kept: Any) -> list[Path]:
    """Return the paths of all moments in a description of a rule's state."""
    if kept is None or isinstance(kept, _Place):
        return [] if kept is None else [kept.path]
    return [path for entry in kept for path in _list_paths(entry)]


def _fill(kept: Any, value_at: Callable[[Path], Any]) -> Any:
    """Return a description of a rule's state with each place replaced by the value there."""
    if kept is None or isinstance(kept, _Place):
        return None if kept is None else value_at(kept.path)
    return tuple([_fill(entry, value_at) for entry in kept])


@dataclass(frozen=True)
class _Place:
    """The place of a value in the saved state of a parameter."""

    path: Path


def _build_rule(struct: Any, path: Path) -> tuple[Any, Any, Any]:
    """Return a rule, the places of its moments in the saved state under `path`, and the place of its clock.

    Raises: FileFormatError for a rule without a counterpart
    """
    name, fields = _read_rule_name(struct), list_children(struct)
    if name == "OptimiserChain":
        parts = [_build_rule(one, (*path, place)) for place, one in enumerate(list_children(fields["opts"]).values())]
        rules, kept, clocks = zip(*parts, strict=True)
        return optimizers.OptimizerChain(*rules), kept, clocks if any(clock is not None for clock in clocks) else None
    if name not in _RULES:
        kind = struct.type.path if isinstance(struct, julia.Struct) else type(struct).__name__
        raise FileFormatError(
            f"the optimizer {show(kind)} has no counterpart here: begin with one of luxport.optimizers"
        )
    options = {_NAMES.get(field, field): _make_plain(value) for field, value in fields.items()}
    kept, clock = _RULES[name]
    try:
        rule = getattr(optimizers, name)(**options)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"the optimizer {name} of the file cannot be made: {error}") from None
    if name == "RMSProp" and not rule.centered:
        kept = (_Place((0,)), None)

    def move(inner: Path) -> _Place:
        return _Place((*path, *inner))

    return rule, _fill(kept, move), _fill(clock, move)


def _make_plain(value: Any) -> Any:
    if isinstance(value, (tuple, julia.Struct, julia.NamedTuple)):
        return tuple([_make_plain(entry) for entry in list_children(value).values()])
    return value.item() if isinstance(value, np.generic) else value


def _make_places(*places: int) -> tuple[_Place, ...]:
    return tuple([_Place((place,)) for place in places])


_POWERS = (_Place((2, 0)), _Place((2, 1)))
_ADAM = (_make_places(0, 1), _POWERS)
_RULES: Mapping[str, tuple[Any, Any]] = {
    **dict.fromkeys(("ClipGrad", "ClipNorm", "Descent", "WeightDecay"), (None, None)),
    **dict.fromkeys(("AdaGrad", "Momentum", "Nesterov"), (_Place(()), None)),
    **dict.fromkeys(("AdaBelief", "AdaMax", "Adam", "AdamW", "NAdam"), _ADAM),
    "AMSGrad": (_make_places(0, 1, 2), None),
    "AdaDelta": (_make_places(0, 1), None),
    "OAdam": (_make_places(0, 1, 3), _POWERS),
    "RAdam": (_make_places(0, 1), (_POWERS, _Place((3,)))),
    "RMSProp": (_make_places(0, 1), None),
}
"""For each rule, where Optimisers.jl stores its moments and its clock."""
_NAMES = {"centred": "centered", "lambda": "lambda_", "gamma": "lambda_"}
