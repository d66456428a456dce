"""Differentiation and compilation by PyTorch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint
from torch.utils._pytree import register_constant

from luxport import tree
from luxport.initializers import zeros
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport.transforms.program_limit import MOST_PROGRAMS, warn_of_many_programs
from luxport.tree.static import Static, drop_oldest
from luxport.when_imported import when_imported

__all__ = [
    "checkpoint",
    "constant",
    "custom_vjp",
    "differentiating",
    "jacobian",
    "jit",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]

_depth: ContextVar[int] = ContextVar("luxport_torch_depth", default=0)


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate by `torch.autograd.grad`, or by `torch.func` inside another transform or a compiled program.

    One level of autograd costs a third of `torch.func`, which in turn nests and compiles.
    """

    @_tracked
    def transformed(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or _nested(args, kwargs):
            return _functional(f, argnums, has_aux, args, kwargs)
        positions = (argnums,) if isinstance(argnums, int) else argnums
        wrt = tuple(args[i] for i in positions)
        variables = [_recordable(leaf).detach().requires_grad_() for leaf in tree.leaves(wrt)]
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
        return tree.map(constant, result), gradients[0] if isinstance(argnums, int) else gradients

    return transformed


class differentiating:
    """Record what is computed; gradients that are taken inside know that they may be differentiated."""

    def __enter__(self) -> None:
        self._token = _depth.set(_depth.get() + 1)
        self._recorded = torch.is_grad_enabled()
        torch.set_grad_enabled(True)

    def __exit__(self, *raised: object) -> None:
        torch.set_grad_enabled(self._recorded)
        _depth.reset(self._token)


def _functional(
    f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    # PyTorch takes a None or a `Static` for a leaf, and refuses it. And where Dynamo reads the program, PyTorch's own
    # handling of nested dicts would be two fifths of what it reads.
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

    asides: list[Any] = []  # what comes with the value and is no tensor, which PyTorch refuses
    found, result = torch.func.grad_and_value(of_arrays, 0, has_aux)(tree.leaves(wrt), tree.leaves(others))
    gradients = tree.unflatten(structure, iter(found))
    if has_aux:
        value, tensors = result
        outline, kept = asides
        tensors = iter(tensors)
        result = value, tree.unflatten(outline, iter([next(tensors) if leaf is None else leaf for leaf in kept]))
    return result, gradients[0] if isinstance(argnums, int) else tuple(gradients)


def _tracked(transform: Callable[..., Any]) -> Callable[..., Any]:
    """Let a transform work inside `torch.inference_mode` too, where nothing is recorded and tensors cannot be.

    Tensors among the arguments that were made there are copied. Those that a function closes over cannot be: PyTorch
    says so where the gradient needs their values.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
            return transform(*args, **kwargs)
        with torch.inference_mode(False):
            args, kwargs = tree.map(_recordable, (args, kwargs))
            return transform(*args, **kwargs)

    return call


def _recordable(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, torch.Tensor) and leaf.is_inference() else leaf


@_tracked
def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate by `torch.func.vjp`."""
    y, pull = torch.func.vjp(f, *primals)  # type: ignore[misc]
    return y, _tracked(pull)


@_tracked
def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate by `torch.func.jvp`; compiled, by `torch.func.vjp` twice: nested, the other ends the process.

    A `custom_vjp` has a rule for the second way alone.
    """
    if torch.compiler.is_compiling():
        return _jvp_by_vjp(f, primals, tangents)
    try:
        return torch.func.jvp(f, primals, tangents)  # type: ignore[return-value]
    except NotImplementedError as error:
        if "custom autograd.Function" not in str(error):
            raise
        return _jvp_by_vjp(f, primals, tangents)


def _jvp_by_vjp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Pull a cotangent back, which is linear in it, and differentiate that: the product with the Jacobian itself."""
    y, pull = torch.func.vjp(f, *primals)  # type: ignore[misc]
    _, push = torch.func.vjp(pull, tree.map(torch.zeros_like, y))  # type: ignore[misc]
    return y, push(tuple(tangents))[0]


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate by `torch.func.jacrev`."""
    return _tracked(torch.func.jacrev(f, argnums))


def stop_gradient(array: torch.Tensor) -> torch.Tensor:
    """Cut the gradient."""
    return array.detach()


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Differentiate by `torch.autograd.Function`."""
    return _traced_custom_vjp(rule, args) if torch.compiler.is_compiling() else _custom_vjp(rule, args)


def _custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    call = CustomCall(rule, args)
    inside = torch._C._are_functorch_transforms_active()
    if not inside and not (torch.is_grad_enabled() and any([array.requires_grad for array in call.arrays])):
        return rule.f(*args)
    return call.result(_CustomVjp.apply(call, inside, *call.arrays))  # type: ignore[arg-type]


_traced_custom_vjp: Any = None
"""Dynamo would follow the function's own derivative instead of the rule: this call it records as it is, and what comes
after it in compilation, which knows of the rule, traces through."""


def _tell_dynamo() -> None:
    from torch._dynamo.variables.builder import SourcelessBuilder
    from torch._dynamo.variables.user_defined import UserDefinedObjectVariable

    global _traced_custom_vjp
    _traced_custom_vjp = torch._dynamo.nonstrict_trace(_custom_vjp)
    # A layer may be built inside a program, and initializers are what its fields are by default.
    SourcelessBuilder._type_handlers[type(zeros)] = lambda tx, value: UserDefinedObjectVariable(value)  # type: ignore[attr-defined]


register_constant(CustomGradient)
when_imported("torch._dynamo", _tell_dynamo)  # which takes as long to import as all the rest of PyTorch


class _CustomVjp(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(call: CustomCall, inside: bool, *arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        if inside:  # what is kept here would belong to the innermost transform
            values = call.value(*arrays)
        else:
            values, call.kept = call.value_and_kept(*arrays)
        # PyTorch wants another tensor where an argument is the value.
        return tuple([value.view_as(value) if any([value is x for x in arrays]) else value for value in values])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.call, ctx.inside, *arrays = inputs
        ctx.save_for_backward(*arrays)
        ctx.set_materialize_grads(True)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        arrays = ctx.saved_tensors
        if ctx.inside or torch.is_grad_enabled():  # a gradient of this gradient goes through all of the arithmetic
            _, kept = ctx.call.value_and_kept(*arrays)
        else:
            kept = ctx.call.kept
        return None, None, *ctx.call.pull(kept, cotangents)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Recompute by `torch.utils.checkpoint`.

    `torch.func` has nothing of the kind, and the compiler decides by itself what to keep.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return f
    return partial(torch.utils.checkpoint.checkpoint, f, use_reentrant=False, preserve_rng_state=False)


def jit(f: Callable[..., Any]) -> Callable[..., Any]:
    """Compile by `torch.compile`, the whole of f in one graph; what is transformed from outside runs as it is.

    A program cannot be differentiated forward, nor by `torch.func`.
    """
    if torch.compiler.is_compiling():  # inside a larger graph there is nothing to compile apart
        return f
    # Dynamo takes a program for 0.0 to be that for -0.0, too: one for each set of places where -0.0 is.
    programs: dict[tuple[int, ...], Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        if torch._C._are_functorch_transforms_active():
            return f(*args, **kwargs)
        signs: list[int] = []
        _find_negative_zeros((args, kwargs), 0, signs)
        key = tuple(signs)
        program = programs.get(key)
        if program is None:
            if len(programs) >= MOST_PROGRAMS:
                drop_oldest(programs)
                warn_of_many_programs()
            program = programs[key] = _program(f)
        try:
            return program(*args, **kwargs)
        except torch._dynamo.exc.FailOnRecompileLimitHit:  # type: ignore[attr-defined]
            program = programs[key] = _program(f)
            return program(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException:  # type: ignore[attr-defined]
            # Dynamo words an error in f as code that it cannot trace: f itself says it better.
            try:
                f(*args, **kwargs)
            except Exception as error:
                raise error from None
            raise

    return call


def _find_negative_zeros(value: Any, place: int, found: list[int]) -> int:
    """Note the places of constants that are -0.0, counted over all floats of a tree."""
    kind = type(value)
    if kind is dict or kind is tuple or kind is list:
        for entry in value.values() if kind is dict else value:
            if type(entry) is not torch.Tensor:
                place = _find_negative_zeros(entry, place, found)
    elif kind is Static:
        place = _find_in_constant(value.value, place, found)
    elif kind is float or kind is complex:
        place = _find_in_constant(value, place, found)
    return place


def _find_in_constant(value: Any, place: int, found: list[int]) -> int:
    """Go on inside of a `Static`, whose parts may be of any kind that can be hashed."""
    if isinstance(value, (float, np.floating)):
        place += 1
        if value == 0 and math.copysign(1, value) < 0:
            found.append(place)
        return place
    if isinstance(value, (complex, np.complexfloating)):
        parts: Any = value.real, value.imag
    elif isinstance(value, (tuple, frozenset)):
        parts = value
    elif is_dataclass(value):
        parts = [getattr(value, field.name) for field in fields(value) if field.compare]
    else:
        return place
    for part in parts:
        place = _find_in_constant(part, place, found)
    return place


_programs = itertools.count(1)


def _program(f: Callable[..., Any]) -> Callable[..., Any]:
    def program(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    # Dynamo counts recompilations by code object and stops at eight, and what differed between two calls of functions
    # of one name at one line, the options of two models among it, becomes symbolic: each program is a code of its own.
    program.__code__ = program.__code__.replace(co_name=f"program_{next(_programs)}")
    return torch.compile(program, fullgraph=True)


def _nested(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell whether a gradient taken here may itself be differentiated."""
    if _depth.get() or torch._C._are_functorch_transforms_active():
        return True
    return torch.is_grad_enabled() and any(
        isinstance(leaf, torch.Tensor) and leaf.requires_grad for leaf in tree.leaves((args, kwargs))
    )


def constant(leaf: Any) -> Any:
    """Cut a tensor off what it was computed from."""
    return leaf.detach() if isinstance(leaf, torch.Tensor) else leaf
