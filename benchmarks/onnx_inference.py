"""Inference by onnxruntime: our export of a network against PyTorch's own export of the same network."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from benchmarks.timing import compare

__all__ = ["HEADER", "measure_rows"]

HEADER = ("Network", "nodes (ours, PyTorch's)", "ours, us", "PyTorch's, us", "ratio")


def make_networks() -> dict[str, tuple[luxport.Layer, tuple[int, ...]]]:
    """Return networks by name, with the shape of their input."""
    convolutions = luxport.Chain(
        *(luxport.Conv((5, 5), 1, 6, luxport.relu), luxport.MaxPool((2, 2))),
        *(luxport.Conv((5, 5), 6, 16, luxport.relu), luxport.MaxPool((2, 2)), luxport.FlattenLayer()),
        *(luxport.Dense(256, 120, luxport.relu), luxport.Dense(120, 84, luxport.relu), luxport.Dense(84, 10)),
    )
    normalized = luxport.Chain(
        *(luxport.Conv((3, 3), 3, 32, padding=1), luxport.BatchNorm(32, luxport.relu)),
        *(luxport.Conv((3, 3), 32, 32, padding=1), luxport.BatchNorm(32, luxport.relu), luxport.GlobalMeanPool()),
        *(luxport.FlattenLayer(), luxport.Dense(32, 10)),
    )
    perceptron = luxport.Chain(luxport.Dense(256, 512, luxport.relu), luxport.Dense(512, 512, luxport.relu))
    return {
        "LeNet": (convolutions, (16, 1, 28, 28)),
        "Conv + BatchNorm": (normalized, (16, 3, 32, 32)),
        "MLP": (perceptron, (64, 256)),
    }


def export_by_torch(model: luxport.Layer, ps: Any, x: Any) -> Any:
    """Export the same network as a module of PyTorch's own layers, by PyTorch."""
    import torch

    layers: list[torch.nn.Module] = []
    children: Any = model.children()
    for layer, own in zip(children.values(), ps.values(), strict=True):
        kind = type(layer).__name__
        if kind == "Dense":
            made: torch.nn.Module = torch.nn.Linear(layer.in_dims, layer.out_dims)
            weight = own["weight"].T
        elif kind == "Conv":
            made = torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel, padding=layer.padding)
            weight = own["weight"][:, :, ::-1, ::-1]
        elif kind == "BatchNorm":
            made, weight = torch.nn.BatchNorm2d(layer.channels), own["scale"]
        else:
            plain = {"MaxPool": lambda: torch.nn.MaxPool2d(2), "GlobalMeanPool": lambda: torch.nn.AdaptiveAvgPool2d(1)}
            layers.append(plain.get(kind, torch.nn.Flatten)())
            continue
        with torch.no_grad():
            made.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))  # type: ignore[union-attr,operator]
            made.bias.copy_(torch.from_numpy(own["bias"]))  # type: ignore[union-attr,operator]
        layers.append(made)
        if layer.activation is luxport.relu:
            layers.append(torch.nn.ReLU())
    module = torch.nn.Sequential(*layers).eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (torch.from_numpy(x),), dynamo=True, verbose=False)
    assert program is not None
    return program.model_proto


def measure_rows(seconds: float) -> list[list[Any]]:
    """Measure each network: how much longer ours takes, the median of pairs."""
    found = []
    for name, (model, shape) in make_networks().items():
        ps, st = luxport.setup(0, model, backend="numpy")
        st = luxport.test_mode(st)
        x = np.random.Generator(np.random.Philox(0)).normal(size=shape).astype(np.float32)
        ours = luxport.to_onnx(None, model, ps, st, x)
        theirs = export_by_torch(model, ps, x)
        run_ours, run_theirs = make_runner(ours, x), make_runner(theirs, x)
        np.testing.assert_allclose(run_ours(), run_theirs(), rtol=1e-3, atol=1e-4)
        nodes = f"{len(ours.graph.node)}, {len(theirs.graph.node)}"
        found.append([name, nodes, *compare(run_ours, run_theirs, seconds)])
    return found


def make_runner(model: Any, x: Any) -> Callable[[], Any]:
    """Return a call of onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})[0]


if __name__ == "__main__":
    sys.stdout, out = io.StringIO(), sys.stdout
    table = measure_rows(float(sys.argv[2]))
    print(json.dumps(table), file=out)
