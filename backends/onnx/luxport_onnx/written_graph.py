"""Graphs as ONNX writes them: `Graph`, a list of named operators with constants, inputs and outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luxport_onnx.graph import Array, Node

__all__ = ["Graph", "Line", "list_reachable", "write_lines"]


@dataclass
class Line:
    """One operator with the names of its inputs and outputs."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    body: Graph | None = None


@dataclass
class Graph:
    """Operators, each after those that compute its inputs."""

    inputs: list[tuple[str, Array]]
    outputs: list[tuple[str, Array]]
    lines: list[Line]
    constants: dict[str, Any] = field(default_factory=dict)

    def count_uses(self) -> dict[str, int]:
        """Count how often each name is an input of a line, of loops' bodies too, or an output of the graph."""
        counts: dict[str, int] = {}
        for name in self._list_taken():
            counts[name] = counts.get(name, 0) + 1
        return counts

    def _list_taken(self) -> Iterator[str]:
        for line in self.lines:
            yield from line.inputs
            if line.body is not None:
                yield from line.body._list_taken()
        yield from [name for name, _ in self.outputs]


def list_reachable(outputs: Sequence[Array]) -> tuple[list[Node], list[Array]]:
    """List the nodes that outputs depend on, each after those that it needs, and the arrays without a node."""
    nodes: list[Node] = []
    leaves: list[Array] = []
    seen: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(array, False) for array in reversed(outputs)]
    while waiting:
        one, done = waiting.pop()
        if done:
            nodes.append(one)
            continue
        node = one.node
        key = id(one if node is None else node)
        if key in seen:
            continue
        seen.add(key)
        if node is None:
            leaves.append(one)
            continue
        waiting.append((node, True))
        waiting.extend([(array, False) for array in reversed(_find_needed(node))])
    return nodes, leaves


def _find_needed(node: Node) -> list[Array]:
    inputs = [array for array in node.inputs if array is not None]
    return inputs if node.body is None else [*inputs, *_list_captured(*node.body)]


def _list_inner(inputs: tuple[Array, ...], outputs: tuple[Array, ...]) -> list[Node]:
    """List the nodes of a loop's body that depend on what each step takes."""
    within = {id(array) for array in inputs}
    found = []
    for node in list_reachable(outputs)[0]:
        if any([id(array) in within for array in _find_needed(node)]):
            found.append(node)
            within |= {id(array) for array in node.outputs}
    return found


def _list_captured(inputs: tuple[Array, ...], outputs: tuple[Array, ...]) -> list[Array]:
    """List the arrays that a loop's body takes from outside of it."""
    nodes = _list_inner(inputs, outputs)
    own = {id(array) for array in inputs} | {id(array) for node in nodes for array in node.outputs}
    return [
        array for array in [*(one for node in nodes for one in _find_needed(node)), *outputs] if id(array) not in own
    ]


def write_lines(inputs: Sequence[tuple[str, Array]], outputs: Sequence[tuple[str, Array]]) -> Graph:
    """Return the graph that computes the outputs from the inputs."""
    graph = _Writer(inputs, outputs).graph
    _drop_unused(graph.lines, graph.count_uses())
    return graph


def _drop_unused(lines: list[Line], uses: dict[str, int]) -> None:
    """Drop outputs of attention that no line takes: they would cost memory and time."""
    for line in lines:
        if line.operator == "Attention":
            line.outputs = [name if name in uses else "" for name in line.outputs]
            while not line.outputs[-1]:
                line.outputs.pop()
        if line.body is not None:
            _drop_unused(line.body.lines, uses)


class _Writer:
    """Gives names to arrays, and writes nodes as lines."""

    def __init__(self, inputs: Sequence[tuple[str, Array]], outputs: Sequence[tuple[str, Array]]) -> None:
        self.constants: dict[str, Any] = {}
        self._names: dict[int, str] = {id(array): name for name, array in inputs}
        self._taken = {name for name, _ in (*inputs, *outputs)}
        self._counts: dict[str, int] = {}
        self._known: dict[Any, str] = {}
        self._lines: dict[Any, list[str]] = {}
        nodes, _ = list_reachable([array for _, array in outputs])
        self.graph = self._write_graph(list(inputs), list(outputs), nodes)
        self.graph.constants = self.constants

    def _write_graph(self, inputs: list[Any], outputs: list[Any], nodes: list[Node]) -> Graph:
        lines = [line for node in nodes for line in self._write_line(node)]
        made = {name: line for line in lines for name in line.outputs}
        given: set[str] = set()
        for name, array in outputs:
            before = self._name_array(array)
            if before in made and before not in given:
                given.add(before)
                _rename(lines, before, name)
                self._names[id(array)] = name
                made[name] = made.pop(before)
                given.add(name)
            else:  # an input, a constant, or an array that is an output already
                lines.append(Line("Identity", [self._name_array(array)], [name], {}))
        return Graph(inputs, outputs, lines)

    def _write_line(self, node: Node) -> Iterator[Line]:
        inputs = ["" if array is None else self._name_array(array) for array in node.inputs]
        body = None
        if node.body is not None:
            body = self._write_body(*node.body)
        key = (node.operator, tuple(inputs), _make_key(node.attributes), id(node) if body is not None else 0)
        if key in self._lines:  # the same operator on the same inputs is written already
            for array, name in zip(node.outputs, self._lines[key], strict=True):
                self._names[id(array)] = name
            return
        outputs = [self._make_name(node.operator.lower()) for _ in node.outputs]
        for array, name in zip(node.outputs, outputs, strict=True):
            self._names[id(array)] = name
        self._lines[key] = outputs
        while inputs and not inputs[-1]:
            inputs.pop()
        yield Line(node.operator, inputs, outputs, node.attributes, body)

    def _write_body(self, inputs: tuple[Array, ...], outputs: tuple[Array, ...]) -> Graph:
        named = [(self._make_name("step_in"), array) for array in inputs]
        self._names |= {id(array): name for name, array in named}
        made = [(self._make_name("step_out"), array) for array in outputs]
        kept, self._lines = self._lines, dict(self._lines)
        graph = self._write_graph(named, made, _list_inner(inputs, outputs))
        self._lines = kept
        return graph

    def _name_array(self, array: Array) -> str:
        name = self._names.get(id(array))
        if name is None:
            name = self._names[id(array)] = self._write_constant(array)
        return name

    def _write_constant(self, array: Array) -> str:
        value = np.ascontiguousarray(array.value).reshape(array.value.shape)
        digest = hashlib.blake2b(value.tobytes(), digest_size=16).digest()
        key = (array.name, value.dtype.str, value.shape, digest)
        if key not in self._known:
            self._known[key] = name = (
                self._make_name("constant") if array.name is None else self._choose_name(array.name)
            )
            self.constants[name] = value
        return self._known[key]

    def _make_name(self, kind: str) -> str:
        while True:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            name = f"{kind}_{self._counts[kind]}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _choose_name(self, name: str) -> str:
        if name in self._taken:
            return self._make_name(name)
        self._taken.add(name)
        return name


def _rename(lines: list[Line], before: str, after: str) -> None:
    for line in lines:
        line.inputs = [after if name == before else name for name in line.inputs]
        line.outputs = [after if name == before else name for name in line.outputs]
        if line.body is not None:
            _rename(line.body.lines, before, after)


def _make_key(attributes: dict[str, Any]) -> Any:
    def hashable(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.dtype.str, value.shape, value.tobytes()
        return tuple(value) if isinstance(value, (list, tuple)) else (type(value), value)

    return tuple([(name, hashable(value)) for name, value in sorted(attributes.items())])
