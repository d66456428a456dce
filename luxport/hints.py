"""Hints for errors: names, attributes and options of other libraries, and what to write here instead."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from luxport.text import show

__all__ = [
    "advise_on_option",
    "advise_on_type",
    "hint_at_attribute",
    "hint_at_name",
    "hint_at_option",
    "make_attribute_error",
]

_PACKAGES = (
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
    "tabulate": "summary",
    "destructure": "flatten",
    "gradient": "grad",
    "withgradient": "value_and_grad",
    "testmode": "test_mode",
    "trainmode": "train_mode",
    "train": "training.fit",
    "gpu": "devices.gpu_device",
    "cpu": "devices.cpu_device",
    "optim": "optimizers",
    **dict.fromkeys(("nn", "nnx", "linen", "keras"), "layers: they stand in luxport itself"),
    **dict.fromkeys(("functional", "F"), "ops"),
    "init": "initializers",
    "Softmax": "ops.softmax, a function that a Chain takes as a layer",
    **dict.fromkeys(("Concatenate", "concatenate"), "Parallel(f, ...), whose function f joins what its layers return"),
    "ZeroPadding": "ops.pad_zeros, or the padding= of Conv and the pools",
    "TimeDistributed": "Dense, which takes every axis before the last as a batch",
    "Masking": "LSTM(..., masked=True), which takes (x, mask)",
    "Bidirectional": "BidirectionalRNN(cell), or luxport.LSTM(..., bidirectional=True)",
    "SeparableConv": "Chain(DepthwiseConv(...), Conv((1, 1), ...))",
    "lax": "transforms, and what is written once for all backends in luxport.ops",
    "vmap": "jit of a model, whose inputs have a batch; jax.vmap and torch.vmap go through models as well",
    "pmap": "distributed.data_parallel(state)",
    "params": "setup(rng, model), which makes ps and st",
    "reset": 'update_state(st, "carry", None)',
    **dict.fromkeys(("tree_map", "tree_leaves"), "tree.map and luxport.tree.leaves"),
    "no_grad": "test_mode(st), as nothing is recorded outside luxport.grad",
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
    **dict.fromkeys(("modules", "named_modules", "named_children", "submodules"), "luxport.named_modules(model)"),
    "device": "arrays have one: luxport.devices.get_device(ps)",
    "dtype": "arrays have one: luxport.setup(..., dtype=) makes them",
    "get_config": "repr(model) is what builds it again",
    **dict.fromkeys(
        ("register_forward_hook", "sow", "capture_intermediates"), "luxport.intermediate_outputs(model, x, ps, st)"
    ),
    **dict.fromkeys(("step", "minimize", "update"), "state, ps = luxport.optimizers.update(state, ps, gradients)"),
    "apply_gradients": "luxport.training.apply_gradients(state, gradients)",
}


_OF_STATES = {
    **dict.fromkeys(("params", "parameters", "variables", "weights", "trainable_variables"), "parameters are state.ps"),
    **dict.fromkeys(("states", "batch_stats", "model_state", "buffers"), "states are state.st"),
    **dict.fromkeys(("opt", "optimizer_state", "optim"), "the optimizer's state is state.opt_state"),
    **dict.fromkeys(("optimizer", "rule", "tx"), "the rule is luxport.optimizers.current_rule(state.opt_state)"),
    **dict.fromkeys(("lr", "eta", "learning_rate"), "state.adjust(eta=...) changes it"),
    **dict.fromkeys(("apply_fn", "apply", "forward", "call"), "y, st = state.model(x, state.ps, state.st)"),
    **dict.fromkeys(("save", "state_dict"), "luxport.training.save_checkpoint(folder, state)"),
    **dict.fromkeys(("load", "restore", "load_state_dict"), "state = luxport.training.restore(folder, state)"),
    **dict.fromkeys(("to", "cuda", "cpu"), "luxport.to(state, backend=..., device=...)"),
    "eval": "luxport.training.evaluate(objective, state, data), or luxport.test_mode(state.st)",
    "train_step": "loss, stats, state = luxport.training.train_step(objective, data, state)",
}


def hint_at_name(package: str, name: str, known: Iterable[str]) -> str:
    """Return a colon and what to use instead of a name that a package lacks; "" if nothing is known."""
    if name.startswith("_"):
        return ""
    at_the_top = package in ("luxport", "luxport.layers")
    plain = name[:-2] if name[-2:] in ("1d", "2d", "3d", "1D", "2D", "3D") else name
    if plain != name and plain in _NAMES:
        return f": luxport.{_NAMES[plain]}"
    if plain != name and plain in _WINDOWED:
        return f": luxport.{_WINDOWED[plain]} has as many axes as its window, or as its input"
    here = f"{package.rpartition('.')[2]}.{name}"
    if here in _NAMES or name in _NAMES:
        return f": luxport.{_NAMES.get(here) or _NAMES[name]}"
    for inner in _PACKAGES if at_the_top else ("", *_PACKAGES):
        place = f"luxport.{inner}".rstrip(".")
        if name in getattr(import_module(place), "__all__", ()):
            return f": {place}.{name}"
    by_case = {other.lower(): other for other in known}
    close = [by_case[name.lower()]] if name.lower() in by_case else _find_nearest(name, known)
    return f": did you mean {'luxport.' if at_the_top else ''}{close[0]}?" if close else ""


def _find_nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # imported only when a name is wrong

    return get_close_matches(name, list(known), 1, 0.8)


def make_attribute_error(value: Any, name: str) -> AttributeError:
    """Return the error for a missing attribute, with what to use instead."""
    kind = type(value).__name__
    return AttributeError(f"{kind} has no attribute {show(name)}{hint_at_attribute(name, kind)}")


def hint_at_attribute(name: str, kind: str = "") -> str:
    """Return a colon and what to use instead of an attribute of other libraries' models or training states, or ""."""
    found = _OF_STATES.get(name) if kind == "TrainState" else None
    found = found or _ATTRIBUTES.get(name, "")
    return f": {found}" if found else ""


