"""Differentiation and compilation, one spelling over the backends: the arrays decide who does it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from luxport import tree
from luxport.backend import Backend, backend_of, can, default_backend, dtype_name, find_owner, is_inexact, require
from luxport.call_arguments import expect_function, expect_places, says_what_it_takes
from luxport.text import shown
from luxport.transforms._loops import scan
from luxport.transforms._stop_gradient import stop_gradient
from luxport.tree.static import Static

__all__ = [
    "check_scalar",
    "checkpoint",
    "compile_on",
    "cut",
    "find_first_array",
    "grad",
    "jacobian",
    "jit",
    "jvp",
    "scan",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]

F = TypeVar("F", bound=Callable[..., Any])


@says_what_it_takes
def value_and_grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns ``f``'s value and its gradient with respect to the argument(s) at `argnums`.

    With `has_aux` the value is the pair that f returns. The gradient is a tree like the argument, zero where f does
    not depend on it. Of a complex array it is ``df/dre + i df/dim``, the direction in which f grows, so that descent
    goes against it on every framework (`vjp` follows: it multiplies by the conjugate of a derivative).

    Gradients nest: f may use gradients itself. What f returns carries no graph, unless an argument takes part in a
    gradient of PyTorch's own; to that one, PyTorch tensors that f does not take as arguments are constants.

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
    expect_places("value_and_grad", argnums, several=True)
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f, updated=())
    def scalar_valued(*args: Any, **kwargs: Any) -> Any:
        result = f(*[cut(argument) for argument in args], **kwargs)
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"a gradient with has_aux expects a pair (value, aux) from its function, got {_text(result)}"
            )
        check_scalar(result[0] if has_aux else result)
        return result

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        for position in positions:
            _check_floating(_argument(args, position))
        return _find_differentiating(args, kwargs).value_and_grad(scalar_valued, argnums, has_aux)(*args, **kwargs)

    return transformed


@says_what_it_takes
def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return the gradient function of f: `value_and_grad` without the value; with `has_aux`, ``(gradient, aux)``.

    Args:
        f: a function of trees of arrays that returns a real scalar
        argnums: the position of the argument, or a tuple of positions
        has_aux: whether f returns a pair, of which only the first is differentiated
    """
    expect_function("grad", f)
    expect_places("grad", argnums, several=True)
    with_value = value_and_grad(f, argnums, has_aux=has_aux)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = with_value(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


@says_what_it_takes
def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function from a cotangent to the products with each argument's Jacobian.

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


@says_what_it_takes
def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and the product of its Jacobian with the tangents.

    Args:
        f: a function of trees of arrays
        primals: a tuple of its arguments
        tangents: a tuple of their directions, each a tree like its argument

    Raises: TypeError if an argument has leaves that are no floating arrays, ValueError if the tangents are not
            like the primals
    """
    expect_function("jvp", f)
    primals = tuple(primals)
    _check_floating(primals)
    return _find_differentiating(primals, {}).jvp(f, primals, _sort_alike("a tangent", primals, tuple(tangents)))


@says_what_it_takes
def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return the Jacobian function of f with respect to one argument.

    Args:
        f: a function of trees of arrays
        argnums: the position of the argument

    Shapes: output (*a), argument (*b) -> (*a, *b), for every pair of their leaves (the output's tree outside)
    Raises: TypeError if the argument has leaves that are no floating arrays
    """
    expect_function("jacobian", f)
    expect_places("jacobian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any) -> Any:
        _check_floating(_argument(args, argnums))
        return _find_differentiating(args, {}).jacobian(f, argnums)(*args)

    return transformed


@says_what_it_takes
def jit(f: F, *, donate: int | tuple[int, ...] = ()) -> F:
    """Compile a function of trees of arrays, on the backend of the arrays it is called with.

    An argument that is neither an array nor a tree (a number, a string, a function, a layer) is part of the
    program, as `Static` values in trees are: another value compiles anew, so hand numbers that change often over
    as arrays. f should be pure: what it does besides returning happens when it is compiled. NumPy runs f as it is.

    Args:
        f: the function
        donate: the positions of arguments of which the program may use the memory again, so that they are of no use
            afterward. JAX does so; on other backends nothing happens

    Raises: what f raises when it is compiled; TypeError if arrays of two backends meet

    >>> import luxport
    >>> model = luxport.Dense(2, 1)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = jit(model)(luxport.asarray([[1.0, 2.0]], dtype="float32"), ps, st)
    >>> y.shape
    (1, 1)
    """
    expect_function("jit", f)
    if not isinstance(donate, tuple) or donate:
        expect_places("jit", donate, several=True, name="donate")
        _expect_taken(f, (donate,) if isinstance(donate, int) else donate)
    compiled: dict[str, Callable[..., Any]] = {}  # by name: a backend need not be hashable

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        backend: Any = _backend_of(args, kwargs)
        program = compiled.get(backend.name)
        if program is None:
            program = compile_on(backend, f, donate)
            compiled[backend.name] = program
        return program(*args, **kwargs)

    return call  # type: ignore[return-value]


def compile_on(backend: Any, f: Callable[..., Any], donate: int | tuple[int, ...] = ()) -> Callable[..., Any]:
    """Compile a function as `jit` does, for calls that are all known to have arrays of this backend."""
    if not can(backend, "compiler"):
        return f
    if donate != () and can(backend, "donation"):
        return backend.jit(f, donate_argnums=donate)
    return backend.jit(f)


def _expect_taken(f: Callable[..., Any], donate: tuple[int, ...]) -> None:
    """Expect a function to take as many arguments as there are to be donated, if it tells."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return
    count = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters) and not all(-count <= n < count for n in donate):
        raise ValueError(f"jit expects donate as positions of f's {count} arguments, got {shown(donate)}")


@says_what_it_takes
def checkpoint(f: F) -> F:
    """Return f, whose gradient computes the values on the way again instead of keeping them: more time, less memory.

    Values and gradients are those of f, which should be pure. What is differentiated must be among the arguments:
    TensorFlow passes no gradient on to arrays that f closes over, and has no second gradients here. Compiled, or in
    a gradient of a gradient, PyTorch runs f as it is. NumPy, which has no gradients, does so always.

    Args:
        f: a function of trees of arrays

    Source: Zygote.jl ``checkpointed``, which Flux exports

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 8, luxport.tanh), luxport.Dense(8, 1))
    >>> ps, st = luxport.setup(0, model, backend="torch")
    >>> x = luxport.asarray([[1.0, 2.0]], backend="torch", dtype="float32")
    >>> gradient = luxport.grad(lambda ps: checkpoint(model)(x, ps, st)[0].sum())(ps)
    >>> gradient["layer_2"]["bias"]
    tensor([1.])
    """
    expect_function("checkpoint", f)

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        backend: Any = _backend_of(args, kwargs)
        if not can(backend, "checkpoint"):
            return f(*args, **kwargs)
        structure, leaves = tree.structure((args, kwargs)), tree.leaves((args, kwargs))
        floating = [i for i, leaf in enumerate(leaves) if is_inexact(leaf)]
        result: tuple[Any, list[Any]] = None, []

        def of_arrays(*arrays: Any) -> tuple[Any, ...]:
            nonlocal result
            filled = dict(enumerate(leaves)) | dict(zip(floating, arrays, strict=True))
            args, kwargs = tree.unflatten(structure, iter(filled.values()))
            y = f(*args, **kwargs)
            found = tree.leaves(y)
            result = tree.structure(y), [leaf if find_owner(type(leaf)) is None else None for leaf in found]
            return tuple([leaf for leaf in found if find_owner(type(leaf)) is not None])

        arrays = iter(backend.checkpoint(of_arrays)(*[leaves[i] for i in floating]))
        shape, others = result
        return tree.unflatten(shape, iter([next(arrays) if leaf is None else leaf for leaf in others]))

    return call  # type: ignore[return-value]


def _backend_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Backend:
    """Find the backend of the arguments by the first array in each, or the default one if there is no array."""
    found: Any = None
    for value in (*args, *kwargs.values()):
        leaf = find_first_array(value)
        if leaf is not None and type(leaf) is not type(found):
            backend_of(found, leaf)
            found = leaf
    return default_backend() if found is None else backend_of(found)


def _find_differentiating(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Find the backend of the arguments, and refuse one without gradients."""
    return require(_backend_of(args, kwargs), "gradients")


