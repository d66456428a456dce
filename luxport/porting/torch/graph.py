"""Modules with a `forward` of their own: their graph, as a `Network` of layers and functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport.core.anatomy import NamedLayers, Parameters, States
from luxport.core.layer import Layer
from luxport.porting.errors import NoCounterpartError
from luxport.porting.network import Call, Entries, Network, Result, Slice
from luxport.porting.torch.functions import CREATING, FUNCTIONS
from luxport.porting.with_options import WithOptions
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["Values", "trace_network"]

Ported = tuple[Layer, dict[str, Any], dict[str, Any]]

_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv", "imatmul": "matmul", "ipow": "pow"}
_IGNORED = ("_assert", "_assert_is_none", "_assert_scalar")
_LEFT_OUT = ("inplace", "out", "memory_format", "requires_grad", "pin_memory", "layout", "non_blocking", "copy")
_NAMES: Mapping[Any, str] = {"input": "x", "self": "x", "axis": "dim", "keepdims": "keepdim"}
_DROPS = {
    "dropout": lambda p: luxport.Dropout(p),
    "dropout1d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "dropout2d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "dropout3d": lambda p: luxport.Dropout(p, axes=(0, 1)),
    "alpha_dropout": lambda p: luxport.AlphaDropout(p),
}


class Values(Layer):
    """An array by itself, whatever the input: a parameter or a buffer that a graph uses."""

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

    Modules some of whose parameters are used elsewhere as well are traced, too, so that each is there once.

    Raises: ValueError for a call that has no counterpart, naming it and its line
    """
    # Tracing leaves marks in modules: constants, and what hooks set.
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
    opened = _find_sharing(module)
    whole = {id(part) for part in module.modules() if is_leaf(part)}
    while True:
        graph = tracing.traced(module, whole - opened, inputs)
        leaves = {n.target: module.get_submodule(n.target) for n in graph.nodes if n.op == "call_module"}
        attributes = [n.target for n in graph.nodes if n.op == "get_attr"]
        owners = [
            leaf for name, leaf in leaves.items() if any(attribute.startswith(f"{name}.") for attribute in attributes)
        ]
        if not owners:
            break
        opened |= {id(leaf) for leaf in owners}
    return _Builder(module, port, tracing.find_line, path).build(graph)


def _find_sharing(module: Any) -> set[int]:
    """Return the modules that have a parameter which another one has, too."""
    owners: dict[int, list[int]] = {}
    for part in module.modules():
        for parameter in part._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(id(part))
    return {owner for several in owners.values() if len(several) > 1 for owner in several}


