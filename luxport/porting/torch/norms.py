"""Port PyTorch's normalization modules."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.porting.network import BatchOptional
from luxport.porting.torch.arrays import Ported, collect_arrays, find_class
from luxport.porting.torch.module_table import split_layer_type
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["port_group_norm", "port_layer_norm", "port_rms_norm", "port_tracking_norm"]

_STATISTICS = ("running_mean", "running_var")


class CumulativeStatistics(WrapperLayer):
    """A norm whose running statistics are the mean over all batches so far, as PyTorch's with ``momentum=None``.

    Params: the layer's
    State:  count, the number of batches so far; layer: the layer's
    """

    layer: Any

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Return those of the layer, and a count of 0."""
        return {"layer": self.layer.initial_states(rng), "count": np.zeros((), np.float32)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Normalize, and update the mean of the statistics in training."""
        old = st["layer"]
        y, new = self.layer(x, ps, old)
        if not old["training"]:
            return y, {**st, "layer": new}
        count = st["count"] + 1
        mean = {name: old[name] + (new[name] - old[name]) / count for name in _STATISTICS}
        return y, {"layer": {**new, **mean}, "count": count}


def attach_affine(layer: Layer, module: Any, st: dict[str, Any]) -> Ported:
    """Return a norm with its scale and bias; if only the bias is missing, it is zero and frozen."""
    ps = collect_arrays(module, scale="weight", bias="bias")
    if "scale" in ps and "bias" not in ps:
        return luxport.freeze(layer, ps | {"bias": np.zeros_like(ps["scale"])}, st, ["bias"])  # type: ignore[return-value]
    return layer, ps, st


def port_tracking_norm(module: Any) -> Ported:
    """Return a BatchNorm or InstanceNorm."""
    kind, axes = split_layer_type(find_class(module).__name__)
    make = luxport.InstanceNorm if kind == "InstanceNorm" else luxport.BatchNorm
    cumulative = module.momentum is None and module.track_running_stats
    layer: Layer = make(
        module.num_features,
        affine=module.affine,
        track_stats=module.track_running_stats,
        epsilon=module.eps,
        momentum=1.0 if module.momentum is None else module.momentum,
    )
    st = {
        "training": Static(bool(module.training)),
        **collect_arrays(module, running_mean=_STATISTICS[0], running_var=_STATISTICS[1]),
    }
    layer, ps, st = attach_affine(layer, module, st)
    if cumulative:
        count = np.asarray(float(module.num_batches_tracked), np.float32)
        return CumulativeStatistics(layer), ps, {"layer": st, "count": count}
    return (BatchOptional(layer, axes + 2) if kind == "InstanceNorm" else layer), ps, st


def port_layer_norm(module: Any) -> Ported:
    """Return a LayerNorm, with or without bias."""
    ps = collect_arrays(module, scale="weight", bias="bias")
    layer = luxport.LayerNorm(
        tuple(module.normalized_shape), affine="scale" in ps, use_bias="bias" in ps or not ps, epsilon=module.eps
    )
    return layer, ps, {}


def port_group_norm(module: Any) -> Ported:
    """Return a GroupNorm."""
    layer = luxport.GroupNorm(module.num_channels, module.num_groups, affine=module.affine, epsilon=module.eps)
    return attach_affine(layer, module, {})


def port_rms_norm(module: Any) -> Ported:
    """Return an RMSNorm; an epsilon of None means the machine epsilon of the weight's dtype."""
    ps = collect_arrays(module, scale="weight")
    epsilon = module.eps
    if epsilon is None:
        epsilon = float(np.finfo(ps["scale"].dtype if ps else np.float32).eps)
    layer = luxport.RMSNorm(tuple(module.normalized_shape), affine=module.elementwise_affine, epsilon=epsilon)
    return layer, ps, {}
