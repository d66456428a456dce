"""`Layout`: which numbers of a flat vector belong to which array of a tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from luxport import tree
from luxport.backend import Array, asarray, backend_of, dtype_name, is_inexact, match_sizes, namespace
from luxport.ops._operation import operation
from luxport.tree.ordered_keys import list_in_order
from luxport.tree.size_limit import check_size
from luxport.tree.static import Static

__all__ = ["Layout", "find_entry", "split_vector"]


@dataclass(frozen=True)
class Part:
    """The position of an array in the vector; `repeated` if the same array occurs earlier in the tree."""

    path: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: str
    start: int
    index: int
    repeated: bool

    @property
    def stop(self) -> int:
        """The position after its last number."""
        return self.start + prod(self.shape)


class Constant:
    """A leaf of the tree that is not in the vector, such as an integer or a function."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Layout:
    """Which numbers of a vector belong to which array of a tree: returned by `flatten`, hashable and comparable.

    Called with a vector, it restores the tree, each array in its original dtype.

    Raises: ValueError if the vector has another length
    """

    __slots__ = ("_firsts", "_hash", "_key", "_parts", "_sizes", "size", "template")

    def __init__(self, template: tree.Tree, size: int) -> None:
        self.template: tree.Tree = template
        """A tree of `Part` and `Constant`."""
        self.size: int = size
        """The length of the vector."""
        leaves = tuple(tree.leaves(template))
        self._parts = tuple([leaf for leaf in leaves if isinstance(leaf, Part)])
        self._firsts = tuple([part for part in self._parts if not part.repeated])
        self._sizes = tuple([prod(part.shape) for part in self._firsts])
        self._key = (tree.structure(template), leaves)
        self._hash = hash(self._key)

    @classmethod
    def of(cls, ps: tree.Tree) -> Layout:
        """Return the layout of a tree of arrays, in the tree's order."""
        check_size("flatten", ps)
        seen: dict[int, Part] = {}
        size = 0

        def lay_out(x: Any, path: tuple[Any, ...]) -> Any:
            nonlocal size
            if isinstance(x, Mapping):
                return {key: lay_out(x[key], (*path, key)) for key in list_in_order(x)}
            if isinstance(x, (tuple, list)):
                return tree.like_sequence(x, [lay_out(value, (*path, i)) for i, value in enumerate(x)])
            if not is_inexact(x):
                return x if x is None or isinstance(x, Static) else Constant(x)
            first = seen.get(id(x))
            if first is not None:
                return Part(path, first.shape, first.dtype, first.start, first.index, True)
            part = Part(path, tuple(x.shape), dtype_name(x), size, len(seen), False)
            seen[id(x)] = part
            size = part.stop
            return part

        return cls(lay_out(ps, ()), size)

    def __call__(self, vector: Array) -> tree.Tree:
        """Restore the tree from a vector."""
        return self.build(vector, restore=True)

    def build(self, vector: Array, *, restore: bool) -> tree.Tree:
        """Restore the tree from a vector; with `restore`, each array in its original dtype, else in the vector's.

        One operation makes all slices, since the gradient of each separate slice would be as long as the vector.
        """
        xp = self.check(vector)
        parts = self._firsts
        pieces = split_vector(vector, sizes=self._sizes) if parts else ()
        arrays = [xp.reshape(piece, part.shape) for part, piece in zip(parts, pieces, strict=True)]
        if restore:
            arrays = [_cast(xp, array, part.dtype) for part, array in zip(parts, arrays, strict=True)]
        return tree.map(lambda leaf: leaf.value if isinstance(leaf, Constant) else arrays[leaf.index], self.template)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The positions of all arrays, in the order of the tree."""
        return self._parts

    def labels(self) -> list[str]:
        """Return a name for every number of the vector, to read the report of a solver that counts them.

        >>> import luxport, numpy as np
        >>> luxport.flatten({"weight": np.zeros((1, 2)), "bias": np.zeros(1)})[1].labels()
        ['weight[0, 0]', 'weight[0, 1]', 'bias[0]']
        """
        import numpy as np

        names = []
        for part in self.parts:
            if not part.repeated:
                name = ".".join(map(str, part.path))
                names += [f"{name}{list(index) if index else ''}" for index in np.ndindex(*part.shape)]
        return names

    def flatten(self, ps: tree.Tree) -> Array:
        """Return the vector of a tree that matches this layout, whatever the order of its dicts."""
        arrays = [(part, find_entry(ps, part.path)) for part in self.parts if not part.repeated]
        if not arrays:
            return asarray([], dtype="float32")
        for part, array in arrays:
            if array is None or tuple(array.shape) != part.shape:
                raise ValueError(
                    f"flatten expects an array of shape {part.shape} at {'.'.join(map(str, part.path))}, "
                    f"got {None if array is None else tuple(array.shape)}"
                )
        xp = backend_of(*[array for _, array in arrays]).xp
        dtype = xp.result_type(*[array.dtype for _, array in arrays])
        return xp.concat([xp.reshape(xp.astype(array, dtype), (-1,)) for _, array in arrays])

    def flatten_gradient(self, grads: tree.Tree, like: Array) -> Array:
        """Return the vector of a gradient: the sum for an array that occurs several times, 0 for a None."""
        xp = namespace(like)
        sums: dict[int, Array] = {}
        for part in self.parts:
            dx = find_entry(grads, part.path)
            if dx is not None:
                dx = xp.astype(xp.reshape(dx, (-1,)), like.dtype)
                sums[part.index] = sums[part.index] + dx if part.index in sums else dx
        return xp.concat(
            [
                sums[part.index] if part.index in sums else xp.zeros_like(like[part.start : part.stop])
                for part in self.parts
                if not part.repeated
            ]
        )

    def get_child(self, vector: Array, key: Any) -> Any:
        """Return the subtree under a key, its arrays as slices of the vector."""
        xp = self.check(vector)

        def slice_leaf(leaf: Any) -> Any:
            return leaf.value if isinstance(leaf, Constant) else xp.reshape(vector[leaf.start : leaf.stop], leaf.shape)

        return tree.map(slice_leaf, self.template[key])

    def check(self, vector: Array) -> Any:
        """Expect a vector of this layout's length, and return its namespace."""
        shape = tuple(vector.shape)
        if len(shape) != 1 or not match_sizes(shape[0], self.size):
            raise ValueError(f"unflatten expects a vector of {self.size} numbers, got shape {shape}")
        return namespace(vector)

    def check_tree(self, ps: tree.Tree) -> None:
        """Expect a tree with this layout's keys, and the same array wherever the layout has one array several times.

        Raises: ValueError
        """
        if not isinstance(ps, tree.VectorTree):
            tree.map(lambda leaf, x: None, self.template, ps)
        firsts: dict[int, Any] = {}
        for part in self.parts:
            array = find_entry(ps, part.path)
            if firsts.setdefault(part.index, array) is not array and not isinstance(ps, tree.VectorTree):
                raise ValueError(
                    f"flatten expects at {'.'.join(map(str, part.path))} the array that is at an earlier path, "
                    "got another: flatten gradients of shared arrays by layout.flatten_gradient"
                )

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Layout) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        arrays = len([part for part in self.parts if not part.repeated])
        return f"Layout of {arrays} arrays in {self.size} numbers"


@operation
def split_vector(vector: Array, *, sizes: tuple[int, ...]) -> tuple[Array, ...]:
    """Split a vector into consecutive pieces of these sizes."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(vector[start : start + size])
        start += size
    return tuple(pieces)


def _cast(xp: Any, array: Array, dtype: str) -> Array:
    if dtype_name(array) == dtype:
        return array
    if "complex" in dtype_name(array) and "complex" not in dtype:
        array = xp.real(array)
    return xp.astype(array, getattr(xp, dtype))


def find_entry(values: Any, path: tuple[Any, ...]) -> Any:
    """Return the entry at a path; None if an entry on the way is None."""
    for key in path:
        if values is None:
            return None
        values = values[key]
    return values
