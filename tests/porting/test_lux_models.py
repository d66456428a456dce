"""Whole models of Lux, written here with the fields and type parameters of its generations.

The layouts are those of the structs' definitions at Lux.jl's tags v0.4.30, v0.5.30 and v1.4.0.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np
import pytest
from lux_layouts import DRAWN, EMPTY, GELU, GLOROT, RELU, TANH, Between, New, Old, chain, draw, lux
from lux_writer import COLON, NOTHING, NT, Type, function, save_values

import luxport as lp
from luxport.porting import FileFormatError, load_model, load_parameters
from luxport.porting.lux import WholeLayerNorm
from luxport.training import load_train_state


def write_model_file(tmp_path, form, **values):
    path = tmp_path / "model.jld2"
    path.write_bytes(save_values(form, **values))
    return path


def load_written(tmp_path, lux_version, model, ps=EMPTY, st=EMPTY, **options):
    path = write_model_file(tmp_path, lux_version.form, model=model, ps=ps, st=st)
    return load_model(path, backend="numpy", **options)


def compute_result(tmp_path, lux_version, model, ps, x, st=EMPTY):
    layer, ps, st = load_written(tmp_path, lux_version, model, ps, st)
    return layer(x, ps, lp.test_mode(st))[0]


def assert_close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


W1, B1, W2, X = draw(3, 4), draw(4), draw(4, 2), draw(5, 3)
EVERY = pytest.mark.parametrize("v", [Old, New, Between])


@EVERY
def test_a_chain_is_read_with_parameters_and_states(v, tmp_path):
    """Until 1.0 a bias has a second axis of 1; names of layers are the chain's; statistics come from the states."""
    mean, var, scale, shift = draw(4), np.abs(draw(4)) + 0.5, draw(4), draw(4)
    model = chain(
        first=v.dense((3, 4), GELU),
        norm=v.batch_norm(4),
        act=Type("Lux.WrappedFunction", (RELU,))
        if v.form == "old"
        else lux("WrappedFunction", {"func": RELU}, (RELU,)),
        drop=lux("Dropout", {"p": 0.25, "q": 1.25, "dims": COLON}, (Type("Core.Float32"), COLON)),
        last=v.dense((4, 2), bias=False),
    )
    none = NT()
    bias = B1[None] if v is Old else B1
    ps = NT(first=NT(weight=W1, bias=bias), norm=NT(scale=scale, bias=shift), act=none, drop=none, last=NT(weight=W2))
    st = NT(first=none, norm=NT(running_mean=mean, running_var=var), act=none, drop=none, last=none)
    layer, got, states = load_written(tmp_path, v, model, ps, st)
    assert layer == lp.Chain(
        first=lp.Dense(3, 4, lp.gelu),
        norm=lp.BatchNorm(4, epsilon=float(str(np.float32(1e-3))), momentum=0.25),
        act=lp.relu,
        drop=lp.Dropout(0.25),
        last=lp.Dense(4, 2, use_bias=False),
    )
    np.testing.assert_array_equal(got["first"]["bias"], B1)
    np.testing.assert_array_equal(states["norm"]["running_var"], var)
    y, _ = layer(X, got, lp.test_mode(states))
    hidden = lp.gelu(X @ W1 + B1)
    assert_close(y, np.maximum((hidden - mean) / np.sqrt(var + 1e-3) * scale + shift, 0) @ W2)


@EVERY
@pytest.mark.parametrize("kind", ["Conv", "CrossCor", "ConvTranspose"])
def test_convolutions_are_read(v, kind, tmp_path):
    """Padding comes in pairs for each axis of Julia's, the width's first; CrossCor became an option of Conv."""
    weight, bias, x = draw(2, 3, 3, 2) if kind != "ConvTranspose" else draw(3, 2, 3, 2), draw(2), draw(2, 3, 5, 6)
    stored = bias.reshape(1, 2, 1, 1) if v is Old else bias
    model = v.conv(kind, (2, 3), (3, 2), RELU, pad=(1, 0, 2, 1))
    layer, ps, st = load_written(tmp_path, v, model, NT(weight=weight, bias=stored))
    build = lp.ConvTranspose if kind == "ConvTranspose" else lp.Conv
    want = build((3, 2), 3, 2, lp.relu, padding=((2, 1), (1, 0)), cross_correlation=kind == "CrossCor")
    assert_close(layer(x, ps, st)[0], want(x, {"weight": weight, "bias": bias}, st)[0])


