"""What the state of an optimizer is made of: `OptimizerState`, groups, leaves, ties."""

from __future__ import annotations

from typing import Any, NamedTuple

from luxport.tree import Tree
from luxport.tree.static import Static

__all__ = ["Group", "Leaf", "OptimizerState", "Tied", "group_of"]


class Group(NamedTuple):
    """What parameters have in common: a rule, its numbers, and how far its clock is.

    Args:
        rule: the rule, with zeros for its numbers: what compiled programs are made for
        values: its numbers as arrays without axes, by name; a tuple of such dicts for a rule made of rules
        clock: powers of beta, a count: what is one for parameters that step together; None if there is nothing
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
        remainder: for a half type, what rounding has cut off, in float32
        group: which group it belongs to; None for the first
        frozen: ``Static(True)`` if `update` is to pass it over
    """

    state: Tree
    remainder: Any = None
    group: Static[int] | None = None
    frozen: Static[bool] | None = None


class Tied(NamedTuple):
    """What stands for a parameter that is also somewhere else, where its state is: the path of that place."""

    first: Static[tuple[Any, ...]]


class OptimizerState(NamedTuple):
    """The state of an optimizer: groups, and leaves in a tree like the parameters.

    Args:
        groups: what parameters have in common: a rule, its numbers and its clock, for each group of them
        leaves: a tree like the parameters, of what the rules keep for each
    """

    groups: tuple[Group, ...]
    leaves: Tree


def group_of(leaf: Leaf) -> int:
    """Return the number of a leaf's group."""
    return 0 if leaf.group is None else leaf.group.value
