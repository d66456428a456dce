"""Differentiation and compilation by MLX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import mlx.core as mx

from luxport import tree
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport.transforms.program_limit import make_room
from luxport.tree.static import Static

__all__ = ["checkpoint", "custom_vjp", "jacobian", "jit", "jvp", "stop_gradient", "value_and_grad", "vjp"]


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate by `mx.value_and_grad`, which nests."""

    def transformed(*args: Any, **kwargs: Any) -> Any:
        positions = (argnums,) if isinstance(argnums, int) else argnums
        wrt = tuple([args[i] for i in positions])
        variables = tree.leaves(wrt)
        result = _Flat()
        if not variables:  # which MLX refuses
            value = f(*args, **kwargs)
            return value, wrt[0] if isinstance(argnums, int) else wrt

        def of_variables(variables: list[mx.array]) -> Any:
            replaced = list(args)
            fresh = tree.unflatten(tree.structure(wrt), iter(variables))
            for i, argument in zip(positions, fresh, strict=True):
                replaced[i] = argument
            return tuple(result.take_arrays(f(*replaced, **kwargs)))

        arrays, found = mx.value_and_grad(of_variables)(variables)
        gradients = tree.unflatten(tree.structure(wrt), iter(found))
        return result.put_back(arrays), gradients[0] if isinstance(argnums, int) else gradients

    return transformed


class _Flat:
    """Parts a function's result into arrays, which MLX's transforms take, and the rest; and puts it together again."""

    def __init__(self) -> None:
        self._structure: Any = None
        self._leaves: list[Any] = []

    def take_arrays(self, result: Any) -> list[mx.array]:
        """Return the arrays of a result, and keep the rest."""
        leaves = tree.leaves(result)
        self._structure = tree.structure(result)
        self._leaves = [None if isinstance(leaf, mx.array) else leaf for leaf in leaves]
        return [leaf for leaf in leaves if isinstance(leaf, mx.array)]

    def put_back(self, arrays: Any) -> Any:
        """Return the result with the arrays that a transform has returned."""
        left = iter(arrays)
        return tree.unflatten(self._structure, iter([next(left) if leaf is None else leaf for leaf in self._leaves]))


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate by `mx.vjp`, which needs the cotangent beforehand: each pull runs f again."""
    y = f(*primals)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        return _pull(f, primals, cotangent)

    return y, pull


def _pull(f: Callable[..., Any], primals: tuple[Any, ...], cotangent: Any) -> tuple[Any, ...]:
    structure = tree.structure(primals)

    def of_leaves(*leaves: mx.array) -> list[mx.array]:
        return tree.leaves(f(*tree.unflatten(structure, iter(leaves))))

    _, found = mx.vjp(of_leaves, tree.leaves(primals), tree.leaves(cotangent))
    return tree.unflatten(structure, iter(found))


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Pull a cotangent back, which is linear in it, and differentiate that: not all of MLX's functions have a jvp."""
    y = f(*primals)
    pushed = tree.leaves(y)
    zeros = [mx.zeros_like(leaf) for leaf in pushed]

    def of_cotangents(*cotangents: mx.array) -> list[mx.array]:
        return tree.leaves(_pull(f, primals, tree.unflatten(tree.structure(y), iter(cotangents))))

    _, found = mx.vjp(of_cotangents, zeros, tree.leaves(tangents))
    return y, tree.unflatten(tree.structure(y), iter(found))


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Pull the unit cotangents back, one after the other."""

    def transformed(*args: Any) -> Any:
        argument = args[argnums]
        structure = tree.structure(argument)

        def of_argument(argument: Any) -> Any:
            replaced = list(args)
            replaced[argnums] = argument
            return f(*replaced)

        y, pull = vjp(of_argument, argument)
        zeros = [mx.zeros_like(leaf) for leaf in tree.leaves(y)]

        def rows(position: int, leaf: mx.array) -> Any:
            units = mx.eye(leaf.size, dtype=leaf.dtype).reshape(leaf.size, *leaf.shape)
            found: list[list[mx.array]] = []
            for i in range(leaf.size):
                cotangents = [*zeros[:position], units[i], *zeros[position + 1 :]]
                found.append(tree.leaves(pull(tree.unflatten(tree.structure(y), iter(cotangents)))[0]))
            blocks = [
                mx.stack([row[i] for row in found]) if found else mx.zeros((0, *one.shape), one.dtype)
                for i, one in enumerate(tree.leaves(argument))
            ]
            return tree.unflatten(structure, iter([block.reshape(*leaf.shape, *block.shape[1:]) for block in blocks]))

        return tree.unflatten(
            tree.structure(y), iter([rows(position, leaf) for position, leaf in enumerate(tree.leaves(y))])
        )

    return transformed


def stop_gradient(array: mx.array) -> mx.array:
    """Cut the gradient."""
    return mx.stop_gradient(array)


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Differentiate by `mx.custom_function`."""
    call = CustomCall(rule, args)

    def pull(arrays: tuple[mx.array, ...], cotangents: tuple[mx.array, ...]) -> list[mx.array]:
        # Computed again: to a second gradient, what the forward pass has computed would be constants.
        _, kept = call.value_and_kept(*arrays)
        found = call.pull(kept, cotangents)
        return [mx.zeros_like(x) if one is None else one for x, one in zip(arrays, found, strict=True)]

    return call.result(_pull_back_by(lambda *arrays: list(call.value(*arrays)), pull)(*call.arrays))