@EVERY
def test_layers_around_layers_are_read(v, tmp_path):
    block = lux("SkipConnection", {"layers": v.dense((3, 3)), "connection": function("Base.+"), "name": NOTHING},
                (NOTHING, Type("Lux.Dense"), function("Base.+")))  # fmt: skip
    sides = NT(a=v.dense((3, 2), TANH), b=v.dense((3, 2)))
    parallel = lux("Parallel", {"connection": function("Base.vcat"), "layers": sides, "name": NOTHING},
                   (function("Base.vcat"), NOTHING))  # fmt: skip
    branch = lux("BranchLayer", {"layers": sides, "name": NOTHING}, (NOTHING,))
    w, a, b, zero = draw(3, 3), draw(3, 2), draw(3, 2), np.zeros(2, np.float32)
    both = NT(a=NT(weight=a, bias=zero), b=NT(weight=b, bias=zero))
    ps = NT(layer_1=NT(weight=w, bias=B1[:3]), layer_2=both)
    hidden = X @ w + B1[:3] + X
    assert_close(
        compute_result(tmp_path, v, chain(layer_1=block, layer_2=parallel), ps, X),
        np.concatenate([np.tanh(hidden @ a), hidden @ b], -1),
    )
    assert [y.shape for y in compute_result(tmp_path, v, branch, both, X)] == [(5, 2), (5, 2)]


@EVERY
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_recurrent_cells_are_read(v, kind, tmp_path):
    """Until 0.5 one bias, or two, where the input's has the last gate alone; two whole ones since."""
    gates = {"RNNCell": 1, "LSTMCell": 4, "GRUCell": 3}[kind]
    wi, wh, bi, bh, x = draw(3, 2 * gates), draw(2, 2 * gates), draw(2 * gates), draw(2 * gates), draw(2, 4, 3)
    if v is Old:
        names = ("weight_ih", "weight_hh") if kind == "RNNCell" else ("weight_i", "weight_h")
        ps = NT(zip(names, (wi, wh), strict=True))
        if kind == "GRUCell":
            bi[:4] = 0
            ps |= {"bias_i": bi[None, 4:], "bias_h": bh[None]}
        else:
            bh[:] = 0
            ps |= {"bias": bi[None]}
        ps = NT(ps)
    else:
        ps = NT(weight_ih=wi, weight_hh=wh, bias_ih=bi, bias_hh=bh)
    model = v.recurrence(v.cell(kind, (3, 2), TANH if kind == "RNNCell" else None))
    want = lp.Recurrence(getattr(lp, kind)(3, 2), return_sequence=True)
    given = {"weight_ih": wi, "weight_hh": wh, "bias_ih": bi, "bias_hh": bh}
    assert_close(compute_result(tmp_path, v, model, ps, x), want(x, given, lp.setup(0, want)[1])[0])


@EVERY
def test_norms_and_pools_are_read(v, tmp_path):
    """Lux's LayerNorm takes one mean of all samples together, unless dims says otherwise."""
    x, scale, shift = draw(4, 2, 3), draw(2, 3), draw(2, 3)
    ps = NT(scale=scale[None], bias=shift[None])
    layer, got, st = load_written(tmp_path, v, v.layer_norm((3, 2), COLON), ps)
    assert isinstance(layer, WholeLayerNorm)
    assert_close(layer(x, got, st)[0], (x - x.mean()) / np.sqrt(x.var() + 1e-3) * scale + shift)
    each = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-3) * scale + shift
    assert_close(compute_result(tmp_path, v, v.layer_norm((3, 2), (1, 2)), ps, x), each)
    ps = NT(a=NT(), b=NT(weight=W1[:1, :1], bias=B1[:1]))
    layer, *_ = load_written(tmp_path, v, chain(a=v.max_pool((2, 3)), b=v.dense((1, 1))), ps)
    assert layer.layers["a"] == lp.MaxPool((3, 2), stride=(3, 2), padding=(0, 0), **({} if v is Old else DILATION))


DILATION = {"dilation": (1, 1)}


