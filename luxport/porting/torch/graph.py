"""Port modules with their own `forward`: trace their graph, and build a `Network` of layers and functions from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.porting.errors import NoCounterpartError
from luxport.porting.network import Call, Entries, Network, Result, Slice
from luxport.porting.torch.arrays import Ported, copy_to_host
from luxport.porting.torch.functions import CREATION_FUNCTIONS, FUNCTIONS
from luxport.porting.with_options import WithOptions
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["StoredArray", "trace_network"]

_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv", "imatmul": "matmul", "ipow": "pow"}
_IGNORED_FUNCTIONS = ("_assert", "_assert_is_none", "_assert_scalar")
_IGNORED_OPTIONS = ("inplace", "out", "memory_format", "requires_grad", "pin_memory", "layout", "non_blocking", "copy")
_NAMES: Mapping[Any, str] = {"input": "x", "self": "x", "axis": "dim", "keepdims": "keepdim"}
_DROPOUTS = {
    "dropout": lambda p: luxport.Dropout(p),
    "dropout1d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "dropout2d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "dropout3d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "alpha_dropout": lambda p: luxport.AlphaDropout(p),
}


class StoredArray(Layer):
    """Returns an array whatever the input: a parameter or a buffer that a graph uses."""

    shape: tuple[int, ...]
    trained: bool
    name: str = "value"
    dtype: str = "float32"

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Start from zeros."""
        return {self.name: luxport.initializers.zeros(rng, self.shape)} if self.trained else {}

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Start from zeros."""
        return {} if self.trained else {self.name: np.zeros(self.shape, self.dtype)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Return the array."""
        return (ps if self.trained else st)[self.name], st


def trace_network(
    module: Any, port: Callable[..., Ported], is_leaf: Callable[[Any], bool], inputs: Any, path: str
) -> Ported:
    """Trace a module, and port the modules and functions that it calls.

    A module that shares a parameter with another one is traced as well, so that the parameter occurs once.

    Raises: ValueError for a call that has no counterpart, with its name and line
    """
    # Tracing changes attributes of modules: it adds constants, and hooks may set some. They are restored afterwards.
    before = [(part, dict(part.__dict__)) for part in module.modules()]
    try:
        return _build_network(module, port, is_leaf, inputs, path)
    finally:
        for part, attributes in before:
            part.__dict__.clear()
            part.__dict__.update(attributes)


def _build_network(
    module: Any, port: Callable[..., Ported], is_leaf: Callable[[Any], bool], inputs: Any, path: str
) -> Ported:
    tracing = import_module("luxport_torch.tracing")
    if module._forward_hooks or module._forward_pre_hooks:
        module = tracing.Held(module)
    traced_parts = _find_sharing(module)
    leaf_modules = {id(part) for part in module.modules() if is_leaf(part)}
    while True:
        graph = tracing.trace_module(module, leaf_modules - traced_parts, inputs)
        leaves = {n.target: module.get_submodule(n.target) for n in graph.nodes if n.op == "call_module"}
        attributes = [n.target for n in graph.nodes if n.op == "get_attr"]
        owners = [
            leaf for name, leaf in leaves.items() if any(attribute.startswith(f"{name}.") for attribute in attributes)
        ]
        if not owners:
            break
        traced_parts |= {id(leaf) for leaf in owners}
    return _Builder(module, port, tracing.find_line, path).build(graph)


def _find_sharing(module: Any) -> set[int]:
    """Return the ids of the modules that share a parameter with another module."""
    owners: dict[int, list[int]] = {}
    for part in module.modules():
        for parameter in part._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(id(part))
    return {owner for several in owners.values() if len(several) > 1 for owner in several}


