"""All parameters of a model in one vector: `flatten`, and `FlatParameters`, a view that layers take as parameters.

The vector holds the arrays in the order of the model, each in C order, as Flux's ``destructure`` does. The order is
that of the tree from `setup` or of the tree given to `flatten`, even if a compiler reorders the dicts later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array
from luxport.call_arguments import explain_call_errors, explain_construction
from luxport.core.flat_layout import Layout
from luxport.core.layer_base import expect_no_layer
from luxport.text import name_kind
from luxport.tree.size_limit import check_size
from luxport.tree.static import register_with_optree

__all__ = ["FlatParameters", "flatten"]


@explain_call_errors
def flatten(ps: tree.Tree, *, like: tree.Tree | Layout = None) -> tuple[Array, Layout]:
    """Return all floating and complex arrays of a tree in one vector, and the function that restores the tree.

    The order is the model's if the tree comes from `luxport.setup` (or is a gradient of such a tree), although JAX
    sorts the keys of dicts. The order of a dict made by hand is lost when JAX sorts it: flatten gradients that JAX's
    own transforms return with `like` the tree, or the layout that came with its vector.

    Arrays of several dtypes are promoted to one, and converted back when the tree is restored. An array that occurs
    several times (the same object, not only equal) is in the vector once, and is restored at all its paths.
    ``jax.grad`` may return one object for two equal gradients: flatten these with `like` the parameters, or use
    `luxport.grad`, whose arrays are always distinct. Everything else in the tree (integers, functions) is restored
    unchanged. Both directions can be differentiated.

    Args:
        ps: a tree of arrays
        like: a tree, or the layout of one, whose order the vector has; None for the tree's own

    Shapes: arrays (...) -> vector (number of all their numbers,)
    Raises: TypeError if the arrays belong to two backends; ValueError if the tree does not match `like`
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
        layout = _find_layout(like)
        check_size("flatten", ps)
        layout.check_tree(ps)
        return layout.flatten(ps), layout
    if isinstance(ps, FlatParameters):
        return ps.vector, ps.layout
    layout = Layout.of(ps)
    return layout.flatten(ps), layout


def _find_layout(like: tree.Tree | Layout) -> Layout:
    if isinstance(like, Layout):
        return like
    return like.layout if isinstance(like, FlatParameters) else Layout.of(like)


@explain_construction
class FlatParameters(tree.VectorTree):
    """Parameters that are slices of one vector, as a read-only mapping that every layer accepts as `ps`.

    It corresponds to Julia's ComponentArray. For tree functions, compilers and transforms it is a node whose one child
    is the vector, so its gradient is a `FlatParameters` too, and an optimizer updates the vector at once. All slices
    have the dtype of the vector. A loss that builds it from a vector, ``FlatParameters(vector, layout)``, can be
    differentiated with respect to the vector. (`tf.function` and `tf.nest` disassemble any mapping and cannot rebuild
    this one: pass them the vector, or compile with `luxport.jit`.)

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
            raise TypeError(f"FlatParameters expects the layout of a mapping, got {name_kind(layout.template)}")
        self.vector = vector
        self.layout = layout
        self._tree: Any = layout.build(vector, restore=False)

    @classmethod
    @explain_call_errors
    def of(cls, ps: Mapping[str, Any]) -> FlatParameters:
        """Copy parameters into a vector and return its view."""
        return cls(*flatten(ps))

    @classmethod
    def from_child(cls, layout: Layout, children: Any) -> FlatParameters:
        """Rebuild the node from its layout and its one child, which in a transform need not be an array.

        Therefore slices are not made here, but when an entry is read.
        """
        self = cls.__new__(cls)
        (self.vector,) = children
        self.layout, self._tree = layout, None
        return self

    def cut(self) -> FlatParameters:
        """Return the same view with all its slices made now, by one operation.

        Use it in a function that is differentiated: the gradient of each separate slice would be as long as the vector.
        """
        return self if self._tree is not None else FlatParameters(self.vector, self.layout)

    def replace(self, vector: Array) -> FlatParameters:
        """Return the same view of another vector."""
        return self.from_child(self.layout, (vector,))

    def __getitem__(self, key: str) -> Any:
        return self.layout.get_child(self.vector, key) if self._tree is None else self._tree[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.template)

    def __len__(self) -> int:
        return len(self.layout.template)

    def __repr__(self) -> str:
        return f"FlatParameters({self.vector!r}, {self.layout!r})"


def flatten_view(flat: FlatParameters) -> tuple[tuple[Array], Layout]:
    """Return the children and the structure, as pytree libraries ask for them."""
    return (flat.vector,), flat.layout


register_with_optree(FlatParameters, flatten_view, FlatParameters.from_child)
