"""Options given as NumPy scalars, such as a computed size or rate, mean what Python's numbers mean."""

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

import luxport as lp
from luxport import losses, ops, optimizers, training, tree
from luxport.backend import get_backend
from luxport_conformance.arrays import move_to_backend
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS

BACKENDS = ("numpy", "jax", "torch", "tf")
# Sizes that constructors take by position, as in `Scale(2, 3)`, and keep in a field that is not an option.
BY_POSITION = {("Scale", "dims"), ("Diagonal", "dims"), ("ReshapeLayer", "dims")}


def to_scalar(value):
    """Return the same option with NumPy scalars in place of Python's numbers."""
    if isinstance(value, tuple):
        return tuple([to_scalar(entry) for entry in value])
    kind = {float: np.float64, int: np.int64}.get(type(value))
    return value if kind is None else kind(value)


def list_numeric(options):
    """Return the options that contain numbers, as NumPy scalars."""
    scalars = {name: to_scalar(value) for name, value in options.items()}
    return {name: value for name, value in scalars.items() if repr(value) != repr(options[name])}


def takes_two_arrays(loss):
    """Return whether a loss takes a prediction and a target only."""
    names = [p.name for p in inspect.signature(loss).parameters.values() if p.default is p.empty]
    return names == ["y_hat", "y"]


def assert_same(found, expected):
    """Assert that two results have the same dtypes and the same numbers."""
    for one, other in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(lp.to_numpy(one), lp.to_numpy(other))


def test_layers_are_equal_and_written_alike():
    count = 0
    for name, examples in EXAMPLES.items():
        for layer in [example.layer for example in examples]:
            if not dataclasses.is_dataclass(layer) or not type(layer).__module__.startswith("luxport."):
                continue
            options = {f.name: getattr(layer, f.name, None) for f in dataclasses.fields(layer) if f.init}
            for option, value in list_numeric(options).items():
                if (name, option) not in BY_POSITION:
                    other = dataclasses.replace(layer, **{option: value})
                    assert (other, hash(other), repr(other)) == (layer, hash(layer), repr(layer)), option
                    count += 1
    assert count > 150


@pytest.mark.parametrize("backend", BACKENDS)
def test_operations_keep_their_dtype(backend):
    owner = get_backend(backend)
    count = 0
    # Layers and public functions call the operations of any rank with every option given.
    for name in [name for name in OPERATIONS if name in ops.__all__ and not name.endswith("_nd")]:
        for example in OPERATIONS[name]:
            arrays = [array if array is None else move_to_backend(array, owner, "float32") for array in example.arrays]
            function = getattr(ops, name)
            for option, value in list_numeric(example.options).items():
                assert_same(
                    function(*arrays, **{**example.options, option: value}), function(*arrays, **example.options)
                )
                count += 1
    assert count > 50


@pytest.mark.parametrize("backend", BACKENDS)
def test_losses_keep_their_dtype(backend):
    y_hat = lp.asarray(np.array([[0.2, 0.8], [0.7, 0.3]], np.float32), backend=backend)
    y = lp.asarray(np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), backend=backend)
    count = 0
    for loss in [getattr(losses, name) for name in losses.__all__]:
        if inspect.isfunction(loss) and takes_two_arrays(loss):
            defaults = {n: p.default for n, p in inspect.signature(loss).parameters.items() if type(p.default) is float}
            for option, value in list_numeric(defaults).items():
                assert_same(loss(y_hat, y, **{option: value}), loss(y_hat, y))
                count += 1
    assert count >= 7


def test_losses_and_rules_are_equal():
    assert repr(losses.HuberLoss(delta=np.float64(0.5))) == repr(losses.HuberLoss(delta=0.5))
    assert repr(optimizers.Adam(np.float64(0.5), (np.float64(0.25), 0.75))) == repr(optimizers.Adam(0.5, (0.25, 0.75)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", [np.float32(0.25), np.float16(0.25), np.array(0.25), np.int64(1)])
def test_rates_come_from_numpy_on_every_backend(backend, number: Any):
    ps = {"a": lp.asarray(np.ones(3, np.float32), backend=backend)}
    state = optimizers.setup(optimizers.Descent(0.125), ps)
    _, after = optimizers.update(optimizers.adjust(state, eta=number), ps, ps)
    np.testing.assert_array_equal(lp.to_numpy(after["a"]), 1.0 - np.full(3, number, np.float32))
    if isinstance(number, np.generic):
        rule = dataclasses.replace(optimizers.Descent(), eta=number)
        _, after = optimizers.update(optimizers.setup(rule, ps), ps, ps)
        np.testing.assert_array_equal(lp.to_numpy(after["a"]), 1.0 - np.full(3, number, np.float32))


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_training_takes_them(backend):
    x = lp.asarray(np.ones((4, 3), np.float32), backend=backend)
    loss = losses.MSELoss()
    count: Any = np.int64(2)
    bound: Any = np.float32(0.5)

    def make_state(rule=None):
        rule = optimizers.Descent(0.125) if rule is None else rule
        return training.TrainState.create(lp.Dense(3, 3), rule, rng=0, backend=backend)

    _, _, plain = training.train_step(loss, (x, x), make_state(), accumulate=2)
    _, _, state = training.train_step(loss, (x, x), make_state(), accumulate=count)
    assert_same(state.ps, plain.ps)
    state, _ = training.fit(loss, make_state(), (x, x), epochs=count, batch_size=count, callbacks=[])
    assert int(state.step) == 4
    clipped = optimizers.clip_by_global_norm({"a": x}, bound)
    assert_same(clipped, optimizers.clip_by_global_norm({"a": x}, 0.5))
    scheduled = make_state(optimizers.Scheduler(optimizers.Descent(), eta=lambda t: np.float32(0.125)))
    _, _, state = training.train_step(loss, (x, x), scheduled, jit=False)
    assert_same(state.ps, training.train_step(loss, (x, x), make_state(), jit=False)[2].ps)
    assert_same(training.onehotbatch(np.array([0, 1]), count), training.onehotbatch(np.array([0, 1]), 2))
