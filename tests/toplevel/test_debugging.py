"""`debug`: an error names the layer that first made a NaN."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import ops


def root(x):
    return lp.namespace(x).sqrt(x)


def safe_log(x):
    """Return zero at zero, where the gradient is 0 / 0: the usual trap of `where`."""
    xp = lp.namespace(x)
    return xp.where(x > 0, xp.log(x), 0.0 * x)


MODEL = lp.Chain(lp.Scale(2, use_bias=False), lp.Chain(first=root, second=lp.Scale(2)))
NEGATIVE, GOOD, ZERO = [[-1.0, 4.0]], [[1.0, 4.0]], [[0.0, 4.0]]


def set_up(model, backend, **options):
    model = lp.debug(model, **options)
    return model, *lp.setup(0, model, backend=backend)


def test_a_nan_in_an_output_names_the_layer(backend):
    model, ps, st = set_up(MODEL, backend)
    with pytest.raises(FloatingPointError) as caught:
        model(lp.asarray(NEGATIVE, backend=backend), ps, st)
    assert str(caught.value) == "WrappedFunction at layer_2.first made 1 NaN of 2 entries in its output"
    np.testing.assert_array_equal(backend.to_numpy(model(lp.asarray(GOOD, backend=backend), ps, st)[0]), [[1.0, 2.0]])


def test_a_nan_in_an_input_or_a_parameter_is_named(backend):
    model, ps, st = set_up(MODEL, backend)
    with pytest.raises(FloatingPointError, match="^Scale at layer_1 was given 1 NaN of 2 entries in its input$"):
        model(lp.asarray([[1.0, np.nan]], backend=backend), ps, st)
    bad = lp.asarray([np.nan, np.nan], backend=backend, dtype="float32")
    with pytest.raises(
        FloatingPointError, match=r"^Scale at layer_2\.second was given 2 NaN of 2 entries in its par.* w"
    ):
        inner = {**ps["layer_2"], "second": {**ps["layer_2"]["second"], "weight": bad}}
        model(lp.asarray(GOOD, backend=backend), {**ps, "layer_2": inner}, st)


def test_infinities_are_reported_on_request(backend):
    shrink = lp.WrappedFunction(lambda x: 1.0 / x)
    for infinities in (False, True):
        model, ps, st = set_up(lp.Chain(lp.NoOpLayer(), shrink), backend, infinities=infinities)
        x = lp.asarray(ZERO, backend=backend)
        with np.errstate(divide="ignore"):
            if not infinities:
                assert np.isinf(backend.to_numpy(model(x, ps, st)[0])).any()
                continue
            with pytest.raises(FloatingPointError, match="made 1 NaN or infinite of 2 entries in its output"):
                model(x, ps, st)


def test_a_nan_in_a_gradient_names_the_layer(differentiating):
    model = lp.Chain(lp.Scale(2, use_bias=False), safe_log, lp.Scale(2))
    x, xp = lp.asarray(ZERO, backend=differentiating), differentiating.xp

    def gradient(model):
        ps, st = lp.setup(0, model, backend=differentiating)
        return lp.grad(lambda ps: xp.sum(model(x, ps, st)[0]))(ps)

    assert np.isnan(differentiating.to_numpy(gradient(model)["layer_1"]["weight"])).any()
    with pytest.raises(FloatingPointError) as caught:
        gradient(lp.debug(model))
    assert str(caught.value) == "WrappedFunction at layer_2 made 1 NaN of 2 entries in the gradient of its input"
    assert np.isnan(differentiating.to_numpy(gradient(lp.debug(model, check="forward"))["layer_1"]["weight"])).any()


def test_a_nan_from_the_loss_is_reported_at_the_last_layer(differentiating):
    model, ps, st = set_up(lp.Chain(lp.Dense(2, 2, init_weight=lp.initializers.zeros), lp.Scale(2)), differentiating)
    x, xp = lp.asarray(ZERO, backend=differentiating), differentiating.xp
    with pytest.raises(
        FloatingPointError, match="^Scale at layer_2 was given 2 NaN of 2 entries in the gradient of its o"
    ):
        lp.grad(lambda ps: xp.sum(safe_log(model(x, ps, st)[0])))(ps)


def test_debugging_changes_no_values_and_gradients(differentiating, draw):
    model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Scale(4))
    debugged = lp.debug(model)
    ps, st = lp.setup(0, model, backend=differentiating)
    x, xp = draw(differentiating, 5, 3), differentiating.xp
    results = []
    for one in (model, debugged):
        value, gradient = lp.value_and_grad(lambda ps, one=one: xp.sum(one(x, ps, st)[0] ** 2))(ps)
        results.append((differentiating.to_numpy(value), differentiating.to_numpy(gradient["layer_1"]["weight"])))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-5, atol=1e-6)
    assert lp.parameter_length(debugged) == lp.parameter_length(model)
    assert lp.output_shape(debugged, (7, 3)) == (7, 4)


def test_debugging_keeps_second_gradients(differentiating):
    model, ps, st = set_up(lp.Chain(lp.Scale(2, lp.tanh)), differentiating)
    plain = lp.Chain(lp.Scale(2, lp.tanh))
    x, xp = lp.asarray(GOOD, backend=differentiating), differentiating.xp

    def slope(one):
        inner = lp.grad(lambda x, ps: xp.sum(one(x, ps, st)[0]))
        return lp.grad(lambda ps: xp.sum(inner(x, ps) ** 2))(ps)

    got, want = (differentiating.to_numpy(slope(one)["layer_1"]["weight"]) for one in (model, plain))
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("name", ["jax", "tf"])
def test_compiled_programs_are_not_checked(name):
    model, ps, st = set_up(MODEL, name)
    y, _ = lp.jit(model)(lp.asarray(NEGATIVE, backend=name), ps, st)
    assert np.isnan(lp.get_backend(name).to_numpy(y)).tolist() == [[True, False]]


def test_torch_compile_and_vmap_are_not_checked():
    import torch

    model, ps, st = set_up(MODEL, "torch")
    x = lp.asarray(NEGATIVE, backend="torch")
    compiled = torch.compile(lambda x, ps, st: model(x, ps, st), fullgraph=True, backend="eager")
    assert torch.isnan(compiled(x, ps, st)[0]).tolist() == [[True, False]]
    assert torch.isnan(torch.func.vmap(lambda x: model(x, ps, st)[0])(x)).tolist() == [[True, False]]
    gradient = torch.func.vmap(torch.func.grad(lambda x: model(x, ps, st)[0].sum()))(x)
    assert torch.isnan(gradient).tolist() == [[True, False]]


def test_other_errors_get_a_note_with_the_place():
    def fail(x):
        raise KeyError("gone")

    model, ps, st = set_up(lp.Chain(lp.NoOpLayer(), fail), "numpy")
    with pytest.raises(KeyError) as caught:
        model(np.ones(2), ps, st)
    assert caught.value.__notes__ == ["raised in WrappedFunction at layer_2"]


def test_a_recurrent_network_is_checked_as_one_layer():
    model, ps, st = set_up(lp.Recurrence(lp.RNNCell(3, 2)), "numpy")
    assert model(np.ones((1, 4, 3), np.float32), ps, st)[0].shape == (1, 2)
    with pytest.raises(FloatingPointError, match="^Recurrence was given 1 NaN of 6 entries in its input$"):
        model(np.array([[[1, 1, 1], [1, 1, np.nan]]], np.float32), ps, st)
    model, ps, st = set_up(lp.BidirectionalRNN(lp.RNNCell(3, 2)), "numpy")
    with pytest.raises(
        FloatingPointError, match="^Recurrence at forward_rnn was given 1 NaN of 3 entries in its input$"
    ):
        model(np.array([[[1, 1, np.nan]]], np.float32), ps, st)


def test_a_wrong_check_is_an_error():
    with pytest.raises(ValueError, match="'both', 'forward', 'backward' or 'none' as check, got 'sideways'"):
        lp.debug(MODEL, check="sideways")
    assert repr(lp.debug(lp.Chain(lp.NoOpLayer()))) == "Chain(DebugLayer(NoOpLayer(), ('layer_1',)))"


def test_observe_sees_values_and_gradients(differentiating):
    seen = []
    x, xp = lp.asarray([1.0, 2.0], backend=differentiating), differentiating.xp

    def note(kind):
        return lambda array: seen.append((kind, [float(entry) for entry in differentiating.to_numpy(array)]))

    lp.grad(lambda x: xp.sum(ops.observe(x, backward=note("backward")) ** 2) + xp.sum(x))(x)
    ops.observe(x, forward=note("forward"))
    # D(x²)/dx, without the gradient of the other use of x
    assert seen == [("backward", [2.0, 4.0]), ("forward", [1.0, 2.0])]


def test_networks_of_several_levels_may_be_debugged():
    model = lp.LSTM(2, 3, num_layers=2)
    ps, st = lp.setup(0, model)
    x = np.ones((1, 4, 2), np.float32)
    np.testing.assert_array_equal(lp.debug(model)(x, ps, st)[0], model(x, ps, st)[0])
