"""Compilation (`jit`), and recomputation in the backward pass to save memory (`checkpoint`)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from luxport import tree
from luxport.backend import can, find_backend_of_trees, find_owner, is_inexact
from luxport.call_arguments import expect_argnums, expect_function, explain_call_errors
from luxport.text import show

__all__ = ["checkpoint", "compile_on", "jit"]

F = TypeVar("F", bound=Callable[..., Any])


@explain_call_errors
def jit(f: F, *, donate: int | tuple[int, ...] = ()) -> F:
    """Compile a function of trees of arrays, on the backend of the arrays it is called with.

    Arguments that are neither arrays nor trees (numbers, strings, functions, layers) are part of the program, and so
    are `Static` values in trees: another value causes a recompilation, so pass numbers that change often as arrays. f
    should be pure: side effects occur only when it is compiled. On NumPy, f is not compiled.

    Args:
        f: the function
        donate: the positions of arguments whose memory the program may reuse, so that they cannot be used
            afterward. Only JAX does so

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
        expect_argnums("jit", donate, several=True, name="donate")
        _expect_taken(f, (donate,) if isinstance(donate, int) else donate)
    compiled: dict[str, Callable[..., Any]] = {}  # by name: a backend need not be hashable

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        backend: Any = find_backend_of_trees(*args, *kwargs.values())
        program = compiled.get(backend.name)
        if program is None:
            program = compile_on(backend, f, donate)
            compiled[backend.name] = program
        return program(*args, **kwargs)

    return call  # type: ignore[return-value]


def compile_on(backend: Any, f: Callable[..., Any], donate: int | tuple[int, ...] = ()) -> Callable[..., Any]:
    """Compile a function as `jit` does, for arrays of one backend."""
    if not can(backend, "compiler"):
        return f
    if donate != () and can(backend, "donation"):
        return backend.jit(f, donate_argnums=donate)
    return backend.jit(f)


def _expect_taken(f: Callable[..., Any], donate: tuple[int, ...]) -> None:
    """Expect positions of arguments that a function has, if it has a signature."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return
    count = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters) and not all(-count <= n < count for n in donate):
        raise ValueError(f"jit expects donate as positions of f's {count} arguments, got {show(donate)}")


@explain_call_errors
def checkpoint(f: F) -> F:
    """Return f with a gradient that recomputes intermediate values instead of storing them: more time, less memory.

    Values and gradients are those of f, which should be pure. What is differentiated must be among the arguments:
    TensorFlow computes no gradient of arrays that f closes over, and no second gradients here. PyTorch does not
    recompute in compiled programs or in gradients of gradients. On NumPy, which has no gradients, f does not change.

    Args:
        f: a function of trees of arrays

    Source: Zygote.jl ``checkpointed``, exported by Flux

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
        backend: Any = find_backend_of_trees(*args, *kwargs.values())
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
