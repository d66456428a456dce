"""`custom_vjp`: a function with a gradient of its own, written once for every framework that differentiates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, can, dtype_name, find_owner, is_inexact, match_shapes, require
from luxport.call_arguments import expect_function, says_what_it_takes
from luxport.errors import LayerTypeError, shape_text
from luxport.text import name_kind

__all__ = ["CustomCall", "CustomGradient", "custom_vjp"]


@says_what_it_takes
def custom_vjp(
    f: Callable[..., Any],
    *,
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], tuple[Any, ...]],
) -> Callable[..., Any]:
    """Return f with the gradient that two functions say, on every framework, eager and compiled, under `vmap` too.

    The frameworks' own transforms (`jax.grad`, `torch.autograd`, `torch.func`, `tf.GradientTape`) follow it as
    `luxport.grad` does. A gradient of the gradient differentiates `forward` and `backward` as they are written; where
    the rule is not the derivative of f, as that of a reversed gradient, PyTorch and TensorFlow take it again for f's
    value, and JAX the derivative of `forward`. `luxport.jvp` follows the rule, by pulling back twice; the frameworks'
    own forward modes have none. Backends that differentiate nothing run f.

    Args:
        f: from trees of arrays to a tree of arrays; what is no array in them is constant, and so is what f closes over
        forward: from the arguments of f to a pair: what f returns, and a tree of what `backward` needs to know
        backward: from that tree and the cotangent, a tree like f's value, to a tuple of gradients, one like each
            argument, or None for an argument without one. Leaves of arguments that are not floating have None

    Raises: TypeError when it is called, if the backend has no such gradients, or if what `forward` or `backward`
            returns is not what it should be
    Source: JAX's ``custom_vjp``, ChainRules.jl's ``rrule``

    >>> import luxport
    >>> reverse = custom_vjp(lambda x: x, forward=lambda x: (x, ()), backward=lambda kept, ct: (-ct,))
    >>> luxport.grad(lambda x: (3.0 * reverse(x)).sum())(luxport.asarray([1.0, 2.0], backend="torch"))
    tensor([-3., -3.])
    """
    for function in (f, forward, backward):
        expect_function("custom_vjp", function)
    rule = CustomGradient(f, forward, backward)

    @functools.wraps(f, updated=())
    def call(*args: Any) -> Any:
        arrays = _list_arrays(args)
        if not arrays:
            return f(*args)
        backend: Any = backend_of(*arrays)
        if not can(backend, "gradients"):
            return f(*args)
        require(backend, "custom gradients")
        return backend.custom_vjp(rule, args)

    return call


class CustomGradient:
    """What `custom_vjp` was given; equal only to itself."""

    __slots__ = ("backward", "f", "forward")

    def __init__(self, f: Callable[..., Any], forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.f: Callable[..., Any] = f
        self.forward: Callable[..., Any] = forward
        self.backward: Callable[..., Any] = backward

    # Python's defaults, written out: PyTorch takes an object as a constant only if its own class defines both.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class CustomCall:
    """One call of a `custom_vjp`, as functions of its arrays alone: that is what a framework's own rule takes.

    `arrays` are those among the arguments; everything else is a constant.
    """

    def __init__(self, rule: CustomGradient, args: tuple[Any, ...]) -> None:
        self._rule = rule
        self._arguments = tree.map(_Leaf, args)
        self._result: Any = None
        self._kept: Any = None
        self.kept: Sequence[Array] = ()
        """For a framework that calls back: the arrays that `value_and_kept` returned."""
        self.arrays: tuple[Array, ...] = _list_arrays(args)

    def value(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the arrays in the value of f."""
        return self._note_result(self._rule.f(*_fill(self._arguments, arrays)))

    def value_and_kept(self, *arrays: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Return the arrays in the value, and those that `pull` needs."""
        pair = self._rule.forward(*_fill(self._arguments, arrays))
        if not isinstance(pair, tuple) or len(pair) != 2:
            got = type(pair).__name__
            raise LayerTypeError(f"custom_vjp expects a pair (value, what backward needs) from forward, got {got}")
        self._kept = tree.map(_Leaf, pair[1])
        return self._note_result(pair[0]), _list_arrays(pair[1])

    def pull(self, kept: Sequence[Array], cotangents: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Return the gradient of each array from the cotangents of the value's, once `value_and_kept` has run."""
        found = self._rule.backward(_fill(self._kept, kept), _fill(self._result, cotangents))
        if not isinstance(found, tuple) or len(found) != len(self._arguments):
            got = len(found) if isinstance(found, tuple) else type(found).__name__
            wanted = len(self._arguments)
            raise LayerTypeError(f"custom_vjp expects a tuple of {wanted} gradients from backward, got {got}")
        pairs = zip(self._arguments, found, strict=True)
        return tuple([one for argument, gradient in pairs for one in _list_gradients(argument, gradient)])

    def result(self, arrays: Sequence[Array]) -> Any:
        """Build the value of f from its arrays."""
        return _fill(self._result, arrays)

    def _note_result(self, value: Any) -> tuple[Array, ...]:
        self._result = tree.map(_Leaf, value)
        return _list_arrays(value)


def _list_gradients(argument: Any, gradient: Any) -> list[Array | None]:
    """List the gradients of an argument's arrays."""
    listed: list[Array | None] = []

    def add(leaf: _Leaf, one: Any) -> None:
        if leaf.is_array:
            listed.append(leaf.check_gradient(one))

    if gradient is None:
        return [None for leaf in tree.leaves(argument) if leaf.is_array]
    tree.map(add, argument, gradient)
    return listed


class _Leaf:
    """What is remembered of a leaf: of an array only its shape and dtype, so that its memory can be freed."""

    __slots__ = ("_constant", "dtype", "is_array", "is_inexact", "shape")

    def __init__(self, value: Any) -> None:
        self.is_array = find_owner(type(value)) is not None
        self.is_inexact = is_inexact(value)
        self.shape, self.dtype = (value.shape, value.dtype) if self.is_array else (None, None)
        self._constant = None if self.is_array else value

    def fill(self, arrays: Iterator[Any]) -> Any:
        return next(arrays) if self.is_array else self._constant

    def check_gradient(self, gradient: Any) -> Array | None:
        """Return a gradient that is like the array; None where there is none."""
        if gradient is None or not self.is_inexact:
            return None
        if find_owner(type(gradient)) is None:
            raise LayerTypeError(f"custom_vjp expects arrays as gradients from backward, got {name_kind(gradient)}")
        if gradient.dtype != self.dtype or not match_shapes(gradient.shape, self.shape):
            wanted, got = [f"{dtype_name(one)} {shape_text(one)}" for one in (self, gradient)]
            raise LayerTypeError(f"custom_vjp expects gradients like the arguments from backward, {wanted}, got {got}")
        return gradient


def _list_arrays(value: Any) -> tuple[Array, ...]:
    return tuple([leaf for leaf in tree.leaves(value) if find_owner(type(leaf)) is not None])


def _fill(skeleton: Any, arrays: Sequence[Any]) -> Any:
    left = iter(arrays)
    return tree.map(lambda leaf: leaf.fill(left), skeleton)
