"""Port modules with `weight_norm` or `spectral_norm`, which PyTorch has as hooks (older) or as parametrizations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.porting.network import BatchOptional
from luxport.porting.torch.arrays import Ported, copy_to_host, find_class
from luxport.porting.torch.conventions import swap_dense_weight
from luxport.tree.static import Static

__all__ = ["must_be_traced", "find_kind", "port_reparameterized"]


def find_kind(module: Any) -> str | None:
    """Return "weight_norm" or "spectral_norm" if a module has it, None for neither."""
    found = _find_reparameterization(module)
    return found[0] if found else None


def must_be_traced(module: Any) -> bool:
    """Return whether a module has a parametrization for which luxport has no layer, so that it must be traced."""
    changed = getattr(module, "parametrizations", None)
    if changed is None and not _find_hooks(module):
        return False
    found = _find_reparameterization(module)
    if found is None or _find_axis(module, found[1]) is None or find_class(module).__name__ == "Bilinear":
        return True
    return "v_of_u" in found[2] and not module.training and not _is_consistent(found[2], found[1])


def _is_consistent(arrays: dict[str, Any], dim: int | None) -> bool:
    """Return whether v is the normalized product of the weight and u, as luxport assumes.

    In PyTorch, v is random before the first step of training.
    """
    weight = np.moveaxis(arrays["weight"], dim or 0, 0)
    v = weight.reshape(weight.shape[0], -1).T @ arrays["u"]
    return bool(np.allclose(v / max(np.linalg.norm(v), 1e-12), arrays["v_of_u"], rtol=1e-5, atol=1e-6))


def port_reparameterized(module: Any, kind: str, port: Callable[[Any, bool], Ported]) -> Ported:
    """Return the layer of a module inside a `WeightNorm` or `SpectralNorm`."""
    _, dim, arrays = _find_reparameterization(module)  # type: ignore[misc]
    layer, ps, st = port(module, False)
    axes = 0
    if isinstance(layer, BatchOptional):
        axes, layer = layer.axes, layer.layer
    convert = swap_dense_weight if find_class(module).__name__ == "Linear" else lambda weight: weight
    axis = _find_axis(module, dim)
    ps.pop("weight")
    if kind == "weight_norm":
        normalized = {"weight_g": convert(arrays["g"]), "weight_v": convert(arrays["v"])}
        wrapped: Any = luxport.WeightNorm(layer, axes=axis)
        ps = {"normalized": normalized, "unnormalized": ps}
    else:
        wrapped = luxport.SpectralNorm(layer, axes=axis, iterations=arrays["iterations"])
        ps = {"weight": convert(arrays["weight"]), **ps}
        st = {"layer": st, "u": {"weight": arrays["u"]}, "training": Static(bool(module.training))}
    return (BatchOptional(wrapped, axes) if axes else wrapped), ps, st


def _find_axis(module: Any, dim: int | None) -> int | None:
    """Return the axis of luxport's weight that corresponds to a dimension of PyTorch's."""
    rank = module.weight.ndim
    if dim is None or dim == -1:
        return None
    return rank - 1 - dim % rank if find_class(module).__name__ == "Linear" else dim % rank


def _find_hooks(module: Any) -> list[Any]:
    hooks = module._forward_pre_hooks.values()
    return [hook for hook in hooks if type(hook).__module__.startswith("torch.nn.utils.")]


def _find_reparameterization(module: Any) -> tuple[str, int | None, dict[str, Any]] | None:
    """Return whether a module has "weight_norm" or "spectral_norm", its dimension and its arrays; None for neither."""
    hooks = _find_hooks(module)
    if len(hooks) == 1 and len(module._forward_pre_hooks) == 1 and hooks[0].name == "weight":
        (hook,) = hooks
        if type(hook).__name__ == "WeightNorm":
            return "weight_norm", hook.dim, {"g": copy_to_host(module.weight_g), "v": copy_to_host(module.weight_v)}
        if type(hook).__name__ == "SpectralNorm":
            arrays = {
                "weight": copy_to_host(module.weight_orig),
                "u": copy_to_host(module.weight_u),
                "v_of_u": copy_to_host(module.weight_v),
            }
            return "spectral_norm", hook.dim, arrays | {"iterations": hook.n_power_iterations}
    changed = getattr(module, "parametrizations", None)
    if changed is None or list(changed) != ["weight"] or len(changed.weight) != 1:
        return None
    (how,) = changed.weight
    if type(how).__name__ == "_WeightNorm":
        parts = changed.weight
        return "weight_norm", how.dim, {"g": copy_to_host(parts.original0), "v": copy_to_host(parts.original1)}
    if type(how).__name__ == "_SpectralNorm" and "_u" in how._buffers:
        arrays = {
            "weight": copy_to_host(changed.weight.original),
            "u": copy_to_host(how._u),
            "v_of_u": copy_to_host(how._v),
        }
        return "spectral_norm", how.dim, arrays | {"iterations": how.n_power_iterations}
    return None
