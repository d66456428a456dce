"""Graphs of PyTorch modules, traced with `torch.fx`: the calls that a `forward` makes, and their arguments."""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

__all__ = ["Held", "find_line", "trace_module"]

_OWN = ("/torch/fx/", "luxport_torch/tracing.py")
"""Parts of the paths of files that do not belong to the traced program."""

_MAKING = ("arange", "eye", "full", "linspace", "ones", "zeros")


def trace_module(module: torch.nn.Module, leaves: set[int], inputs: tuple[Any, ...] | None) -> fx.Graph:
    """Return the graph of a module's `forward`, in which the modules with the ids `leaves` are single nodes.

    Arguments with a default keep it, unless there are inputs for them. A branch on a value is taken as for the inputs.

    Raises: ValueError, with the line, if there is a branch on a value but no inputs, or if the module cannot be traced
    """
    parameters = list(inspect.signature(module.forward).parameters.values())
    given = len(inputs) if inputs is not None else sum(p.default is p.empty for p in parameters)
    left = {p.name: p.default for p in parameters[given:] if p.default is not p.empty}
    tracer = _Tracer(leaves, inputs)
    with _open_factories(tracer):
        try:
            graph = tracer.trace(module, concrete_args=left or None)
        except Exception as error:
            raise ValueError(f"{str(error).partition(chr(10))[0]}{_find_line(error)}") from error
    for node in list(graph.nodes):
        if node.op == "placeholder" and any(node.target == name or node.target.startswith(f"{name}_") for name in left):
            for user in list(node.users):
                graph.erase_node(user)
            graph.erase_node(node)
    graph.eliminate_dead_code(_does_more)
    return graph


def _find_line(error: Exception) -> str:
    """Return the line of the traced program at which tracing failed, as text for an error message."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not any(part in f.filename for part in _OWN)]
    last = frames[-1] if frames else None
    return f" ({last.filename.rsplit('/', 1)[-1]} line {last.lineno}: {last.line})" if last else ""


def _does_more(node: fx.Node) -> bool:
    """Return whether a node must stay even if its result is unused: inputs, output, modules, changes in place."""
    name = str(getattr(node.target, "__name__", node.target))
    changes = name.endswith("_") or name == "setitem" or name in ("iadd", "isub", "imul", "itruediv")
    return node.op in ("placeholder", "output", "call_module") or changes or bool(node.kwargs.get("inplace"))


def find_line(node: fx.Node) -> str:
    """Return the line of the program that made a node, as text for a message; "" if it is unknown."""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines()]
    places = [i for i, line in enumerate(lines) if line.startswith("File ") and not any(part in line for part in _OWN)]
    if not places:
        return ""
    last = places[-1]
    file, number = lines[last].split('"')[1].rsplit("/", 1)[-1], lines[last].split("line ")[1].split(",")[0]
    text = lines[last + 1] if last + 1 < len(lines) else ""
    return f" ({file} line {number}: {text})"


class Held(torch.nn.Module):
    """Wraps a module of one input: `torch.fx` does not trace the hooks of the outermost module."""

    def __init__(self, held: torch.nn.Module) -> None:
        super().__init__()
        self.held = held
        self.train(held.training)

    def forward(self, x: Any) -> Any:
        """Call the wrapped module with its hooks."""
        return self.held(x)


class _Tracer(fx.Tracer):
    def __init__(self, leaves: set[int], inputs: tuple[Any, ...] | None) -> None:
        super().__init__()
        self.record_stack_traces = self.proxy_buffer_attributes = True
        self._leaves, self._inputs = leaves, inputs
        self._values: dict[fx.Node, Any] = {}

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return id(m) in self._leaves

    def create_proxy(self, kind: str, target: Any, *args: Any, **options: Any) -> Any:
        proxy = super().create_proxy(kind, target, *args, **options)
        if self._inputs is not None:
            self._values[proxy.node] = self._compute_value(proxy.node)
        return proxy

    def to_bool(self, obj: fx.Proxy) -> bool:
        frame: Any = sys._getframe(1)
        while "/torch/fx/" in frame.f_code.co_filename:
            frame = frame.f_back
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if text.startswith("assert") or "torch._assert" in text:
            return True
        return bool(self._get_known(obj))

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        if self._inputs is not None:
            proxy: Any = obj
            return iter([proxy[i] for i in range(len(self._get_known(obj)))])
        return super().iter(obj)

    def _get_known(self, obj: fx.Proxy) -> Any:
        if self._inputs is None:
            raise ValueError("it decides by a value: give inputs=, by which to decide")
        return self._values[obj.node]

    def _compute_value(self, node: fx.Node) -> Any:
        """Return the value of a node for the given inputs."""
        if node.op == "placeholder":
            number = sum(other.op == "placeholder" for other in self._values)
            inputs: Any = self._inputs
            return inputs[number] if number < len(inputs) else (node.args[0] if node.args else None)
        args, options = map_arg((node.args, node.kwargs), lambda n: self._values[n])
        with torch.no_grad():
            match node.op:
                case "call_module":
                    return self._call_whole(str(node.target), args, options)
                case "call_method":
                    return getattr(args[0], str(node.target))(*args[1:], **options)
                case "get_attr":
                    value: Any = self.root
                    for name in str(node.target).split("."):
                        value = getattr(value, name)
                    return value
                case "output":
                    return args
        function: Any = node.target
        return function(*args, **options)

    def _call_whole(self, path: str, args: Any, options: Any) -> Any:
        module = self.root.get_submodule(path)
        return type(module).forward(module, *args, **options)


@contextmanager
def _open_factories(tracer: fx.Tracer) -> Iterator[None]:
    """Patch functions that make tensors, such as `torch.zeros`, to be traced if an argument is a `Proxy`."""
    real = {name: getattr(torch, name) for name in _MAKING}

    def defer(function: Callable[..., Any]) -> Callable[..., Any]:
        def make(*args: Any, **options: Any) -> Any:
            unknown: list[Any] = []
            pytree.tree_map(lambda leaf: unknown.append(leaf) if isinstance(leaf, fx.Proxy) else None, (args, options))
            if unknown:
                return tracer.create_proxy("call_function", function, args, options)
            return function(*args, **options)

        return make

    for name, function in real.items():
        setattr(torch, name, defer(function))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(torch, name, function)
