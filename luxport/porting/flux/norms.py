"""Build normalization layers from Flux's, whose formulas and fields differ between versions.

BatchNorm
    Until 0.6, a field has the moving standard deviation; since 0.7, the same field has the moving variance.
LayerNorm
    ==========  =============================================
    0.5, 0.6    ``(x - mean) / std``, std with ``n - 1``
    0.7         since 0.7.3 std with ``n``
    0.11        ``(x - mean) / (std + 1e-5)``
    0.12, 0.13, 0.14  ``(x - mean) / (std + ϵ)``
    0.15, 0.16  ``(x - mean) / sqrt(var + ϵ²)``
    ==========  =============================================
GroupNorm
    Until 0.11, it kept moving statistics of each group, and used them in test mode.

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
from luxport.porting.flux.fields import compute_variance, detect_standard_deviation, read_number, read_numbers
from luxport.porting.flux.old_layer_norm import OldLayerNorm
from luxport.porting.julia.wrappers import unwrap_array
from luxport.text import warn

__all__ = ["build_batch_norm", "build_group_norm", "build_instance_norm", "build_layer_norm"]

_STATISTICS = {"running_mean": "μ", "running_var": "σ²"}


def build_batch_norm(source: Source) -> Ported:
    """Build a BatchNorm, with the moving variance also where the file has a standard deviation."""
    ported = _make_tracking_norm(luxport.BatchNorm)(source)
    if "running_var" in ported.st and _has_deviation(source):
        variance = compute_variance(ported.st["running_var"], read_number(source["ϵ"], source.join_path("ϵ")))
        return Ported(ported.layer, ported.ps, {**ported.st, "running_var": variance})
    return ported


def build_instance_norm(source: Source) -> Ported:
    """Build an InstanceNorm, which until 0.11 always had moving statistics."""
    return _make_tracking_norm(luxport.InstanceNorm)(source)


def build_group_norm(source: Source) -> Ported:
    """Build a GroupNorm; one with moving statistics becomes the BatchNorm that is equal to it in test mode."""
    channels, groups = _count_channels(source), int(source["G"])
    if not source.fields.get("track_stats", source.fields.get("μ") is not None):
        layer = luxport.GroupNorm(channels, groups, source.read_activation(), **_read_options(source))
        return _build_norm(source, layer, {})
    warn(
        f"{show(source.path) or 'the model'}: a GroupNorm with moving statistics, as Flux had it until 0.11, becomes "
        "a BatchNorm: it computes the same in test mode, but not in training"
    )
    layer = luxport.BatchNorm(channels, source.read_activation(), **_read_options(source))
    states = {
        ours: np.repeat(source.read_array(theirs).reshape(groups), channels // groups)
        for ours, theirs in _STATISTICS.items()
    }
    return _build_norm(source, layer, states)


def build_layer_norm(source: Source) -> Ported:
    """Build a LayerNorm with the formula of the Flux version that wrote it."""
    ps, shape, activation = _read_affine(source)
    first, last = source.versions
    if "ϵ" in source.fields:
        epsilon = read_number(source["ϵ"], source.join_path("ϵ"))
        if first >= 15:
            layer = luxport.LayerNorm(shape, activation, epsilon=epsilon**2, affine=bool(ps))
        else:
            layer = OldLayerNorm(shape, activation, epsilon=epsilon, affine=bool(ps))
        return check_parameters(layer, ps)
    corrected = last <= 6
    if first <= 6 < last or last == 7:
        _warn(source, "the standard deviation of a LayerNorm divides by n - 1 until Flux 0.7.2 and by n since", "n")
    epsilon = 0.0 if last <= 10 else 1e-5
    return check_parameters(OldLayerNorm(shape, activation, epsilon=epsilon, corrected=corrected, affine=bool(ps)), ps)


def _has_deviation(source: Source) -> bool:
    deviates, sure = detect_standard_deviation(source.struct, source.fields, source.versions)
    if not sure:
        meant = "a standard deviation" if deviates else "a variance"
        _warn(source, "a BatchNorm has a standard deviation until Flux 0.6 and a variance since", meant)
    return deviates


def _warn(source: Source, what: str, taken: str) -> None:
    warn(
        f"{show(source.path) or 'the model'}: {what}; the file does not say which, and {taken} is assumed: "
        "give the version of Flux, as load_model(..., flux='0.6')"
    )


def _read_affine(source: Source) -> tuple[dict[str, Any], tuple[int, ...], Callable[..., Any]]:
    """Return the parameters, the shape and the activation of a LayerNorm, which its Diagonal or Scale has."""
    diagonal = source["diag"]
    if not isinstance(diagonal, julia.Struct):
        return {}, read_numbers(source["size"], source.join_path("size")), source.read_activation()
    fields = source.read_inner_fields(diagonal)
    ps = {
        "scale": unwrap_array(fields["scale"], source.join_path("scale")),
        "bias": unwrap_array(fields["bias"], source.join_path("bias")),
    }
    inner = Source(find_kind(diagonal), fields, diagonal, source.functions, source.path, source.versions, source.build)
    return ps, ps["scale"].shape, inner.read_activation()


def _make_tracking_norm(kind: Callable[..., Layer]) -> Callable[[Source], Ported]:
    def build(source: Source) -> Ported:
        tracks = bool(source.fields.get("track_stats", source.fields.get("μ") is not None))
        options = _read_options(source) | {"momentum": read_number(source["momentum"], source.join_path("momentum"))}
        layer = kind(_count_channels(source), source.read_activation(), track_stats=tracks, **options)
        return _build_norm(
            source, layer, {ours: source.read_array(theirs) for ours, theirs in _STATISTICS.items() if tracks}
        )

    return build


def _build_norm(source: Source, layer: Layer, states: Mapping[str, Any]) -> Ported:
    ps = {"scale": source.read_array("γ"), "bias": source.read_array("β")} if _is_affine(source) else {}
    return check_parameters(layer, ps, dict(states))


def _read_options(source: Source) -> dict[str, Any]:
    return {"affine": _is_affine(source), "epsilon": read_number(source["ϵ"], source.join_path("ϵ"))}


def _is_affine(source: Source) -> bool:
    return bool(source.fields.get("affine", True)) and source.fields.get("γ") is not None


def _count_channels(source: Source) -> int:
    return int(source["chs"]) if "chs" in source.fields else source.read_array("β").shape[0]
