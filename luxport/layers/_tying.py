"""Parameters that are shared by several places of a model: `tie`, `untie`, `Tied`, `share_parameters`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States, expect_layer
from luxport.errors import LayerError
from luxport.random import Rng
from luxport.text import name_kind, show
from luxport.tree import paths
from luxport.tree.paths import Path

__all__ = ["Tied", "share_parameters", "tie", "untie"]

Groups: TypeAlias = Iterable[Iterable[Path]]
"""Groups of paths; the parameters at all paths of a group are the same."""


class Tied(Layer):
    """A layer that uses some parameters in several places; they are stored at the first path of each group.

    ``y = layer(x, ps with ps[other] = ps[first])``. Each call copies them to the other paths. So the gradients of all
    uses add up, an optimizer takes one step, and files and flat vectors hold them once.

    Args:
        layer: a layer
        groups: tuples of paths of parameters; those at the paths of one tuple are the same

    Shapes: the layer's
    Params: the layer's, without those at the later paths of each group
    State:  the layer's
    Raises: ValueError when built with paths that no parameters have, that overlap, or whose shapes differ;
            LayerError as the layer does
    Source: the rules are those of Lux.jl ``Experimental.share_parameters``, which makes the arrays identical instead

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2))
    >>> luxport.parameter_length(Tied(model, [("layer_1.weight", "layer_2.weight")]))
    8
    """

    layer: Layer
    groups: tuple[tuple[tuple[str, ...], ...], ...]

    def __post_init__(self) -> None:
        expect_layer("Tied", self.layer)
        groups = _check_groups(self.groups, describe_values(initial_parameters, self.layer))
        object.__setattr__(self, "groups", groups)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer with all its parameters."""
        try:
            full = _copy_to_all_paths(ps, self.groups)
        except ValueError as error:
            raise LayerError(f"expects parameters as luxport.tie returns them: {error}") from None
        return self.layer(x, full, st)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw all the layer's parameters, and leave out those at later paths."""
        return paths.leave_out(initial_parameters(rng, self.layer), _list_later_paths(self.groups))

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the layer's."""
        return initial_states(rng, self.layer)


@explain_call_errors
def tie(
    model: Layer, ps: Parameters, st: States, groups: Groups
) -> tuple[Tied, dict[str, Any], dict[str, Any] | States]:
    """Return a `Tied` layer with its parameters and states; the parameters at the first path of each group are kept.

    Args:
        model: a layer
        ps: its parameters
        st: its states
        groups: lists of paths of parameters; those at the paths of one list become the same

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2))
    >>> tied, ps, st = tie(model, *luxport.setup(0, model), [("layer_1", "layer_2")])
    >>> list(ps)
    ['layer_1']
    """
    tied = Tied(model, tuple(map(tuple, groups)))  # type: ignore[arg-type]
    return tied, paths.leave_out(ps, _list_later_paths(tied.groups)), st


@explain_call_errors
def untie(model: Tied, ps: Parameters, st: States) -> tuple[Layer, dict[str, Any], States]:
    """Undo `tie`: return the layer inside, with the same arrays at all paths of a group.

    Args:
        model: what `tie` returned
        ps: its parameters
        st: its states
    """
    if not isinstance(model, Tied):
        raise TypeError(f"untie expects a Tied layer, got {name_kind(model)}")
    full = _copy_to_all_paths(ps, model.groups)
    return model.layer, paths.sort_like(full, describe_values(initial_parameters, model.layer)), st


@explain_call_errors
def share_parameters(ps: Parameters, groups: Groups, new: Sequence[Any] | None = None) -> dict[str, Any]:
    """Return the parameters with the same arrays at all paths of a group.

    They do not stay the same: an optimizer updates each path separately. For that, use `Tied`.

    Args:
        ps: the parameters of a layer
        groups: lists of paths; the parameters at the paths of one list become the same
        new: the new parameters, for each group; None for those at its first path

    Raises: ValueError if paths are not among the parameters, overlap, or differ in structure or shape
    Source: Lux.jl ``Experimental.share_parameters``

    >>> share_parameters({"a": {"w": 1}, "b": {"w": 2}}, [("a", "b")])
    {'a': {'w': 1}, 'b': {'w': 1}}
    """
    checked = _check_groups(groups, ps)
    if new is None:
        return _copy_to_all_paths(ps, checked)
    if len(new) != len(checked):
        raise ValueError(f"share_parameters expects new parameters for {len(checked)} groups, got {len(new)}")
    result = dict(ps)
    for group, values in zip(checked, new, strict=True):
        _check_alike(group[0], paths.find_entry(ps, group[0]), "the new parameters", values)
        for path in group:
            result = paths.replace(result, path, values)
    return result


def _check_groups(groups: Groups, ps: Parameters) -> tuple[tuple[tuple[str, ...], ...], ...]:
    checked = tuple(
        [tuple([paths.split_path(path) for path in _make_sequence(group)]) for group in _make_sequence(groups)]
    )
    every = [path for group in checked for path in group]
    for i, one in enumerate(every):
        for other in every[:i]:
            if one[: len(other)] == other or other[: len(one)] == one:
                raise ValueError(
                    f"paths apart from each other expected, got {show('.'.join(other))} and {show('.'.join(one))}: "
                    "put all paths of one parameter in one group"
                )
    for group in checked:
        for path in group:
            _check_alike(group[0], paths.find_entry(ps, group[0]), ".".join(path), paths.find_entry(ps, path))
    return checked


def _make_sequence(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        raise TypeError(f"groups of paths expected, such as [('encoder.weight', 'decoder.weight')], got {show(value)}")
    return value


def _check_alike(first: tuple[str, ...], want: Any, name: str, got: Any) -> None:
    shapes = [tree.map(lambda leaf: tuple(getattr(leaf, "shape", ())), values) for values in (want, got)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"parameters of one structure expected, got {'.'.join(first)} {shapes[0]} and {name} {shapes[1]}"
        )


def _copy_to_all_paths(ps: Parameters, groups: Any) -> dict[str, Any]:
    result = dict(ps)
    for first, *others in groups:
        value = paths.find_entry(ps, first)
        for path in others:
            result = paths.replace(result, path, value)
    return result


def _list_later_paths(groups: Any) -> list[tuple[str, ...]]:
    return [path for group in groups for path in group[1:]]