class _Builder:
    """Converts the nodes of a traced graph to the layers and calls of a `Network`."""

    def __init__(self, module: Any, port: Callable[..., Ported], find_line: Callable[[Any], str], path: str) -> None:
        self._module, self._port, self._find_line, self._path = module, port, find_line, path
        self._inputs: list[str] = []
        self._layers: dict[str, Layer] = {}
        self._ps: dict[str, Any] = {}
        self._st: dict[str, Any] = {}
        self._calls: list[Call] = []
        self._names: dict[str, str] = {}
        self._latest: dict[Any, str] = {}
        self._sizes: set[Any] = set()

    def build(self, graph: Any) -> Ported:
        output = None
        for node in graph.nodes:
            if node.op == "placeholder":
                self._inputs.append(node.name)
            elif node.op == "output":
                output = self._convert_argument(node.args[0])
            else:
                self._add_node(node)
        network = Network(NamedLayers(self._layers), tuple(self._inputs), tuple(self._calls), output)
        return self._simplify(network) or (network, self._ps, self._st)

    def _simplify(self, network: Network) -> Ported | None:
        """Return a network of one input and one function as a `WrappedFunction`, None for any other network."""
        if len(network.inputs) != 1 or len(network.calls) != 1 or self._layers:
            return None
        (call,), first = network.calls, Result(network.inputs[0])
        if call.args[:1] != (first,) or len(call.args) > 1 or network.output != Result(call.name):
            return None
        if isinstance(call.target, str):
            return None
        function = WithOptions(call.target, call.options) if call.options else call.target
        return luxport.WrappedFunction(function), {}, {}

    def _add_node(self, node: Any) -> None:
        try:
            if node.op == "get_attr":
                self._build_attribute(node)
            elif node.op == "call_module":
                self._build_submodule(node)
            else:
                self._build_function(node)
        except NoCounterpartError:
            raise
        except (ValueError, TypeError) as error:
            raise NoCounterpartError(
                f"from_torch: {type(self._module).__name__} at {self._path or 'the top'} has no counterpart: "
                f"{error}{self._find_line(node)}"
            ) from None

    def _choose_name(self, target: str) -> str:
        """Return the name of a layer: its path with underscores for dots, and more of them if it is taken."""
        if target not in self._names:
            name = target.replace(".", "_")
            while name in self._layers or name in self._names.values():
                name += "_"
            self._names[target] = name
        return self._names[target]

    def _build_attribute(self, node: Any) -> None:
        name = self._choose_name(node.target)
        if name not in self._layers:
            owner = self._module
            *path, last = node.target.split(".")
            for part in path:
                owner = getattr(owner, part)
            tensor = getattr(owner, last)
            trained = last in getattr(owner, "_parameters", {})
            array = copy_to_host(tensor)
            entry = last if not last.startswith("_") else "value"
            self._layers[name] = StoredArray(tuple(tensor.shape), trained, entry, array.dtype.name)
            self._ps[name], self._st[name] = ({entry: array}, {}) if trained else ({}, {entry: array})
        self._calls.append(Call(node.name, name, ((),)))

    def _build_submodule(self, node: Any) -> None:
        module = self._module.get_submodule(node.target)
        name: str = self._choose_name(node.target)
        if name not in self._layers:
            path = f"{self._path}.{node.target}" if self._path else node.target
            self._layers[name], self._ps[name], self._st[name] = self._port(module, path, in_graph=True)
        args = _bind_positional(module, node.args, node.kwargs)
        self._calls.append(Call(node.name, name, tuple(map(self._convert_argument, args))))
        if getattr(module, "inplace", False):
            self._replace_later_uses(node.args[0], node.name)

    def _build_function(self, node: Any) -> None:
        target: Any = node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
        if target in _IGNORED_FUNCTIONS:
            return
        has_underscore = target.endswith("_") and target[:-1] in FUNCTIONS  # PyTorch's mark of in-place methods
        in_place = has_underscore or target in _OPERATORS
        name: Any = _OPERATORS.get(target, target[:-1] if has_underscore else target)
        used = {k: v for k, v in node.kwargs.items() if k not in _IGNORED_OPTIONS}
        options: dict[str, Any] = {_NAMES.get(k, k): self._convert_argument(v) for k, v in used.items()}
        args = tuple(map(self._convert_argument, node.args))
        if "x" in options and name not in CREATION_FUNCTIONS:
            args = (options.pop("x"), *args)
        if name == "where" and "condition" in options:
            args = (options.pop("condition"), *args)
        if name in _DROPOUTS or name.removeprefix("feature_") in _DROPOUTS:
            self._add_dropout(node, name.removeprefix("feature_"), args, options)
        elif name in CREATION_FUNCTIONS:
            self._calls.append(
                Call(node.name, CREATION_FUNCTIONS[name], (Result(self._inputs[0]), *args), tuple(options.items()))
            )
        elif name in FUNCTIONS:
            function = FUNCTIONS[name]
            args, options = self._name_constants(function, args, options)
            self._calls.append(Call(node.name, function, args, tuple(options.items())))
        else:
            raise ValueError(f"it calls {target}, for which luxport has no function")
        self._note_sizes(node, name)
        if (in_place or node.kwargs.get("inplace")) and node.args and node.args[0] not in self._sizes:
            self._replace_later_uses(node.args[0], node.name)

    def _name_constants(self, function: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        """Return arguments and options where trailing constants are options by name, which makes the repr readable."""
        names = list(inspect.signature(function).parameters.values()) if inspect.isroutine(function) else []
        named = dict(options)
        if any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in names[: len(args)]) or len(names) < len(args):
            return args, named
        constant = [i for i, arg in enumerate(args) if i and not isinstance(arg, Result)]
        while constant and constant[-1] == len(args) - 1:
            named = {names[len(args) - 1].name: args[-1], **named}
            args = args[:-1]
            constant.pop()
        return args, named

    def _add_dropout(self, node: Any, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        p = args[1] if len(args) > 1 else options.get("p", 0.5)
        layer = _DROPOUTS[name](float(p))
        self._layers[node.name], self._ps[node.name] = layer, {}
        training = Static(bool(self._module.training))
        self._st[node.name] = {} if isinstance(layer, luxport.NoOpLayer) else {"training": training}
        self._calls.append(Call(node.name, node.name, args[:1]))

    def _note_sizes(self, node: Any, name: str) -> None:
        """Note a node that is a size, or is computed from sizes only: a number is never changed in place."""
        sources = node.all_input_nodes
        sizes = name in ("size", "dim", "numel", "len") or (name == "getattr" and node.args[1] in ("shape", "ndim"))
        if sizes or (sources and name not in CREATION_FUNCTIONS and all(source in self._sizes for source in sources)):
            self._sizes.add(node)

    def _replace_later_uses(self, node: Any, result: str) -> None:
        """Make later uses of a node that was changed in place refer to the result of the change."""
        self._latest[node] = result

    def _convert_argument(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind.__name__ == "Node":
            return Result(str(self._latest.get(value, value.name)))
        if isinstance(value, slice):
            return Slice(tuple(map(self._convert_argument, (value.start, value.stop, value.step))))
        if isinstance(value, Mapping):
            return Entries(tuple((str(name), self._convert_argument(entry)) for name, entry in value.items()))
        if isinstance(value, (tuple, list)):
            return tuple(map(self._convert_argument, value))
        if kind.__module__.startswith("torch") and kind.__name__ == "dtype":
            return str(value).removeprefix("torch.")
        if kind.__module__.startswith("torch"):  # a device, a layout
            return None
        return value


def _bind_positional(module: Any, args: Any, options: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return all arguments of a module's call in order, without trailing ones that have their default value."""
    parameters = inspect.signature(module.forward).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return tuple(args)
    bound = inspect.signature(module.forward).bind(*args, **options)
    bound.apply_defaults()
    values = list(bound.arguments.items())
    while len(values) > 1 and values[-1][1] is parameters[values[-1][0]].default:
        values.pop()
    return tuple([value for _, value in values])
