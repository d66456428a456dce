"""`load_model`, `load_parameters` and `load_array`: read the YAML and HDF5 files of a PEtab SciML network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import Any

import numpy as np

from luxport.call_arguments import explain_call_errors
from luxport.core.counts import parameter_length
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers
from luxport.porting.errors import FileFormatError, refuse_file
from luxport.porting.files.opening import read_bytes
from luxport.porting.network import BatchOptional, Call, Network, Result
from luxport.porting.petab.arrays import ArrayFile
from luxport.porting.petab.functions import FUNCTIONS, IGNORED
from luxport.porting.petab.yaml_values import parse_yaml
from luxport.porting.torch.module_table import build

__all__ = ["load_array", "load_model", "load_parameters"]


@explain_call_errors
def load_model(path: str | PathLike[str]) -> Network:
    """Return the network that a YAML file describes.

    Raises: FileFormatError if the file describes no network, or has a layer, function or argument without a
            counterpart; ModuleNotFoundError without PyYAML
    """
    yaml = _import_yaml()
    with refuse_file(str(path), "no YAML"):
        try:
            description = parse_yaml(yaml, read_bytes(path))
        except yaml.YAMLError as error:
            raise FileFormatError(f"no YAML: {error}") from error
    with refuse_file(str(path), "no network of PEtab SciML"):
        try:
            return _build_network(description)
        except ValueError as error:  # raised below, and by the constructors of layers
            raise FileFormatError(str(error)) from error


@explain_call_errors
def load_parameters(
    path: str | PathLike[str], model: Network, *, net: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the parameters of a network, and return ``ps, st``: NumPy arrays in luxport's layout, and initial states.

    `net` is the name of the network in a file that has several. The weights of linear and bilinear layers are
    transposed, since PyTorch has their axes in reverse; the weight of a norm is luxport's scale.

    Raises: FileFormatError if an array is missing, is left over or has another shape
    """
    with refuse_file(str(path), "no HDF5"):
        file = ArrayFile(read_bytes(path))
        top = file.read_group(file.root)
        nets = file.read_group(top["parameters"]) if "parameters" in top else {}
        if not nets and not parameter_length(model):
            return initial_parameters(0, model), initial_states(0, model)
        if net is None and len(nets) != 1:
            raise FileFormatError(f"expected one network, got {', '.join(nets) or 'none'}: choose it by net=")
        net = next(iter(nets)) if net is None else net
        if net not in nets:
            raise FileFormatError(f"it has no network {net!r}, only {', '.join(nets)}")
        found = {name: file.read_arrays(address) for name, address in file.read_group(nets[net]).items()}
    wanted = describe_values(initial_parameters, model)
    try:
        if unknown := [name for name in found if name not in wanted]:
            raise ValueError(f"parameters of {', '.join(unknown)}, which the model does not have")
        ps = {
            name: _convert_parameters(name, model.layers[name], ps, found.get(name, {})) for name, ps in wanted.items()
        }
    except ValueError as error:
        raise FileFormatError(str(error), path=str(path)) from error
    return ps, initial_states(0, model)


@explain_call_errors
def load_array(path: str | PathLike[str]) -> Any:
    """Read an input or output of a network, the only array named ``data`` in the file.

    Raises: FileFormatError if there is no such array, or more than one
    """
    with refuse_file(str(path), "no HDF5"):
        file = ArrayFile(read_bytes(path))
        top = file.read_group(file.root)
        sides = [file.read_group(top[side]) for side in ("inputs", "outputs") if side in top]
        named = [file.read_group(address) for side in sides for address in side.values()]
        found = [entries["data"] for entries in named if "data" in entries]
        if len(found) != 1:
            raise FileFormatError(f"expected one array named data, got {len(found)}")
        return file.read_array(found[0])


def _build_network(description: Mapping[str, Any]) -> Network:
    layers = {
        _read_name(entry["layer_id"]): build(entry["layer_type"], entry.get("args") or {})
        for entry in description["layers"]
    }
    calls: list[Call] = []
    names: set[str] = set()
    inputs: list[str] = []
    output: Any = None
    for step in description["forward"]:
        name, op, target = _read_name(step["name"]), step["op"], step["target"]
        args, options = list(step.get("args") or ()), step.get("kwargs") or {}
        if op == "placeholder":
            inputs.append(name)
        elif op == "output":
            output = _resolve_references(args[0], names)
        elif op == "call_module":
            if target not in layers:
                raise ValueError(f"{name} calls the layer {target}, which is none of {', '.join(layers)}")
            calls.append(Call(name, target, _resolve_references(args, names)))
        elif op in ("call_function", "call_method"):
            if target not in FUNCTIONS:
                raise ValueError(f"the function {target} has no counterpart; known are {', '.join(FUNCTIONS)}")
            kept = tuple(
                (key, _resolve_references(value, names)) for key, value in options.items() if key not in IGNORED
            )
            calls.append(Call(name, FUNCTIONS[target], _resolve_references(args, names), kept))
        else:
            raise ValueError(f"{name}: expected a placeholder, a call or an output, got {op}")
        names.add(name)
    if output is None:
        raise ValueError("expected a graph with an output")
    return Network(NamedLayers(layers), tuple(inputs), tuple(calls), output)


def _read_name(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"expected a name of printable characters, got {value!r:.60}")
    return value


def _resolve_references(value: Any, names: set[str]) -> Any:
    """Return an argument with a `Result` in place of each name of an earlier result."""
    if isinstance(value, str) and value in names:
        return Result(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return tuple([_resolve_references(entry, names) for entry in value])
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"expected a number, a text, a result or a list of these, got {value!r:.60}")
    return value


_TRANSPOSED = frozenset({"Dense", "Bilinear"})
_SCALED = frozenset({"BatchNorm", "InstanceNorm", "LayerNorm"})


def _convert_parameters(name: str, layer: Layer, wanted: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a layer in luxport's layout, after checking their names and shapes."""
    kind = type(layer.layer if isinstance(layer, BatchOptional) else layer).__name__
    given = {}
    for key, value in found.items():
        transpose = kind in _TRANSPOSED and key == "weight"
        given["scale" if kind in _SCALED and key == "weight" else key] = value.T if transpose else value
    if set(given) != set(wanted):
        raise ValueError(
            f"{name} ({kind}): expected {', '.join(wanted) or 'no parameters'}, got {', '.join(given) or 'none'}"
        )
    for key, leaf in wanted.items():
        if given[key].shape != leaf.shape:
            raise ValueError(f"{name}.{key}: shape {leaf.shape} expected, got {given[key].shape}")
    return {key: np.ascontiguousarray(given[key]) for key in wanted}


def _import_yaml() -> Any:
    try:
        return import_module("yaml")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "PEtab SciML files need yaml, which is not installed: pip install 'luxport-nn[petab]'"
        ) from None
