"""What people from other libraries write, and its name here: for the errors about names that are not there."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

__all__ = ["hint_for_attribute", "hint_for_name"]

_ROOMS = (
    "optimizers",
    "losses",
    "training",
    "initializers",
    "schedules",
    "devices",
    "ops",
    "porting",
    "tree",
    "layers",
)

_NAMES = {
    "Linear": "Dense",
    "Sequential": "Chain",
    "Flatten": "FlattenLayer",
    "Reshape": "ReshapeLayer",
    "Identity": "NoOpLayer",
    "Lambda": "WrappedFunction",
    "Module": "Layer",
    "Model": "Layer",
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "GroupNormalization": "GroupNorm",
    "MultiheadAttention": "MultiHeadAttention",
    "Add": "SkipConnection",
    "Diagonal": "Scale",
    "cross_entropy": "losses.logitcrossentropy",
    "binary_cross_entropy": "losses.binarycrossentropy",
    "l1_loss": "losses.mae",
    "mse_loss": "losses.mse",
    "destructure": "flatten",
    "gradient": "grad",
    "withgradient": "value_and_grad",
    "testmode": "test_mode",
    "trainmode": "train_mode",
    "train": "training.fit",
    "gpu": "devices.gpu_device",
    "cpu": "devices.cpu_device",
    "no_grad": "test_mode(st), as nothing is recorded outside luxport.grad",
    "optim": "optimizers",
    "nn": "layers: they stand in luxport itself",
    "functional": "ops",
}
_WINDOWED = ("ConvTranspose", "Conv", "MaxPool", "AdaptiveMaxPool", "BatchNorm", "InstanceNorm", "Dropout")

_ARRAYS = "a layer holds no arrays: they are in ps and st, from luxport.setup(rng, layer)"
_PARAMETERS = "parameters are beside the model: ps, st = luxport.setup(rng, model)"
_CALL = "y, st = model(x, ps, st)"
_FILES = "luxport.save(path, ps, st), and ps, st = luxport.load(path)"
_MOVES = "luxport.to(ps, backend=..., device=..., dtype=...) moves parameters; a model holds none"
_ATTRIBUTES = {
    **dict.fromkeys(("weight", "bias", "kernel", "scale", "running_mean", "running_var", "gamma", "beta"), _ARRAYS),
    **dict.fromkeys(("parameters", "named_parameters", "weights", "get_weights", "trainable_variables"), _PARAMETERS),
    **dict.fromkeys(("init", "build", "variables", "buffers"), _PARAMETERS),
    **dict.fromkeys(("apply", "forward", "call"), _CALL),
    **dict.fromkeys(("state_dict", "load_state_dict", "save", "save_weights", "load_weights"), _FILES),
    **dict.fromkeys(("to", "cuda", "cpu", "half", "double"), _MOVES),
    "eval": "st = luxport.test_mode(st)",
    "train": "st = luxport.train_mode(st); luxport.training.fit is the loop",
    "fit": "luxport.training.fit(objective, state, data)",
    "compile": "luxport.jit(model); state = luxport.training.TrainState.create(model, rule) for training",
    "evaluate": "luxport.training.evaluate(objective, state, data)",
    "predict": "y, _ = model(x, ps, luxport.test_mode(st))",
    "summary": "luxport.summary(model, x)",
    "zero_grad": "luxport.grad(loss)(ps) returns new gradients each time",
    "requires_grad_": "luxport.freeze(model, ps, st, which=[...])",
}


def hint_for_name(package: str, name: str, known: Iterable[str]) -> str:
    """Say what stands for a name that a package has not, after a colon; nothing if that is not known."""
    if name.startswith("_") or package not in ("luxport", "luxport.layers"):
        close = () if name.startswith("_") else _nearest(name, known)
        return f": did you mean {close[0]}?" if close else ""
    plain = name[:-2] if name[-2:] in ("1d", "2d", "3d", "1D", "2D", "3D") else name
    if plain != name and plain in _WINDOWED:
        return f": luxport.{plain} has as many axes as its window, or as its input"
    if plain.lower() in ("avgpool", "averagepooling", "meanpool"):
        return ": luxport.MeanPool"
    if name in _NAMES:
        return f": luxport.{_NAMES[name]}"
    for room in _ROOMS:
        if name in getattr(import_module(f"luxport.{room}"), "__all__", ()):
            return f": luxport.{room}.{name}"
    by_case = {one.lower(): one for one in known}
    if name.lower() in by_case:
        return f": did you mean luxport.{by_case[name.lower()]}?"
    close = _nearest(name, known)
    return f": did you mean luxport.{close[0]}?" if close else ""


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # slow to import, and only mistakes need it

    return get_close_matches(name, list(known), 1, 0.8)


def hint_for_attribute(name: str) -> str:
    """Say what is done here for an attribute that models of other libraries have, after a colon."""
    return f": {_ATTRIBUTES[name]}" if name in _ATTRIBUTES else ""
