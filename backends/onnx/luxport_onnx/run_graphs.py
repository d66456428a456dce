"""Running graphs by onnxruntime, to read the values of arrays that are not constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_onnx.graph import Array, find_opset
from luxport_onnx.model import list_reachable, make_graph, make_model

__all__ = ["read_numbers", "run_model"]


def read_numbers(x: Array) -> Any:
    """Return an array's values, computed by running its graph.

    Raises: TypeError if it depends on inputs without values
    """
    if x.value is not None:
        return np.array(x.value)
    leaves = [leaf for leaf in list_reachable([x])[1] if not leaf.is_constant]
    if any([leaf.value is None for leaf in leaves]):
        raise TypeError("onnx has no numbers here: the array depends on inputs of a graph that is still being made")
    inputs = [(f"x{i}", leaf) for i, leaf in enumerate(leaves)]
    model = make_model(make_graph(inputs, [("y", x)]), opset=find_opset())
    return run_model(model, {name: leaf.value for name, leaf in inputs})[0]


def run_model(model: Any, inputs: dict[str, Any]) -> list[Any]:
    """Run a model once.

    Raises: ImportError if onnxruntime is not installed
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "numbers of onnx's arrays need onnxruntime, which is not installed: pip install 'luxport-nn[onnx]'",
            name=error.name,
        ) from None
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))