def test_both_directions_are_read(tmp_path):
    """Lux 1 has a Parallel of a recurrence and a chain that reverses time before and after another."""
    given = {name: NT(weight_ih=draw(3, 8), weight_hh=draw(2, 8), bias_ih=draw(8), bias_hh=draw(8)) for name in "fb"}
    run = New.recurrence(New.cell("LSTMCell", (3, 2)))
    turn = lux("ReverseSequence", {"dim": NOTHING}, (NOTHING,))
    joint = Type("Base.Broadcast.BroadcastFunction", (function("Base.vcat"),))
    sides = NT(forward_rnn=run, backward_rnn=chain(rev1=turn, rnn=run, rev2=turn))
    parallel = lux("Parallel", {"connection": joint, "layers": sides, "name": NOTHING}, (joint, NOTHING))
    ps = NT(forward_rnn=given["f"], backward_rnn=NT(rev1=NT(), rnn=given["b"], rev2=NT()))
    for v in (New, Between):
        layer, got, _ = load_written(tmp_path, v, lux("BidirectionalRNN", {"model": parallel}), ps)
        assert layer == lp.BidirectionalRNN(lp.LSTMCell(3, 2))
        np.testing.assert_array_equal(got["backward_rnn"]["rnn"]["bias_hh"], given["b"]["bias_hh"])


def test_layers_that_change_parameters_are_read(tmp_path):
    """WeightNorm has norms and directions, FrozenLayer parameters among the states; Embedding and Scale are tables."""
    inner = New.dense((3, 4))
    norm, direction = draw(3, 1), draw(3, 4)
    model = lux("WeightNorm", {"layer": inner, "dims": NOTHING}, ("weight",))
    ps = NT(normalized=NT(weight_g=norm, weight_v=direction), unnormalized=NT(bias=B1))
    weight = norm * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    assert_close(compute_result(tmp_path, New, model, ps, X), X @ weight + B1)
    frozen = lux("FrozenLayer", {"layer": inner}, ("weight",), module="Lux.Experimental")
    layer, got, st = load_written(tmp_path, New, frozen, NT(bias=B1), NT(frozen_params=NT(weight=W1), states=NT()))
    assert list(got) == ["bias"]
    assert_close(layer(X, got, st)[0], X @ W1 + B1)
    table = lux("Embedding", {"in_dims": 3, "out_dims": 4, "init_weight": GLOROT})
    assert_close(compute_result(tmp_path, New, table, NT(weight=W1), np.array([2, 0])), W1[[2, 0]])
    scale = lux("Scale", {"activation": TANH, "dims": (4,), **DRAWN}, (True, TANH))
    assert_close(compute_result(tmp_path, Old, scale, NT(weight=B1, bias=B1), W1), np.tanh(W1 * B1 + B1))