def find_first_array(value: Any) -> Any:
    """Return the first array of a tree, or None."""
    kind = type(value)
    if kind is tuple or kind is list:  # what most calls have: to ask for a Mapping takes a microsecond
        return _find_first(value)
    if kind is dict:
        return _find_first(value.values())
    if value is None or isinstance(value, Static):
        return None
    if isinstance(value, tree.VectorTree):
        return find_first_array(value.vector)
    if isinstance(value, Mapping):
        return _find_first(value.values())
    if isinstance(value, (tuple, list)):
        return _find_first(value)
    return None if find_owner(kind) is None else value


def _find_first(values: Iterable[Any]) -> Any:
    for value in values:
        leaf = find_first_array(value)
        if leaf is not None:
            return leaf
    return None


def cut(argument: Any) -> Any:
    """Cut a vector of parameters in one step where its gradient is asked for: a slice's gradient is as long as all."""
    return argument.cut() if isinstance(argument, tree.VectorTree) else argument


def _argument(args: tuple[Any, ...], position: int) -> Any:
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
                f"a gradient expects floating arrays, got {_text(leaf)}{where}: leave it out of the argument"
            )


def check_scalar(value: Any) -> None:
    if "float" not in str(getattr(value, "dtype", "")) or len(value.shape) != 0:
        more = ": has_aux=True is for (scalar, whatever else)" if isinstance(value, tuple) else ""
        raise TypeError(f"a gradient expects a real scalar from its function, got {_text(value)}{more}")


def _sort_alike(what: str, like: tree.Tree, given: tree.Tree) -> tree.Tree:
    """Return the tree in the order of the other, whose structure, shapes and dtypes it must have."""

    def check(want: Any, leaf: Any) -> Any:
        if _text(want) != _text(leaf):
            raise ValueError(f"{what} expects {_text(want)}, got {_text(leaf)}")
        return leaf

    return tree.map(check, like, given)


def _text(value: Any) -> str:
    """Write what something is, as every backend would: ``float32 (2, 3)``."""
    if find_owner(type(value)) is None:
        return type(value).__name__
    dims = ", ".join(["?" if n is None else f"{int(n)}" for n in value.shape])
    return f"{dtype_name(value)} ({dims}{',' if len(value.shape) == 1 else ''})"
