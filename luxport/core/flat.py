"""All parameters of a model in one vector: `flatten`, and `FlatParameters`, a view that layers take as parameters.

The vector holds the arrays in the order of the model, each in C order: the numbers and the order of Flux's
``destructure``. It is that of the tree that `setup` returned or that was given to `flatten`, and stays; what a compiler
does to the order of dicts later does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from luxport import tree
from luxport.backend import Array, asarray, backend_of, dtype_name, is_inexact, namespace, same_size
from luxport.call_arguments import built_in_own_words, says_what_it_takes
from luxport.core.anatomy import expect_no_layer
from luxport.ops._operation import operation
from luxport.text import kind_of
from luxport.tree.ordered_keys import in_order
from luxport.tree.places import check_size
from luxport.tree.static import Static, tell_optree

__all__ = ["FlatParameters", "find_entry", "flatten"]


@says_what_it_takes
def flatten(ps: tree.Tree, *, like: tree.Tree | Layout = None) -> tuple[Array, Layout]:
    """Return all floating and complex arrays of a tree in one vector, and the function that turns it back.

    The order is the model's where the tree comes from `luxport.setup` (or is a gradient of such a tree), although JAX
    sorts the keys of dicts. Of a dict made by hand nothing is known but the order it has: lay its gradients out by
    JAX's own transforms `like` the tree, or like the layout that came with its vector.

    Arrays of several dtypes are promoted to one, and come back in their own. An array that stands in several places
    (the same object, not only equal) is in the vector once, and comes back in all of them. ``jax.grad`` may return one
    object for two equal gradients: lay these out `like` the parameters, or take `luxport.grad`, whose arrays are always
    their own. Everything else in the tree (integers, functions) comes back as it is. Both ways can be differentiated.

    Args:
        ps: a tree of arrays
        like: a tree, or the layout of one, whose order the vector has; None for the tree's own

    Shapes: arrays (...) -> vector (number of all their numbers,)
    Raises: TypeError if arrays of two backends meet; ValueError if the tree is not laid out like `like`
    Source: Optimisers.jl ``destructure``

    >>> import numpy as np
    >>> vector, unflatten = flatten({"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([5.0])})
    >>> vector
    array([1., 2., 3., 4., 5.])
    >>> unflatten(vector * 10)["bias"]
    array([50.])
    >>> flatten({"bias": np.array([5.0]), "weight": np.ones((2, 2))}, like=unflatten)[0]
    array([1., 1., 1., 1., 5.])
    """
    expect_no_layer("flatten", ps)
    if like is not None:
        layout = _layout_of(like)
        check_size("flatten", ps)
        layout.check_tree(ps)
        return layout.flatten(ps), layout
    if isinstance(ps, FlatParameters):
        return ps.vector, ps.layout
    layout = Layout.of(ps)
    return layout.flatten(ps), layout


def _layout_of(like: tree.Tree | Layout) -> Layout:
    if isinstance(like, Layout):
        return like
    return like.layout if isinstance(like, FlatParameters) else Layout.of(like)


@dataclass(frozen=True)
class Part:
    """Where in the vector an array of the tree is; `repeated` if the same array stands in an earlier place."""

    path: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: str
    start: int
    index: int
    repeated: bool

    @property
    def stop(self) -> int:
        """Where the next one starts."""
        return self.start + prod(self.shape)


class Kept:
    """A leaf of the tree that is not in the vector."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Layout:
    """Which numbers of a vector belong to which array of a tree: made by `flatten`, hashable and comparable.

    Called with a vector, it makes the tree, each array in the dtype that it had.

    Raises: ValueError if the vector has another length
    """

    __slots__ = ("_firsts", "_hash", "_key", "_parts", "_sizes", "size", "template")

    def __init__(self, template: tree.Tree, size: int) -> None:
        self.template: tree.Tree = template
        """A tree of `Part` and `Kept`."""
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
        """Lay a tree of arrays out, in its order."""
        check_size("flatten", ps)
        seen: dict[int, Part] = {}
        size = 0

        def lay(x: Any, path: tuple[Any, ...]) -> Any:
            nonlocal size
            if isinstance(x, Mapping):
                return {key: lay(x[key], (*path, key)) for key in in_order(x)}
            if isinstance(x, (tuple, list)):
                return tree.like_sequence(x, [lay(value, (*path, i)) for i, value in enumerate(x)])
            if not is_inexact(x):
                return x if x is None or isinstance(x, Static) else Kept(x)
            first = seen.get(id(x))
            if first is not None:
                return Part(path, first.shape, first.dtype, first.start, first.index, True)
            part = Part(path, tuple(x.shape), dtype_name(x), size, len(seen), False)
            seen[id(x)] = part
            size = part.stop
            return part

        return cls(lay(ps, ()), size)

    def __call__(self, vector: Array) -> tree.Tree:
        """Make the tree from a vector."""
        return self.build(vector, restore=True)

    def build(self, vector: Array, *, restore: bool) -> tree.Tree:
        """Make the tree from a vector, all at once: the gradient of a slice alone is as long as the vector."""
        xp = self.check(vector)
        parts = self._firsts
        pieces = split_vector(vector, sizes=self._sizes) if parts else ()
        arrays = [xp.reshape(piece, part.shape) for part, piece in zip(parts, pieces, strict=True)]
        if restore:
            arrays = [_cast(xp, array, part.dtype) for part, array in zip(parts, arrays, strict=True)]
        return tree.map(lambda leaf: leaf.value if isinstance(leaf, Kept) else arrays[leaf.index], self.template)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All places of arrays, in the order of the tree."""
        return self._parts

    def labels(self) -> list[str]:
        """Name every number of the vector: what a solver's report of its third number means.

        >>> import numpy as np
        >>> flatten({"weight": np.zeros((1, 2)), "bias": np.zeros(1)})[1].labels()
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
        """Make the vector of a tree that is laid out like this one, whatever the order of its dicts."""
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
        """Make the vector of a gradient: sums where an array has several places, 0 where there is a None."""
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

    def child(self, vector: Array, key: Any) -> Any:
        """Return what the tree has under a key, as slices of the vector."""
        xp = self.check(vector)

        def piece(leaf: Any) -> Any:
            return leaf.value if isinstance(leaf, Kept) else xp.reshape(vector[leaf.start : leaf.stop], leaf.shape)

        return tree.map(piece, self.template[key])

    def check(self, vector: Array) -> Any:
        """Expect a vector of the length, and return its namespace."""
        shape = tuple(vector.shape)
        if len(shape) != 1 or not same_size(shape[0], self.size):
            raise ValueError(f"unflatten expects a vector of {self.size} numbers, got shape {shape}")
        return namespace(vector)

    def check_tree(self, ps: tree.Tree) -> None:
        """Expect a tree with the same keys, and one array where one array stands in several places.

        Raises: ValueError otherwise
        """
        if not isinstance(ps, FlatParameters):
            tree.map(lambda leaf, x: None, self.template, ps)
        firsts: dict[int, Any] = {}
        for part in self.parts:
            array = find_entry(ps, part.path)
            if firsts.setdefault(part.index, array) is not array and not isinstance(ps, FlatParameters):
                raise ValueError(
                    f"flatten expects at {'.'.join(map(str, part.path))} the array that stands in an earlier place, "
                    "got another: a gradient of arrays that are shared is laid out by layout.flatten_gradient"
                )

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Layout) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        arrays = len([part for part in self.parts if not part.repeated])
        return f"Layout of {arrays} arrays in {self.size} numbers"


@built_in_own_words
class FlatParameters(tree.VectorTree):
    """Parameters that are slices of one vector, as a read-only mapping: any layer takes it as `ps`.

    In Julia, a ComponentArray. To trees, compilers and transforms it is a node whose one child is the vector, so its
    gradient is another one, and an optimizer steps the vector at once. All slices have the dtype of the vector.
    Made in a loss from a vector, ``FlatParameters(vector, layout)``, it has a gradient with respect to the vector.
    (`tf.function` and `tf.nest` take any mapping apart and cannot put this one together again: hand them the vector,
    or compile by `luxport.jit`.)

    Raises: TypeError if the layout is not that of a mapping; ValueError if the vector has another length

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 1))
    >>> ps, st = luxport.setup(0, model)
    >>> flat = FlatParameters.of(ps)
    >>> flat.vector.shape, flat["layer_2"]["weight"].shape
    ((13,), (3, 1))
    >>> x = luxport.asarray([[1.0, 2.0]])
    >>> model(x, flat, st)[0] == model(x, ps, st)[0]
    array([[ True]])
    """

    __slots__ = ("_tree", "layout", "vector")

    vector: Array
    layout: Layout

    def __init__(self, vector: Array, layout: Layout) -> None:
        if not isinstance(layout.template, Mapping):
            raise TypeError(f"FlatParameters expects the layout of a mapping, got {kind_of(layout.template)}")
        self.vector = vector
        self.layout = layout
        self._tree: Any = layout.build(vector, restore=False)

    @classmethod
    @says_what_it_takes
    def of(cls, ps: Mapping[str, Any]) -> FlatParameters:
        """Copy parameters into a vector."""
        return cls(*flatten(ps))

    @classmethod
    def from_child(cls, layout: Layout, children: Any) -> FlatParameters:
        """Build the node of a tree again, with whatever a transform has for its one child.

        The vector is cut into arrays only when an entry is read: a transform's child need not be an array.
        """
        self = cls.__new__(cls)
        (self.vector,) = children
        self.layout, self._tree = layout, None
        return self

    def cut(self) -> FlatParameters:
        """Return the same view with all its arrays cut from the vector now, by one operation.

        In a function whose gradient is asked for: the gradient of a slice alone is as long as the vector.
        """
        return self if self._tree is not None else FlatParameters(self.vector, self.layout)

    def replace(self, vector: Array) -> FlatParameters:
        """Return the same view of another vector."""
        return self.from_child(self.layout, (vector,))

    def __getitem__(self, key: str) -> Any:
        return self.layout.child(self.vector, key) if self._tree is None else self._tree[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.template)

    def __len__(self) -> int:
        return len(self.layout.template)

    def __repr__(self) -> str:
        return f"FlatParameters({self.vector!r}, {self.layout!r})"


def flatten_view(flat: FlatParameters) -> tuple[tuple[Array], Layout]:
    """Return the child and the structure, as every pytree library wants them."""
    return (flat.vector,), flat.layout


tell_optree(FlatParameters, flatten_view, FlatParameters.from_child)


@operation
def split_vector(vector: Array, *, sizes: tuple[int, ...]) -> tuple[Array, ...]:
    """Cut a vector into pieces of these sizes."""
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
    """Return what stands at a path, or None if there is a None on the way."""
    for key in path:
        if values is None:
            return None
        values = values[key]
    return values
