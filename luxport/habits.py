"""What people from other libraries write, and its name here: for the errors about names that are not there."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

__all__ = ["hint_for_attribute", "hint_for_name", "hint_for_option"]

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
    "Recur": "Recurrence",
    "Conv2DTranspose": "ConvTranspose",
    "Input": "summary(model, shape), as each layer has its sizes and needs no input before it",
    "cross_entropy": "losses.sparse_logitcrossentropy for labels, luxport.losses.logitcrossentropy for rows",
    "binary_cross_entropy": "losses.binarycrossentropy",
    "l1_loss": "losses.mae",
    "mse_loss": "losses.mse",
    "smooth_l1_loss": "losses.huber_loss",
    "kl_div": "losses.kldivergence",
    "softmax_cross_entropy": "losses.logitcrossentropy",
    "softmax_cross_entropy_with_integer_labels": "losses.sparse_logitcrossentropy",
    "binary_cross_entropy_with_logits": "losses.logitbinarycrossentropy",
    "sigmoid_binary_cross_entropy": "losses.logitbinarycrossentropy",
    "MeanSquaredError": "losses.MSELoss",
    "MeanAbsoluteError": "losses.MAELoss",
    "BinaryCrossentropy": "losses.BinaryCrossEntropyLoss",
    "BCELoss": "losses.BinaryCrossEntropyLoss",
    "BCEWithLogitsLoss": "losses.BinaryCrossEntropyLoss(logits=True)",
    "CategoricalCrossentropy": "losses.CrossEntropyLoss",
    "SparseCategoricalCrossentropy": "losses.SparseCrossEntropyLoss",
    "NLLLoss": "losses.nll_loss",
    "SmoothL1Loss": "losses.HuberLoss",
    "KLDivLoss": "losses.KLDivergenceLoss",
    **dict.fromkeys(("SGD", "sgd"), "optimizers.Descent, or luxport.optimizers.Momentum"),
    "optimizers.chain": "optimizers.OptimizerChain",
    "clip_grad_norm_": "optimizers.clip_by_global_norm",
    **dict.fromkeys(("ExponentialLR", "ExponentialDecay", "exponential_decay"), "schedules.Exp"),
    **dict.fromkeys(("CosineAnnealingLR", "CosineDecay", "cosine_decay_schedule"), "schedules.CosAnneal"),
    "StepLR": "schedules.Step",
    "OneCycleLR": "schedules.OneCycle",
    "lr_scheduler": "schedules",
    "LearningRateScheduler": 'training.fit(..., schedules={"eta": f})',
    "ReduceLROnPlateau": "training.plateau, whose answer state.adjust(eta=...) follows",
    "ModelCheckpoint": "training.BestCheckpoint, or luxport.training.fit(..., checkpoint=folder)",
    "CSVLogger": "training.CSVLog",
    "TensorBoard": "training.TensorBoardLog",
    **dict.fromkeys(("load_checkpoint", "restore_checkpoint"), "training.restore"),
    **dict.fromkeys(("to_categorical", "one_hot"), "training.onehotbatch"),
    "loadmodel": "porting.load_parameters",
    "predict": "test_mode, in y, _ = model(x, ps, luxport.test_mode(st))",
    **dict.fromkeys(("manual_seed", "set_random_seed", "PRNGKey"), "setup(seed, model), which takes JAX's keys, too"),
    "tree_map": "tree.map",
    "tabulate": "summary",
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
    **dict.fromkeys(("nn", "nnx", "linen", "keras"), "layers: they stand in luxport itself"),
    "functional": "ops",
}
_WINDOWED = {
    **{name: name for name in ("ConvTranspose", "Conv", "MaxPool", "AdaptiveMaxPool", "BatchNorm", "InstanceNorm")},
    **dict.fromkeys(("AvgPool", "AveragePooling", "MeanPool"), "MeanPool"),
    "MaxPooling": "MaxPool",
    "AdaptiveAvgPool": "AdaptiveMeanPool",
    "GlobalAveragePooling": "GlobalMeanPool",
    "GlobalMaxPooling": "GlobalMaxPool",
    "Dropout": "Dropout",
    "SpatialDropout": "Dropout",
    "UpSampling": "Upsample",
}

_ARRAYS = "a layer holds no arrays: they are in ps and st, from luxport.setup(rng, layer)"
_PARAMETERS = "parameters are beside the model: ps, st = luxport.setup(rng, model)"
_CALL = "y, st = model(x, ps, st)"
_FILES = "luxport.save(path, ps, st), and ps, st = luxport.load(path)"
_MOVES = "luxport.to(ps, backend=..., device=..., dtype=...) moves parameters; a model holds none"
_ATTRIBUTES = {
    **dict.fromkeys(("weight", "bias", "kernel", "scale", "running_mean", "running_var", "gamma", "beta"), _ARRAYS),
    **dict.fromkeys(
        ("parameters", "params", "named_parameters", "weights", "get_weights", "trainable_variables"), _PARAMETERS
    ),
    **dict.fromkeys(("init", "build", "bind", "variables", "buffers"), _PARAMETERS),
    **dict.fromkeys(("apply", "forward", "call", "stateless_call"), _CALL),
    **dict.fromkeys(("state_dict", "load_state_dict", "save", "save_weights", "load_weights"), _FILES),
    **dict.fromkeys(("to", "cuda", "cpu", "half", "double"), _MOVES),
    "eval": "st = luxport.test_mode(st)",
    "train": "st = luxport.train_mode(st); luxport.training.fit is the loop",
    "fit": "luxport.training.fit(objective, state, data)",
    "compile": "luxport.jit(model); state = luxport.training.TrainState.create(model, rule) for training",
    "evaluate": "luxport.training.evaluate(objective, state, data)",
    "predict": "y, _ = model(x, ps, luxport.test_mode(st))",
    **dict.fromkeys(("summary", "tabulate"), "luxport.summary(model, x)"),
    "count_params": "luxport.parameter_length(model)",
    "get_layer": 'model["layer_1"] or model[0]',
    **dict.fromkeys(("add", "append"), "a model is a value: Chain(*model, another) is a longer one"),
    "trainable": "luxport.freeze(model, ps, st, which=[...])",
    "zero_grad": "luxport.grad(loss)(ps) returns new gradients each time",
    "requires_grad_": "luxport.freeze(model, ps, st, which=[...])",
}


def hint_for_name(package: str, name: str, known: Iterable[str]) -> str:
    """Say what stands for a name that a package has not, after a colon; nothing if that is not known."""
    if name.startswith("_"):
        return ""
    at_the_top = package in ("luxport", "luxport.layers")
    plain = name[:-2] if name[-2:] in ("1d", "2d", "3d", "1D", "2D", "3D") else name
    if plain != name and plain in _WINDOWED:
        return f": luxport.{_WINDOWED[plain]} has as many axes as its window, or as its input"
    here = f"{package.rpartition('.')[2]}.{name}"
    if here in _NAMES or name in _NAMES:
        return f": luxport.{_NAMES.get(here) or _NAMES[name]}"
    for room in _ROOMS if at_the_top else ("", *_ROOMS):
        place = f"luxport.{room}".rstrip(".")
        if name in getattr(import_module(place), "__all__", ()):
            return f": {place}.{name}"
    by_case = {one.lower(): one for one in known}
    close = [by_case[name.lower()]] if name.lower() in by_case else _nearest(name, known)
    return f": did you mean {'luxport.' if at_the_top else ''}{close[0]}?" if close else ""


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # slow to import, and only mistakes need it

    return get_close_matches(name, list(known), 1, 0.8)


def hint_for_attribute(name: str) -> str:
    """Say what is done here for an attribute that models of other libraries have, after a colon."""
    return f": {_ATTRIBUTES[name]}" if name in _ATTRIBUTES else ""


_MODE = "the mode is in st: luxport.test_mode(st), luxport.train_mode(st)"
_OPTIONS = {
    **dict.fromkeys(("train", "training", "is_training", "deterministic", "use_running_average", "inference"), _MODE),
    **dict.fromkeys(("key", "rng", "rngs", "seed"), "the keys of random numbers are in st, from luxport.setup"),
    "mutable": "the next state is what a call returns beside its output",
}


def hint_for_option(name: str) -> str:
    """Say where a call's option of another library is here, after a semicolon."""
    return f"; {_OPTIONS[name]}" if name in _OPTIONS else ""
