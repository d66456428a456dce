"""Graphs as models of the package onnx: `make_model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from luxport.version import __version__
from luxport_onnx.folding_norms import fold_norms
from luxport_onnx.graph import Array
from luxport_onnx.written_graph import Graph, Line, list_reachable, write_lines

__all__ = ["NEWEST", "OLDEST", "PAGE", "make_graph", "make_model", "place_beside", "list_reachable"]

OLDEST = 18
"""The first version of the operators that has all that this backend records."""

NEWEST = onnx.defs.onnx_opset_version()


def make_graph(inputs: Sequence[tuple[str, Array]], outputs: Sequence[tuple[str, Array]]) -> Graph:
    """Return the graph that computes the outputs from the inputs, with norms folded into weights."""
    graph = write_lines(inputs, outputs)
    fold_norms(graph)
    return graph


def make_model(
    graph: Graph,
    *,
    opset: int,
    free: Mapping[str, tuple[int, ...]] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Any:
    """Return a graph as a model; `free` are the free sizes, by name, for each sample.

    Constants in `beside` have their values in another file, see `place_beside`.
    """
    free, beside = free or {}, beside or {}
    made = helper.make_graph(
        [_make_node(line) for line in graph.lines],
        "luxport",
        [_describe(name, array, free) for name, array in graph.inputs],
        [_describe(name, array, free) for name, array in graph.outputs],
        initializer=[
            beside[name] if name in beside else numpy_helper.from_array(value, name)
            for name, value in graph.constants.items()
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(
        made,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="luxport",
        producer_version=__version__,
    )


def place_beside(graph: Graph, file: str) -> dict[str, Any]:
    """Give each large constant its place in a file, one behind the other, each at the start of a page.

    A model of more than 2 GB cannot be made: the entries here have no values, only where these are in the file.
    """
    places: dict[str, Any] = {}
    end = 0
    for name, value in graph.constants.items():
        if value.nbytes < _SMALL:
            continue
        start = -(-end // PAGE) * PAGE
        end = start + value.nbytes
        place = onnx.TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape)
        place.data_location = onnx.TensorProto.EXTERNAL
        for key, entry in {"location": file, "offset": start, "length": value.nbytes}.items():
            place.external_data.add(key=key, value=str(entry))
        places[name] = place
    return places


PAGE = 4096
_SMALL = 1024


def _make_node(line: Line) -> Any:
    attributes = {name: _make_attribute(value) for name, value in line.attributes.items() if value is not None}
    if line.body is not None:
        attributes["body"] = _make_body(line.body)
    return helper.make_node(line.operator, line.inputs, line.outputs, name=line.outputs[0], **attributes)


def _make_attribute(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return helper.np_dtype_to_tensor_dtype(value)
    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value


def _make_body(graph: Graph) -> Any:
    return helper.make_graph(
        [_make_node(line) for line in graph.lines],
        "step",
        [_describe(name, array, {}) for name, array in graph.inputs],
        [_describe(name, array, {}) for name, array in graph.outputs],
    )


def _describe(name: str, array: Array, free: Mapping[str, tuple[int, ...]]) -> Any:
    sizes = [_tell_size(sizes, free) for sizes in zip(*array.shapes, strict=True)]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes)


def _tell_size(sizes: tuple[int, ...], free: Mapping[str, tuple[int, ...]]) -> int | str | None:
    """Write a size: a number, or in terms of a free size, such as "2*N + 1"; None if it is another function of it."""
    if len({*sizes}) == 1:
        return sizes[0]
    for name, samples in free.items():
        times, rest = divmod(sizes[1] - sizes[0], samples[1] - samples[0])
        more = sizes[0] - times * samples[0]
        if rest == 0 and times > 0 and abs(more) < samples[0] // 2:
            product = name if times == 1 else f"{times}*{name}"
            return product if more == 0 else f"{product} {'+' if more > 0 else '-'} {abs(more)}"
    return None
