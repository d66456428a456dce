"""`compact`: a layer made from a function with its children, arrays and options."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import pickle

import numpy as np
import pytest

import luxport as lp
from luxport import tree


def make_perceptron():
    @lp.compact(first=lp.Dense(2, 4), blocks=[lp.Dense(4, 4) for _ in range(2)], gain=np.full(4, 0.5), act=lp.tanh)
    def perceptron(x, *, first, blocks, gain, act):
        y = act(first(x))
        for block in blocks:
            y = act(block(y)) * gain
        return y

    return perceptron


def compute_by_hand(x, ps):
    y = np.tanh(x @ ps["first"]["weight"] + ps["first"]["bias"])
    for block in ps["blocks"].values():
        y = np.tanh(y @ block["weight"] + block["bias"]) * ps["gain"]
    return y


def test_values_and_counts_are_those_by_hand(backend, draw, host):
    model = make_perceptron()
    ps, st = lp.setup(0, model, backend=backend)
    assert list(ps) == ["first", "blocks", "gain"]  # children first, then arrays: lux:src/helpers/compact.jl
    assert list(ps["blocks"]) == ["layer_1", "layer_2"]
    x = draw(backend, 3, 2)
    y, new = model(x, ps, st)
    np.testing.assert_allclose(host(y), compute_by_hand(host(x), host(ps)), rtol=1e-5, atol=1e-6)
    assert new == st == {"first": {}, "blocks": {"layer_1": {}, "layer_2": {}}, "act": lp.Static(lp.tanh)}
    # Dense has in x out + out parameters; a constant counts as one state, as in Lux.
    assert lp.parameter_length(model) == (2 * 4 + 4) + 2 * (4 * 4 + 4) + 4
    assert lp.state_length(model) == 1
    assert lp.output_shape(model, (7, 2)) == (7, 4)


def test_gradients_equal_finite_differences(differentiating, draw, host):
    model = make_perceptron()
    ps, st = lp.setup(0, model, backend=differentiating)
    x, xp = draw(differentiating, 3, 2), differentiating.xp

    def loss(ps, st, x):
        y, st = model(x, ps, st)
        return xp.sum(y * y), st

    (value, new), gradient = lp.value_and_grad(loss, has_aux=True)(ps, st, x)
    host_ps = tree.map(lambda leaf: leaf.astype("f8"), host(ps))
    assert float(value) == pytest.approx(np.sum(compute_by_hand(host(x), host_ps) ** 2), rel=1e-5)
    assert new == st
    up, down = ({**host_ps, "gain": host_ps["gain"] + eps * np.eye(4)[1]} for eps in (1e-6, -1e-6))
    slope = (np.sum(compute_by_hand(host(x), up) ** 2) - np.sum(compute_by_hand(host(x), down) ** 2)) / 2e-6
    assert float(host(gradient["gain"])[1]) == pytest.approx(slope, rel=1e-4)
    assert sorted(gradient) == sorted(ps)


def test_a_child_called_twice_updates_its_state_twice(backend, draw):
    @lp.compact(drop=lp.Dropout(0.5))
    def twice(x, drop):
        return drop(drop(x))

    ps, st = lp.setup(0, twice, backend=backend)
    x = draw(backend, 4, 8)
    y, new = twice(x, ps, st)
    assert int(new["drop"]["rng"]["counter"]) == 2
    layer = lp.Dropout(0.5)
    once, middle = layer(x, {}, st["drop"])
    want, _ = layer(once, {}, middle)
    np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(want))
    assert int(st["drop"]["rng"]["counter"]) == 0


def test_compact_layers_may_be_nested(backend, draw):
    @lp.compact(inner=make_perceptron(), last={"head": lp.Dense(4, 1), "norm": lp.BatchNorm(1)})
    def outer(x, inner, last):
        return last["norm"](last["head"](inner(x)))

    model = lp.Chain(outer, lp.Dense(1, 2))
    ps, st = lp.setup(0, model, backend=backend)
    y, new = model(draw(backend, 5, 2), ps, st)
    assert tuple(y.shape) == (5, 2)
    assert tree.structure(new) == tree.structure(st)
    assert lp.parameter_length(model) == lp.parameter_length(ps) == 56 + (4 + 1) + 2 + 4
    with pytest.raises(lp.LayerError, match=r"^Dense at layer_1\.inner\.first expects \(\.\.\., 2\), got \(5, 3\)$"):
        model(draw(backend, 5, 3), ps, st)


def test_parameters_may_be_drawn_given_or_not_trainable(backend):
    @lp.compact(
        drawn=lp.parameter(lp.initializers.ones, 3),
        scalar=lp.parameter(0.25),
        from_rng=lp.parameter(lambda rng: rng.normal((2, 3))),
        fixed=lp.non_trainable([1.0, 2.0, 3.0]),
        drawn_state=lp.non_trainable(lp.initializers.zeros, (3,)),
    )
    def affine(x, drawn, scalar, from_rng, fixed, drawn_state):
        return x @ from_rng * drawn * fixed + drawn_state + scalar

    ps, st = lp.setup(0, affine, backend=backend)
    assert {name: tuple(leaf.shape) for name, leaf in ps.items()} == {"drawn": (3,), "scalar": (), "from_rng": (2, 3)}
    assert {name: tuple(leaf.shape) for name, leaf in st.items()} == {"fixed": (3,), "drawn_state": (3,)}
    y, new = affine(lp.asarray([[1.0, 0.0]], backend=backend), ps, st)
    drawn = lp.Rng(0).normal((2, 3))[:1]
    np.testing.assert_allclose(backend.to_numpy(y), drawn * [1.0, 2.0, 3.0] + 0.25, rtol=1e-6)
    assert (lp.parameter_length(affine), lp.state_length(affine)) == (3 + 1 + 6, 3 + 3)
    assert list(new) == list(st)


def test_modes_reach_the_function():
    @lp.compact(training=True)
    def sign(x, training):
        return x if training else -x

    ps, st = lp.setup(0, sign, backend="numpy")
    assert sign(1.0, ps, st)[0] == 1.0
    assert sign(1.0, ps, lp.test_mode(st))[0] == -1.0


def test_parameters_of_a_child_are_accessible(backend, draw):
    @lp.compact(encoder=lp.Dense(3, 2, use_bias=False))
    def tied(x, encoder):
        return encoder(x) @ lp.namespace(x).matrix_transpose(encoder.ps["weight"])

    ps, st = lp.setup(0, tied, backend=backend)
    x, weight = draw(backend, 4, 3), backend.to_numpy(ps["encoder"]["weight"])
    want = backend.to_numpy(x) @ weight @ weight.T
    np.testing.assert_allclose(backend.to_numpy(tied(x, ps, st)[0]), want, rtol=1e-5, atol=1e-6)


def test_compact_layers_are_compared_by_value():
    def double(x, weight, flag):
        return x * weight

    layer = lp.compact(weight=np.ones(3), flag=True)(double)
    assert layer == lp.compact(weight=np.ones(3), flag=True)(double)
    assert hash(layer) == hash(lp.compact(weight=np.ones(3), flag=True)(double))
    assert layer != lp.compact(weight=np.zeros(3), flag=True)(double)
    assert layer != lp.compact(weight=np.ones(3), flag=1)(double)
    with pytest.raises(AttributeError):
        layer.name = "other"


@lp.compact(scale=np.ones(2))
def scale_input(x, scale):
    return x * scale


def multiply(x, weight):
    return x * weight


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int32"])
def test_an_array_keeps_its_dtype(backend, dtype):
    layer = lp.compact(weight=lp.asarray([1, 2], dtype=dtype, backend=backend))(multiply)
    ps, _ = lp.setup(0, pickle.loads(pickle.dumps(layer)), backend=backend)
    assert lp.backend.dtype_name(ps["weight"]) == dtype and lp.to_numpy(ps["weight"]).tolist() == [1, 2]


def test_compact_layers_are_pickled():
    assert pickle.loads(pickle.dumps(lp.Chain(scale_input))) == lp.Chain(scale_input)
    layer = lp.compact(weight=np.ones(2))(multiply)
    assert pickle.loads(pickle.dumps(layer)) == layer


def test_arrays_are_copied_when_given():
    weight = np.ones(2, np.float32)
    layer = lp.compact(weight=weight)(lambda x, weight: x * weight)
    weight[0] = 7.0
    ps, _ = lp.setup(0, layer, backend="numpy")
    assert ps["weight"].tolist() == [1.0, 1.0]


def test_compact_layers_are_printed_with_their_code():
    model = make_perceptron()
    assert repr(model).startswith(
        "perceptron(first=Dense(2, 4), blocks=(Dense(4, 4), Dense(4, 4)), gain=parameter((4,))"
    )
    lines = str(model).splitlines()
    assert lines[0] == "perceptron("
    assert lines[1] == "    first = Dense(2, 4),            # 12 parameters"
    assert "# 40 (20 x 2) parameters" in lines[3]
    assert lines[5].split("#")[1] == " 56 parameters, 1 state"
    assert lines[6].startswith("@lp.compact(first=lp.Dense(2, 4)")
    assert lines[7] == "def perceptron(x, *, first, blocks, gain, act):"
    assert lines[-1] == "    return y"
    assert repr(lp.compact("Linear", w=np.ones(3))(lambda x, w: x * w)) == "Linear(w=parameter((3,)))"
    assert lp.display(lp.Chain(model)).splitlines()[1] == "    layer_1 = perceptron("


def test_wrong_arguments_are_errors():
    with pytest.raises(TypeError, match=r"a function of x and dense, got f\(x, other\): .*'other'"):

        def f(x, other):
            return x

        lp.compact(dense=lp.Dense(1, 1))(f)
    with pytest.raises(TypeError, match="something hashable as sizes, got list"):
        lp.compact(sizes=[1, 2])(lambda x, sizes: x)
    with pytest.raises(TypeError, match=r"write @compact\(\) above a def"):
        lp.compact(lambda x: x)
    with pytest.raises(TypeError, match=r"an initializer expected with the shape \(3,\), got an array"):
        lp.parameter(np.ones(3), (3,))
    with pytest.raises(TypeError, match="expects numbers, got the dtype"):
        lp.parameter(["a"])
