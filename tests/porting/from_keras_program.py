"""Compare `from_keras`'s models with Keras; test_keras.py runs this in a process for each of Keras's backends."""

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport.tree import leaves, structure

rng = np.random.default_rng(0)


def values(*shape):
    return rng.normal(size=shape).astype("float32")


def port(layer, x):
    """Give a layer random weights, port it, and compare the outputs."""
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


def port_with_gradients(layer, x):
    """Compare the outputs, the gradients by arrays, and the sum of squares of the parameters' gradients."""
    torch: Any = import_module("torch")
    port(layer, x)
    _, ps, st = luxport.from_keras(layer, backend="torch")
    model = luxport.from_keras(layer, backend="torch")[0]
    found = []
    for call, weights in (
        (layer, [weight.value for weight in layer.trainable_weights]),
        (lambda x: model(tuple(x) if isinstance(x, list) else x, ps, st)[0], leaves(ps)),
    ):
        given = [
            torch.tensor(part, requires_grad=part.dtype.kind == "f") for part in (x if isinstance(x, tuple) else (x,))
        ]
        for weight in weights:
            weight.grad = None
            weight.requires_grad_(True)
        outputs = leaves(call(given if isinstance(x, tuple) else given[0]))
        torch.stack([(y * y).sum() for y in outputs]).sum().backward()
        total = sum(float((weight.grad**2).sum()) for weight in weights if weight.grad is not None)
        found.append(([part.grad.numpy() for part in given if part.requires_grad], total))
    for mine, theirs in zip(found[1][0], found[0][0], strict=True):
        np.testing.assert_allclose(
            mine, theirs, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(theirs).max()), err_msg=layer.name
        )
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-4, err_msg=layer.name)


def main(backend, wrapped, model):
    there_and_back(wrapped, model)
    models(backend)
    # The list of layers does not depend on the backend; PyTorch is the fastest with many small ones.
    if backend == "torch":
        every_layer()
        for net, x in (*masked(), *other_cells(), *attentions()):
            port_with_gradients(net, x)
        refusals()


def there_and_back(wrapped, model):
    """Check that a layer of `to_keras` gives back the layer that it was made of."""
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
    if backend == "jax":  # JAX compiles each step by itself: half a minute for the rest
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
        # On PyTorch Keras pads the uneven windows of means with copies, elsewhere with nothing.
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
        (k.GaussianNoise(0.1), series),
        (k.GaussianDropout(0.1), series),
        (k.SpectralNormalization(k.Dense(3)), series),
        (k.SpectralNormalization(k.Conv2D(3, 3, strides=2, padding="same", activation="softmax")), images),
        (k.SpectralNormalization(k.Conv2DTranspose(3, 3)), images),
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
    """Functional models that are not chains, with their inputs."""
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


def masked():
    """Models that pass masks from layer to layer."""
    keras: Any = import_module("keras")
    k = keras.layers
    series = values(2, 7, 4)
    series[0, 4:] = series[1, 2] = series[1, 0] = 0

    def net(*layers):
        return keras.Sequential([keras.Input((7, 4)), k.Masking(), *layers])

    yield net(k.LSTM(3, return_sequences=True)), series
    yield net(k.GRU(3, return_sequences=True), k.Dense(4), k.Dropout(0.5), k.GRU(2)), series
    yield net(k.Bidirectional(k.GRU(3, return_sequences=True)), k.Bidirectional(k.LSTM(2))), series
    yield net(k.SimpleRNN(3, go_backwards=True)), series
    yield net(k.TimeDistributed(k.Dense(3)), k.GlobalAveragePooling1D()), series
    tokens, words = keras.Input((5,), dtype="int32"), np.array([[1, 2, 3, 0, 0], [4, 0, 2, 1, 0]], "int32")
    embedded = k.Embedding(9, 4, mask_zero=True)(tokens)
    attended = k.Add()([k.Attention()([embedded, embedded]), embedded])
    yield keras.Model(tokens, k.GlobalAveragePooling1D()(attended)), words
    heads = k.LayerNormalization()(k.Add()([k.MultiHeadAttention(2, 3)(embedded, embedded), embedded]))
    yield keras.Model(tokens, k.LSTM(3)(heads)), words
    # A query that sees nothing sees all keys equally, without dropout. Keras's gradient differs on PyTorch, where it
    # adds to the scores instead of replacing them: compare the values alone.
    port(keras.Model(tokens, k.MultiHeadAttention(2, 3)(embedded, embedded)), words)
    yield keras.Model(tokens, k.MultiHeadAttention(2, 3, dropout=0.3)(embedded, embedded)), words
    _, h, c = k.LSTM(3, return_state=True)(embedded)
    answers = k.LSTM(3, return_sequences=True)(k.Embedding(9, 2, mask_zero=True)(tokens), initial_state=[h, c])
    yield keras.Model(tokens, answers), words
    a, b = keras.Input((7, 4)), keras.Input((7, 4))
    for axis in (-1, 1):
        joined = k.Concatenate(axis=axis)([k.Masking()(a), k.Masking()(b)])
        yield keras.Model([a, b], k.GRU(3)(joined)), (series, series[::-1].copy())


