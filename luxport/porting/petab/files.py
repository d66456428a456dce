"""Reading the files: the graph from YAML, parameters and arrays from HDF5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import Any

import numpy as np

from luxport.call_arguments import says_what_it_takes
from luxport.core.anatomy import NamedLayers
from luxport.core.counts import parameter_length
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.porting.errors import FileFormatError, refuse_file
from luxport.porting.files.opening import read_bytes
from luxport.porting.network import BatchOptional, Call, Network, Result
from luxport.porting.petab.arrays import ArrayFile
from luxport.porting.petab.description import parse_yaml
from luxport.porting.petab.functions import FUNCTIONS, IGNORED
from luxport.porting.torch.module_table import build

__all__ = ["load_array", "load_model", "load_parameters"]


@says_what_it_takes
def load_model(path: str | PathLike[str]) -> Network:
    """Build the network that a YAML file describes.

    Raises: FileFormatError if the file is no such description, or has a layer, function or argument without a
            counterpart; ModuleNotFoundError without PyYAML
    """
    yaml = _import_needed("yaml")
    with refuse_file(str(path), "no YAML"):
        try:
            description = parse_yaml(yaml, read_bytes(path))
        except yaml.YAMLError as error:
            raise FileFormatError(f"no YAML: {error}") from error
    with refuse_file(str(path), "no network of PEtab SciML"):
        try:
            return _build_network(description)
        except ValueError as error:  # of our own, and of the layers
            raise FileFormatError(str(error)) from error


@says_what_it_takes
def load_parameters(
    path: str | PathLike[str], model: Network, *, net: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the parameters of a network, ``ps, st``: NumPy arrays in luxport's layout, and initial states.

    `net` names the network in a file that has several. Weights of linear and bilinear layers are turned round, as
    PyTorch keeps them the other way; a norm's weight is luxport's scale.

    Raises: FileFormatError if an array is missing, is left over or has another shape
    """
    with refuse_file(str(path), "no HDF5"):
        file = ArrayFile(read_bytes(path))
        top = file.group(file.root)
        nets = file.group(top["parameters"]) if "parameters" in top else {}
        if not nets and not parameter_length(model):
            return initial_parameters(0, model), initial_states(0, model)
        if net is None and len(nets) != 1:
            raise FileFormatError(f"one network expected, got {', '.join(nets) or 'none'}: name it")
        net = next(iter(nets)) if net is None else net
        if net not in nets:
            raise FileFormatError(f"no network {net!r}; there are {', '.join(nets)}")
        found = {name: file.arrays(address) for name, address in file.group(nets[net]).items()}
    wanted = describe_values(initial_parameters, model)
    try:
        if unknown := [name for name in found if name not in wanted]:
            raise ValueError(f"parameters of {', '.join(unknown)}, which the model has not")
        ps = {name: _take_parameters(name, model.layers[name], ps, found.get(name, {})) for name, ps in wanted.items()}
    except ValueError as error:
        raise FileFormatError(str(error), path=str(path)) from error
    return ps, initial_states(0, model)


@says_what_it_takes
def load_array(path: str | PathLike[str]) -> Any:
    """Read an input or output of a network: the one array called ``data`` in the file.

    Raises: FileFormatError if there is not exactly one, or it is not in the file
    """
    with refuse_file(str(path), "no HDF5"):
        file = ArrayFile(read_bytes(path))
        top = file.group(file.root)
        sides = [file.group(top[side]) for side in ("inputs", "outputs") if side in top]
        named = [file.group(address) for side in sides for address in side.values()]
        found = [entries["data"] for entries in named if "data" in entries]
        if len(found) != 1:
            raise FileFormatError(f"one array expected, got {len(found)}")
        return file.array(found[0])


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
            output = _find_references(args[0], names)
        elif op == "call_module":
            if target not in layers:
                raise ValueError(f"{name} calls the layer {target}; there are {', '.join(layers)}")
            calls.append(Call(name, target, _find_references(args, names)))
        elif op in ("call_function", "call_method"):
            if target not in FUNCTIONS:
                raise ValueError(f"the function {target} has no counterpart; there are {', '.join(FUNCTIONS)}")
            kept = tuple((key, _find_references(value, names)) for key, value in options.items() if key not in IGNORED)
            calls.append(Call(name, FUNCTIONS[target], _find_references(args, names), kept))
        else:
            raise ValueError(f"{name}: a placeholder, a call or an output expected, got {op}")
        names.add(name)
    if output is None:
        raise ValueError("a graph with an output expected")
    return Network(NamedLayers(layers), tuple(inputs), tuple(calls), output)


def _read_name(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"a name expected, of letters that can be shown, got {value!r:.60}")
    return value


def _find_references(value: Any, names: set[str]) -> Any:
    """Tell the names of earlier results from other values."""
    if isinstance(value, str) and value in names:
        return Result(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return tuple([_find_references(entry, names) for entry in value])
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"a number, a text, a result or a list of these expected, got {value!r:.60}")
    return value


_REVERSED = frozenset({"Dense", "Bilinear"})
_SCALED = frozenset({"BatchNorm", "InstanceNorm", "LayerNorm"})


def _take_parameters(name: str, layer: Layer, wanted: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    kind = type(layer.layer if isinstance(layer, BatchOptional) else layer).__name__
    given = {}
    for key, value in found.items():
        reverse = kind in _REVERSED and key == "weight"
        given["scale" if kind in _SCALED and key == "weight" else key] = value.T if reverse else value
    if set(given) != set(wanted):
        raise ValueError(
            f"{name} ({kind}): {', '.join(wanted) or 'no parameters'} expected, got {', '.join(given) or 'none'}"
        )
    for key, leaf in wanted.items():
        if given[key].shape != leaf.shape:
            raise ValueError(f"{name}.{key}: shape {leaf.shape} expected, got {given[key].shape}")
    return {key: np.ascontiguousarray(given[key]) for key in wanted}


def _import_needed(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"PEtab SciML files need {module}, which is not installed: pip install 'luxport-nn[petab]'"
        ) from None
