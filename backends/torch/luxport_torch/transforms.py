"""Differentiation and compilation by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import torch
import torch.utils.checkpoint
from torch.utils._pytree import register_constant

from luxport import tree
from luxport.transforms._custom_gradient import CustomGradient

__all__ = ["checkpoint", "cut_off", "differentiating", "jacobian", "jvp", "stop_gradient", "value_and_grad", "vjp"]


_depth: ContextVar[int] = ContextVar("luxport_torch_depth", default=0)


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate with `torch.autograd.grad`, or with `torch.func` inside another transform or a compiled program.

    `torch.autograd.grad` takes a third of the time of `torch.func`, but only `torch.func` nests and compiles.
    """

    @_track
    def transformed(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or _is_nested(args, kwargs):
            return _differentiate_functional(f, argnums, has_aux, args, kwargs)
        positions = (argnums,) if isinstance(argnums, int) else argnums
        wrt = tuple(args[i] for i in positions)
        variables = [_make_recordable(leaf).detach().requires_grad_() for leaf in tree.leaves(wrt)]
        fresh = tree.unflatten(tree.structure(wrt), iter(variables))
        replaced = list(args)
        for i, argument in zip(positions, fresh, strict=True):
            replaced[i] = argument
        with differentiating():
            result = f(*replaced, **kwargs)
        value = result[0] if has_aux else result
        if value.requires_grad:
            found = torch.autograd.grad(value, variables, materialize_grads=True)
        else:
            found = [torch.zeros_like(variable) for variable in variables]
        gradients = tree.unflatten(tree.structure(wrt), iter(found))
        return tree.map(cut_off, result), gradients[0] if isinstance(argnums, int) else gradients

    return transformed


class differentiating:
    """Record operations, and mark that gradients taken inside may be differentiated again (see `_is_nested`)."""

    def __enter__(self) -> None:
        self._token = _depth.set(_depth.get() + 1)
        self._recorded = torch.is_grad_enabled()
        torch.set_grad_enabled(True)

    def __exit__(self, *raised: object) -> None:
        torch.set_grad_enabled(self._recorded)
        _depth.reset(self._token)


def _differentiate_functional(
    f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    # PyTorch gets flat lists of tensors instead of trees. In trees it would treat None and `Static` as leaves and raise
    # an error; and in compiled programs Dynamo would spend two fifths of its time on nested dicts.
    positions = (argnums,) if isinstance(argnums, int) else argnums
    wrt = [args[i] for i in positions]
    places = [i % len(args) for i in positions]
    others = [None if i in places else argument for i, argument in enumerate(args)], kwargs
    structure, around = tree.structure(wrt), tree.structure(others)

    def of_arrays(variables: list[Any], constants: list[Any]) -> Any:
        given, named = tree.unflatten(around, iter(constants))
        for i, argument in zip(places, tree.unflatten(structure, iter(variables)), strict=True):
            given[i] = argument
        if not has_aux:
            return f(*given, **named)
        value, aux = f(*given, **named)
        leaves = tree.leaves(aux)
        asides.extend([tree.structure(aux), [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]])
        return value, [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]

    asides: list[Any] = []  # the structure of aux, and its leaves that are not tensors: PyTorch raises errors for these
    found, result = torch.func.grad_and_value(of_arrays, 0, has_aux)(tree.leaves(wrt), tree.leaves(others))
    gradients = tree.unflatten(structure, iter(found))
    if has_aux:
        value, tensors = result
        outline, kept = asides
        tensors = iter(tensors)
        result = value, tree.unflatten(outline, iter([next(tensors) if leaf is None else leaf for leaf in kept]))
    return result, gradients[0] if isinstance(argnums, int) else tuple(gradients)


def _track(transform: Callable[..., Any]) -> Callable[..., Any]:
    """Make a transform work inside `torch.inference_mode`, too.

    Autograd cannot record tensors made in inference mode, so those among the arguments are copied. Tensors that the
    function closes over are not: PyTorch raises an error where the gradient needs their values.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
            return transform(*args, **kwargs)
        with torch.inference_mode(False):
            args, kwargs = tree.map(_make_recordable, (args, kwargs))
            return transform(*args, **kwargs)

    return call


def _make_recordable(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, torch.Tensor) and leaf.is_inference() else leaf


@_track
def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate with `torch.func.vjp`."""
    y, pull = torch.func.vjp(f, *primals)  # type: ignore[misc]
    return y, _track(pull)


@_track
def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate with `torch.func.jvp`, or with `torch.func.vjp` twice where the former does not work.

    In compiled programs a nested `torch.func.jvp` ends the process, and a `custom_vjp` has no forward-mode rule.
    """
    if torch.compiler.is_compiling():
        return _compute_jvp_by_vjp(f, primals, tangents)
    try:
        return torch.func.jvp(f, primals, tangents)  # type: ignore[return-value]
    except NotImplementedError as error:
        if "custom autograd.Function" not in str(error):
            raise
        return _compute_jvp_by_vjp(f, primals, tangents)


def _compute_jvp_by_vjp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Compute a jvp by reverse mode twice: the vjp is linear in its cotangent, and its transpose is the jvp."""
    y, pull = torch.func.vjp(f, *primals)  # type: ignore[misc]
    _, push = torch.func.vjp(pull, tree.map(torch.zeros_like, y))  # type: ignore[misc]
    return y, push(tuple(tangents))[0]


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate with `torch.func.jacrev`."""
    return _track(torch.func.jacrev(f, argnums))


def stop_gradient(array: torch.Tensor) -> torch.Tensor:
    """Return the array, through which no gradient flows."""
    return array.detach()


register_constant(CustomGradient)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f, recomputed in the backward pass with `torch.utils.checkpoint`.

    Inside `torch.func`, which has no checkpointing, and in compiled programs, where the compiler decides what to
    recompute, f is returned unchanged.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return f
    return partial(torch.utils.checkpoint.checkpoint, f, use_reentrant=False, preserve_rng_state=False)


def _is_nested(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a gradient that is computed here may be differentiated again."""
    if _depth.get() or torch._C._are_functorch_transforms_active():
        return True
    return torch.is_grad_enabled() and any(
        isinstance(leaf, torch.Tensor) and leaf.requires_grad for leaf in tree.leaves((args, kwargs))
    )


def cut_off(leaf: Any) -> Any:
    """Detach a tensor from the graph that computed it; return any other leaf unchanged."""
    return leaf.detach() if isinstance(leaf, torch.Tensor) else leaf