def test_attention_of_1_x_is_read(tmp_path):
    parts = {name: New.dense((4, 4), bias=False) for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
    drop = lux("Dropout", {"p": 0.0, "q": 1.0, "dims": COLON})
    model = lux("MultiHeadAttention", {"nheads": 2, **parts, "attention_dropout": drop, "is_causal": NOTHING})
    ps = NT({name: NT(weight=draw(4, 4)) for name in parts}, attention_dropout=NT())
    layer, got, st = load_written(tmp_path, New, model, ps)
    assert layer == lp.MultiHeadAttention((4, 4, 4), (4, 4), 4, nheads=2)
    np.testing.assert_array_equal(got["k_proj"]["weight"], ps["k_proj"]["weight"])
    assert layer(draw(2, 3, 4), got, st)[0][0].shape == (2, 3, 4)


@pytest.mark.parametrize("around", ["TrainState", "StatefulLuxLayer"])
def test_a_model_is_read_with_the_parameters_beside_it(around, tmp_path):
    """A struct that keeps the optimizer's moments beside the parameters gives the parameters."""
    ps, moments = NT(weight=W1, bias=B1), NT(weight=NT(state=(W1, W1)), bias=NT(state=(B1, B1)))
    model = New.dense((3, 4), TANH)
    if around == "TrainState":
        fields = {"cache": NOTHING, "objective_function": NOTHING, "model": model, "parameters": ps, "states": NT()}
        value = lux("TrainState", fields | {"optimizer_state": moments, "step": 3}, module="Lux.Training")
    else:
        value = lux("StatefulLuxLayer", {"model": model, "ps": ps, "st": NT()}, module="LuxCore.StatefulLuxLayerImpl")
    layer, got, st = load_model(write_model_file(tmp_path, "new", ts=value), backend="numpy")
    assert_close(layer(X, got, st)[0], np.tanh(X @ W1 + B1))


def make_optimiser(name, **fields):
    return lux(name, fields, module="Optimisers")


def make_train_state(rule, kept, step=3):
    """Return a TrainState of a chain, whose optimizer keeps ``kept(x)`` for each parameter."""
    leaf = lambda x: make_optimiser("Leaf", rule=rule, state=kept(x), frozen=False)  # noqa: E731
    model = chain(layer_1=New.dense((3, 4), TANH), layer_2=New.dense((4, 2), bias=False))
    ps = NT(layer_1=NT(weight=W1, bias=B1), layer_2=NT(weight=W2))
    moments = NT(layer_1=NT(weight=leaf(W1), bias=leaf(B1)), layer_2=NT(weight=leaf(W2)))
    fields = {"cache": NOTHING, "objective_function": NOTHING, "model": model, "parameters": ps}
    fields |= {"states": NT(layer_1=NT(), layer_2=NT()), "optimizer": rule, "optimizer_state": moments, "step": step}
    return lux("TrainState", fields, module="Lux.Training")


ADAM = make_optimiser("Adam", eta=0.02, beta=(0.9, 0.99), epsilon=1e-8)
RULES = {
    "Adam": (ADAM, lambda x: (0.1 * x, x * x, (0.9**4, 0.99**4)), lp.optimizers.Adam(0.02, (0.9, 0.99))),
    "Descent": (make_optimiser("Descent", eta=0.3), lambda x: NOTHING, lp.optimizers.Descent(0.3)),
    "Momentum": (make_optimiser("Momentum", eta=0.2, rho=0.8), lambda x: 0.1 * x, lp.optimizers.Momentum(0.2, 0.8)),
    "RMSProp": (
        make_optimiser("RMSProp", eta=0.2, rho=0.8, epsilon=1e-6, centred=False),
        lambda x: (x * x, False),
        lp.optimizers.RMSProp(0.2, 0.8, 1e-6),
    ),
    "OptimiserChain": (
        make_optimiser("OptimiserChain", opts=(make_optimiser("WeightDecay", **{"lambda": 0.1}), ADAM)),
        lambda x: (NOTHING, (0.1 * x, x * x, (0.9**4, 0.99**4))),
        lp.optimizers.OptimizerChain(lp.optimizers.WeightDecay(0.1), lp.optimizers.Adam(0.02, (0.9, 0.99))),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_training_continues_from_a_train_state(name, tmp_path):
    """The next step follows the rule's formula with the file's moments."""
    rule, kept, ours = RULES[name]
    state = load_train_state(write_model_file(tmp_path, "new", ts=make_train_state(rule, kept)), backend="numpy")
    assert int(state.step) == 3
    grads = lp.tree.map(lambda x: 0.5 + x, state.ps)
    _, ps = lp.optimizers.update(state.opt_state, state.ps, grads)
    for part, x in (("layer_1", W1), ("layer_2", W2)):
        dx = 0.5 + x
        if name == "OptimiserChain":
            dx = dx + 0.1 * x
        if name in ("Adam", "OptimiserChain"):
            m, v = 0.9 * 0.1 * x + 0.1 * dx, 0.99 * x * x + 0.01 * dx**2
            step = 0.02 * m / (1 - 0.9**4) / (np.sqrt(v / (1 - 0.99**4)) + 1e-8)
        elif name == "Momentum":
            step = 0.8 * 0.1 * x + 0.2 * dx
        elif name == "RMSProp":
            step = 0.2 * dx / (np.sqrt(0.8 * x * x + 0.2 * dx**2) + 1e-6)
        else:
            step = 0.3 * dx
        assert_close(ps[part]["weight"], x - step)
    fresh = lp.training.TrainState.create(state.model, ours, ps=state.ps, st=state.st)
    assert lp.tree.structure(fresh.opt_state) == lp.tree.structure(state.opt_state)


def test_other_rules_moments_have_the_layout_of_a_new_state(tmp_path):
    powers = (0.9, 0.99)
    kept = {
        "AMSGrad": lambda x: (x, x * x, x * x),
        "AdaDelta": lambda x: (x * x, x * x),
        "AdaGrad": lambda x: x * x,
        **dict.fromkeys(("AdaBelief", "AdaMax", "AdamW", "NAdam"), lambda x: (x, x * x, powers)),
        "OAdam": lambda x: (x, x * x, powers, x),
        "RAdam": lambda x: (x, x * x, powers, 4),
        "Nesterov": lambda x: x,
        "ClipNorm": lambda x: NOTHING,
    }
    for name, of in kept.items():
        plain = getattr(lp.optimizers, name)
        fields = {"AdaDelta": {"rho": 0.9}, "AMSGrad": {"beta": powers}, "ClipNorm": {"omega": 2.0, "p": 2.0}}
        more = {"lambda": 0.1, "couple": True} if name == "AdamW" else {}
        rule = make_optimiser(name, **fields.get(name, {"eta": 0.1}), **more)
        state = load_train_state(write_model_file(tmp_path, "new", ts=make_train_state(rule, of)), backend="numpy")
        options = fields.get(name, {"eta": 0.1}) | ({"lambda_": 0.1} if more else {})
        fresh = lp.training.TrainState.create(state.model, plain(**options), ps=state.ps, st=state.st)
        assert lp.tree.structure(fresh.opt_state) == lp.tree.structure(state.opt_state), name
        lp.optimizers.update(state.opt_state, state.ps, state.ps)


def test_train_states_that_cannot_continue_are_refused(tmp_path):
    foreign = make_train_state(lux("Muon", {"eta": 0.1}, module="Main"), lambda x: x)
    with pytest.raises(FileFormatError, match=r"optimizer Main\.Muon has no counterpart"):
        load_train_state(write_model_file(tmp_path, "new", ts=foreign))
    with pytest.raises(FileFormatError, match="a model, but no TrainState"):
        load_train_state(write_model_file(tmp_path, "new", model=New.dense((3, 4)), ps=NT(weight=W1, bias=B1)))


def test_holes_are_filled(tmp_path):
    """A layer of the user's own and one of @compact are filled with functions or layers."""
    own = lux("Scaler", {"by": 2}, module="Main")
    compact = lux("CompactLuxLayer", {"name": "Twice", "strings": ("w", "x", "x * w"), "layers": NT()},
                  module="Lux.CompactMacroImpl")  # fmt: skip
    model = chain(layer_1=own, layer_2=compact, layer_3=New.dense((3, 4)))
    ps = NT(layer_1=NT(), layer_2=NT(weight=B1[:3]), layer_3=NT(weight=W1, bias=B1))
    with pytest.warns(UserWarning, match=r"layer_2: Twice is no layer of Lux .*, and its parameters are left behind"):
        layer, got, st = load_written(tmp_path, New, model, ps)
    with pytest.raises(lp.LayerError, match=r"Main\.Scaler"):
        layer(X, got, st)
    assert "x * w" in layer.layers["layer_2"].code
    fills = {"Main.Scaler": lambda x: 2 * x, "Twice": lp.Scale(3, use_bias=False)}
    layer, got, st = load_written(tmp_path, New, model, ps, functions=fills)
    assert_close(layer(X, got, st)[0], 2 * X * B1[:3] @ W1 + B1)


def test_parameters_are_chosen_by_name_or_by_fit(tmp_path):
    """Parameters of that name are taken, else the only ones that fit; without any, initial ones."""
    model, ps = New.dense((3, 4)), NT(weight=W1, bias=B1)
    other = NT(weight=W2)
    got = load_model(write_model_file(tmp_path, "new", model=model, best=ps, old=other), backend="numpy")[1]
    np.testing.assert_array_equal(got["weight"], W1)
    with pytest.raises(FileFormatError, match="2 entries fit as parameters: best, last"):
        load_model(write_model_file(tmp_path, "new", model=model, best=ps, last=ps))
    with pytest.raises(FileFormatError, match=r"the model: the parameters weight, bias expected, got weight"):
        load_model(write_model_file(tmp_path, "new", model=model, ps=other, best=ps))
    with pytest.warns(UserWarning, match="no parameters that fit stand beside the model"):
        assert load_model(write_model_file(tmp_path, "new", model=model))[1]["weight"].shape == (3, 4)
    np.testing.assert_array_equal(
        load_parameters(write_model_file(tmp_path, "new", model=model, ps=ps), lp.Dense(3, 4))[0]["bias"], B1
    )


def test_activations_that_differ_from_the_files_are_named(tmp_path):
    path = write_model_file(
        tmp_path, "new", model=chain(layer_1=New.dense((3, 4), GELU)), ps=NT(layer_1=NT(weight=W1, bias=B1))
    )
    with pytest.warns(UserWarning, match="activations differ: layer_1 has relu, the file gelu"):
        load_parameters(path, lp.Chain(lp.Dense(3, 4, lp.relu)))
