"""Models become Keras layers and back, in a process for each backend, which Keras fixes when it is imported."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import keras, numpy as np, luxport
from luxport.tree import leaves, structure

def host(trees):
    return [np.array(keras.ops.convert_to_numpy(leaf)) for leaf in leaves(trees)]

dense = luxport.Dense(3, 8, luxport.tanh), luxport.Dense(8, 2)
model = luxport.Chain(dense[0], luxport.BatchNorm(8), luxport.Dropout(0.25), dense[1])
ps, st = luxport.setup(0, model, backend="numpy")
layer = luxport.to_keras(model, ps, st, name="net")
x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
assert keras.backend.backend() == BACKEND
assert [weight.name for weight in layer.trainable_weights][:2] == ["ps-layer_1-weight", "ps-layer_1-bias"]

# the outputs and the states are those of the model on NumPy
y, after = model(x, ps, st)
np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x, training=True)), y, rtol=1e-5, atol=1e-6)
for mine, theirs in zip(host(layer.trees()[1]), host(after), strict=True):
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
assert structure(layer.trees()) == structure((ps, st))
y, _ = model(x, ps, luxport.test_mode(after))
np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), y, rtol=1e-5, atol=1e-6)

# inside a Keras model: shapes, training, weights
inputs = keras.Input((3,))
outputs = layer(inputs)
assert outputs.shape == (None, 2), outputs.shape
whole = keras.Model(inputs, outputs)
before = host(layer.trees())
whole.compile("adam", "mse")
losses = whole.fit(x, x[:, :2], epochs=2, batch_size=3, verbose=0).history["loss"]
assert np.isfinite(losses).all()
changed = [not np.array_equal(*pair) for pair in zip(before, host(layer.trees()), strict=True)]
names = [weight.name for weight in (*layer._ps, *layer._st)]
assert [name for name, new in zip(names, changed, strict=True) if not new] == ["st-layer_3-rng-key"]
whole.save_weights(PATH)
other = luxport.to_keras(model, *luxport.setup(1, model, backend="numpy"), name="net")
again = keras.Model(inputs, other(inputs))
again.load_weights(PATH)
np.testing.assert_array_equal(again.predict(x, verbose=0), whole.predict(x, verbose=0))

# saved as a whole, and built from its configuration: with the same weights, or new ones
whole.save(PATH + ".keras")
loaded = keras.saving.load_model(PATH + ".keras")
np.testing.assert_array_equal(loaded.predict(x, verbose=0), whole.predict(x, verbose=0))
assert loaded.layers[-1]._model == model
clone = keras.models.clone_model(whole)
assert clone.layers[-1]._model == model and np.std(clone.predict(x, verbose=0)) > 0
assert [weight.path for weight in clone.weights] == [weight.path for weight in whole.weights]
import operator
joined = luxport.Parallel(operator.mul, luxport.SkipConnection(luxport.Dense(3, 3), operator.add), luxport.Dense(3, 3))
wrapped = luxport.to_keras(joined, *luxport.setup(0, joined, backend="numpy"))
assert type(wrapped).from_config(wrapped.get_config())._model == joined
own = luxport.to_keras(luxport.WrappedFunction(lambda x: x), {}, {})
hostile = [{"kind": "name", "of": of} for of in ("os:system", "luxport.porting.keras.layer_config:sys")]
for call, argument, text in (
    (lambda _: own.get_config(), None, "needs a name in luxport"),
    *[(type(layer).from_config, layer.get_config() | {"model": model}, model["of"]) for model in hostile],
):
    try:
        call(argument)
    except ValueError as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)

pair = luxport.to_keras(luxport.Bilinear((3, 2), 4), *luxport.setup(0, luxport.Bilinear((3, 2), 4), backend="numpy"))
assert pair([keras.Input((3,)), keras.Input((2,))]).shape == (None, 4)
assert tuple(pair([x, x[:, :2]]).shape) == (6, 4)

# sizes that are not known
for made, shape, wanted in (
    (luxport.MaxPool((2, 2)), (1, None, None), (None, 1, None, None)),
    (luxport.Chain(luxport.Conv((3, 3), 1, 4), luxport.GlobalMeanPool()), (1, None, None), (None, 4, 1, 1)),
    (luxport.Embedding(5, 3), (None,), (None, None, 3)),
    (luxport.NoOpLayer(), (2,), (None, 2)),
):
    free = luxport.to_keras(made, *luxport.setup(0, made, backend="numpy"))
    kind = "float32" if len(shape) == 3 else "int32"
    spec = free(keras.Input(shape, dtype=kind))
    assert spec.shape == wanted, (made, spec.shape)
    assert spec.dtype == ("int32" if len(shape) == 1 and shape[0] else "float32"), (made, spec.dtype)
images = keras.Input((1, None, None))
pooled = luxport.to_keras(luxport.MaxPool((2, 2)), {}, {})(images)
resizing = keras.Model(images, pooled)
for size in (4, 7):
    assert resizing(np.ones((2, 1, size, 9), "float32")).shape == (2, 1, size // 2, 4)

# half parameters stay half, in training and in files, and statistics single
for half in ("float16", "bfloat16"):
    deep = luxport.Chain(luxport.Dense(3, 8, luxport.tanh), luxport.BatchNorm(8), luxport.Dense(8, 2))
    ps, st = luxport.setup(0, deep, backend="numpy")
    made = luxport.to_keras(deep, *luxport.to((ps, st), dtype=half))
    want, _ = deep(x, ps, luxport.test_mode(st))
    y = made(keras.ops.cast(x, half))
    assert keras.backend.standardize_dtype(y.dtype) == half
    # bfloat16 has 8 bits: parameters, inputs and three layers are rounded by 2^-8 of numbers of some units.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")), want, atol=0.05)
    given = keras.Input((3,), dtype=half)
    trained = keras.Model(given, made(given))
    trained.compile(keras.optimizers.SGD(0.1), "mse")
    losses = trained.fit(x, x[:, :2], epochs=4, batch_size=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    trained.save(PATH + half + ".keras")
    again = keras.saving.load_model(PATH + half + ".keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), trained.predict(x, verbose=0))
    for model_of in (trained, again):
        kinds = [keras.backend.standardize_dtype(weight.dtype) for weight in model_of.layers[-1].weights]
        assert kinds == [half] * 6 + ["float32"] * 2, kinds

import from_keras_program
from_keras_program.main(BACKEND, layer, model)
print("done")
"""


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_a_layer_on_each_backend_of_keras(backend, tmp_path):
    program = f"BACKEND, PATH = {backend!r}, {str(tmp_path / 'net.weights.h5')!r}\n{PROGRAM}"
    environment = os.environ | {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.path.dirname(__file__)
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=240)
    assert ran.stdout.strip().endswith("done"), ran.stderr[-3000:]
