"""Differentiation and compilation, one spelling over the backends: the arrays decide who does it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from luxport import tree
from luxport.backend import Backend, backend_of, default_backend
from luxport.ops.stop_gradient import stop_gradient

__all__ = ["grad", "jacobian", "jit", "jvp", "stop_gradient", "value_and_grad", "vjp"]

F = TypeVar("F", bound=Callable[..., Any])


def value_and_grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns ``f``'s value and its gradient with respect to the argument(s) at `argnums`.

    f returns a scalar, or with `has_aux` a pair of a scalar and anything else. The gradient is a tree like the
    argument, zero where f does not depend on it. Gradients nest: f may use gradients itself.

    Raises: TypeError if f's value is no real scalar or an argument has integer leaves; on NumPy, which
            differentiates nothing

    >>> import luxport
    >>> value_and_grad(lambda ps: (ps["a"] ** 2).sum())({"a": luxport.asarray([3.0], backend="torch")})
    (tensor(9.), {'a': tensor([6.])})
    """

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        for position in (argnums,) if isinstance(argnums, int) else argnums:
            _check_floating(args[position])
        return _backend_of(args, kwargs).value_and_grad(f, argnums, has_aux)(*args, **kwargs)

    return transformed


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return the gradient function of f; with `has_aux` it returns ``(gradient, aux)``. See `value_and_grad`."""
    with_value = value_and_grad(f, argnums, has_aux=has_aux)

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = with_value(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function from a cotangent to the products with each argument's Jacobian.

    >>> import luxport
    >>> y, pull = vjp(lambda x: x**2, luxport.asarray([3.0], backend="torch"))
    >>> pull(luxport.asarray([1.0], backend="torch"))
    (tensor([6.]),)
    """
    return _backend_of(primals, {}).vjp(f, *primals)


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and the product of its Jacobian with the tangents."""
    return _backend_of(primals, {}).jvp(f, tuple(primals), tuple(tangents))


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return the Jacobian function of f with respect to one argument.

    Shapes: output (*a), argument (*b) -> (*a, *b), for every pair of their leaves (the output's tree outside)
    """

    @functools.wraps(f)
    def transformed(*args: Any) -> Any:
        return _backend_of(args, {}).jacobian(f, argnums)(*args)

    return transformed


def jit(f: F) -> F:
    """Compile a function of trees of arrays, on the backend of the arrays it is called with.

    `Static` values are part of the program: another value compiles anew. NumPy runs the function as it is.

    >>> import luxport
    >>> model = luxport.Dense(2, 1)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = jit(model)(luxport.asarray([[1.0, 2.0]], dtype="float32"), ps, st)
    >>> y.shape
    (1, 1)
    """
    compiled: dict[Backend, Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        backend = _backend_of(args, kwargs)
        program = compiled.get(backend)
        if program is None:
            program = compiled[backend] = backend.jit(f)
        return program(*args, **kwargs)

    # A layer is callable without having a function's attributes.
    return functools.update_wrapper(call, f, assigned=_present(f), updated=())  # type: ignore[return-value]


def _present(f: Callable[..., Any]) -> tuple[str, ...]:
    names = functools.WRAPPER_ASSIGNMENTS if isinstance(f, type(_present)) else ()
    return tuple(names)


def _backend_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Backend:
    """Find the backend of the first array among the arguments, or the default one if there is none."""
    for value in (*args, *kwargs.values()):
        leaf = _first_array(value)
        if leaf is not None:
            return backend_of(leaf)
    return default_backend()


def _first_array(value: Any) -> Any:
    if type(value) is dict:
        for inner in value.values():
            leaf = _first_array(inner)
            if leaf is not None:
                return leaf
        return None
    for leaf in tree.leaves(value):
        if not isinstance(leaf, (bool, int, float, complex, str)) and not callable(leaf):
            return leaf
    return None


def _check_floating(argument: Any) -> None:
    for path, leaf in tree.leaves_with_path(argument):
        kind = str(getattr(leaf, "dtype", type(leaf).__name__))
        if "float" not in kind and "complex" not in kind:
            where = f" at {'.'.join(path)}" if path else ""
            raise TypeError(f"a gradient expects floating leaves, got {kind}{where}: leave it out of the argument")
