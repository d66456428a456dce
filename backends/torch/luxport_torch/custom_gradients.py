"""`custom_vjp` for PyTorch: functions with a custom gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.utils.checkpoint

from luxport.initializers import zeros
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport.when_imported import when_imported
from luxport_torch.recorded_calls import record_as_call

__all__ = ["custom_vjp"]


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Call a function whose gradient is given by a rule, as a `torch.autograd.Function`."""
    return _trace_custom_vjp(rule, args) if torch.compiler.is_compiling() else _apply_rule(rule, args)


def _apply_rule(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    call = CustomCall(rule, args)
    inside = torch._C._are_functorch_transforms_active()
    if not inside and not (torch.is_grad_enabled() and any([array.requires_grad for array in call.arrays])):
        return rule.f(*args)
    return call.result(_CustomVjp.apply(call, inside, *call.arrays))  # type: ignore[arg-type]


@record_as_call
def _trace_custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    return _apply_rule(rule, args)


def _let_layers_be_built() -> None:
    """Teach Dynamo to trace initializers, the defaults of layers' fields, so that programs can construct layers."""
    from torch._dynamo.variables.builder import SourcelessBuilder
    from torch._dynamo.variables.user_defined import UserDefinedObjectVariable

    SourcelessBuilder._type_handlers[type(zeros)] = lambda tx, value: UserDefinedObjectVariable(value)  # type: ignore[attr-defined]


when_imported("torch._dynamo", _let_layers_be_built)


class _CustomVjp(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(call: CustomCall, inside: bool, *arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        if inside:  # values kept for the gradient would belong to the innermost transform
            values = call.value(*arrays)
        else:
            values, call.kept = call.value_and_kept(*arrays)
        # An autograd Function must return a new tensor, also where the value is one of the arguments.
        return tuple([value.view_as(value) if any([value is x for x in arrays]) else value for value in values])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.call, ctx.inside, *arrays = inputs
        ctx.save_for_backward(*arrays)
        ctx.set_materialize_grads(True)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        arrays = ctx.saved_tensors
        if ctx.inside or torch.is_grad_enabled():  # computed again, so that this gradient can be differentiated
            _, kept = ctx.call.value_and_kept(*arrays)
        else:
            kept = ctx.call.kept
        return None, None, *ctx.call.pull(kept, cotangents)
