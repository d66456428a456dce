"""Functions with custom gradients, written once for all frameworks: `custom_vjp`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, can, dtype_name, find_owner, is_inexact, match_shapes, require
from luxport.call_arguments import expect_function, explain_call_errors
from luxport.errors import LayerTypeError, shape_text
from luxport.text import name_kind

__all__ = ["CustomCall", "CustomGradient", "custom_vjp"]


@explain_call_errors
def custom_vjp(
    f: Callable[..., Any],
    *,
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], tuple[Any, ...]],
) -> Callable[..., Any]:
    """Return f with a gradient defined by two functions, on every framework, eager, compiled and under `vmap`.

    The frameworks' own transforms (`jax.grad`, `torch.autograd`, `torch.func`, `tf.GradientTape`) use it, as
    `luxport.grad` does. A second gradient differentiates `forward` and `backward` as they are written. If they do not
    define the derivative of f, as for a reversed gradient, PyTorch and TensorFlow then apply the rule again to f's
    value, and JAX differentiates `forward`. `luxport.jvp` uses the rule, by pulling back twice; the frameworks' own
    forward modes do not support it. Backends without gradients run f.

    Args:
        f: from trees of arrays to a tree of arrays; other leaves are constants, and so is what f closes over
        forward: from the arguments of f to a pair: the value of f, and a tree of what `backward` needs
        backward: from that tree and the cotangent, a tree like f's value, to a tuple of gradients, one like each
            argument, or None for an argument without one. Leaves of arguments that are not floating have None

    Raises: TypeError when it is called, if the backend has no custom gradients, or if `forward` or `backward` returns
            something else
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
    """The functions given to `custom_vjp`; equal only to itself."""

    __slots__ = ("backward", "f", "forward")

    def __init__(self, f: Callable[..., Any], forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.f: Callable[..., Any] = f
        self.forward: Callable[..., Any] = forward
        self.backward: Callable[..., Any] = backward

    # Python's defaults, written out: PyTorch treats an object as a constant only if its class defines both.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class CustomCall:
    """One call of a `custom_vjp`, as functions of its arrays alone, as the frameworks' own rules take them.

    `arrays` are the arrays among the arguments; everything else is constant.
    """

    def __init__(self, rule: CustomGradient, args: tuple[Any, ...]) -> None:
        self._rule = rule
        self._arguments = tree.map(_Leaf, args)
        self._result: Any = None
        self._kept: Any = None
        self.kept: Sequence[Array] = ()
        """The second result of `value_and_kept`, stored here by backends whose framework does not pass it on."""
        self.arrays: tuple[Array, ...] = _list_arrays(args)

    def value(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the arrays in f's value."""
        return self._note_result(self._rule.f(*_fill(self._arguments, arrays)))

    def value_and_kept(self, *arrays: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Return the arrays in f's value, and those that `pull` needs."""
        pair = self._rule.forward(*_fill(self._arguments, arrays))
        if not isinstance(pair, tuple) or len(pair) != 2:
            got = type(pair).__name__
            raise LayerTypeError(f"custom_vjp expects a pair (value, what backward needs) from forward, got {got}")
        self._kept = tree.map(_Leaf, pair[1])
        return self._note_result(pair[0]), _list_arrays(pair[1])

    def pull(self, kept: Sequence[Array], cotangents: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Return the gradient of each array from the cotangents of the value's arrays, after `value_and_kept`."""
        found = self._rule.backward(_fill(self._kept, kept), _fill(self._result, cotangents))
        if not isinstance(found, tuple) or len(found) != len(self._arguments):
            got = len(found) if isinstance(found, tuple) else type(found).__name__
            wanted = len(self._arguments)
            raise LayerTypeError(f"custom_vjp expects a tuple of {wanted} gradients from backward, got {got}")
        pairs = zip(self._arguments, found, strict=True)
        return tuple([one for argument, gradient in pairs for one in _list_gradients(argument, gradient)])

    def result(self, arrays: Sequence[Array]) -> Any:
        """Build f's value from its arrays."""
        return _fill(self._result, arrays)

    def _note_result(self, value: Any) -> tuple[Array, ...]:
        self._result = tree.map(_Leaf, value)
        return _list_arrays(value)


def _list_gradients(argument: Any, gradient: Any) -> list[Array | None]:
    """List the gradients of an argument's arrays."""
    listed: list[Array | None] = []

    def append(leaf: _Leaf, one: Any) -> None:
        if leaf.is_array:
            listed.append(leaf.check_gradient(one))

    if gradient is None:
        return [None for leaf in tree.leaves(argument) if leaf.is_array]
    tree.map(append, argument, gradient)
    return listed


class _Leaf:
    """A leaf as it is stored: for an array only its shape and dtype, so that its memory can be freed."""

    __slots__ = ("_constant", "dtype", "is_array", "is_inexact", "shape")

    def __init__(self, value: Any) -> None:
        self.is_array = find_owner(type(value)) is not None
        self.is_inexact = is_inexact(value)
        self.shape, self.dtype = (value.shape, value.dtype) if self.is_array else (None, None)
        self._constant = None if self.is_array else value

    def fill(self, arrays: Iterator[Any]) -> Any:
        return next(arrays) if self.is_array else self._constant

    def check_gradient(self, gradient: Any) -> Array | None:
        """Return the gradient, checked to be like the array; None if there is none."""
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
