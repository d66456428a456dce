"""A `TrainState` in few buffers: a compiled step pays for every array that it takes and returns.

Small parameters, with what an elementwise rule keeps for them, stand in one vector each, so that the rule is a few
operations and not a few for every parameter; small arrays of all else (states, clocks, counts) in one vector of each
dtype. Large arrays stay as they are. The trees that a user sees are made when they are first read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from luxport import tree
from luxport.backend import backend_of, dtype_name, find_owner, namespace
from luxport.core.flat_layout import split_vector
from luxport.errors import shape_text
from luxport.layers._alike import Row, remember_rows
from luxport.optimizers._state import Group, Leaf, OptimizerState
from luxport.training._joined_steps import collect_leaves, find_equal_steps, find_looped
from luxport.training._state import TrainState
from luxport.transforms import value_and_grad
from luxport.transforms._compiling import jit as compile_program
from luxport.tree.static import Static, drop_oldest

__all__ = ["Kept", "Layout", "find_layout", "list_kinds"]

Gradients = Callable[..., tuple[tree.Tree, Any, Any, tree.Tree]]

SMALL = 8192
"""Arrays of more numbers stay apart: to copy them would cost more than a buffer does."""


class _Vectors:
    """How a list of arrays is joined: small ones to a vector of each dtype, others not at all.

    Arrays whose places are in `room` have vectors of their own. Those that a loop over layers takes are rows of
    `stacks`.
    """

    def __init__(
        self, arrays: Sequence[Any], most: int, room: range = range(0), stacks: Sequence[Sequence[int]] = ()
    ) -> None:
        self.stacks = stacks
        packed = {i for places in stacks for i in places}
        by_dtype: dict[Any, list[int]] = {}
        for i, array in enumerate(arrays):
            if i not in packed and math.prod(array.shape) <= SMALL:
                by_dtype.setdefault((dtype_name(array), i in room), []).append(i)
        self.vectors = [places for places in by_dtype.values() if 1 < len(places) <= most]
        packed |= {i for places in self.vectors for i in places}
        self.apart = [i for i in range(len(arrays)) if i not in packed]
        self.shapes = [tuple(array.shape) for array in arrays]
        self.count = len(arrays)

    def join(self, arrays: Sequence[Any]) -> list[Any]:
        """Return the vectors, the stacks, and what stays apart."""
        xp = namespace(*arrays[:1]) if arrays else None
        joined = [
            xp.concat([xp.reshape(arrays[i], (-1,)) for i in places])  # type: ignore[union-attr]
            for places in self.vectors
        ]
        joined += [backend_of(arrays[places[0]]).join_rows([arrays[i] for i in places]) for places in self.stacks]  # type: ignore[attr-defined]
        return joined + [arrays[i] for i in self.apart]

    def split(self, buffers: Sequence[Any], rows: dict[int, Row] | None = None) -> list[Any]:
        """Return the arrays, and note in `rows` which stack each row was cut from."""
        arrays: list[Any] = [None] * self.count
        for vector, places in zip(buffers, self.vectors, strict=False):
            xp = namespace(vector)
            pieces = split_vector(vector, sizes=tuple([math.prod(self.shapes[i]) for i in places]))
            for i, piece in zip(places, pieces, strict=True):
                arrays[i] = xp.reshape(piece, self.shapes[i])
        first, last = len(self.vectors), len(self.vectors) + len(self.stacks)
        for stack, places in zip(buffers[first:last], self.stacks, strict=True):
            cut = backend_of(stack).cut_rows(stack)  # type: ignore[attr-defined]
            for n, (i, row) in enumerate(zip(places, cut, strict=True)):
                arrays[i] = row
                if rows is not None:
                    rows[id(row)] = row, stack, n
        for buffer, i in zip(buffers[last:], self.apart, strict=True):
            arrays[i] = buffer
        return arrays


class Layout:
    """How a state of some structure and shapes is packed; one and the same object for all of them."""

    def __init__(self, state: TrainState, most: int) -> None:
        self.most = most
        self.ps_structure = tree.structure(state.ps)
        self.ps_kinds = list_kinds(state.ps)
        self.leaf_structure: Any = None
        self.has_stacks = False
        parameters: list[Any] = []
        found: list[Leaf] = []
        if find_equal_steps(state, parameters, found):
            self.leaf_structure = tree.structure(found[0].state)
            self.parameters = _Vectors(parameters, most, stacks=find_looped(state, parameters))
            self.has_stacks = bool(self.parameters.stacks)
            self.group_size = state.opt_state.groups[0].size
        self._lay_rest(self._make_narrow(state))

    def _lay_rest(self, narrow: TrainState) -> None:
        self.key = _tell_kinds(narrow)
        self.structure = self.key[0]
        # States may grow: a vector with them would be longer than the memory that it is to be written to.
        first = len(tree.leaves(narrow.ps))
        states = range(first, first + len(tree.leaves(narrow.st)))
        self.rest = _Vectors(tree.leaves(narrow), self.most, states)
        self._programs: dict[str, Any] = {}
        self._others: dict[Any, Layout] = {}
        # In a program each row of a stack would be a kernel.
        self._pack = self.pack if self.has_stacks else compile_program(self.pack)

    def for_narrow(self, narrow: TrainState) -> Layout:
        """Return the layout of a state whose parameters are joined: this one, unless its `st` is of other arrays."""
        key = _tell_kinds(narrow)
        if key == self.key:
            return self
        if key not in self._others:
            other = self._others[key] = copy(self)
            other._lay_rest(narrow)
        return self._others[key]

    def packed(self, state: TrainState) -> tuple[Static[Layout], list[Any]]:
        """Return what a state holds in place of its entries."""
        return Static(self), self._pack(state)

    def pack(self, state: TrainState) -> list[Any]:
        """Return the buffers of a state."""
        return self.pack_narrow(self._make_narrow(state))

    def pack_narrow(self, state: TrainState) -> list[Any]:
        """Return the buffers of a state whose parameters are joined."""
        return self.rest.join(tree.leaves(state))

    def narrow(self, buffers: Sequence[Any]) -> TrainState:
        """Return the state with its parameters, and what the rule keeps for them, still joined."""
        return tree.unflatten(self.structure, iter(self.rest.split(buffers)))

    def parameters_of(self, joined: tree.Tree, rows: dict[int, Row] | None = None) -> tree.Tree:
        """Return the parameters of such a state as the model has them."""
        if self.leaf_structure is None:
            return joined
        return tree.unflatten(self.ps_structure, iter(self.parameters.split(list(joined.values()), rows)))

    def gradients(self, gradients: Gradients, data: Any, narrow: TrainState) -> tuple[tree.Tree, Any, Any, tree.Tree]:
        """Call `gradients` with the parameters as the model has them, and join its gradients as the parameters are."""
        more = narrow.st, narrow.scale, data
        if self.has_stacks:
            return gradients(narrow.program, narrow.ps, *more, differentiate=self._differentiate)
        grads, *rest = gradients(narrow.program, self.parameters_of(narrow.ps), *more)
        if self.leaf_structure is not None:
            grads = _number_all(self.parameters.join(tree.leaves(grads)))
        return grads, *rest

    def _differentiate(self, f: Callable[[tree.Tree], Any], joined: tree.Tree) -> Any:
        """Differentiate with respect to whole stacks: joining the gradients of rows would take work for each row."""

        def of_joined(joined: tree.Tree) -> Any:
            rows: dict[int, Row] = {}
            ps = self.parameters_of(joined, rows)
            with remember_rows(rows):
                return f(ps)

        return value_and_grad(of_joined, has_aux=True)(joined)

    def entry(self, name: str, buffers: Sequence[Any]) -> Any:
        """Return an entry of the state as the user sees it: each is made by a small program of its own."""
        if self.has_stacks and name in ("ps", "opt_state"):
            return self._make_reader(name)(buffers)
        program = self._programs.get(name)
        if program is None:
            program = self._programs[name] = compile_program(self._make_reader(name))
        return program(buffers)

    def _make_reader(self, name: str) -> Any:
        def read(buffers: Sequence[Any]) -> Any:
            narrow = self.narrow(buffers)
            if name == "ps":
                return self.parameters_of(narrow.ps)
            if name == "opt_state" and self.leaf_structure is not None:
                return self._widen(narrow.opt_state)
            return getattr(narrow, name)

        return read

    def _make_narrow(self, state: TrainState) -> TrainState:
        if self.leaf_structure is None:
            return state
        joined = self.parameters.join(tree.leaves(state.ps))
        leaves: list[Leaf] = []
        collect_leaves(state.opt_state.leaves, leaves)
        kept = list(zip(*[tree.leaves(leaf.state) for leaf in leaves], strict=True))
        each = [self.parameters.join(of_all) for of_all in kept]
        states = [tree.unflatten(self.leaf_structure, iter([of[i] for of in each])) for i in range(len(joined))]
        group: Group = state.opt_state.groups[0]
        opt_state = OptimizerState((group._replace(size=Static(len(joined))),), _number_all([Leaf(s) for s in states]))
        return state._replace(ps=_number_all(joined), opt_state=opt_state)

    def _widen(self, narrow: OptimizerState) -> OptimizerState:
        states = [tree.leaves(leaf.state) for leaf in narrow.leaves.values()]
        each = [self.parameters.split(of_all) for of_all in zip(*states, strict=True)]
        leaves = [
            Leaf(tree.unflatten(self.leaf_structure, iter([of[i] for of in each])))
            for i in range(self.parameters.count)
        ]
        (group,) = narrow.groups
        groups = (group._replace(size=self.group_size),)
        return OptimizerState(groups, tree.unflatten(self.ps_structure, iter(leaves)))


class Kept:
    """What a `TrainState` has in place of its entries: buffers, from which the entries are made when they are read."""

    __slots__ = ("packed", "place", "read")

    def __init__(self, packed: tuple[Static[Layout], list[Any]], place: Any) -> None:
        self.packed = packed
        self.place = place
        self.read: dict[str, Any] = {}

    def entry(self, name: str) -> Any:
        """Return an entry, made once."""
        if name not in self.read:
            layout, buffers = self.packed
            self.read[name] = layout.value.entry(name, buffers)
        return self.read[name]


_LAYOUTS: dict[Any, Layout] = {}
MOST_LAYOUTS = 256


def find_layout(state: TrainState, most: int) -> Layout:
    """Return the layout of states of this structure and these shapes, with at most this many arrays in a vector."""
    key = (*_tell_kinds(state), most)
    layout = _LAYOUTS.get(key)
    if layout is None:
        if len(_LAYOUTS) >= MOST_LAYOUTS:
            drop_oldest(_LAYOUTS)
        layout = _LAYOUTS[key] = Layout(state, most)
    return layout


def list_kinds(values: tree.Tree) -> list[tuple[tuple[str, ...], Any, str, str]]:
    """List the paths, backends, dtypes and shapes of arrays."""
    return [
        (path, owner, dtype_name(leaf), shape_text(leaf))
        for path, leaf in tree.leaves_with_path(values)
        if (owner := find_owner(type(leaf))) is not None
    ]


def _tell_kinds(state: TrainState) -> Any:
    return tree.structure(state), tuple([(dtype_name(array), tuple(array.shape)) for array in tree.leaves(state)])


def _number_all(values: Sequence[Any]) -> dict[str, Any]:
    return {str(i): value for i, value in enumerate(values)}
