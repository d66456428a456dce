"""Flux's normalizations, whose formulas and fields differ between its versions.

BatchNorm
    Until 0.6 it kept a moving standard deviation, since 0.7 a moving variance, in the same place.
LayerNorm
    ==========  =============================================
    0.5, 0.6    ``(x - mean) / std``, std with ``n - 1``
    0.7         since 0.7.3 std with ``n``
    0.11        ``(x - mean) / (std + 1e-5)``
    0.12, 0.13, 0.14  ``(x - mean) / (std + ϵ)``
    0.15, 0.16  ``(x - mean) / sqrt(var + ϵ²)``
    ==========  =============================================
GroupNorm
    Until 0.11 it kept moving statistics of each group, and used them in tests.

Source: src/layers/normalise.jl and src/layers/stateless.jl at Flux.jl's tags v0.5.0 to v0.16.11
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import luxport
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import show
from luxport.porting.flux.building import Ported, Source, check_parameters, find_kind
from luxport.porting.flux.fields import compute_variance, keeps_deviation, read_number, read_numbers
from luxport.porting.flux.old_layer_norm import OldLayerNorm
from luxport.porting.julia.wrappers import unwrap_array
from luxport.text import warn

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]

_STATISTICS = {"running_mean": "μ", "running_var": "σ²"}


def batch_norm(source: Source) -> Ported:
    """Build a BatchNorm, its moving statistics as variances."""
    ported = _make_tracking_norm(luxport.BatchNorm)(source)
    if "running_var" in ported.st and _has_deviation(source):
        variance = compute_variance(ported.st["running_var"], read_number(source["ϵ"], source.at("ϵ")))
        return Ported(ported.layer, ported.ps, {**ported.st, "running_var": variance})
    return ported


def instance_norm(source: Source) -> Ported:
    """Build an InstanceNorm; until 0.11 it had moving statistics always."""
    return _make_tracking_norm(luxport.InstanceNorm)(source)


def group_norm(source: Source) -> Ported:
    """Build a GroupNorm; with the moving statistics of a group it is in tests a BatchNorm of its channels."""
    channels, groups = _count_channels(source), int(source["G"])
    if not source.fields.get("track_stats", source.fields.get("μ") is not None):
        layer = luxport.GroupNorm(channels, groups, source.activation(), **_read_options(source))
        return _build_norm(source, layer, {})
    warn(
        f"{show(source.path) or 'the model'}: a GroupNorm with moving statistics, as Flux had it until 0.11, is a "
        "BatchNorm here: the same in tests, another thing in training"
    )
    layer = luxport.BatchNorm(channels, source.activation(), **_read_options(source))
    states = {
        ours: np.repeat(source.array(theirs).reshape(groups), channels // groups)
        for ours, theirs in _STATISTICS.items()
    }
    return _build_norm(source, layer, states)


def layer_norm(source: Source) -> Ported:
    """Build a LayerNorm with the formula of its version."""
    ps, shape, activation = _affine(source)
    first, last = source.versions
    if "ϵ" in source.fields:
        epsilon = read_number(source["ϵ"], source.at("ϵ"))
        if first >= 15:
            layer = luxport.LayerNorm(shape, activation, epsilon=epsilon**2, affine=bool(ps))
        else:
            layer = OldLayerNorm(shape, activation, epsilon=epsilon, affine=bool(ps))
        return check_parameters(layer, ps)
    corrected = last <= 6
    if first <= 6 < last or last == 7:
        _warn(source, "a LayerNorm that divides by n - 1 until Flux 0.7.2 and by n later", "n")
    epsilon = 0.0 if last <= 10 else 1e-5
    return check_parameters(OldLayerNorm(shape, activation, epsilon=epsilon, corrected=corrected, affine=bool(ps)), ps)


def _has_deviation(source: Source) -> bool:
    deviates, sure = keeps_deviation(source.struct, source.fields, source.versions)
    if not sure:
        meant = "a standard deviation" if deviates else "a variance"
        _warn(source, "a BatchNorm that has a standard deviation until Flux 0.6 and a variance since", meant)
    return deviates


def _warn(source: Source, what: str, taken: str) -> None:
    warn(
        f"{show(source.path) or 'the model'}: {what}; the file does not say which, and {taken} is taken: "
        "name the version, as load_model(..., flux='0.6')"
    )


def _affine(source: Source) -> tuple[dict[str, Any], tuple[int, ...], Callable[..., Any]]:
    """Return what a LayerNorm has in its Diagonal or Scale: parameters, shape, activation."""
    diagonal = source["diag"]
    if not isinstance(diagonal, julia.Struct):
        return {}, read_numbers(source["size"], source.at("size")), source.activation()
    fields = source.inner(diagonal)
    ps = {
        "scale": unwrap_array(fields["scale"], source.at("scale")),
        "bias": unwrap_array(fields["bias"], source.at("bias")),
    }
    inner = Source(find_kind(diagonal), fields, diagonal, source.functions, source.path, source.versions, source.build)
    return ps, ps["scale"].shape, inner.activation()


def _make_tracking_norm(kind: Callable[..., Layer]) -> Callable[[Source], Ported]:
    def build(source: Source) -> Ported:
        tracks = bool(source.fields.get("track_stats", source.fields.get("μ") is not None))
        options = _read_options(source) | {"momentum": read_number(source["momentum"], source.at("momentum"))}
        layer = kind(_count_channels(source), source.activation(), track_stats=tracks, **options)
        return _build_norm(
            source, layer, {ours: source.array(theirs) for ours, theirs in _STATISTICS.items() if tracks}
        )

    return build


def _build_norm(source: Source, layer: Layer, states: Mapping[str, Any]) -> Ported:
    ps = {"scale": source.array("γ"), "bias": source.array("β")} if _is_affine(source) else {}
    return check_parameters(layer, ps, dict(states))


def _read_options(source: Source) -> dict[str, Any]:
    return {"affine": _is_affine(source), "epsilon": read_number(source["ϵ"], source.at("ϵ"))}


def _is_affine(source: Source) -> bool:
    return bool(source.fields.get("affine", True)) and source.fields.get("γ") is not None


def _count_channels(source: Source) -> int:
    return int(source["chs"]) if "chs" in source.fields else source.array("β").shape[0]