class _Builder:
    """A graph's nodes as calls, one after the other."""

    def __init__(self, module: Any, port: Callable[..., Ported], find_line: Callable[[Any], str], path: str) -> None:
        self._module, self._port, self._find_line, self._path = module, port, find_line, path
        self._inputs: list[str] = []
        self._layers: dict[str, Layer] = {}
        self._ps: dict[str, Any] = {}
        self._st: dict[str, Any] = {}
        self._calls: list[Call] = []
        self._names: dict[str, str] = {}
        self._renewed: dict[Any, str] = {}
        self._numbers: set[Any] = set()

    def build(self, graph: Any) -> Ported:
        output = None
        for node in graph.nodes:
            if node.op == "placeholder":
                self._inputs.append(node.name)
            elif node.op == "output":
                output = self._argument(node.args[0])
            else:
                self._add(node)
        network = Network(NamedLayers(self._layers), tuple(self._inputs), tuple(self._calls), output)
        return self._simplify(network) or (network, self._ps, self._st)

    def _simplify(self, network: Network) -> Ported | None:
        """Return what is one function of one input as such."""
        if len(network.inputs) != 1 or len(network.calls) != 1 or self._layers:
            return None
        (call,), first = network.calls, Result(network.inputs[0])
        if call.args[:1] != (first,) or len(call.args) > 1 or network.output != Result(call.name):
            return None
        if isinstance(call.target, str):
            return None
        function = WithOptions(call.target, call.options) if call.options else call.target
        return luxport.WrappedFunction(function), {}, {}

    def _add(self, node: Any) -> None:
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
        """Return a layer's name: its path with lines in place of dots, another if that is taken."""
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
            array = luxport.backend.get_backend("torch").to_numpy(tensor.detach())
            entry = last if not last.startswith("_") else "value"
            self._layers[name] = Values(tuple(tensor.shape), trained, entry, array.dtype.name)
            self._ps[name], self._st[name] = ({entry: array}, {}) if trained else ({}, {entry: array})
        self._calls.append(Call(node.name, name, ((),)))

    def _build_submodule(self, node: Any) -> None:
        module = self._module.get_submodule(node.target)
        name: str = self._choose_name(node.target)
        if name not in self._layers:
            path = f"{self._path}.{node.target}" if self._path else node.target
            self._layers[name], self._ps[name], self._st[name] = self._port(module, path, in_graph=True)
        args = _write_positional(module, node.args, node.kwargs)
        self._calls.append(Call(node.name, name, tuple(map(self._argument, args))))
        if getattr(module, "inplace", False):
            self._renew(node.args[0], node.name)

    def _build_function(self, node: Any) -> None:
        target: Any = node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
        if target in _IGNORED:
            return
        ends = target.endswith("_") and target[:-1] in FUNCTIONS
        in_place = ends or target in _OPERATORS
        name: Any = _OPERATORS.get(target, target[:-1] if ends else target)
        left = {k: v for k, v in node.kwargs.items() if k not in _LEFT_OUT}
        options: dict[str, Any] = {_NAMES.get(k, k): self._argument(v) for k, v in left.items()}
        args = tuple(map(self._argument, node.args))
        if "x" in options and name not in CREATING:
            args = (options.pop("x"), *args)
        if name == "where" and "condition" in options:
            args = (options.pop("condition"), *args)
        if name in _DROPS or name.removeprefix("feature_") in _DROPS:
            self._drop(node, name.removeprefix("feature_"), args, options)
        elif name in CREATING:
            self._calls.append(
                Call(node.name, CREATING[name], (Result(self._inputs[0]), *args), tuple(options.items()))
            )
        elif name in FUNCTIONS:
            function = FUNCTIONS[name]
            args, options = self._write_options(function, args, options)
            self._calls.append(Call(node.name, function, args, tuple(options.items())))
        else:
            raise ValueError(f"it calls {target}, which luxport has no function for")
        self._note_numbers(node, name)
        if (in_place or node.kwargs.get("inplace")) and node.args and node.args[0] not in self._numbers:
            self._renew(node.args[0], node.name)

    def _write_options(self, function: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        """Write constants behind the first argument as options where they have names, which reads better."""
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

    def _drop(self, node: Any, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        p = args[1] if len(args) > 1 else options.get("p", 0.5)
        layer = _DROPS[name](float(p))
        self._layers[node.name], self._ps[node.name] = layer, {}
        training = Static(bool(self._module.training))
        self._st[node.name] = {} if isinstance(layer, luxport.NoOpLayer) else {"training": training}
        self._calls.append(Call(node.name, node.name, args[:1]))

    def _note_numbers(self, node: Any, name: str) -> None:
        """Remember what are sizes, and what is computed from sizes alone: these do not change in place."""
        sources = node.all_input_nodes
        sizes = name in ("size", "dim", "numel", "len") or (name == "getattr" and node.args[1] in ("shape", "ndim"))
        if sizes or (sources and name not in CREATING and all(source in self._numbers for source in sources)):
            self._numbers.add(node)

    def _renew(self, node: Any, result: str) -> None:
        """Let later uses of what was changed in place take its new value."""
        self._renewed[node] = result

    def _argument(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind.__name__ == "Node":
            return Result(str(self._renewed.get(value, value.name)))
        if isinstance(value, slice):
            return Slice(tuple(map(self._argument, (value.start, value.stop, value.step))))
        if isinstance(value, Mapping):
            return Entries(tuple((str(name), self._argument(entry)) for name, entry in value.items()))
        if isinstance(value, (tuple, list)):
            return tuple(map(self._argument, value))
        if kind.__module__.startswith("torch") and kind.__name__ == "dtype":
            return str(value).removeprefix("torch.")
        if kind.__module__.startswith("torch"):  # a device, a layout
            return None
        return value


def _write_positional(module: Any, args: Any, options: Mapping[str, Any]) -> tuple[Any, ...]:
    """Write the arguments of a module out in order, without those at the end that are as by default."""
    parameters = inspect.signature(module.forward).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return tuple(args)
    bound = inspect.signature(module.forward).bind(*args, **options)
    bound.apply_defaults()
    values = list(bound.arguments.items())
    while len(values) > 1 and values[-1][1] is parameters[values[-1][0]].default:
        values.pop()
    return tuple([value for _, value in values])
