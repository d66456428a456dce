"""onnxruntime: ONNX's operators, in the graphs to which `luxport.to_onnx` exports layers, operations and losses."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import luxport
from luxport import losses, ops, tree
from luxport.errors import LayerTypeError
from luxport.tree.static import Static
from luxport_conformance.arrays import has_complex
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.onnx_exports import REFUSED, Exported
from luxport_conformance.operation_examples import OPERATIONS, OverrideExample
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.edges import LOSSES
from luxport_conformance.peers.missing_counterparts import COMPOSED

__all__ = ["ONNXRUNTIME"]


def _run_graph(layer: Any, st: Any, x: Any, ps: Any) -> Any:
    """Export the layer for arrays like these, run the graph, and return its outputs in the structure of the layer's y.

    Raises: NoCounterpartError if the layer cannot be exported
    """
    floats = [leaf.dtype for leaf in tree.leaves((x, ps)) if leaf.dtype.kind == "f"]
    st = tree.map(lambda leaf: leaf.astype(floats[0]) if floats and leaf.dtype.kind == "f" else leaf, st)
    try:
        run = Exported(layer, ps, st, tree.map(_make_spec, x))
    except LayerTypeError as error:
        raise NoCounterpartError(str(error)) from None
    outputs = iter(run(x))
    return tree.map(lambda leaf: next(outputs), layer(x, ps, st)[0])


def _make_spec(leaf: Any) -> luxport.InputSpec:
    """Return the input specification of an array; an empty batch is specified as a batch of free size."""
    sizes = ("N", *leaf.shape[1:]) if leaf.ndim and not leaf.shape[0] else leaf.shape
    return luxport.InputSpec(sizes, leaf.dtype.name)


def _build_layer(layer: Any, x: Any, st: Any) -> Counterpart:
    if st.get("training") == Static(True) and "running_mean" in st:
        raise NoCounterpartError("keeps no statistics: only the output leaves a graph")
    return Counterpart(lambda x, ps: _run_graph(layer, st, x, ps))


def _make_operation_builder(function: Callable[..., Any]) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        called = luxport.WrappedFunction(lambda x: function(*(x if isinstance(x, tuple) else (x,)), **options))
        return Counterpart(lambda x, ps: _run_graph(called, {}, x, {}))

    return build


def _make_loss_builder(function: Callable[..., Any]) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        called = luxport.WrappedFunction(lambda arrays: function(*arrays, **options))
        differences = ("epsilon of the dtype",) if _has_epsilon(function) else ()
        return Counterpart(lambda x, ps: _run_graph(called, {}, (x, *ps), {}), differences=differences)

    return build


def _is_no_graph(example: OverrideExample) -> bool:
    return example.looks or example.tells or has_complex(example.arrays)


def _has_epsilon(function: Callable[..., Any]) -> bool:
    """Return whether a loss has an option `epsilon` whose default is the dtype's eps."""
    epsilon = signature(function).parameters.get("epsilon")
    return epsilon is not None and epsilon.default is None


ONNXRUNTIME = Peer(
    name="onnxruntime",
    backend="numpy",
    modules=("onnxruntime", "onnx"),
    packages=("onnxruntime", "onnx"),
    layers={name: _build_layer for name in EXAMPLES if name not in COMPOSED and name not in REFUSED},
    none={**COMPOSED, **REFUSED},
    operations={
        name: _make_operation_builder(getattr(ops, name))
        for name, examples in OPERATIONS.items()
        if name in ops.__all__ and not any(map(_is_no_graph, examples))
    },
    losses={name: _make_loss_builder(getattr(losses, name)) for name in LOSSES},
    gradients=False,
)
