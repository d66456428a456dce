"""The parts of an optimizer's state: `OptimizerState`, `Group`, `Leaf`, `Tied`."""

from __future__ import annotations

from typing import Any, NamedTuple

from luxport.tree import Tree
from luxport.tree.static import Static

__all__ = ["Group", "Leaf", "OptimizerState", "Tied", "group_of"]


class Group(NamedTuple):
    """What parameters that step together share: a rule, its hyper-parameters, and its clock.

    Args:
        rule: the rule with zeros for its hyper-parameters, which is what compiled programs depend on
        values: its hyper-parameters as arrays without axes, by name; for a compound rule a tuple of such dicts
        clock: the powers of beta, or a count; None if the rule has no clock
        size: how many parameters there are
    """

    rule: Static[Any]
    values: Tree
    clock: Tree
    size: Static[int]


class Leaf(NamedTuple):
    """The state of one parameter.

    Args:
        state: what the rule keeps for it
        remainder: for a half type, what rounding the parameter has cut off, in float32
        group: the position of its group; None for the first
        frozen: ``Static(True)`` if `update` is to skip it
    """

    state: Tree
    remainder: Any = None
    group: Static[int] | None = None
    frozen: Static[bool] | None = None


class Tied(NamedTuple):
    """In place of a leaf, for a parameter that occurs in several places: the path to the place that has its leaf."""

    first: Static[tuple[Any, ...]]


class OptimizerState(NamedTuple):
    """The state of an optimizer: groups, and leaves in a tree like the parameters.

    Args:
        groups: for each group of parameters its rule, hyper-parameters and clock
        leaves: a tree like the parameters, with what the rule keeps for each
    """

    groups: tuple[Group, ...]
    leaves: Tree


def group_of(leaf: Leaf) -> int:
    """Return the position of a leaf's group."""
    return 0 if leaf.group is None else leaf.group.value
