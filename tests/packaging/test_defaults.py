"""Arguments of the same name have the same order and default in layers, operations, losses and other functions."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import luxport
from luxport import devices, layers, losses, ops, training

OTHERWISE = {
    # LuxLib's operations have a default that depends on the dtype, its layers 1e-5.
    **{
        (layer, "epsilon"): (1e-5, None) for layer in ("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm")
    },
}


def list_defaults(value: Any) -> dict[str, Any]:
    """Return the defaults of all optional arguments."""
    parameters = inspect.signature(value).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.kind is not p.VAR_KEYWORD}


def test_a_layer_and_its_operation_have_the_same_defaults() -> None:
    compared, different = 0, {}
    for layer in layers.__all__:
        operation = getattr(ops, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", layer).lower(), None)
        if operation is None or not isinstance(getattr(layers, layer), type):
            continue
        ours, theirs = list_defaults(getattr(layers, layer)), list_defaults(operation)
        for name in ours.keys() & theirs.keys() - {"bias"}:
            compared += 1
            if ours[name] != theirs[name] and OTHERWISE.get((layer, name)) != (ours[name], theirs[name]):
                different[layer, name] = ours[name], theirs[name]
    assert compared > 15
    assert different == {}


# Defaults that differ in the libraries that the losses come from.
LOSSES_OTHERWISE = {("PoissonLoss", "epsilon"): (None, 0.0)}


def test_a_loss_and_its_function_have_the_same_defaults() -> None:
    compared, different = 0, {}
    for name in losses.__all__:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Loss")).lower()
        forms = (words, f"{words}_loss", words.replace("_", ""))
        function = next((getattr(losses, form) for form in forms if form in losses.__all__), None)
        if function is None or not isinstance(getattr(losses, name), type):
            continue
        ours, theirs = list_defaults(getattr(losses, name)), list_defaults(function)
        for option in ours.keys() & theirs.keys():
            compared += 1
            pair = ours[option], theirs[option]
            if pair[0] != pair[1] and LOSSES_OTHERWISE.get((name, option)) != pair:
                different[name, option] = pair
    assert compared > 25
    assert different == {}


def test_an_option_of_losses_has_one_default() -> None:
    found: dict[str, dict[Any, list[str]]] = {}
    for name in losses.__all__:
        if callable(getattr(losses, name)) and name != "Aggregation":
            for option, value in list_defaults(getattr(losses, name)).items():
                found.setdefault(option, {}).setdefault(value, []).append(name)
    several = {option: values for option, values in found.items() if len(values) > 1}
    assert several.pop("axis") == {
        -1: list_owners(found["axis"], -1),
        None: ["dice_coeff_loss", "tversky_loss"],  # all axes, as in Flux
    }
    # 0.0 is for Flux's Poisson loss, 1e-6 for variances and norms
    assert several.pop("epsilon").keys() == {None, 0.0, 1e-6}
    assert several == {}


def list_owners(values: dict[Any, list[str]], default: Any) -> list[str]:
    """Return the names that share a default, which are more than one."""
    assert len(values[default]) > 1
    return values[default]


ORDER = ("f", "tree", "rng", "model", "x", "ps", "st")


def list_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions outside of operations and losses, with their names."""
    for module in (luxport, devices, luxport.optimizers, training, luxport.porting, luxport.tree, luxport.transforms):
        for name in dir(module):
            if name[0] != "_" and inspect.isfunction(value := getattr(module, name)):
                yield f"{module.__name__}.{name}", value


def test_arguments_have_one_order() -> None:
    names = dict(list_functions())
    assert len(names) > 100
    for name, function in names.items():
        given = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        known = [ORDER.index(argument) for argument in given if argument in ORDER]
        assert known == sorted(known), name


def test_functions_of_parameters_and_states_take_a_model() -> None:
    for name, function in list_functions():
        given = list(inspect.signature(function).parameters)
        if {"ps", "st"} <= set(given) and not name.endswith((".save", ".create")):
            assert "model" in given, name


@pytest.mark.parametrize("function", [devices.cpu_device, devices.gpu_device, devices.list_devices])
def test_functions_of_devices_take_a_backend_first(function: Callable[..., Any]) -> None:
    assert next(iter(inspect.signature(function).parameters)) == "backend"