def _pull_back_by(value: Callable[..., list[mx.array]], pull: Callable[..., list[mx.array]]) -> Any:
    """Return the function with this gradient; it has a rule for `mx.vmap`, which would drop the gradient."""

    @mx.custom_function
    def program(*arrays: mx.array) -> list[mx.array]:
        return value(*arrays)

    @program.vjp
    def program_vjp(primals: Any, cotangents: Any, outputs: Any) -> list[mx.array]:
        return pull(_make_tuple(primals), _make_tuple(cotangents))

    @program.vmap
    def program_vmap(inputs: Any, axes: Any) -> tuple[list[mx.array], list[int]]:
        arrays, axes = _make_tuple(inputs), list(axes) if isinstance(axes, (tuple, list)) else [axes]

        def pull_each(arrays: tuple[mx.array, ...], cotangents: tuple[mx.array, ...]) -> list[mx.array]:
            found: Any = mx.vmap(lambda a, c: pull(tuple(a), tuple(c)), in_axes=(axes, 0))(
                list(arrays), list(cotangents)
            )
            return [
                mx.sum(one, 0) if axis is None else mx.moveaxis(one, 0, axis)
                for one, axis in zip(found, axes, strict=True)
            ]

        mapped = _pull_back_by(mx.vmap(value, in_axes=tuple(axes)), pull_each)(*arrays)
        return mapped, [0] * len(mapped)

    return program


def _make_tuple(arrays: Any) -> tuple[mx.array, ...]:
    return (arrays,) if isinstance(arrays, mx.array) else tuple(arrays)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Recompute by `mx.checkpoint`."""
    return mx.checkpoint(f)


def jit(f: Callable[..., Any]) -> Callable[..., Any]:
    """Compile by `mx.compile`: one program per structure, shapes and dtypes of the arguments.

    A program starts when it is called, as on other frameworks. MLX by itself would wait until a value is read, and a
    training loop would queue all its steps until then.
    """
    programs: dict[Any, tuple[Callable[..., Any], _Flat]] = {}

    def program(*args: Any, **kwargs: Any) -> Any:
        arguments = (args, kwargs)
        leaves = tree.leaves(arguments)
        signature = (tree.structure(arguments), tuple([_tell_kind(leaf) for leaf in leaves]))
        found = programs.get(signature)
        if found is None:
            make_room(programs)
            found = programs[signature] = _compile(f, signature[0], leaves)
        compiled, result = found
        arrays = compiled(*[leaf for leaf in leaves if isinstance(leaf, mx.array)])
        with suppress(ValueError):  # inside another program, of which it is a part
            mx.async_eval(arrays)
        return result.put_back(arrays)

    return program


def _compile(f: Callable[..., Any], structure: Any, leaves: list[Any]) -> tuple[Callable[..., Any], _Flat]:
    """Compile f for leaves like these, as a function of the arrays among them."""
    constants = [None if isinstance(leaf, mx.array) else leaf for leaf in leaves]
    result = _Flat()

    def flat(*arrays: mx.array) -> list[mx.array]:
        left = iter(arrays)
        args, kwargs = tree.unflatten(structure, iter([next(left) if leaf is None else leaf for leaf in constants]))
        return result.take_arrays(f(*args, **kwargs))

    return mx.compile(flat), result


def _tell_kind(leaf: Any) -> Any:
    return (leaf.dtype, leaf.shape) if isinstance(leaf, mx.array) else Static(leaf)