def other_cells():
    """Recurrent layers with other gate functions, reversed, and on images."""
    k: Any = import_module("keras.layers")
    series = values(2, 7, 4)
    gates = {"activation": "elu", "recurrent_activation": "hard_sigmoid"}
    yield k.LSTM(3, return_sequences=True, **gates), series
    yield k.LSTM(3, activation="softmax"), series
    yield k.GRU(3, **gates), series
    yield k.GRU(3, reset_after=False, return_state=True, **gates), series
    yield k.LSTM(3, go_backwards=True, return_sequences=True, return_state=True), series
    yield k.ConvLSTM1D(3, 3, return_sequences=True), values(2, 4, 6, 2)
    yield k.ConvLSTM2D(3, (3, 2), strides=2, padding="same", **gates), values(2, 4, 7, 6, 2)
    yield k.ConvLSTM2D(3, 2, dilation_rate=2, return_state=True, data_format="channels_first"), values(2, 3, 2, 7, 6)
    yield k.ConvLSTM3D(2, 2, padding="same", go_backwards=True, use_bias=False), values(2, 3, 4, 3, 5, 2)
    yield k.UpSampling2D((2, 3), interpolation="bicubic"), values(2, 5, 4, 3)


def attentions():
    """Keras's other attention layers, and Dot."""
    keras: Any = import_module("keras")
    k = keras.layers
    a, b = keras.Input((7, 4)), keras.Input((6, 4))
    arrays = values(2, 7, 4), values(2, 6, 4)
    for layer, options in (
        (k.Attention(use_scale=True), {"use_causal_mask": True}),
        (k.Attention(score_mode="concat", use_scale=True, dropout=0.3), {}),
        (k.AdditiveAttention(), {"return_attention_scores": True}),
        (k.AdditiveAttention(use_scale=False), {}),
    ):
        yield keras.Model([a, b], layer([a, b, k.Dense(4)(b)], **options)), arrays
    yield keras.Model([a, b], k.Dot((2, -1), normalize=True)([a, b])), arrays


def refusals():
    keras: Any = import_module("keras")
    k = keras.layers

    class Own(k.Layer):
        pass

    class OwnModel(keras.Model):
        pass

    def net(*layers):
        return keras.Sequential([keras.Input((6, 4)), *layers], name="net")

    x = keras.Input((4,))
    crop = keras.Sequential([k.Resizing(3, 3, name="crop")], name="inner")
    for layer, text in (
        (
            keras.Model(x, k.Dropout(0.5, name="drop")(x, training=True)),
            "drop has no counterpart: it is called",
        ),
        (Own(name="own"), "Own at own has no counterpart: it is no class of keras.layers"),
        (OwnModel(name="own"), "OwnModel at own has no counterpart: it is neither Sequential nor Functional"),
        (
            keras.Sequential([keras.Input((6, 4, 1)), crop]),
            "Resizing at inner.crop has no counterpart: luxport has no such layer",
        ),
        (k.Dense(3, name="d"), "Dense at d has no counterpart: it has no weights yet"),
        (net(k.LSTM(2, dropout=0.5)), "dropout or recurrent_dropout"),
        (net(k.GRU(2, activation="sparsemax")), "the activation sparsemax"),
        (net(k.Masking(), k.Softmax(name="soft")), "Softmax at soft has no counterpart: it is called with a mask"),
        (net(k.Dense(2, activation="sparsemax")), "the activation sparsemax"),
        (net(k.Dense(2, activation=lambda x: x)), "the activation <lambda>"),
        (net(k.LayerNormalization(axis=1)), "axis=[1], which are not the last axes"),
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
