"""Gradients and other first derivatives, computed by the backend of the arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.backend import dtype_name, find_backend_of_trees, find_owner, is_inexact, require
from luxport.call_arguments import expect_argnums, expect_function, explain_call_errors

__all__ = ["check_scalar", "cut", "grad", "jacobian", "jvp", "value_and_grad", "vjp"]


@explain_call_errors
def value_and_grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns ``f``'s value and its gradient with respect to the argument(s) at `argnums`.

    With `has_aux` the value is the pair that f returns. The gradient is a tree like the argument, and zero where f does
    not depend on it. For a complex array it is ``df/dre + i df/dim``, the direction in which f grows, on every
    framework (and `vjp` multiplies by the conjugate of a derivative).

    Gradients can be nested. On PyTorch, the result is not part of a graph, unless an argument requires gradients of
    PyTorch's own; tensors that f uses but does not take as arguments are constants in these.

    Args:
        f: a function of trees of arrays that returns a real scalar
        argnums: the position of the argument, or a tuple of positions
        has_aux: whether f returns a pair, of which only the first is differentiated

    Raises: TypeError if f's value is no real scalar, or an argument has leaves that are no floating arrays; on
            NumPy, which differentiates nothing

    >>> import luxport
    >>> value_and_grad(lambda ps: (ps["a"] ** 2).sum())({"a": luxport.asarray([3.0], backend="torch")})
    (tensor(9.), {'a': tensor([6.])})
    """
    expect_function("value_and_grad", f)
    expect_argnums("value_and_grad", argnums, several=True)
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f, updated=())
    def scalar_valued(*args: Any, **kwargs: Any) -> Any:
        result = f(*[cut(argument) for argument in args], **kwargs)
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"a gradient with has_aux expects a pair (value, aux) from its function, got {_describe(result)}"
            )
        check_scalar(result[0] if has_aux else result)
        return result

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        for position in positions:
            _check_floating(_take_argument(args, position))
        return _find_differentiating(args, kwargs).value_and_grad(scalar_valued, argnums, has_aux)(*args, **kwargs)

    return transformed


@explain_call_errors
def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of f, as `value_and_grad`; with `has_aux`, ``(gradient, aux)``.

    Args:
        f: a function of trees of arrays that returns a real scalar
        argnums: the position of the argument, or a tuple of positions
        has_aux: whether f returns a pair, of which only the first is differentiated
    """
    expect_function("grad", f)
    expect_argnums("grad", argnums, several=True)
    with_value = value_and_grad(f, argnums, has_aux=has_aux)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = with_value(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


@explain_call_errors
def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)``, and a function from a cotangent to its products with the Jacobians of all arguments.

    Args:
        f: a function of trees of arrays
        *primals: its arguments

    Raises: TypeError if an argument has leaves that are no floating arrays, ValueError if a cotangent is not
            like the value

    >>> import luxport
    >>> y, pull = vjp(lambda x: x**2, luxport.asarray([3.0], backend="torch"))
    >>> pull(luxport.asarray([1.0], backend="torch"))
    (tensor([6.]),)
    """
    expect_function("vjp", f)
    _check_floating(primals)
    y, pull = _find_differentiating(primals, {}).vjp(f, *primals)
    return y, lambda cotangent: pull(_sort_alike("a cotangent", y, cotangent))


@explain_call_errors
def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return ``f(*primals)``, and the product of its Jacobian with the tangents.

    Args:
        f: a function of trees of arrays
        primals: a tuple of its arguments
        tangents: a tuple of tangents, each a tree like its argument

    Raises: TypeError if an argument has leaves that are no floating arrays, ValueError if the tangents are not
            like the primals
    """
    expect_function("jvp", f)
    primals = tuple(primals)
    _check_floating(primals)
    return _find_differentiating(primals, {}).jvp(f, primals, _sort_alike("a tangent", primals, tuple(tangents)))


@explain_call_errors
def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of f with respect to one argument.

    Args:
        f: a function of trees of arrays
        argnums: the position of the argument

    Shapes: output (*a), argument (*b) -> (*a, *b), for every pair of their leaves (the output's tree outside)
    Raises: TypeError if the argument has leaves that are no floating arrays
    """
    expect_function("jacobian", f)
    expect_argnums("jacobian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any) -> Any:
        _check_floating(_take_argument(args, argnums))
        return _find_differentiating(args, {}).jacobian(f, argnums)(*args)

    return transformed


def _find_differentiating(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the backend of the arguments, which must have gradients."""
    return require(find_backend_of_trees(*args, *kwargs.values()), "gradients")


def cut(argument: Any) -> Any:
    """Split a vector of parameters in one operation; the gradient of each slice would be as long as the vector."""
    return argument.cut() if isinstance(argument, tree.VectorTree) else argument


def _take_argument(args: tuple[Any, ...], position: int) -> Any:
    if not -len(args) <= position < len(args):
        raise TypeError(f"a gradient expects argument {position}, got {len(args)} by position")
    return args[position]


def _check_floating(argument: Any) -> None:
    if all(is_inexact(leaf) for leaf in tree.leaves(argument)):
        return
    for path, leaf in tree.leaves_with_path(argument):
        if not is_inexact(leaf):
            where = f" at {'.'.join(path)}" if path else ""
            raise TypeError(
                f"a gradient expects floating arrays, got {_describe(leaf)}{where}: leave it out of the argument"
            )


def check_scalar(value: Any) -> None:
    if "float" not in str(getattr(value, "dtype", "")) or len(value.shape) != 0:
        more = ": has_aux=True is for (scalar, whatever else)" if isinstance(value, tuple) else ""
        raise TypeError(f"a gradient expects a real scalar from its function, got {_describe(value)}{more}")


def _sort_alike(what: str, like: tree.Tree, given: tree.Tree) -> tree.Tree:
    """Return `given` in the order of `like`, whose structure, shapes and dtypes it must have."""

    def check(want: Any, leaf: Any) -> Any:
        if _describe(want) != _describe(leaf):
            raise ValueError(f"{what} expects {_describe(want)}, got {_describe(leaf)}")
        return leaf

    return tree.map(check, like, given)


def _describe(value: Any) -> str:
    """Format a value for an error, the same for every backend: ``float32 (2, 3)``."""
    if find_owner(type(value)) is None:
        return type(value).__name__
    dims = ", ".join(["?" if n is None else f"{int(n)}" for n in value.shape])
    return f"{dtype_name(value)} ({dims}{',' if len(value.shape) == 1 else ''})"
