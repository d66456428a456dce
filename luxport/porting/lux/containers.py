"""Build Lux's layers that contain other layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import luxport
from luxport.core.initial_values import describe_values, initial_parameters
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported
from luxport.porting.julia.nodes import read_entries, unwrap_node
from luxport.porting.lux.building import Source, describe_value
from luxport.porting.lux.structs import find_kind, find_layer_in_type, read_ints, read_static, read_symbols

__all__ = [
    "build_around",
    "make_container_builder",
    "build_frozen",
    "build_joined",
    "build_repeated",
    "build_skip_connection",
    "build_weight_norm",
]


def _find_inner(source: Source, name: str) -> Any:
    return source.fields.get(name, find_layer_in_type(source.struct))


def _build_named_layers(source: Source, node: tuple[Any, Any]) -> dict[str, Ported]:
    value = source["layers"]
    if not isinstance(value, julia.NamedTuple):
        raise FileFormatError(f"{source.join_path('layers')}: layers by names expected, got {describe_value(value)}")
    if strange := [name for name in value.names if not name.isprintable()]:
        raise FileFormatError(f"a layer has the name {strange[0]!r}, which cannot be printed")
    around = replace(source, ps=node[0], st=node[1])
    return {
        name: source.build(entry, source.join_path(name), *around.find_beside(name))
        for name, entry in zip(value.names, value.values, strict=True)
    }


def _assemble(layer: Layer, children: Mapping[str, Ported], source: Source) -> Ported:
    ps = {} if source.ps is None else {name: child.ps for name, child in children.items()}
    return Ported(layer, ps, {name: child.st for name, child in children.items()})


def make_container_builder(build: Callable[[Source, dict[str, Layer]], Layer]) -> Callable[[Source], Ported]:
    """Return a builder of containers: `build` makes the layer from the layers inside, by name."""

    def assemble_built(source: Source) -> Ported:
        children = _build_named_layers(source, (source.ps, source.st))
        return _assemble(build(source, {name: child.layer for name, child in children.items()}), children, source)

    return assemble_built


def build_joined(source: Source) -> Ported:
    """Build a Parallel or BranchLayer; what joins its outputs may be a layer with its own parameters and states."""
    joint = "fusion" if source.kind == "BranchLayer" else "connection"
    inner = source.fields.get(joint)
    build: Any = getattr(luxport, source.kind)
    takes = source.kind == "BranchLayer"
    if not find_kind(inner):
        children = _build_named_layers(source, (source.ps, source.st))
        layers = {name: child.layer for name, child in children.items()}
        how = source.read_connection(joint)
        return _assemble(build(layers, fusion=how) if takes else build(how, layers), children, source)
    joining = source.build(inner, source.join_path(joint), *source.find_beside(joint))
    children = _build_named_layers(source, source.find_beside("layers"))
    layers = {name: child.layer for name, child in children.items()}
    whole = build(layers, fusion=joining.layer) if takes else build(joining.layer, layers)
    sides = _assemble(whole, children, source)
    return _assemble(whole, {"layers": sides, joint: joining}, source)


def build_skip_connection(source: Source) -> Ported:
    """Build a SkipConnection, whose connection is a function or a layer."""
    inner, connection = _find_inner(source, "layers"), source.fields.get("connection")
    if not find_kind(connection):
        ported = source.build(inner, source.join_path("layers"), source.ps, source.st)
        return Ported(luxport.SkipConnection(ported.layer, source.read_connection()), ported.ps, ported.st)
    parts = {
        "layers": source.build(inner, source.join_path("layers"), *source.find_beside("layers")),
        "connection": source.build(connection, source.join_path("connection"), *source.find_beside("connection")),
    }
    layer = luxport.SkipConnection(parts["layers"].layer, parts["connection"].layer)
    return _assemble(layer, parts, source)


def build_repeated(source: Source) -> Ported:
    """Build a RepeatedLayer; until Lux 0.5 its options are parameters of the type."""
    inner = source.build(_find_inner(source, "model"), source.join_path("model"), source.ps, source.st)
    params = [read_static(param) for param in source.struct.type.params]
    plain = [param for param in params if isinstance(param, int) and not isinstance(param, bool)]
    repeats = source.read_int("nrepeats") if "nrepeats" in source.fields else next(iter(plain), 1)
    layer = luxport.RepeatedLayer(
        inner.layer, repeats=repeats, input_injection=source.read_flag("input_injection", False)
    )
    return Ported(layer, inner.ps, inner.st)


def build_around(source: Source) -> Ported:
    """Build the layer inside a wrapper that does not change its outputs, and drop the wrapper."""
    return source.build(_find_inner(source, "layer"), source.path, source.ps, source.st)


def build_frozen(source: Source) -> Ported:
    """Build a FrozenLayer, whose frozen parameters are stored among the states."""
    kept, states = source.find_beside("frozen_params")[1], source.find_beside("states")[1]
    frozen = read_entries(unwrap_node(kept))
    ps = None if source.ps is None else {**read_entries(unwrap_node(source.ps)), **frozen}
    inner = source.build(_find_inner(source, "layer"), source.join_path("layer"), ps, states)
    which = list(read_symbols(source.struct.type.params[0])) if source.struct.type.params[:1] != (None,) else []
    names: Any = tuple(name for name in which if name in inner.ps) or None
    if ps is None:
        return Ported(luxport.FrozenLayer(inner.layer, names), {}, {})
    return Ported(*luxport.freeze(inner.layer, inner.ps, inner.st, which=names))


def build_weight_norm(source: Source) -> Ported:
    """Build a WeightNorm. Lux has one norm for each index of a parameter's last axis, which is the first here."""
    inner = source.build(_find_inner(source, "layer"), source.join_path("layer"), None, source.st)
    params = source.struct.type.params
    listed = source.fields.get("which_params", next(iter(params), ()))
    if isinstance(listed, julia.TypeName):
        listed = listed.params
    which = tuple(name for name in read_symbols(listed) if name)
    if not which:
        raise FileFormatError(f"{source.join_path('which_params')}: names of parameters expected")
    wanted, dims = describe_values(initial_parameters, inner.layer), source.fields.get("dims")
    if strange := [name for name in which if name not in wanted]:
        raise FileFormatError(f"{source.join_path('which_params')}: {inner.layer} has no {strange[0]}")
    axes: Any = 0  # Julia's last axis
    if dims is not None:
        axes = tuple(len(wanted[name].shape) - n for name, n in zip(which, read_ints(dims, "dims"), strict=False))
    return source.finish(luxport.WeightNorm(inner.layer, which, axes=axes))
