"""Habits from Flux, Keras, PyTorch and JAX: each is a one-line error that names luxport's way."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportAbstractUsage=false
from __future__ import annotations

import functools
import re
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import luxport as lp
from luxport import losses, optimizers, schedules, training
from luxport.hints.names import NAMES, WINDOWED

X = np.ones((4, 3), np.float32)
MODEL = lp.Chain(lp.Dense(3, 5, lp.relu), lp.BatchNorm(5), lp.Dense(5, 2))
PS, ST = lp.setup(0, MODEL)
ADAM, MSE = optimizers.Adam(), losses.MSELoss()


class Forgets(lp.Layer):
    """A layer that forgets to return its state."""

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return 2 * x


class Holds(lp.Layer):
    """A layer that should be a container."""

    inner: lp.Layer

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return self.inner(x, ps, st)


def call(layer: Any, x: Any) -> Any:
    return layer(x, *lp.setup(0, layer))


def declare_layer_without_type() -> None:
    class Net(lp.Layer):
        fc = lp.Dense(3, 3)

        def __call__(self, x: Any, ps: Any, st: Any) -> Any:
            return x, st


def create_torch_state() -> Any:
    return training.TrainState.create(MODEL, ADAM, backend="torch")


def fit(**options: Any) -> Any:
    return training.fit(MSE, create_torch_state(), (X, X), show=None, **options)


MISTAKES: dict[str, tuple[Any, str]] = {
    # A call
    "model(x)": (lambda: MODEL(X), "luxport.setup(0, model) makes ps and st"),
    "model(x, ps)": (lambda: MODEL(X, PS), "called as y, st = model(x, ps, st)"),
    "st before ps": (lambda: MODEL(X, ST, PS), "call model(x, ps, st), parameters first"),
    "forgotten st": (lambda: Forgets()(X, {}, {}), "return y, st"),
    "a list": (lambda: MODEL([[1.0, 2.0, 3.0]], PS, ST), "make one with luxport.asarray"),
    "NumPy to JAX": (lambda: MODEL(X, *lp.setup(0, MODEL, backend="jax")), "luxport.to(x, backend='jax')"),
    "PyTorch to NumPy": (lambda: MODEL(torch.ones(4, 3), PS, ST), "luxport.to(x, backend='numpy')"),
    "float64": (lambda: MODEL(X.astype(float), PS, ST), "luxport.to(..., dtype='float32')"),
    "integers": (lambda: MODEL(np.ones((4, 3), int), PS, ST), "convert the input to float32"),
    "features": (lambda: MODEL(np.ones((4, 7), np.float32), PS, ST), "Dense at layer_1 expects (..., 3), got (4, 7)"),
    "channels last": (lambda: call(lp.Conv((3, 3), 1, 4), np.ones((2, 9, 9, 1), np.float32)), "(N, 1, H, W)"),
    "no batch": (lambda: call(lp.Conv((3, 3), 1, 4), np.ones((1, 9, 9), np.float32)), "(N, 1, H, W)"),
    "NumPy's parameters": (lambda: MODEL(torch.ones(4, 3), PS, ST), "luxport.setup(..., backend='torch')"),
    "train=False": (lambda: MODEL(X, PS, ST, train=False), "luxport.test_mode(st)"),
    "a key": (lambda: MODEL(X, PS, ST, rngs={"dropout": 0}), "the keys of random numbers are in st"),
    "an index": (lambda: call(lp.Embedding(5, 3), np.array([7])), "below 5, got 7"),
    # A layer
    "relu by name": (lambda: lp.Dense(3, 4, "relu"), "pass luxport.relu"),
    "no out_dims": (lambda: lp.Dense(3), "got no out_dims"),
    "units": (lambda: lp.Dense(3, units=4), "did you mean out_dims?"),
    "in_features": (lambda: lp.Dense(in_features=3, out_features=4), "did you mean in_dims?"),
    "bias": (lambda: lp.Dense(3, 4, bias=False), "did you mean use_bias?"),
    "initializer by name": (lambda: lp.Dense(3, 4, init_weight="glorot"), "luxport.initializers.glorot_uniform"),
    "an array to begin with": (lambda: lp.Dense(3, 4, init_weight=np.ones((3, 4))), "a generator and a shape"),
    "channels first": (lambda: lp.Conv(1, 16, 3), "(1, 1) for (N, C, H, W)"),
    "kernel_size": (lambda: lp.Conv(in_channels=1, out_channels=16, kernel_size=3), "did you mean kernel?"),
    "padding same": (lambda: lp.Conv((3, 3), 1, 16, padding="same"), "or SamePad()"),
    "a number as window": (lambda: lp.MaxPool(2), "(2, 2) for (N, C, H, W)"),
    "no mask": (lambda: call(lp.LSTM(3, 2, masked=True), X[None]), "LSTM expects (x, mask) or (x, mask, carry)"),
    "steps of other features": (lambda: call(lp.LSTM(3, 2), X[None, :, :2]), "LSTM expects (..., 3), got (1, 4, 2)"),
    "time and batch swapped in a mask": (
        lambda: call(lp.GRU(3, 2, masked=True), (X[None], np.ones((4, 1), bool))),
        "GRU expects a flag for each step of (1, 4, 3) as its mask, got (4, 1)",
    ),
    "hidden_size": (lambda: lp.LSTM(input_size=3, hidden_size=4), "did you mean in_dims?"),
    "heads": (lambda: lp.MultiHeadAttention(10, nheads=3), "nheads that divides 10"),
    "percent": (lambda: lp.Dropout(50), "a probability in [0, 1], got 50"),
    "no connection": (lambda: lp.SkipConnection(lp.Dense(3, 3)), "got no connection"),
    "a sign": (lambda: lp.SkipConnection(lp.Dense(3, 3), "+"), "a function or a layer as connection"),
    "a layer without a type": (declare_layer_without_type, "write fc: luxport.Layer = Dense(...)"),
    "layers by number": (lambda: MODEL.layers[0], "by position model[0]"),
    "an init": (lambda: lp.Dense(3, 4, init=np.ones), "did you mean init_weight?"),
    "JAX's relu": (lambda: lp.summary(lp.Dense(3, 4, jax.nn.relu), X), "luxport's own, such as luxport.relu"),
    "PyTorch's tanh": (lambda: lp.output_shape(lp.Dense(3, 4, torch.tanh), (1, 3)), "Dense runs on an array without"),
    "a layer in a Layer": (lambda: lp.setup(0, Holds(lp.Dense(3, 3))), "derive it from luxport.ContainerLayer"),
    # A name
    "Linear": (lambda: lp.Linear, "luxport.Dense"),
    "Sequential": (lambda: lp.Sequential, "luxport.Chain"),
    "Flatten": (lambda: lp.Flatten, "luxport.FlattenLayer"),
    "Conv2d": (lambda: lp.Conv2d, "luxport.Conv has as many axes as its window"),
    "MaxPooling2D": (lambda: lp.MaxPooling2D, "luxport.MaxPool has"),
    "GlobalAveragePooling2D": (lambda: lp.GlobalAveragePooling2D, "luxport.GlobalMeanPool"),
    "AvgPool2d": (lambda: lp.AvgPool2d, "luxport.MeanPool"),
    "ReLU": (lambda: lp.ReLU, "did you mean luxport.relu?"),
    "Adam": (lambda: lp.Adam, "luxport.optimizers.Adam"),
    "mse": (lambda: lp.mse, "luxport.losses.mse"),
    "glorot_uniform": (lambda: lp.glorot_uniform, "luxport.initializers.glorot_uniform"),
    "DataLoader": (lambda: lp.DataLoader, "luxport.training.DataLoader"),
    "softmax": (lambda: lp.softmax, "luxport.ops.softmax"),
    "SGD": (lambda: optimizers.SGD, "luxport.optimizers.Descent, or luxport.optimizers.Momentum"),
    "ADAM": (lambda: optimizers.ADAM, "did you mean Adam?"),
    "optax.chain": (lambda: optimizers.chain, "luxport.optimizers.OptimizerChain"),
    "SparseCategoricalCrossentropy": (lambda: losses.SparseCategoricalCrossentropy, "losses.SparseCrossEntropyLoss"),
    "BCEWithLogitsLoss": (lambda: losses.BCEWithLogitsLoss, "luxport.losses.BinaryCrossEntropyLoss(logits=True)"),
    "StepLR": (lambda: schedules.StepLR, "luxport.schedules.Step"),
    "ModelCheckpoint": (lambda: training.ModelCheckpoint, "luxport.training.BestCheckpoint"),
    "Dense of training": (lambda: training.Dense, "luxport.Dense"),
    "optim": (lambda: lp.optim, "luxport.optimizers"),
    "destructure": (lambda: lp.destructure, "luxport.flatten"),
    "a slip": (lambda: lp.BatchNrom, "did you mean luxport.BatchNorm?"),
    "SiLU": (lambda: lp.SiLU, "luxport.swish"),
    "avg_pool2d": (lambda: lp.ops.adaptive_avg_pool2d, "luxport.ops.adaptive_mean_pool"),
    "conv2d": (lambda: lp.ops.conv2d, "luxport.ops.conv has as many axes"),
    "init of a rule": (lambda: optimizers.init, "luxport.optimizers.setup(rule, ps)"),
    "a linear schedule": (lambda: schedules.Linear, "luxport.schedules.Poly"),
    "a constant schedule": (lambda: schedules.constant, "did you mean Constant?"),
    "xavier": (lambda: lp.initializers.xavier_uniform_, "luxport.initializers.glorot_uniform"),
    "HeNormal": (lambda: lp.initializers.HeNormal, "luxport.initializers.kaiming_normal"),
    "a leaf of a tree": (lambda: lp.tree.tree_leaves, "luxport.tree.leaves"),
    "DataParallel": (lambda: lp.DataParallel, "luxport.distributed.data_parallel(state)"),
    "count_params": (lambda: MODEL.count_params(), "luxport.parameter_length(model)"),
    "eval": (lambda: MODEL.eval(), "st = luxport.test_mode(st)"),
    "train": (lambda: MODEL.train(), "luxport.train_mode(st)"),
    "parameters": (lambda: MODEL.parameters(), "ps, st = luxport.setup(rng, model)"),
    "init": (lambda: MODEL.init(0), "ps, st = luxport.setup(rng, model)"),
    "state_dict": (lambda: MODEL.state_dict(), "luxport.save(path, ps, st)"),
    "cuda": (lambda: MODEL.cuda(), "luxport.to(ps"),
    "fit": (lambda: MODEL.fit(X, X), "luxport.training.fit(objective, state, data)"),
    "predict": (lambda: MODEL.predict(X), "luxport.test_mode(st)"),
    "weight": (lambda: lp.Dense(3, 4).weight, "a layer holds no arrays"),
    "test_mode of a model": (lambda: lp.test_mode(MODEL), "st = luxport.test_mode(st)"),
    "test_mode of parameters": (lambda: lp.test_mode(PS), "got a tree of weight, bias, scale without a mode"),
    "train_mode of a vector": (lambda: lp.train_mode(lp.FlatParameters.of(PS)), "st = luxport.train_mode(st)"),
    "flatten of a model": (lambda: lp.flatten(MODEL), "ps, st = luxport.setup(rng, layer)"),
    "trainables of a model": (lambda: lp.trainables(MODEL), "ps, st = luxport.setup(rng, layer)"),
    "setup(model)": (lambda: lp.setup(MODEL), "setup(rng, model"),
    # Training
    "lr": (lambda: optimizers.Adam(lr=1e-3), "did you mean eta?"),
    "a schedule": (lambda: optimizers.Adam(schedules.Exp(0.1, 0.5)), "optimizers.Scheduler(Adam()"),
    "parameters to Adam": (lambda: optimizers.setup(optimizers.Adam(PS), PS), "Adam expects"),
    "ps before the rule": (lambda: optimizers.setup(PS, ADAM), "a rule, such as luxport.optimizers.Adam(0.001)"),
    "the model to optimize": (lambda: optimizers.setup(ADAM, MODEL), "ps, st = luxport.setup(rng, layer)"),
    "the class": (lambda: optimizers.setup(optimizers.Adam, PS), "call it"),
    "the rule as state": (lambda: optimizers.update(ADAM, PS, PS), "setup(Adam(...), ps)"),
    "ps before the state": (lambda: optimizers.update(PS, optimizers.setup(ADAM, PS), PS), "parameters as ps"),
    "gradients of NumPy": (lambda: lp.grad(lambda p: (p**2).sum())(X), "use arrays of jax, torch or tf"),
    "no scalar": (lambda: lp.grad(lambda p: 2 * p)(jnp.ones(3)), "a real scalar from its function"),
    "a pair": (lambda: lp.grad(lambda p: (p.sum(), 1))(jnp.ones(3)), "has_aux=True"),
    "labels as integers": (lambda: losses.logitcrossentropy(X, np.array([0, 1, 2, 0])), "SparseCrossEntropyLoss"),
    "shapes that broadcast": (lambda: losses.mse(X, np.ones((4, 1), np.float32)), "one shape, got (4, 3) and (4, 1)"),
    "state before data": (
        lambda: training.train_step(create_torch_state(), (X, X), MSE),
        "train_step(objective, data, state)",
    ),
    "data before state": (lambda: training.fit(MSE, (X, X), create_torch_state()), "fit(objective, state, data)"),
    "a loss by name": (
        lambda: training.fit("mse", create_torch_state(), (X, X), show=None),
        "a function of (model, ps, st",
    ),
    "a loss as function": (
        lambda: training.fit(losses.mse, create_torch_state(), (X, X), show=None),
        "such as MSELoss()",
    ),
    "the model to restore": (lambda: training.restore("run", MODEL), "TrainState.create(model, rule)"),
    # The rest
    "a backend": (lambda: lp.setup(0, MODEL, backend="tensorflo"), "expected one of cupy, jax"),
    "a dtype": (lambda: lp.setup(0, MODEL, dtype="fp16"), "one of float16, bfloat16"),
    "save(path, state)": (lambda: lp.save("m.safetensors", create_torch_state()), "luxport.training.save_checkpoint"),
    "save(path, model)": (lambda: lp.save("m.safetensors", MODEL), "save(path, ps, st)"),
    "save(ps)": (lambda: lp.save(PS, "m.safetensors"), "save expects a path"),
    # What is not refused by its name alone, and options and attributes of others.
    "Adam().step": (lambda: ADAM.step(), "state, ps = luxport.optimizers.update(state, ps, gradients)"),
    "zero_grad": (lambda: ADAM.zero_grad(), "returns new gradients each time"),
    "Adam(weight_decay)": (lambda: optimizers.Adam(weight_decay=0.1), "luxport.optimizers.AdamW"),
    "clipnorm": (lambda: optimizers.Adam(clipnorm=1.0), "OptimizerChain(ClipGlobalNorm(1.0), Adam())"),
    "replicate": (lambda: lp.Conv((3, 3), 1, 4, padding_mode="replicate"), "edge repeats borders"),
    "batch_first": (lambda: lp.LSTM(3, 4, batch_first=True), "a batch comes first unless time_major=True"),
    "dropout in percent": (lambda: lp.LSTM(3, 4, dropout=50), "dropout as a probability in [0, 1], got 50"),
    "return_sequences": (lambda: lp.GRU(3, 4, return_sequences=True), "it returns all outputs; Recurrence(cell)"),
    "d_model": (lambda: lp.TransformerEncoderLayer(d_model=4, nhead=2), "did you mean dims?"),
    "scale_factor": (lambda: lp.Upsample(scale_factor=2), "did you mean scale?"),
    "probabilities as labels": (lambda: losses.sparse_logitcrossentropy(X, X), "are for logitcrossentropy"),
    "y before y_hat": (lambda: losses.sparse_logitcrossentropy(np.arange(3), X), "y_hat comes first"),
    "reduction": (lambda: losses.CrossEntropyLoss(reduction="sum"), "did you mean agg?"),
    "to(x, cuda)": (lambda: lp.to(X, "cuda"), "by name are backend, device, dtype"),
    "fit(..., 10)": (lambda: training.fit(MSE, create_torch_state(), (X, X), 10), "by name are epochs"),
    "hooks": (lambda: MODEL.register_forward_hook(print), "luxport.intermediate_outputs"),
    "modules": (lambda: MODEL.modules(), "luxport.named_modules(model)"),
    "device of a model": (lambda: MODEL.device, "luxport.devices.get_device"),
    "get_config": (lambda: MODEL.get_config(), "repr(model)"),
    "a layer too far": (lambda: MODEL[7], "layers, got the position 7"),
    "lr of a step": (lambda: training.train_step(MSE, (X, X), create_torch_state(), lr=0.1), "state.adjust(eta=...)"),
    "apply_gradients": (
        lambda: create_torch_state().apply_gradients(grads=PS),
        "training.apply_gradients(state, gradients)",
    ),
    "apply_fn": (
        lambda: training.TrainState.create(apply_fn=MODEL, params=PS, tx=ADAM),
        "did you mean model? it takes model",
    ),
    "params of a state": (lambda: create_torch_state().params, "has no attribute 'params': parameters are state.ps"),
    "optimizer_state": (lambda: create_torch_state().optimizer_state, "state.opt_state"),
    "a rule of a state": (lambda: create_torch_state().tx, "current_rule(state.opt_state)"),
    "TrainState(m, rule)": (lambda: training.TrainState(MODEL, ADAM), "made by TrainState.create(model, rule)"),
    "device=cuda": (lambda: lp.setup(0, MODEL, backend="torch", device="cuda:7"), "got 'cuda:7'"),
    "data_format": (lambda: lp.Conv((3, 3), 1, 4, data_format="channels_last"), "channels on axis 1"),
    "model(ps, st, x)": (lambda: MODEL(PS, ST, X), "call model(x, ps, st), the input first"),
    "no rule": (lambda: training.TrainState.create(MODEL), "got no optimizer"),
    "dim=-1": (lambda: lp.ops.softmax(X, dim=-1), "did you mean axis?"),
    "alpha of RMSProp": (lambda: optimizers.RMSProp(alpha=0.9), "did you mean rho?"),
    "scale=False": (lambda: lp.BatchNorm(3, scale=False), "did you mean affine?"),
    "drop_last": (lambda: training.DataLoader(X, 2, drop_last=True), "partial=False"),
    "dtype of a layer": (lambda: lp.Dense(3, 4, dtype="float16"), "luxport.setup(..., dtype=)"),
    "axis=-1": (lambda: lp.BatchNorm(3, axis=-1), "channels on axis 1"),
    "mask_zero": (lambda: lp.Embedding(5, 3, mask_zero=True), "LSTM(..., masked=True)"),
    "kernel_regularizer": (lambda: lp.Dense(3, 4, kernel_regularizer="l2"), "luxport.optimizers.WeightDecay"),
    "input_shape": (lambda: lp.Dense(4, input_shape=(3,)), "in_dims or in_channels"),
    "setup(model, 0)": (lambda: lp.setup(MODEL, 0), "the seed comes first, setup(0, model)"),
    "None as batch": (lambda: lp.summary(MODEL, (None, 3)), "such as 1 for a batch"),
    "metrics by name": (
        lambda: training.fit(MSE, create_torch_state(), (X, X), metrics=["accuracy"], show=None),
        'functions by name, such as {"accuracy": accuracy}',
    ),
    "static_argnums": (lambda: lp.jit(MODEL, static_argnums=0), "luxport.Static(value)"),
    "F": (lambda: lp.F, "luxport.ops"),
    "nn.init": (lambda: lp.init, "luxport.initializers"),
    "Softmax": (lambda: lp.Softmax, "luxport.ops.softmax, a function that a Chain takes"),
    "Concatenate": (lambda: lp.Concatenate, "luxport.Parallel(f, ...), whose function f joins"),
    "ZeroPadding2D": (lambda: lp.ZeroPadding2D, "luxport.ops.pad_zeros"),
    "TimeDistributed": (lambda: lp.TimeDistributed, "every axis before the last as a batch"),
    "Masking": (lambda: lp.Masking, "LSTM(..., masked=True)"),
    "SeparableConv2D": (lambda: lp.SeparableConv2D, "Chain(DepthwiseConv(...), Conv((1, 1), ...))"),
    "lax": (lambda: lp.lax, "luxport.transforms"),
    "vmap": (lambda: lp.vmap, "jax.vmap and torch.vmap go through"),
    "pmap": (lambda: lp.pmap, "distributed.data_parallel"),
    "params": (lambda: lp.params(MODEL), "luxport.setup(rng, model)"),
    "reset": (lambda: lp.reset(MODEL), 'luxport.update_state(st, "carry", None)'),
    "another batch": (
        lambda: call(lp.StatefulRecurrentCell(lp.RNNCell(3, 2), batch_size=5), X),
        "a batch of 5, as the carry",
    ),
    "another carry": (
        lambda: call(lp.RNNCell(3, 2), (X, (np.ones((5, 2), np.float32),))),
        "as many samples as x (4, 3)",
    ),
    "lengths beyond": (
        lambda: call(lp.LSTM(3, 2, masked=True), (np.ones((1, 4, 3), np.float32), np.array([9]))),
        "from 0 to 4, got 9",
    ),
    "a class for a layer": (lambda: lp.setup(0, lp.Dense), "setup expects a layer, got the class Dense: call it"),
    "a class in a chain": (lambda: lp.Chain(lp.Dense), "Chain expects a layer, got the class Dense: call it"),
    "a class to debug": (lambda: lp.debug(lp.Dense), "debug expects a layer, got the class Dense: call it"),
    "parameters to freeze": (lambda: lp.freeze(PS), "freeze expects a layer, got dict"),
    "sizes as numbers": (lambda: lp.initializers.glorot_uniform(3, 4), "a tuple of ints such as (3, 4), got 4"),
    "a number of draws": (lambda: lp.rng(0).normal(2, 3), "a tuple of ints such as (3, 4), got 2"),
    "a list as kernel": (lambda: lp.Conv([3, 3], 3, 16), "kernel as a tuple of an int for each spatial axis, got [3"),
    "dim": (lambda: lp.ops.softmax(X, dim=-1), "did you mean axis? it takes (x, axis)"),
    "kernel_size of an operation": (lambda: lp.ops.max_pool(X, kernel_size=2), "no kernel_size: did you mean window?"),
    "reduction of a function": (lambda: lp.losses.mse(X, X, reduction="sum"), "no reduction: did you mean agg?"),
    "words": (
        lambda: MODEL(np.array([["a", "b", "c"]]), PS, ST),
        "got str32, whose entries are not numbers",
    ),
    "objects": (lambda: MODEL(X.astype(object), PS, ST), "got object, whose entries are not numbers of one type"),
    "a list of tokens": (lambda: call(lp.Embedding(9, 2), [1, 2]), "got list: make one with luxport.asarray"),
    "words as tokens": (lambda: call(lp.Embedding(9, 2), np.array(["a"])), "expects integers, or one-hot booleans"),
    "a class of losses": (
        lambda: training.train_step(losses.MSELoss, (X, X), create_torch_state()),
        "got the class MSELoss: call it, MSELoss()",
    ),
    "a loss of outputs": (
        lambda: training.train_step(lambda y_hat, y: 0.0, (X, X), create_torch_state()),
        "(model, ps, st, data) that returns (loss, st, stats), got one of (y_hat, y)",
    ),
    "a function as a timeout": (lambda: training.throttle(print, print), "throttle expects timeout as a number"),
    "a number as data": (
        lambda: training.fit(MSE, create_torch_state(), np.float32(3)),
        "as batches or whole arrays, got",
    ),
    "a callback alone": (lambda: fit(callbacks=training.EarlyStopping()), "a list of functions, got EarlyStopping"),
    "a callback's class": (lambda: fit(callbacks=[training.EarlyStopping]), "the class EarlyStopping: call it"),
    "a number as callback": (lambda: fit(callbacks=[3]), "functions of a Progress as callbacks, got int"),
    "a number as metric": (lambda: fit(metrics={"a": 3}, validation=(X, X)), "a function as metrics['a'], got int"),
    "a number as schedule": (lambda: fit(schedules={"eta": 0.1}), "a function as schedules['eta'], got float"),
    "metrics of nothing": (lambda: fit(metrics={"a": training.accuracy}), "validation data for its metrics"),
    "nothing to validate by": (lambda: fit(validation=(X[:0], X[:0])), "validation data with a batch, got none"),
    "epochs below none": (lambda: fit(epochs=-1), "fit expects epochs as an int of at least 0, got -1"),
    "three arrays": (
        lambda: training.train_step(MSE, (X, X, X), create_torch_state()),
        "a pair (x, y) as data, got a tuple of 3",
    ),
    "a data set": (lambda: training.DataLoader(range(3), 2), "DataLoader expects arrays, or a tree of them, got range"),
    "lists of numbers": (lambda: training.DataLoader(([1.0], [2.0]), 2), "got float: make them with luxport.asarray"),
}


RAISED = (TypeError, ValueError, AttributeError, LookupError)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_one_line_error_with_its_cure(name: str) -> None:
    call, cure = MISTAKES[name]
    with warnings.catch_warnings(), pytest.raises((*RAISED, UserWarning)) as caught:
        warnings.simplefilter("error", UserWarning)
        call()
    text = str(caught.value)
    assert cure in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["optimizers.l2", "losses.l2", "ops.softmin", "losses.loss0"])
def test_no_guess_is_better_than_a_wrong_one(name: str) -> None:
    room, _, absent = name.partition(".")
    with pytest.raises(AttributeError, match=f"has no attribute '{absent}'$"):
        getattr(getattr(lp, room), absent)


def test_every_hint_names_what_is_there() -> None:
    hints = [f"luxport.{hint}" for hint in (*NAMES.values(), *WINDOWED.values())]
    named = [name for hint in hints for name in re.findall(r"luxport((?:\.\w+)+)", hint)]
    assert len(named) >= len(hints) > 150
    for name in named:
        functools.reduce(getattr, name.split(".")[1:], lp)


def test_states_without_a_mode_are_accepted() -> None:
    recurrent = lp.StatefulRecurrentCell(lp.RNNCell(3, 2), batch_size=4)
    frozen = lp.freeze(lp.Dense(3, 2), *lp.setup(0, lp.Dense(3, 2)))[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for st in ({}, ST, frozen, lp.setup(0, recurrent)[1], {"weight": np.ones(2), "seen": 0}):
            lp.test_mode(st)


def test_cuda_is_a_device_of_pytorch() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch has the devices cpu, got 'cuda:0'"):
            lp.setup(0, MODEL, backend="torch", device="cuda:0")
        return
    assert lp.setup(0, MODEL, backend="torch", device="cuda:0")[0]["layer_1"]["weight"].device.type == "cuda"


def test_names_that_other_libraries_probe_have_no_hints() -> None:
    assert not hasattr(lp, "__wrapped__")
    assert not hasattr(MODEL, "__jax_array__")
    assert getattr(lp.Dense(2, 3), "shape", None) is None
