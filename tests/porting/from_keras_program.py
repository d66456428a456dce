"""What `from_keras` makes computes what Keras does: run by test_keras.py in a process for each of Keras's backends."""

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport.tree import leaves, structure

rng = np.random.default_rng(0)


def values(*shape):
    return rng.normal(size=shape).astype("float32")


def port(layer, x):
    """Give a layer weights that all matter, port it, and compare the outputs."""
    keras: Any = import_module("keras")
    if not layer.built or not layer.weights:
        layer(x)
    for weight in layer.weights:
        if "float" in weight.dtype:
            low = 0.2 if "variance" in weight.name else -0.7
            weight.assign(rng.uniform(low, 0.8, weight.shape).astype("float32"))
    wanted = [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(layer(x))]
    ported = luxport.from_keras(layer, backend="numpy")
    y, _ = ported[0](x, *ported[1:])
    for mine, theirs in zip(leaves(y), wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5, err_msg=layer.name)
    return ported


def main(backend, wrapped, model):
    there_and_back(wrapped, model)
    models(backend)
    # Which layers there are does not depend on the backend; PyTorch's is the quickest with many small ones.
    if backend == "torch":
        every_layer()
        refusals()


def there_and_back(wrapped, model):
    """A layer that `to_keras` made gives back what it was made of."""
    back, ps, st = luxport.from_keras(wrapped, backend="numpy")
    theirs = wrapped.trees()
    assert (back, structure((ps, st))) == (model, structure((theirs[0], luxport.test_mode(theirs[1]))))
    for mine, other in zip(leaves(ps), leaves(theirs[0]), strict=True):
        np.testing.assert_array_equal(mine, luxport.backend_of(other).to_numpy(other))


def models(backend):
    keras: Any = import_module("keras")
    k = keras.layers

    images = values(2, 9, 8, 3)
    layers = [
        k.Conv2D(4, 3, padding="same"), k.BatchNormalization(), k.ReLU(), k.MaxPooling2D(), k.Dropout(0.5),
        k.Conv2D(5, 2, strides=2, padding="same", activation="gelu", name="conv"), k.Flatten(), k.Dense(3, "softmax"),
    ]  # fmt: skip
    if backend == "jax":  # which compiles each step by itself: half a minute for the rest
        layers = layers[-3:]
    net: Any
    net, ps, st = port(keras.Sequential([keras.Input((9, 8, 3)), *layers]), images)
    own = {layer.name for layer in layers}
    assert [name for name in net.layers if name not in own] == ["channels_first", "channels_last"]
    assert ps["conv"]["weight"].shape[::3] == (5, 2)
    assert net(images, ps, luxport.train_mode(st))[0].shape == (2, 3)
    if backend == "jax":
        return
    inputs = keras.Input((6,), dtype="int32")
    embedded = k.Bidirectional(k.GRU(3, return_sequences=True))(k.Embedding(9, 4)(inputs))
    inner = keras.Sequential([k.GRU(3, reset_after=False, return_sequences=True), k.LSTM(2)])
    port(keras.Model(inputs, inner(embedded)), np.array([[1, 2, 3, 4, 8, 0]], "int32"))
    if backend == "tensorflow":
        port(k.Conv2DTranspose(5, 3, strides=2, padding="same"), images)
        # On PyTorch Keras pads uneven windows of means with copies, elsewhere with nothing.
        port(k.AveragePooling2D(3, strides=2, padding="same"), images)


