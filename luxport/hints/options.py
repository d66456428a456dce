"""What other libraries call attributes and options, and what is done here instead.

They are imported only when an attribute or an option is wrong.
"""

from __future__ import annotations

__all__ = ["ADVICE", "ATTRIBUTES", "CALL_OPTIONS", "NO_ARRAYS", "OF_STATES", "OPTIONS"]

NO_ARRAYS = "a layer holds no arrays: they are in ps and st, from luxport.setup(rng, layer)"
_PARAMETERS = "parameters are beside the model: ps, st = luxport.setup(rng, model)"
_CALL = "y, st = model(x, ps, st)"
_FILES = "luxport.save(path, ps, st), and ps, st = luxport.load(path)"
_MOVES = "luxport.to(ps, backend=..., device=..., dtype=...) moves parameters; a model holds none"
ATTRIBUTES = {
    **dict.fromkeys(("weight", "bias", "kernel", "scale", "running_mean", "running_var", "gamma", "beta"), NO_ARRAYS),
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
"""By an attribute that models have elsewhere: what is written here."""


OF_STATES = {
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
"""By an attribute that states of training have elsewhere: what is written here."""


_MODE = "the mode is in st: luxport.test_mode(st), luxport.train_mode(st)"
CALL_OPTIONS = {
    **dict.fromkeys(("train", "training", "is_training", "deterministic", "use_running_average", "inference"), _MODE),
    **dict.fromkeys(("key", "rng", "rngs", "seed"), "the keys of random numbers are in st, from luxport.setup"),
    "mutable": "the next state is what a call returns beside its output",
}
"""By an option of a model's call elsewhere: where it is here."""


_TABLE = "(N, C, H, W), with channels on axis 1: move the axis of others. "
ADVICE = {
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
    "dtype": "luxport.setup(..., dtype=) makes the parameters. ",
    "device": "luxport.setup(..., device=) makes the parameters. ",
    "name": "names are given where it stands, such as Chain(name=layer). ",
    **dict.fromkeys(("key", "rngs"), "luxport.setup(rng, model) draws the parameters. "),
    "noise_shape": "axes= are those along which the mask varies. ",
    "RMSProp.alpha": "did you mean rho? ",
    "Descent.momentum": "luxport.optimizers.Momentum. ",
    "drop_last": "partial=False leaves the last batch out. ",
    **dict.fromkeys(("collate_fn", "num_workers"), "any iterable of batches takes the place of a DataLoader. "),
    "EarlyStopping.mode": "largest=True waits for a larger number. ",
    "BatchNorm.scale": "did you mean affine? ",
    "BatchNorm.center": "did you mean affine? ",
    **dict.fromkeys(
        ("class_weight", "pos_weight", "CrossEntropyLoss.weight"), "agg= may weigh the losses of samples. "
    ),
    "amsgrad": "luxport.optimizers.AMSGrad. ",
    "nesterov": "luxport.optimizers.Nesterov. ",
    "validation_split": "validation= takes data of its own. ",
    "train_step.lr": "a rate is in the rule, Adam(1e-3), and state.adjust(eta=...) changes it. ",
    "static_argnums": "values that are not arrays are static, and so is luxport.Static(value). ",
    "static_argnames": "values that are not arrays are static, and so is luxport.Static(value). ",
}
"""By an option, or an option of one function or layer (``name.option``): how it is done here, as a sentence."""


OPTIONS = {
    "lr": ("eta",),
    "learning_rate": ("eta",),
    "alpha": ("eta",),
    "eps": ("epsilon",),
    **dict.fromkeys(("betas", "beta1", "beta2", "b1", "b2"), ("beta",)),
    **dict.fromkeys(("dim", "dims", "axes"), ("axis",)),
    "momentum": ("rho",),
    "decay": ("rho", "lambda_"),
    "weight_decay": ("lambda_", "lam"),
    "bias": ("use_bias",),
    "in_features": ("in_dims",),
    "out_features": ("out_dims",),
    "units": ("out_dims",),
    "input_size": ("in_dims",),
    "hidden_size": ("out_dims",),
    "kernel_size": ("kernel", "window"),
    "pool_size": ("window",),
    "filters": ("out_channels",),
    "strides": ("stride",),
    "pad": ("padding",),
    "dilation_rate": ("dilation",),
    "rate": ("p",),
    "num_features": ("channels",),
    "num_groups": ("groups",),
    "num_channels": ("channels",),
    "normalized_shape": ("shape",),
    "elementwise_affine": ("affine",),
    "track_running_stats": ("track_stats",),
    "num_embeddings": ("in_dims",),
    "embedding_dim": ("out_dims",),
    "embed_dim": ("in_dims",),
    "num_heads": ("nheads",),
    "dropout": ("attention_dropout_probability",),
    "causal": ("is_causal",),
    "mode": ("reduction", "method"),
    "kernel_initializer": ("init_weight",),
    "init": ("init_weight",),
    "features": ("out_dims", "out_channels"),
    "return_sequences": ("return_sequence",),
    "batchsize": ("batch_size",),
    "bias_initializer": ("init_bias",),
    "n": ("repeats",),
    "scale_factor": ("scale",),
    "d_model": ("dims",),
    "nhead": ("nheads",),
    "dim_feedforward": ("hidden_dims",),
    "reduction": ("agg",),
    "apply_fn": ("model",),
    "params": ("ps",),
    "tx": ("optimizer",),
    "validation_data": ("validation",),
    "input_dim": ("in_dims",),
    "keepdim": ("keepdims",),
    "negative_slope": ("a",),
    "n_power_iterations": ("iterations",),
    "gamma": ("decay",),
    "T_max": ("period",),
    "max_lr": ("maxval",),
    "upscale_factor": ("factor",),
    "beta": ("delta",),
    "nonlinearity": ("activation",),
    "output_dim": ("out_dims",),
}
"""By an option's name elsewhere: names that it may have here."""
