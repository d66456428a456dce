"""Normalization by fixed statistics behind a convolution or a product becomes part of its weight and bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.written_graph import Graph, Line

__all__ = ["fold_norms"]


def fold_norms(graph: Graph) -> None:
    """Fold each BatchNormalization whose input nothing else takes."""
    makers = {name: line for line in graph.lines for name in line.outputs}
    uses = graph.count_uses()
    for line in list(graph.lines):
        if line.operator != "BatchNormalization" or any([name not in graph.constants for name in line.inputs[1:]]):
            continue
        before = makers.get(line.inputs[0])
        if before is not None and uses[line.inputs[0]] == 1 and _is_linear(graph, before):
            _fold(graph, before, line, uses)
            before.outputs = line.outputs
            makers[line.outputs[0]] = before
            graph.lines.remove(line)
    left = graph.count_uses()
    for name in [name for name in graph.constants if name not in left]:
        del graph.constants[name]


def _is_linear(graph: Graph, line: Line) -> bool:
    if any([name not in graph.constants for name in line.inputs[1:]]):
        return False
    if line.operator == "Gemm":
        bias = graph.constants[line.inputs[2]] if len(line.inputs) > 2 else None
        return not line.attributes and (bias is None or bias.ndim == 1)
    return line.operator == "Conv"


def _fold(graph: Graph, linear: Line, norm: Line, uses: dict[str, int]) -> None:
    scale, shift, mean, var = [graph.constants[name].astype(np.float64) for name in norm.inputs[1:]]
    factor = scale / np.sqrt(var + norm.attributes["epsilon"])
    weight = graph.constants[linear.inputs[1]]
    spread = factor if linear.operator == "Gemm" else factor.reshape(-1, *[1] * (weight.ndim - 1))
    bias = graph.constants[linear.inputs[2]] if len(linear.inputs) > 2 else np.zeros(())
    values: list[Any] = [weight * spread, (bias - mean) * factor + shift]
    names = [linear.inputs[1], linear.inputs[2] if len(linear.inputs) > 2 else norm.inputs[2]]
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        if uses.get(name, 0) > 1:  # shared with another place, which keeps it
            name = f"{name}_folded_{norm.outputs[0]}"
        graph.constants[name] = value.astype(weight.dtype)
        linear.inputs[i + 1 : i + 2] = [name]