def every_layer():
    k: Any = import_module("keras.layers")

    images, series, volumes = values(2, 9, 8, 3), values(2, 7, 4), values(2, 5, 4, 3, 2)
    for name in (
        *("celu", "elu", "exponential", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu"),
        *("linear", "log_sigmoid", "log_softmax", "mish", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax"),
        *("softplus", "softsign", "tanh", "tanh_shrink"),
    ):
        port(k.Activation(name), 3 * values(2, 5))
    for padding in ("valid", "same"):
        for stride, size in ((1, 2), (1, 3), (2, 1), (2, 3), (3, 2)):
            options = {"strides": stride, "padding": padding}
            port(k.Conv2D(6, (size, 2), activation="relu", groups=3, **options), images)
            port(k.DepthwiseConv2D(size, depth_multiplier=2, **options), images)
            port(k.MaxPooling2D((size, 3), **options), images)
            port(k.Conv1DTranspose(5, size, **options), series)
            port(k.SeparableConv1D(6, size, activation="softmax", **options), series)
    for net, x in graphs():
        port(net, x)
    for layer, x in (
        (k.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", activation="tanh"), series),
        (k.EinsumDense("...x,xy->...y", 5), series),
        (k.PReLU(shared_axes=(1,)), series),
        (k.TimeDistributed(k.Conv1D(3, 2)), values(2, 3, 7, 4)),
        (k.UnitNormalization(), series),
        (k.Normalization(mean=(0.0, 1.0, 2.0, 3.0), variance=(1.0, 2.0, 3.0, 4.0)), series),
        *[(k.Activation(name), 3 * values(2, 6)) for name in ("glu", "squareplus", "sparse_plus", "sparse_sigmoid")],
        (k.Dense(5, use_bias=False), images),
        (k.Conv1D(4, 3, padding="causal", dilation_rate=2), series),
        (k.Conv3D(4, 2, activation="softmax"), volumes),
        (k.Conv2D(4, 3, data_format="channels_first"), images),
        (k.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=0), images),
        (k.AveragePooling1D(3), series),
        (k.GlobalAveragePooling2D(), images),
        (k.GlobalMaxPooling1D(keepdims=True), series),
        (k.MaxPooling3D(2), volumes),
        (k.BatchNormalization(), values(4, 3)),
        (k.BatchNormalization(axis=1, scale=False), images),
        (k.BatchNormalization(scale=False, center=False), images),
        (k.LayerNormalization(axis=(-2, -1)), images),
        (k.LayerNormalization(center=False), images),
        (k.GroupNormalization(-1), images),
        (k.RMSNormalization(), series),
        (k.LSTM(3, return_state=True, return_sequences=True), series),
        (k.LSTM(3, go_backwards=True, use_bias=False), series),
        (k.GRU(3, use_bias=False), series),
        (k.SimpleRNN(3, "relu"), series),
        (k.Bidirectional(k.LSTM(3), merge_mode="ave"), series),
        (k.Bidirectional(k.SimpleRNN(3), merge_mode=None), series),
        (k.Flatten(data_format="channels_first"), images),
        (k.Reshape((8, -1)), images),
        (k.Permute((2, 1, 3)), images),
        (k.RepeatVector(3), values(2, 4)),
        (k.Rescaling(2.0, 1.0), images),
        (k.ZeroPadding2D(((1, 2), (0, 3))), images),
        (k.ZeroPadding1D(2), series),
        (k.Cropping2D(((1, 0), (0, 2))), images),
        (k.UpSampling1D(2), series),
        (k.UpSampling2D((2, 3), interpolation="bilinear"), images),
        (k.ReLU(0.5, 0.2, 0.1), images),
        (k.ReLU(max_value=0.5), images),
        (k.ELU(0.5), images),
        (k.LeakyReLU(0.4), images),
        (k.Softmax(axis=1), images),
        (k.SpatialDropout2D(0.5), images),
        (k.AlphaDropout(0.3), images),
        (k.Dropout(0.0), images),
        (k.ActivityRegularization(0.1), images),
        (k.Identity(), images),
    ):
        port(layer, x)


def graphs():
    """Functional models that are no chains, and what they take."""
    keras: Any = import_module("keras")
    k = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = k.Dense(4, "tanh", name="shared")
    x, y = values(3, 4), values(3, 4)
    yield keras.Model(a, shared(shared(a))), x
    yield keras.Model(a, k.Add()([a, shared(a)])), x
    joined = k.Concatenate()([shared(a), shared(b), k.Multiply()([a, b])])
    yield keras.Model([a, b], [k.Dense(2)(joined), k.Subtract()([a, b])]), (x, y)
    more = (k.Average, k.Maximum, k.Minimum)
    yield keras.Model([a, b], k.Concatenate(axis=1)([layer()([a, b]) for layer in more] + [a + b, a * b])), (x, y)
    yield keras.Model([a, b], {"dot": k.Dot(1)([a, b]), "other": k.Dot(1, normalize=True)([a, b])}), (x, y)
    image = keras.Input((6, 6, 3))
    hidden = k.Conv2D(4, 3, padding="same", activation="relu")(image)
    inner = keras.Model(i := keras.Input((6, 6, 4)), k.Add()([i, k.Conv2D(4, 1)(i)]), name="inner")
    merged = k.Concatenate()([inner(hidden), inner(k.BatchNormalization()(hidden))])
    yield keras.Model(image, k.Dense(2)(k.GlobalAveragePooling2D()(merged))), values(2, 6, 6, 3)
    tokens = keras.Input((5, 8))
    attended = k.MultiHeadAttention(2, 4)(tokens, tokens, use_causal_mask=True)
    normed = k.LayerNormalization()(k.Add()([tokens, attended]))
    crossed = k.MultiHeadAttention(2, 3, value_dim=4, output_shape=5)(normed, tokens)
    out, h, c = k.LSTM(3, return_sequences=True, return_state=True)(crossed)
    yield keras.Model(tokens, [out, k.Concatenate()([h, c])]), values(2, 5, 8)


def refusals():
    keras: Any = import_module("keras")
    k = keras.layers

    class Own(k.Layer):
        pass

    class OwnModel(keras.Model):
        pass

    def net(*layers):
        return keras.Sequential([keras.Input((6, 4)), *layers], name="net")

    x, y = keras.Input((4,)), keras.Input((4,))
    z = keras.Input((6, 4))
    noise = keras.Sequential([k.GaussianNoise(0.1, name="noise")], name="inner")
    for layer, text in (
        (
            keras.Model(x, k.Dropout(0.5, name="drop")(x, training=True)),
            "drop has no counterpart: it is called",
        ),
        (keras.Model((z, y), k.Add()([k.Masking(name="mask")(z), y]), name="net"), "Masking at net.mask"),
        (Own(name="own"), "Own at own has no counterpart: is no class of keras.layers"),
        (OwnModel(name="own"), "OwnModel at own has no counterpart: is neither Sequential nor Functional"),
        (net(k.Dense(3), noise), "GaussianNoise at inner.noise has no counterpart: luxport has no such layer"),
        (net(k.Masking(name="mask")), "Masking at mask has no counterpart"),
        (k.Dense(3, name="d"), "Dense at d has no counterpart: has no weights yet"),
        (net(k.LSTM(2, dropout=0.5)), "dropout or recurrent_dropout"),
        (net(k.GRU(2, activation="relu")), "activations other than tanh and sigmoid"),
        (net(k.LSTM(2, go_backwards=True, return_sequences=True)), "go_backwards=True with return_sequences=True"),
        (net(k.Dense(2, activation="sparsemax")), "the activation sparsemax"),
        (net(k.Dense(2, activation=lambda x: x)), "the activation <lambda>"),
        (net(k.LayerNormalization(axis=1)), "axis=[1], which are not the last ones"),
        (net(k.Dense(2, dtype="mixed_float16")), "computes in float16"),
        (net(k.Dropout(0.5, noise_shape=(None, 1, 4))), "noise_shape=(None, 1, 4)"),
    ):
        try:
            luxport.from_keras(layer)
        except ValueError as error:
            assert text in str(error) and "\n" not in str(error), error
        else:
            raise AssertionError(text)
    try:
        luxport.from_keras(luxport.Dense(2, 3))
    except TypeError as error:
        assert "expects a layer or model of Keras, got Dense" in str(error)
    else:
        raise AssertionError("no layer of Keras")
    _, ps, st = luxport.from_keras(
        net(k.BatchNormalization(scale=False, name="norm")), backend="numpy", dtype="float64"
    )
    assert (list(ps["norm"]), list(st["norm"]["frozen_params"])) == (["bias"], ["scale"])
    assert ps["norm"]["bias"].dtype == st["norm"]["states"]["running_mean"].dtype == np.float64
    assert luxport.from_keras(keras.Sequential([]))[0] == luxport.NoOpLayer()
