"""Networks of the PEtab SciML format, whose layers and functions follow PyTorch's, the expected ones here."""

# PyTorch's own annotations are narrower than what it takes:
# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

import luxport
from luxport.porting import FileFormatError, petab

DRAW = np.random.Generator(np.random.Philox(5))


def draw(*shape: int) -> Any:
    return DRAW.normal(size=shape).astype(np.float32)


def write(folder: Path, layers: list[Any], calls: list[Any], weights: dict[str, Any]) -> petab.Network:
    """Write a network to files and load it. Calls: (name, op, target, args, kwargs)."""
    forward = [{"name": "x", "op": "placeholder", "target": "x", "args": [], "kwargs": {}}]
    for name, op, target, args, kwargs in calls:
        forward.append({"name": name, "op": op, "target": target, "args": args, "kwargs": kwargs})
    forward.append({"name": "output", "op": "output", "target": "output", "args": [calls[-1][0]], "kwargs": {}})
    entries = [{"layer_id": name, "layer_type": kind, "args": args} for name, kind, args in layers]
    (folder / "net.yaml").write_text(yaml.safe_dump({"nn_model_id": "net", "layers": entries, "forward": forward}))
    with h5py.File(folder / "ps.hdf5", "w") as file:
        for path, value in weights.items():
            file[f"parameters/net/{path}"] = value
    return petab.load_model(folder / "net.yaml")


def compute_output(folder: Path, model: petab.Network, x: Any) -> Any:
    ps, st = petab.load_parameters(folder / "ps.hdf5", model)
    return model(x, ps, luxport.test_mode(st))[0]


MODULES: dict[str, tuple[dict[str, Any], Callable[[], torch.nn.Module], tuple[int, ...]]] = {
    "Linear": (dict(in_features=3, out_features=2, bias=False), lambda: torch.nn.Linear(3, 2, bias=False), (4, 3)),
    "Conv2d": (
        dict(in_channels=4, out_channels=2, kernel_size=[3, 2], stride=2, padding=[1, 0], dilation=[1, 2], groups=2),
        lambda: torch.nn.Conv2d(4, 2, (3, 2), 2, (1, 0), (1, 2), 2),
        (2, 4, 7, 6),
    ),
    "Conv1d": (
        dict(in_channels=2, out_channels=3, kernel_size=4, padding="same", padding_mode="replicate"),
        lambda: torch.nn.Conv1d(2, 3, 4, padding="same", padding_mode="replicate"),
        (2, 2, 9),
    ),
    "ConvTranspose2d": (
        dict(in_channels=2, out_channels=4, kernel_size=3, stride=2, padding=1, output_padding=[1, 0], groups=2),
        lambda: torch.nn.ConvTranspose2d(2, 4, 3, 2, 1, (1, 0), 2),
        (2, 2, 4, 5),
    ),
    "MaxPool2d": (dict(kernel_size=3, stride=2, padding=1), lambda: torch.nn.MaxPool2d(3, 2, 1), (2, 2, 7, 6)),
    "AvgPool1d": (
        dict(kernel_size=3, padding=1, count_include_pad=False),
        lambda: torch.nn.AvgPool1d(3, padding=1, count_include_pad=False),
        (2, 2, 8),
    ),
    "LayerNorm": (dict(normalized_shape=[3, 4]), lambda: torch.nn.LayerNorm((3, 4)), (2, 3, 4)),
    "InstanceNorm2d": (
        dict(num_features=3, affine=True),
        lambda: torch.nn.InstanceNorm2d(3, affine=True),
        (2, 3, 4, 5),
    ),
    "Flatten": (dict(start_dim=0, end_dim=1), lambda: torch.nn.Flatten(0, 1), (2, 3, 4)),
}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "one sample"])
def test_a_layer_equals_pytorchs(kind: str, batch: bool, tmp_path: Path) -> None:
    arguments, build, shape = MODULES[kind]
    module = build()
    weights = {f"m/{name}": draw(*value.shape) for name, value in module.named_parameters()}
    for name, parameter in module.named_parameters():
        parameter.data = torch.tensor(weights[f"m/{name}"])
    x = draw(*(shape if batch or kind in ("LayerNorm", "Flatten") else shape[1:]))
    model = write(tmp_path, [("m", kind, arguments)], [("y", "call_module", "m", ["x"], {})], weights)
    want = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(compute_output(tmp_path, model, x), want, rtol=2e-5, atol=2e-5)


