"""Pack a `TrainState` into few buffers, as every array that a compiled step takes or returns costs time.

Small parameters are joined to one vector, and so is each of the moments that an elementwise rule has for them: the rule
is then a few operations instead of a few for each parameter. Other small arrays (states, clocks, counts) are joined to
one vector for each dtype. Large arrays are not joined. The trees that a user sees are made when they are first read.

In this module a state is "joined" if its parameters and their moments are, in place of the model's tree of parameters.
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
from luxport.layers._layer_loops import Row, remember_rows
from luxport.optimizers._state import Group, Leaf, OptimizerState
from luxport.training._joined_steps import can_join_steps, collect_leaves, find_looped
from luxport.training._state import TrainState
from luxport.transforms import value_and_grad
from luxport.transforms._compiling import jit as compile_program
from luxport.tree.static import Static, drop_oldest

__all__ = ["Layout", "PackedEntries", "find_layout", "list_kinds"]

Gradients = Callable[..., tuple[tree.Tree, Any, Any, tree.Tree]]

SMALL = 8192
"""Arrays of more numbers are not joined: copying them would cost more than a separate buffer."""


class _Vectors:
    """How a list of arrays is joined: small ones to one vector for each dtype, others not at all.

    Arrays whose positions are in `room` are joined to separate vectors. Arrays that a loop over equal layers uses are
    rows of `stacks`.
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
        """Return the vectors, the stacks, and the arrays that are not joined."""
        xp = namespace(*arrays[:1]) if arrays else None
        joined = [
            xp.concat([xp.reshape(arrays[i], (-1,)) for i in places])  # type: ignore[union-attr]
            for places in self.vectors
        ]
        joined += [backend_of(arrays[places[0]]).join_rows([arrays[i] for i in places]) for places in self.stacks]  # type: ignore[attr-defined]
        return joined + [arrays[i] for i in self.apart]

    def split(self, buffers: Sequence[Any], rows: dict[int, Row] | None = None) -> list[Any]:
        """Return the arrays, and record in `rows` from which stack each row was taken."""
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
    """How states of one structure and set of shapes are packed; `find_layout` returns the same object for all."""

    def __init__(self, state: TrainState, most: int) -> None:
        self.most = most
        self.ps_structure = tree.structure(state.ps)
        self.ps_kinds = list_kinds(state.ps)
        self.leaf_structure: Any = None
        self.has_stacks = False
        parameters: list[Any] = []
        found: list[Leaf] = []
        if can_join_steps(state, parameters, found):
            self.leaf_structure = tree.structure(found[0].state)
            self.parameters = _Vectors(parameters, most, stacks=find_looped(state, parameters))
            self.has_stacks = bool(self.parameters.stacks)
            self.group_size = state.opt_state.groups[0].size
        self._plan_rest(self._join_state(state))

    def _plan_rest(self, joined: TrainState) -> None:
        self.key = _list_all_kinds(joined)
        self.structure = self.key[0]
        # States may grow from step to step: in one vector with other arrays, these could not reuse their memory.
        first = len(tree.leaves(joined.ps))
        states = range(first, first + len(tree.leaves(joined.st)))
        self.rest = _Vectors(tree.leaves(joined), self.most, states)
        self._programs: dict[str, Any] = {}
        self._others: dict[Any, Layout] = {}
        # Not compiled with stacks, as a compiled program would have a kernel for each row.
        self._pack = self.pack if self.has_stacks else compile_program(self.pack)

    def adapt_to(self, joined: TrainState) -> Layout:
        """Return the layout of a joined state: this one, unless the arrays of its `st` have changed."""
        key = _list_all_kinds(joined)
        if key == self.key:
            return self
        if key not in self._others:
            other = self._others[key] = copy(self)
            other._plan_rest(joined)
        return self._others[key]

    def pack_with_layout(self, state: TrainState) -> tuple[Static[Layout], list[Any]]:
        """Return this layout and the buffers of a state."""
        return Static(self), self._pack(state)

    def pack(self, state: TrainState) -> list[Any]:
        """Return the buffers of a state."""
        return self.pack_joined(self._join_state(state))

    def pack_joined(self, state: TrainState) -> list[Any]:
        """Return the buffers of a joined state."""
        return self.rest.join(tree.leaves(state))

    def unpack_joined(self, buffers: Sequence[Any]) -> TrainState:
        """Return the joined state from its buffers."""
        return tree.unflatten(self.structure, iter(self.rest.split(buffers)))

    def split_parameters(self, joined: tree.Tree, rows: dict[int, Row] | None = None) -> tree.Tree:
        """Return the model's tree of parameters from joined ones."""
        if self.leaf_structure is None:
            return joined
        return tree.unflatten(self.ps_structure, iter(self.parameters.split(list(joined.values()), rows)))

    def compute_gradients(
        self, gradients: Gradients, data: Any, joined: TrainState
    ) -> tuple[tree.Tree, Any, Any, tree.Tree]:
        """Call `gradients` with the model's tree of parameters, and return its gradients joined."""
        more = joined.st, joined.scale, data
        if self.has_stacks:
            return gradients(joined.program, joined.ps, *more, differentiate=self._differentiate)
        grads, *rest = gradients(joined.program, self.split_parameters(joined.ps), *more)
        if self.leaf_structure is not None:
            grads = _number_all(self.parameters.join(tree.leaves(grads)))
        return grads, *rest

    def _differentiate(self, f: Callable[[tree.Tree], Any], joined: tree.Tree) -> Any:
        """Differentiate with respect to whole stacks, since joining the gradients of rows takes time for each row."""

        def call_with_split(joined: tree.Tree) -> Any:
            rows: dict[int, Row] = {}
            ps = self.split_parameters(joined, rows)
            with remember_rows(rows):
                return f(ps)

        return value_and_grad(call_with_split, has_aux=True)(joined)

    def read_entry(self, name: str, buffers: Sequence[Any]) -> Any:
        """Return an entry of the state, such as ``ps``, in the form that users see, by a small compiled program."""
        if self.has_stacks and name in ("ps", "opt_state"):
            return self._make_reader(name)(buffers)
        program = self._programs.get(name)
        if program is None:
            program = self._programs[name] = compile_program(self._make_reader(name))
        return program(buffers)

    def _make_reader(self, name: str) -> Any:
        def read(buffers: Sequence[Any]) -> Any:
            joined = self.unpack_joined(buffers)
            if name == "ps":
                return self.split_parameters(joined.ps)
            if name == "opt_state" and self.leaf_structure is not None:
                return self._split_optimizer_state(joined.opt_state)
            return getattr(joined, name)

        return read

    def _join_state(self, state: TrainState) -> TrainState:
        if self.leaf_structure is None:
            return state
        joined = self.parameters.join(tree.leaves(state.ps))
        leaves: list[Leaf] = []
        collect_leaves(state.opt_state.leaves, leaves)
        moments = list(zip(*[tree.leaves(leaf.state) for leaf in leaves], strict=True))
        each = [self.parameters.join(arrays) for arrays in moments]
        states = [tree.unflatten(self.leaf_structure, iter([m[i] for m in each])) for i in range(len(joined))]
        group: Group = state.opt_state.groups[0]
        opt_state = OptimizerState((group._replace(size=Static(len(joined))),), _number_all([Leaf(s) for s in states]))
        return state._replace(ps=_number_all(joined), opt_state=opt_state)

    def _split_optimizer_state(self, joined: OptimizerState) -> OptimizerState:
        states = [tree.leaves(leaf.state) for leaf in joined.leaves.values()]
        each = [self.parameters.split(moment) for moment in zip(*states, strict=True)]
        leaves = [
            Leaf(tree.unflatten(self.leaf_structure, iter([m[i] for m in each]))) for i in range(self.parameters.count)
        ]
        (group,) = joined.groups
        groups = (group._replace(size=self.group_size),)
        return OptimizerState(groups, tree.unflatten(self.ps_structure, iter(leaves)))


class PackedEntries:
    """The entries of a `TrainState` as packed buffers; each entry is unpacked when it is first read."""

    __slots__ = ("backend", "packed", "read")

    def __init__(self, packed: tuple[Static[Layout], list[Any]], backend: Any) -> None:
        self.packed = packed
        self.backend = backend
        self.read: dict[str, Any] = {}

    def entry(self, name: str) -> Any:
        """Return an entry, unpacked once."""
        if name not in self.read:
            layout, buffers = self.packed
            self.read[name] = layout.value.read_entry(name, buffers)
        return self.read[name]


_LAYOUTS: dict[Any, Layout] = {}
MOST_LAYOUTS = 256


def find_layout(state: TrainState, most: int) -> Layout:
    """Return the layout of states with this structure and these shapes, with at most `most` arrays in a vector."""
    key = (*_list_all_kinds(state), most)
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


def _list_all_kinds(state: TrainState) -> Any:
    return tree.structure(state), tuple([(dtype_name(array), tuple(array.shape)) for array in tree.leaves(state)])


def _number_all(values: Sequence[Any]) -> dict[str, Any]:
    return {str(i): value for i, value in enumerate(values)}
