"""Tables of Julia's activations, elementwise functions, initializers and losses, with their names in luxport."""

from __future__ import annotations

from collections.abc import Mapping

from luxport.ops import activations

__all__ = ["ACTIVATIONS", "DEVICE_MAKERS", "ELEMENTWISE", "INITIALIZERS", "LOSSES"]

ACTIVATIONS: Mapping[str, str] = {
    **{name: f"luxport.{name}" for name in activations.__all__ if name[0].islower() and name not in ("glu", "rrelu")},
    "hardσ": "luxport.hardsigmoid",
    "logσ": "luxport.logsigmoid",
    "softmax": "luxport.ops.softmax",
    "logsoftmax": "luxport.ops.logsoftmax",
    "σ": "luxport.sigmoid",
    "σ_fast": "luxport.sigmoid_fast",
}
"""Activations, by their names in Julia."""

ELEMENTWISE: Mapping[str, str] = {
    **{name: name for name in ("abs", "ceil", "cos", "cosh", "exp", "expm1", "floor", "log", "log10", "log1p", "log2")},
    **{name: name for name in ("sign", "sin", "sinh", "sqrt", "tan", "conj", "real", "imag")},
    "abs2": "abs2",
    "clamp": "clip",
    "ifelse": "where",
    "acos": "acos",
    "asin": "asin",
    "atan": "atan",
    "max": "maximum",
    "min": "minimum",
}
"""Elementwise functions by their names in Julia, with their names in the Array API."""

DEVICE_MAKERS = ("cpu_device", "get_device", "gpu_device", "reactant_device")
"""Functions that return a device. Moving to devices is dropped: here arrays are moved by `luxport.to`."""

INITIALIZERS = {
    **{name: name for name in ("glorot_normal", "glorot_uniform", "kaiming_normal", "kaiming_uniform")},
    **{name: name for name in ("orthogonal", "truncated_normal", "identity_init", "lecun_normal")},
    **{name: name for name in ("ones", "zeros")},
    "ones32": "ones",
    "zeros32": "zeros",
    "randn32": "normal",
    "rand32": "uniform",
    "randn": "normal",
    "rand": "uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}
"""Initializers by their names in Julia."""

LOSSES = ("mse", "mae", "msle", "crossentropy", "logitcrossentropy", "binarycrossentropy", "logitbinarycrossentropy")
LOSSES += ("huber_loss", "hinge_loss", "squared_hinge_loss")
"""Losses of Flux with the same names and defaults here."""
