"""Parameters from given arrays: a weight, and a bias that may be True or False."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array, find_array_device, namespace

__all__ = ["take_parameters"]


def take_parameters(layer: str, weight: Array, bias: Any, size: int) -> dict[str, Any]:
    """Return the parameters of a layer; a bias of True stands for zeros, a bias of False for none.

    Raises: ValueError if the bias is not one number per output
    """
    if bias is False:
        return {"weight": weight}
    if bias is True:
        bias = namespace(weight).zeros((size,), dtype=weight.dtype, device=find_array_device(weight))
    if tuple(bias.shape) != (size,):
        shape = tuple(weight.shape)
        raise ValueError(f"{layer} expects a bias {(size,)} for its weight {shape}, got {tuple(bias.shape)}")
    return {"weight": weight, "bias": bias}
