"""Runs of equal layers as one loop: how ``Chain(..., scan=True)`` works on a backend that compiles loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, can, dtype_name, find_owner, namespace
from luxport.core.layer import Layer
from luxport.tree.static import Static

__all__ = ["LayerStep", "can_loop", "find_runs", "loop_layers", "remember_rows"]

Row = tuple[Any, Any, int]
"""A row of a stacked array, the stack, and the row's position in it."""

_rows: ContextVar[Mapping[int, Row] | None] = ContextVar("luxport_rows", default=None)


@contextmanager
def remember_rows(rows: Mapping[int, Row]) -> Iterator[None]:
    """Tell `loop_layers`, by the ids of rows, which stack each belongs to, so that it need not stack them again."""
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


def find_runs(layers: Mapping[str, Layer]) -> list[tuple[Layer, list[str]]]:
    """Group equal layers that follow each other: return each layer once, with the names of its run."""
    # Not `groupby`: PyTorch's compiler cannot trace it with keys such as these.
    runs: list[tuple[Layer, list[str]]] = []
    for name, layer in layers.items():
        if runs and runs[-1][0] == layer:
            runs[-1][1].append(name)
        else:
            runs.append((layer, [name]))
    return runs


def can_loop(x: Any) -> bool:
    """Tell whether the backend of these inputs compiles loops of layers."""
    inputs = tree.leaves(x)
    return _are_arrays(inputs) and can(backend_of(*inputs), "loops")


@dataclass(frozen=True)
class LayerStep:
    """An iteration of the loop: a layer as a function of lists of arrays, with the structures of x, ps and st."""

    layer: Layer
    x: Any
    ps: Any
    st: Any

    def __call__(
        self, x: list[Array], entries: tuple[list[Array], list[Array]]
    ) -> tuple[list[Array], tuple[Static[Any], list[Array]]]:
        """Return the layer's output, and the arrays of its new state with the structure to build it from.

        Raises: NotAlike if the next layer cannot take the output
        """
        ps, st = [tree.unflatten(kind, iter(leaves)) for kind, leaves in zip((self.ps, self.st), entries, strict=True)]
        y, new = self.layer(tree.unflatten(self.x, iter(x)), ps, st)
        if tree.structure(y) != self.x or tree.structure(new) != self.st:
            raise NotAlike
        found = tree.leaves(y)
        if _list_kinds(found) != _list_kinds(x) or _list_kinds(tree.leaves(new)) != _list_kinds(entries[1]):
            raise NotAlike
        leaves: list[Array] = []
        return found, (Static(_describe_as_built(new, leaves)), leaves)


class NotAlike(Exception):
    """Equal layers cannot be a loop: outputs differ in kind from inputs, or entries from each other."""


def loop_layers(layer: Layer, x: Any, ps: Sequence[Any], st: Sequence[Any]) -> tuple[Any, list[Any]] | None:
    """Call equal layers one after the other in one loop; return the output and the list of new states.

    Return None if that is impossible: on a backend without such loops, if entries differ in structure, shape or dtype,
    or if the output differs from the input in these.
    """
    if not can_loop(x):
        return None
    inputs = tree.leaves(x)
    parameters, states = _list_columns(ps), _list_columns(st)
    if parameters is None or states is None:
        return None
    step = LayerStep(layer, *map(tree.structure, (x, ps[0], st[0])))
    stacks = [_stack(column) for column in parameters], [_stack(column) for column in states]
    try:
        y, (built, new) = backend_of(*inputs).scan_layers(step, inputs, stacks, len(ps))  # type: ignore[attr-defined]
    except NotAlike:
        return None
    rows = [list(row) for row in zip(*[namespace(leaf).unstack(leaf, axis=0) for leaf in new], strict=True)]
    rows = rows or [[] for _ in st]
    return tree.unflatten(step.x, iter(y)), [tree.unflatten(built.value, iter(row)) for row in rows]


def _describe_as_built(new: Any, leaves: list[Array]) -> Any:
    """Return a tree's structure as `tree.structure` does, and append its leaves to a list, keeping the dicts' order."""
    if isinstance(new, Mapping):
        return dict, tuple(new), tuple([_describe_as_built(value, leaves) for value in new.values()])
    if isinstance(new, (tuple, list)):
        return type(new), tuple([_describe_as_built(value, leaves) for value in new])
    if new is None or isinstance(new, Static):
        return new
    leaves.append(new)
    return tree.structure(new)


def _list_columns(entries: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """Transpose entries: for each array of an entry, list that array of all entries; None if they differ in kind."""
    structure, leaves = tree.structure(entries[0]), [tree.leaves(entry) for entry in entries]
    if not _are_arrays(leaves[0], or_none=True):
        return None
    kinds = _list_kinds(leaves[0])
    for entry, found in zip(entries[1:], leaves[1:], strict=True):
        if tree.structure(entry) != structure or not _are_arrays(found, or_none=True) or _list_kinds(found) != kinds:
            return None
    return list(zip(*leaves, strict=True))


def _are_arrays(leaves: Sequence[Any], *, or_none: bool = False) -> bool:
    return (or_none or bool(leaves)) and all([find_owner(type(leaf)) is not None for leaf in leaves])


def _list_kinds(leaves: Sequence[Any]) -> list[Any]:
    return [(dtype_name(leaf), tuple(leaf.shape)) for leaf in leaves]


def _stack(column: Sequence[Any]) -> Any:
    known = _rows.get()
    found = [known.get(id(row)) for row in column] if known else [None]
    first = found[0]
    if first is not None and first[1].shape[0] == len(column):
        stack = first[1]
        if all([row is not None and row[1] is stack and row[2] == i for i, row in enumerate(found)]):
            return stack
    return namespace(*column).stack(list(column), axis=0)