FUNCTIONS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "hardtanh": (dict(min_val=-0.5, max_val=0.25), lambda x: torch.nn.functional.hardtanh(x, -0.5, 0.25)),
    "softplus": (dict(beta=2.0, threshold=20), lambda x: torch.nn.functional.softplus(x, 2.0)),
    "softmax": (dict(dim=0, _stacklevel=3, dtype=None), lambda x: x.softmax(0)),
    "log_softmax": (dict(dim=1, _stacklevel=3, dtype=None), lambda x: x.log_softmax(1)),
    "leaky_relu": (dict(negative_slope=0.3, inplace=False), lambda x: torch.nn.functional.leaky_relu(x, 0.3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_equals_pytorchs(name: str, tmp_path: Path) -> None:
    options, function = FUNCTIONS[name]
    x = draw(4, 3)
    model = write(tmp_path, [], [("y", "call_function", name, ["x"], options)], {"unused/none": draw(0)})
    got, _ = model(x, {}, {})
    np.testing.assert_allclose(got, function(torch.tensor(x)).numpy(), rtol=2e-6, atol=2e-6)


def test_a_layer_called_twice_shares_its_parameters(tmp_path: Path) -> None:
    weight = draw(3, 3)
    calls = [
        ("a", "call_module", "m", ["x"], {}),
        ("b", "call_module", "m", ["a"], {}),
        ("y", "call_function", "cat", [["a", "b"]], {"dim": -1}),
    ]
    layers = [("m", "Linear", dict(in_features=3, out_features=3, bias=False))]
    model = write(tmp_path, layers, calls, {"m/weight": weight})
    x = draw(2, 3)
    want = np.concatenate([x @ weight.T, x @ weight.T @ weight.T], -1)
    np.testing.assert_allclose(compute_output(tmp_path, model, x), want, rtol=1e-5, atol=1e-5)
    assert luxport.parameter_length(model) == 9


LINEAR = ("m", "Linear", dict(in_features=3, out_features=2))
CALL = ("y", "call_module", "m", ["x"], {})


@pytest.mark.parametrize(
    ("layers", "calls", "message"),
    [
        ([("m", "Magic", {})], [CALL], "the layer type Magic has no counterpart"),
        ([("m", "MaxPool2d", dict(kernel_size=2, ceil_mode=True))], [CALL], "with ceil_mode = True"),
        ([("m", "Linear", dict(in_features=3))], [CALL], "expects the argument out_features"),
        ([("m", "Linear", dict(in_features=3, out_features=2, depth=1))], [CALL], "with depth has no counterpart"),
        ([LINEAR], [("y", "call_module", "n", ["x"], {})], "y calls the layer n, which is none of m"),
        ([LINEAR], [("y", "call_function", "einsum", ["x"], {})], "the function einsum has no counterpart"),
    ],
)
def test_layers_and_functions_without_a_counterpart_are_refused(
    layers: Any, calls: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FileFormatError, match=f"net.yaml: .*{message}"):
        write(tmp_path, layers, calls, {})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"m/weight": draw(2, 3)}, r"m \(Dense\): expected weight, bias, got weight"),
        ({"m/weight": draw(3, 2), "m/bias": draw(2)}, r"m.weight: shape \(3, 2\) expected, got \(2, 3\)"),
        (
            {"m/weight": draw(2, 3), "m/bias": draw(2), "n/bias": draw(1)},
            "parameters of n, which the model does not have",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused(weights: Any, message: str, tmp_path: Path) -> None:
    model = write(tmp_path, [LINEAR], [CALL], weights)
    with pytest.raises(FileFormatError, match=message):
        petab.load_parameters(tmp_path / "ps.hdf5", model)


def test_files_that_are_neither_yaml_nor_hdf5_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("a: [1")
    with pytest.raises(FileFormatError, match="no YAML"):
        petab.load_model(tmp_path / "net.yaml")
    (tmp_path / "net.yaml").write_text("[1, 2]")
    with pytest.raises(FileFormatError, match="no network of PEtab SciML"):
        petab.load_model(tmp_path / "net.yaml")
    (tmp_path / "ps.hdf5").write_bytes(b"nothing")
    with pytest.raises(FileFormatError, match="not an HDF5 file"):
        petab.load_array(tmp_path / "ps.hdf5")


def test_a_wrong_number_of_inputs_is_refused(tmp_path: Path) -> None:
    model = write(tmp_path, [LINEAR], [CALL], {})
    with pytest.raises(luxport.LayerError, match=r"expects 1 inputs \(x\), got 2"):
        model((draw(1, 3), draw(1, 3)), {}, {})