_MODE = "the mode is in st: luxport.test_mode(st), luxport.train_mode(st)"
_OPTIONS = {
    **dict.fromkeys(("train", "training", "is_training", "deterministic", "use_running_average", "inference"), _MODE),
    **dict.fromkeys(("key", "rng", "rngs", "seed"), "the keys of random numbers are in st, from luxport.setup"),
    "mutable": "the next state is what a call returns beside its output",
}


_TABLE = "(N, C, H, W), with channels on axis 1: move the axis of others. "
_ADVICE = {
    "batch_first": "a batch comes first unless time_major=True. ",
    "return_sequences": "it returns all outputs; Recurrence(cell) only the last. ",
    "data_format": f"images are {_TABLE}",
    "BatchNorm.axis": f"inputs are {_TABLE}",
    "input_shape": "sizes of inputs are in_dims or in_channels. ",
    "mask_zero": "masks go beside the input, to LSTM(..., masked=True) or an attention. ",
    **dict.fromkeys(
        ("kernel_regularizer", "bias_regularizer", "l2"),
        "luxport.optimizers.WeightDecay(lambda_) in an OptimizerChain, or AdamW. ",
    ),
    "weight_decay": "luxport.optimizers.AdamW(eta, beta, lambda_), or an OptimizerChain with WeightDecay. ",
    **dict.fromkeys(
        ("clipnorm", "global_clipnorm", "max_grad_norm"),
        "luxport.optimizers.OptimizerChain(ClipGlobalNorm(1.0), Adam()). ",
    ),
    "amsgrad": "luxport.optimizers.AMSGrad. ",
    "nesterov": "luxport.optimizers.Nesterov. ",
    "validation_split": "validation= takes data of its own. ",
    "train_step.lr": "a rate is in the rule, Adam(1e-3), and state.adjust(eta=...) changes it. ",
    "static_argnums": "what is no array is static, or luxport.Static(value) is. ",
    "static_argnames": "what is no array is static, or luxport.Static(value) is. ",
}


def advise_on_type(kind: type) -> str:
    """Return how to get an array from a value of this type."""
    if issubclass(kind, import_module("luxport.core.anatomy").LayerBase):
        return _ARRAYS
    if kind.__name__ in ("DataFrame", "Series"):
        return 'its to_numpy("float32") is one'
    return "make one with luxport.asarray"


def advise_on_option(caller: str, name: str) -> str:
    """Return how to get the effect of another library's option in this function or layer; "" if not known."""
    return _ADVICE.get(f"{caller}.{name}") or _ADVICE.get(name, "")


def hint_at_option(name: str) -> str:
    """Return a semicolon and what replaces an option that calls of other libraries' models take, or ""."""
    return f"; {_OPTIONS[name]}" if name in _OPTIONS else ""
