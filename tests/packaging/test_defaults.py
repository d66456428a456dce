"""An option of a layer has the default that the operation of its name has."""

import inspect
import re
from typing import Any

from luxport import layers, ops

OTHERWISE = {
    # LuxLib's operations take one that depends on the dtype, its layers 1e-5.
    **{
        (layer, "epsilon"): (1e-5, None) for layer in ("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm")
    },
}


def defaults(value: Any) -> dict[str, Any]:
    """Return the defaults of what may be left out."""
    parameters = inspect.signature(value).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.kind is not p.VAR_KEYWORD}


def test_a_layer_and_its_operation_have_the_same_defaults() -> None:
    compared, different = 0, {}
    for layer in layers.__all__:
        operation = getattr(ops, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", layer).lower(), None)
        if operation is None or not isinstance(getattr(layers, layer), type):
            continue
        ours, theirs = defaults(getattr(layers, layer)), defaults(operation)
        for name in ours.keys() & theirs.keys() - {"bias"}:
            compared += 1
            if ours[name] != theirs[name] and OTHERWISE.get((layer, name)) != (ours[name], theirs[name]):
                different[layer, name] = ours[name], theirs[name]
    assert compared > 15
    assert different == {}
