"""`luxport port`: Julia sources, the Python made from them, and the models written by hand that it must build."""

import operator
from typing import Any

import bson_writer as bw
import numpy as np
import pytest

import luxport
from luxport.cli import main
from luxport.porting.flux import OldLayerNorm
from luxport.porting.translate import translate


def ported(source, **options):
    """Run what is made of a source, all of which must be understood."""
    translation = translate(source, **options)
    assert translation.holes == (), translation.python
    return executed(translation.python)


def executed(python, name="__main__"):
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(python, "ported.py", "exec"), namespace)
    return namespace


CONVNET = """
using Flux
using Flux: flatten
function LeNet5(; imgsize=(28, 28, 1), nclasses=10)
    out_conv_size = (imgsize[1] ÷ 4 - 3, imgsize[2] ÷ 4 - 3, 16)
    return Chain(
        Conv((5, 5), imgsize[end] => 6, relu),   # 28 to 24
        MaxPool((2, 2)),
        Conv((5, 5), 6 => 16, relu), MaxPool((2, 2)),
        flatten,
        Dense(prod(out_conv_size), 120, relu),
        Dense(120 => 84, relu),
        Dense(84 => nclasses),
    )
end
model = LeNet5() |> gpu
"""


def test_a_convolutional_network_in_a_function():
    expected = luxport.Chain(
        *(luxport.Conv((5, 5), 1, 6, luxport.relu), luxport.MaxPool((2, 2))),
        *(luxport.Conv((5, 5), 6, 16, luxport.relu), luxport.MaxPool((2, 2)), luxport.FlattenLayer()),
        *(luxport.Dense(256, 120, luxport.relu), luxport.Dense(120, 84, luxport.relu), luxport.Dense(84, 10)),
    )
    model = ported(CONVNET)["model"]
    assert model == expected
    assert luxport.parameter_length(model) == 44_426  # the model zoo's own count for its LeNet-5


def test_blocks_in_vectors_loops_and_splats():
    source = """
    import Flux
    vgg_block(n, in, out) = [Flux.Conv((3, 3), (i == 1 ? in : out) => out, relu; pad=1) for i in 1:n]
    function vgg(widths)
        layers = Any[]
        for i in 2:length(widths)
            append!(layers, vgg_block(2, widths[i-1], widths[i]))
            push!(layers, Flux.MaxPool((2, 2)))
        end
        Flux.Chain(layers..., Flux.GlobalMeanPool(), Flux.flatten)
    end
    const widths = (3, 8, 16)
    model = vgg(widths)
    """
    convs = [luxport.Conv((3, 3), a, b, luxport.relu, padding=1) for a, b in ((3, 8), (8, 8), (8, 16), (16, 16))]
    pool = luxport.MaxPool((2, 2))
    expected = luxport.Chain(*convs[:2], pool, *convs[2:], pool, luxport.GlobalMeanPool(), luxport.FlattenLayer())
    assert ported(source)["model"] == expected


def test_an_autoencoder_with_sizes_in_variables():
    source = """
    using Flux
    N, width = 32, 2 * 16
    encoder = Dense(28^2, N, leakyrelu) |> gpu
    decoder = Dense(N => 28^2; bias=false, init=Flux.glorot_normal)
    model = Chain(; encoder, decoder)
    less(n::Int) = n - 4
    wide = Dense(2width => less(6), σ)
    """
    found = ported(source)
    decoder = luxport.Dense(32, 784, use_bias=False, init_weight=luxport.initializers.glorot_normal)
    assert found["model"] == luxport.Chain(encoder=luxport.Dense(784, 32, luxport.leakyrelu), decoder=decoder)
    assert found["wide"] == luxport.Dense(64, 2, luxport.sigmoid)


@pytest.mark.parametrize(("julia", "expected"), [
    ("Conv((3, 5), 1 => 8; stride=(1, 2), pad=(1, 2, 3, 4))",
     luxport.Conv((5, 3), 1, 8, stride=(2, 1), padding=((3, 4), (1, 2)))),
    ("Conv((3, 5), 2 => 8, pad=(1, 2), dilation=2, groups=2)",
     luxport.Conv((5, 3), 2, 8, padding=(2, 1), dilation=2, groups=2)),
    ("Conv((3,), 1 => 8, tanh; pad=SamePad())", luxport.Conv((3,), 1, 8, luxport.tanh, padding=luxport.SamePad())),
    ("ConvTranspose((4, 4), 8 => 1; stride=2, pad=1, outpad=(0, 1))",
     luxport.ConvTranspose((4, 4), 8, 1, stride=2, padding=1, output_padding=(1, 0))),
    ("MaxPool((2, 3); stride=(1, 2), pad=(0, 1))", luxport.MaxPool((3, 2), stride=(2, 1), padding=(1, 0))),
    ("BatchNorm(8, relu; momentum=0.3f0, eps=1f-3)", luxport.BatchNorm(8, luxport.relu, momentum=0.3, epsilon=1e-3)),
    ("GroupNorm(8, 4; affine=false)", luxport.GroupNorm(8, 4, affine=False)),
    # Flux adds the square of its epsilon to the variance (layers/stateless.jl of 0.16).
    ("LayerNorm((3, 5))", luxport.LayerNorm((5, 3), epsilon=1e-10)),
    ("LayerNorm(3, 5, relu; eps=0.5f0)", luxport.LayerNorm((5, 3), luxport.relu, epsilon=0.25)),
    ("Dropout(0.5; dims=3)", luxport.Dropout(0.5, axes=(-3,))),
    ("Scale(2, 3; bias=false)", luxport.Scale(3, 2, use_bias=False)),
    ("Bilinear((2, 3) => 4, relu)", luxport.Bilinear((2, 3), 4, luxport.relu)),
    ("Embedding(10 => 4)", luxport.Embedding(10, 4)),
    ("Upsample(:bilinear; scale=(2, 3))", luxport.Upsample((3, 2), "bilinear")),
    ("PixelShuffle(2)", luxport.PixelShuffle(2)),
    ("AdaptiveMeanPool((2, 3))", luxport.AdaptiveMeanPool((3, 2))),
    ("SkipConnection(Dense(2 => 2), +)", luxport.SkipConnection(luxport.Dense(2, 2), operator.add)),
    ("Maxout(() -> Dense(2 => 3), 2)", luxport.Maxout(luxport.Dense(2, 3), luxport.Dense(2, 3))),
    ("Parallel(+, a=Dense(2 => 3), b=Dense(2 => 3))",
     luxport.Parallel(operator.add, a=luxport.Dense(2, 3), b=luxport.Dense(2, 3))),
    ("Chain([Dense(2 => 2), identity])", luxport.Chain([luxport.Dense(2, 2), luxport.NoOpLayer()])),
    ("MultiHeadAttention(16)", luxport.MultiHeadAttention(16, nheads=8)),
    ("RNNCell(2 => 3, relu)", luxport.RNNCell(2, 3, luxport.relu, use_recurrent_bias=False)),
])  # fmt: skip
def test_layers_of_flux(julia, expected):
    assert ported(f"using Flux\nmodel = {julia}")["model"] == expected


@pytest.mark.parametrize(("julia", "expected"), [
    ("Dense(2 => 3, gelu; use_bias=false)", luxport.Dense(2, 3, luxport.gelu, use_bias=False)),
    ("LSTMCell(2 => 3)", luxport.LSTMCell(2, 3)),
    ("Recurrence(GRUCell(2 => 3; train_state=true); return_sequence=true)",
     luxport.Recurrence(luxport.GRUCell(2, 3, train_state=True), return_sequence=True)),
    ("ReshapeLayer((4, 3))", luxport.ReshapeLayer((3, 4))),
    ("BranchLayer(Dense(2 => 3), NoOpLayer())", luxport.BranchLayer(luxport.Dense(2, 3), luxport.NoOpLayer())),
    ("Chain(Dense(2 => 3); name=\"small\")", luxport.Chain(luxport.Dense(2, 3), name="small")),
])  # fmt: skip
def test_layers_of_lux(julia, expected):
    assert ported(f"using Lux\nmodel = {julia}")["model"] == expected


def test_recurrent_layers_follow_the_version_of_flux():
    source = "using Flux\nmodel = Chain(LSTM(5 => 8), Dense(8 => 5))"
    cell = luxport.LSTMCell(5, 8, use_recurrent_bias=False)
    # Until 0.14 the fields of a cell, its initial state among them, are all parameters (src/layers/recurrent.jl).
    trained = luxport.LSTMCell(5, 8, use_recurrent_bias=False, train_state=True, train_memory=True)
    stepping = luxport.Chain(luxport.StatefulRecurrentCell(trained), luxport.Dense(8, 5))
    assert ported(source, flux=(0, 14))["model"] == stepping
    assert luxport.parameter_length(stepping) == 4 * (5 * 8 + 8 * 8 + 8) + 2 * 8 + 45
    for old, count in (("GRU(5, 8)", 3 * (40 + 64 + 8) + 8), ("RNN(5, 8)", 40 + 64 + 8 + 8)):
        assert luxport.parameter_length(ported(f"using Flux\nmodel = {old}")["model"]) == count
    assert ported(source + "\n", flux=(0, 16))["model"][0] == luxport.Recurrence(cell, return_sequence=True)
    assert len(translate(source).holes) == 1  # which of the two is not known
    # the character RNN of the model zoo resets between sequences, as Flux only did while layers remembered
    (hole,) = translate(source + "\nFlux.reset!(model)").holes
    assert "reset!" in hole.julia


def test_anonymous_functions_work_on_reversed_axes():
    source = """
    using Flux
    merge(x) = reshape(x, :, size(x, 4))
    model = Chain(x -> maxpool(x, (2, 1)), x -> relu.(x) .* 2 .- 1, merge, x -> reshape(x, 2, 3, :),
                  x -> permutedims(x, (2, 1, 3)), x -> sum(x; dims=1), x -> x[1, :, end],
                  Dense(2 => 2, x -> max(0, x) * x))
    """
    found = ported(source)
    functions = [
        layer.function for layer in found["model"].layers.values() if isinstance(layer, luxport.WrappedFunction)
    ]
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 1, 3, 2)  # Julia's (2, 3, 1, 4)
    y = functions[0](x)
    np.testing.assert_array_equal(y, x.max(axis=3, keepdims=True))
    np.testing.assert_allclose(functions[1](x), 2 * np.maximum(x, 0) - 1)
    assert found["merge"](x).shape == (4, 6)
    assert functions[3](x).shape == (4, 3, 2)
    z = functions[3](x)
    np.testing.assert_array_equal(functions[4](z), z.transpose(0, 2, 1))
    np.testing.assert_array_equal(functions[5](z), z.sum(axis=2, keepdims=True))
    np.testing.assert_array_equal(functions[6](z), z[-1, :, 0])
    np.testing.assert_array_equal(found["model"][-1].activation(x), np.maximum(x, 0) * x)


def test_residual_blocks_and_joins():
    source = """
    using Flux
    function block(ch)
        inner = Chain(Conv((3, 3), ch => ch; pad=1, bias=false), BatchNorm(ch, relu))
        Chain(SkipConnection(inner, (mx, x) -> cat(mx, x; dims=3)), x -> relu.(x))
    end
    model = block(4)
    two = Parallel(vcat, Dense(2 => 3), Dense(2 => 1))
    """
    found = ported(source)
    x = np.ones((2, 4, 5, 5), np.float32)
    ps, st = luxport.setup(0, found["model"])
    assert found["model"](x, ps, st)[0].shape == (2, 8, 5, 5)  # Julia's less axis is ours before (H, W)
    ps, st = luxport.setup(0, found["two"])
    assert found["two"](np.ones((7, 2), np.float32), ps, st)[0].shape == (7, 4)


def test_compact():
    source = """
    using Lux
    function build(n_in, n_out; nlayers=2)
        @compact(
            first = Dense(n_in => 8), hidden = [Dense(8 => 8) for i in 1:nlayers], scale = ones(Float32, 8), act = relu,
            last = Dense(8 => n_out)
        ) do x
            y = act.(first(x))
            for layer in hidden
                y = act.(layer(y)) .* scale
            end
            @return last(y)
        end
    end
    model = build(3, 2)
    """
    model = ported(source)["model"]

    @luxport.compact(
        first=luxport.Dense(3, 8),
        hidden=[luxport.Dense(8, 8), luxport.Dense(8, 8)],
        scale=luxport.parameter(luxport.initializers.ones, (8,)),
        act=luxport.relu,
        last=luxport.Dense(8, 2),
    )
    def expected(x, *, first, hidden, scale, act, last):
        y = act(first(x))
        for layer in hidden:
            y = act(layer(y)) * scale
        return last(y)

    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    ps, st = luxport.setup(0, expected)
    assert (model.layers, model.values) == (expected.layers, expected.values)
    np.testing.assert_array_equal(model(x, ps, st)[0], expected(x, ps, st)[0])


def test_a_gan():
    source = """
    using Flux
    const latent_dim = 100
    Discriminator() = Chain(
        Conv((4, 4), 1 => 64; stride=2, pad=1), x -> leakyrelu.(x, 0.2f0), Dropout(0.25), Flux.flatten,
        Dense(7 * 7 * 128, 1))
    generator = Chain(Dense(latent_dim => 7 * 7 * 256), BatchNorm(7 * 7 * 256, relu), x -> reshape(x, 7, 7, 256, :))
    """
    found = ported(source)
    disc = found["Discriminator"]()
    assert (disc[0], disc[2]) == (luxport.Conv((4, 4), 1, 64, stride=2, padding=1), luxport.Dropout(0.25))
    np.testing.assert_allclose(disc[1].function(np.array([-1.0, 2.0], np.float32)), [-0.2, 2.0], rtol=1e-6)
    assert found["generator"][2].function(np.zeros((3, 7 * 7 * 256))).shape == (3, 256, 7, 7)


@pytest.mark.parametrize(("julia", "raises"), [
    ("Dense(2 => 3; initW=weird)", "initW=weird"),
    ("Dense(weight, bias)", "weight"),
    ("Chain(Custom(2 => 3))", "Custom(2 => 3)"),
    ("Dense(2 => 3; precision=4)", "precision=4"),
    ("Chain(Dense(2 => 3), [x -> x .+ i for i in 1:3]...)", "x -> x .+ i"),
    ("MaxPool((2, 2); pad=p)", "p"),
    ("Parallel(-, Dense(2 => 3), Dense(2 => 3), Dense(2 => 3))", "-"),
    ("GRUCell(2 => 3)", "GRUCell"),
])  # fmt: skip
def test_what_is_not_understood_raises_where_it_stands(julia, raises):
    translation = translate(f"model = {julia}")
    assert translation.holes and "# TODO: not ported: " in translation.python
    with pytest.raises(NotImplementedError) as error:
        executed(translation.python)
    assert raises in str(error.value)


def test_functions_that_are_not_understood_raise_when_called():
    source = "using Flux\nmodel = Chain(Dense(2 => 3), x -> magic(x), x -> x ^ x)"
    translation = translate(source)
    model = executed(translation.python)["model"]
    assert [hole.julia for hole in translation.holes] == ["magic(x)", "x ^ x"]
    with pytest.raises(NotImplementedError, match=r"magic\(x\)"):
        model[1].function(np.ones(3))


def test_training_code_is_left_out_and_counted():
    source = """
    using Flux
    model = Dense(2 => 3)
    data = load("x")
    for epoch in 1:10
        train!(model, data)
    end
    broken = Chain(model, wrap(data))
    """
    translation = translate(source)
    assert [hole.line for hole in translation.holes] == [4, 5, 8]
    with pytest.raises(NotImplementedError, match="wrap"):
        executed(translation.python)


def test_syntax_errors_are_marked():
    translation = translate("using Flux\ngood = Dense(2 => 3)\nbad = Chain(Dense(2 => , 3)\n")
    assert translation.holes
    assert "good = luxport.Dense(2, 3)" in translation.python


def test_the_command(tmp_path, capsys):
    source, output = tmp_path / "lenet.jl", tmp_path / "lenet.py"
    source.write_text(CONVNET, encoding="utf-8")
    assert main(["port", str(source), "-o", str(output)]) == 0
    assert capsys.readouterr() == ("", "")
    assert luxport.parameter_length(executed(output.read_text(encoding="utf-8"))["model"]) == 44_426
    source.write_text("model = Chain(Dense(2 => 3), Other())", encoding="utf-8")
    assert main(["port", str(source)]) == 1
    out, err = capsys.readouterr()
    assert "not_ported('Other()')" in out
    assert err.endswith("1 piece not ported\n")


def test_the_command_tries_what_it_wrote(tmp_path, capsys):
    source, trained = tmp_path / "net.jl", tmp_path / "trained.safetensors"
    source.write_text(
        "using Flux\nmlp(n=4; k=n) = Chain(Dense(n => 3), Dense(3 => k))\nmodel = Dense(2 => 3)\n"
        "images(n=9) = Chain(x -> reshape(x, :, size(x, 4)), Dense(n => 2))\n"
        "needs(n) = Dense(n => 2)\nbroken = Chain(weird(2))\nloops(n=1) = loops(n)\n"
    )
    assert main(["port", str(source), "--run"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "model: Dense with 9 parameters, (2, 2) -> (2, 3)",
        "mlp(): Chain with 31 parameters, (2, 4) -> (2, 4)",
        "images(): Chain with 20 parameters, (2, 1, 3, 3) -> (2, 2)",
        "needs(8), sizes made up: Dense with 18 parameters, (2, 8) -> (2, 2)",
    ]
    assert "weird(2)" in err
    trained = tmp_path / "trained.bson"
    weight = {"weight": bw.array(np.ones((2, 3), np.float32)), "bias": bw.array(np.ones(3, np.float32))}
    trained.write_bytes(bw.bson({"state": weight}))
    assert main(["port", str(source), "--check", str(trained)]) == 1
    model, mlp, *_ = capsys.readouterr().out.splitlines()
    assert model.endswith("trained.bson fit") and "fit" not in mlp.partition(";")[0] and "trained.bson: " in mlp
    source.write_text("x = 3")
    assert main(["port", str(source), "--run"]) == 0
    assert capsys.readouterr().out == "no model is built when it is imported\n"


def test_the_command_tries_what_the_source_calls_itself(tmp_path, capsys):
    source = tmp_path / "net.jl"
    source.write_text("""using Flux
    struct Net; conv; dense; end
    (m::Net)(x) = m.dense(Flux.flatten(m.conv(x)))
    Net(channels::Int; hidden = 2channels) =
        Net(Conv((3, 3), channels => hidden, relu), Dense(10 * 26 * hidden => 5))
    function train(; epochs = 3, width = 4)
        half = width ÷ 2
        model = Net(half; hidden = width)
        broken = Net(half; hidden = unknown)
        x = rand(Float32, 12, 28, 2, 7)
        for epoch in 1:epochs
            whatever!(model, x)
        end
    end
    """)
    assert main(["port", str(source), "--run"]) == 1
    assert capsys.readouterr().out == (
        "Net(half; hidden = width): CompactLayer with 5,281 parameters, (7, 2, 28, 12) -> (7, 5)\n"
    )


@pytest.mark.parametrize(
    "arguments", [["port"], ["port", "missing.jl"], ["port", "x.jl", "--flux", "new"], ["port", "/"]]
)
def test_wrong_arguments(arguments, capsys):
    assert main(arguments) == 2
    assert "luxport port: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("change", ["push!(layers, weird())", "layers[1] = weird()", "layers = weird(layers)"])
def test_a_change_that_is_not_understood_leaves_no_model_as_it_was(change):
    source = f"using Flux\nlayers = [Dense(2 => 3)]\nfor i in 1:2\n    {change}\nend\nmodel = Chain(layers...)"
    with pytest.raises(NotImplementedError, match="weird"):
        executed(translate(source).python)


def test_conditions_and_comparisons():
    source = """
    using Flux
    function mlp(dims; act=relu, p=0.2)
        layers = [Dense(dims[i] => dims[i+1], act) for i in 1:length(dims)-1]
        if p > 0
            push!(layers, Dropout(p))
        elseif p == 0
            push!(layers, identity)
        else
            return Chain(layers[1])
        end
        return Chain(layers...)
    end
    dropping, plain, short = mlp([2, 3, 4]), mlp([2, 3, 4]; p=0, act=tanh), mlp((2, 3, 4), p=-1)
    """
    found = ported(source)
    dense = [luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 4, luxport.relu)]
    assert found["dropping"] == luxport.Chain(*dense, luxport.Dropout(0.2))
    tanh = [luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 4, luxport.tanh)]
    assert found["plain"] == luxport.Chain(*tanh, luxport.NoOpLayer())
    assert found["short"] == luxport.Chain(dense[0])


def test_what_python_would_do_otherwise_is_marked():
    shared = "using Flux\nd = Dense(2 => 2)\nm = Chain(d, x -> x .+ 1, d)"  # one set of parameters in Flux, two in Lux
    assert [hole.julia for hole in translate(shared).holes] == ["d"]
    assert not translate(shared.replace("Flux", "Lux")).holes
    defaults = "using Flux\nn = 4\nf(n, m=n) = Dense(n => m)\nmodel = Chain(f(2))"  # Python's n would be 4
    assert ported(defaults)["model"] == luxport.Chain(luxport.Dense(2, 2))
    methods = "using Flux\nf(n::Int) = Dense(n => 1)\nf(n::Pair) = Dense(n)\nmodel = Chain(f(2))"
    with pytest.raises(NotImplementedError):
        executed(translate(methods).python)
    enclosing = (
        "using Flux\nfunction f(n)\n k = 1\n g() = begin\n k = 2\n k\n end\n g()\n Dense(n => k)\nend\nm = Chain(f(2))"
    )
    assert translate(enclosing).holes


def test_conditions_as_values():
    source = """
    using Lux
    function block(a, b)
        inner = Chain(Dense(a => b), Base.BroadcastFunction(relu))
        connection = if a == b
            NoOpLayer()
        else
            Dense(a => b)
        end
        return Parallel(+, connection, a > 2 ? inner : Dense(a => b, tanh))
    end
    one, other = block(2, 2), block(3, 2)
    """
    found = ported(source)
    plain = luxport.Parallel(operator.add, luxport.NoOpLayer(), luxport.Dense(2, 2, luxport.tanh))
    assert found["one"] == plain
    inner = luxport.Chain(luxport.Dense(3, 2), luxport.relu)
    assert found["other"] == luxport.Parallel(operator.add, luxport.Dense(3, 2), inner)


def counted(model):
    return luxport.parameter_length(model)


def output(model, *shape):
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ps, st = luxport.setup(0, model)
    return x, ps, model(x, ps, st)[0]


def test_a_struct_with_arrays_of_its_own():
    source = """
    using Flux
    struct Affine{M <: AbstractMatrix, V, F}
        W::M
        b::V
        σ::F
    end
    function Affine((in, out)::Pair, σ = identity; init = Flux.glorot_uniform)
        W = init(out, in)
        Affine(W, zeros(Float32, out), σ)
    end
    Flux.@layer Affine
    function (m::Affine)(x::AbstractMatrix)
        W, σ = m.W, m.σ
        return σ.(W * x .+ m.b)
    end
    model = Chain(Affine(10 => 5, tanh), Affine(5 => 2; init = Flux.glorot_normal))
    """
    model = ported(source)["model"]
    assert counted(model) == 10 * 5 + 5 + 5 * 2 + 2
    x, ps, y = output(model, 3, 10)
    first, second = ps["layer_1"], ps["layer_2"]
    assert (first["W"].shape, second["W"].shape) == ((10, 5), (5, 2))
    expected = np.tanh(x @ first["W"] + first["b"]) @ second["W"] + second["b"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_a_struct_of_layers_with_an_inner_constructor():
    source = """
    using Flux
    mutable struct VAE
        encoder::Chain
        μ
        logσ
        decoder
        width::Int
        VAE(d::Int, h::Int) = new(Chain(Dense(d, h, relu)), Dense(h, 2), Dense(h, 2), Dense(2, d), 2)
    end
    @functor VAE
    function (v::VAE)(x)
        h = v.encoder(x)
        μ, logσ = v.μ(h), v.logσ(h)
        v.decoder(reshape(μ .+ exp.(logσ), v.width, :)), μ
    end
    model = VAE(10, 5)
    """
    model = ported(source)["model"]
    assert counted(model) == (10 * 5 + 5) + 2 * (5 * 2 + 2) + (2 * 10 + 10)
    x, ps, (y, mean) = output(model, 3, 10)
    h = np.maximum(x @ ps["encoder"]["layer_1"]["weight"] + ps["encoder"]["layer_1"]["bias"], 0)
    np.testing.assert_allclose(mean, h @ ps["μ"]["weight"] + ps["μ"]["bias"], rtol=1e-5, atol=1e-6)
    assert y.shape == (3, 10)


def test_structs_of_several_inputs_and_of_any_number_of_layers():
    source = """
    using Flux
    struct Join{T, F}
        combine::F
        paths::T
    end
    Join(combine, paths...) = Join(combine, paths)
    Flux.@layer Join
    (m::Join)(xs::Tuple) = m.combine(map((f, x) -> f(x), m.paths, xs)...)
    (m::Join)(xs...) = m(xs)
    struct Split{T}
        paths::T
    end
    Split(paths...) = Split(paths)
    Flux.@functor Split
    (m::Split)(x::AbstractArray) = map(f -> f(x), m.paths)
    struct Two
        a
        b
    end
    (m::Two)(x, y) = m.a(x) .* m.b(y)
    join = Join(vcat, Dense(1 => 5), Dense(1 => 7))
    split = Split(Dense(10 => 5), Dense(10 => 3))
    two = Two(Dense(3 => 4), Bilinear((3, 2) => 4))
    """
    found = ported(source)
    one = np.ones((2, 1), np.float32)
    ps, st = luxport.setup(0, found["join"])
    assert found["join"]((one, one), ps, st)[0].shape == (2, 12)
    assert [y.shape for y in output(found["split"], 2, 10)[2]] == [(2, 5), (2, 3)]
    assert (counted(found["join"]), counted(found["split"])) == (10 + 14, 55 + 33)
    ps, st = luxport.setup(0, found["two"])
    x, pair = np.ones((2, 3), np.float32), (np.ones((2, 3), np.float32), np.ones((2, 2), np.float32))
    assert found["two"]((x, pair), ps, st)[0].shape == (2, 4)


def test_layers_of_lux_as_structs():
    source = """
    using Lux, Random
    struct Linear{F} <: Lux.AbstractLuxLayer
        in_dims::Int
        out_dims::Int
        init::F
    end
    Linear(in::Int, out::Int; init = glorot_uniform) = Linear(in, out, init)
    function Lux.initialparameters(rng::AbstractRNG, l::Linear)
        return (weight = l.init(rng, l.out_dims, l.in_dims), bias = zeros(Float32, l.out_dims))
    end
    Lux.initialstates(::AbstractRNG, ::Linear) = NamedTuple()
    Lux.parameterlength(l::Linear) = l.out_dims * (l.in_dims + 1)
    (l::Linear)(x::AbstractMatrix, ps, st::NamedTuple) = ps.weight * x .+ ps.bias, st

    struct Residual{A, B} <: Lux.AbstractLuxContainerLayer{(:inner, :norm)}
        inner::A
        norm::B
    end
    function (r::Residual)(x, ps, st)
        y, st_inner = r.inner(x, ps.inner, st.inner)
        y, st_norm = Lux.apply(r.norm, x .+ y, ps.norm, st.norm)
        @set! st.inner = st_inner
        return y, merge(st, (; norm = st_norm))
    end
    abstract type Mine <: AbstractExplicitContainerLayer{(:model,)} end
    struct Halved{M} <: AbstractExplicitContainerLayer{(:model,)}
        model::M
    end
    function (h::Halved)(x, ps, st)
        y, st = h.model(x, ps, st)
        return y ./ 2, st
    end
    model = Chain(Linear(3, 4), Residual(Linear(4, 4), BatchNorm(4)), Halved(Dense(4 => 2)))
    """
    model = ported(source)["model"]
    assert counted(model) == (3 * 4 + 4) + (4 * 4 + 4 + 2 * 4) + (4 * 2 + 2)
    x, ps, y = output(model, 5, 3)
    h = x @ ps["layer_1"]["weight"] + ps["layer_1"]["bias"]
    h = h + h @ ps["layer_2"]["inner"]["weight"]
    h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    np.testing.assert_allclose(y, h @ ps["layer_3"]["weight"] / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("source", "reason"), [
    ("struct A\n x\nend\n(a::A)(x::Own) = x\n(a::A)(x::Other) = 2x\nmodel = A(Dense(1 => 1))", "several methods"),
    ("struct A\n a\nend\nA(x) = A(Dense(x => 1))\n(m::A)(x) = m.a(x)\nf(n) = A(n)\nmodel = f(1)", "which constructor"),
    ("struct A\n a\nend\n(m::A)(x, ps, st) = m.a(x, ps, st)\nmodel = A(Dense(1 => 1))", "forward method with three"),
])  # fmt: skip
def test_structs_that_are_not_understood(source, reason):
    translation = translate(("using Lux\n" if "ps, st" in source else "using Flux\n") + source)
    assert any(reason in hole.reason for hole in translation.holes)
    with pytest.raises(NotImplementedError):
        executed(translation.python)


def test_the_residual_network_of_eighteen_layers():
    source = """
    using Flux
    struct BasicBlock{C, S}
        convs::C
        shortcut::S
    end
    Flux.@layer BasicBlock
    function BasicBlock(inplanes::Int, planes::Int; stride::Int = 1)
        convs = Chain(Conv((3, 3), inplanes => planes; stride, pad = 1, bias = false), BatchNorm(planes, relu),
                      Conv((3, 3), planes => planes; pad = 1, bias = false), BatchNorm(planes))
        shortcut = stride == 1 && inplanes == planes ? identity :
            Chain(Conv((1, 1), inplanes => planes; stride, bias = false), BatchNorm(planes))
        return BasicBlock(convs, shortcut)
    end
    (b::BasicBlock)(x) = relu.(b.convs(x) .+ b.shortcut(x))
    stage(in, out, n; kw...) = Chain(BasicBlock(in, out; kw...), [BasicBlock(out, out) for _ in 2:n]...)
    function resnet18(; nclasses = 1000)
        widths = [64, 128, 256, 512]
        layers = Any[Conv((7, 7), 3 => 64; stride = 2, pad = 3, bias = false), BatchNorm(64, relu),
                     MaxPool((3, 3); stride = 2, pad = 1), stage(64, 64, 2)]
        for (i, width) in enumerate(widths[2:end])
            push!(layers, stage(widths[i], width, 2; stride = 2))
        end
        return Chain(layers..., GlobalMeanPool(), Flux.flatten, Dense(widths[end] => nclasses))
    end
    model = resnet18()
    """
    model = ported(source)["model"]
    assert counted(model) == 11_689_512  # torchvision's count for resnet18
    assert luxport.output_shape(model, (2, 3, 64, 64)) == (2, 1000)


FOLD: Any = luxport.PairwiseFold
FUSION: Any = luxport.PairwiseFusion


@pytest.mark.parametrize(("dialect", "julia", "expected"), [
    ("Flux", "Flux.WeightNorm(Dense(2 => 3))", luxport.WeightNorm(luxport.Dense(2, 3))),
    ("Lux", "WeightNorm(Dense(2 => 3), (:weight,))", luxport.WeightNorm(luxport.Dense(2, 3), ("weight",), axes=(0,))),
    ("Flux", "Flux.EmbeddingBag(10 => 4, maximum)", luxport.EmbeddingBag(10, 4, "max")),
    ("Flux", "Flux.Diagonal(5)", luxport.Diagonal(5)),
    ("Lux", "RMSNorm((3, 4); epsilon=1f-6)", luxport.RMSNorm((4, 3), epsilon=1e-6)),
    ("Lux", "LayerNorm((3, 4); dims=(1, 2))", luxport.LayerNorm((4, 3))),
    ("Lux", "BidirectionalRNN(LSTMCell(2 => 3); merge_mode=nothing)",
     luxport.BidirectionalRNN(luxport.LSTMCell(2, 3), merge_mode=None)),
    ("Lux", "Recurrence(LSTMCell(2 => 3); ordering=TimeLastIndex())",
     luxport.Recurrence(luxport.LSTMCell(2, 3), time_major=True)),
    ("Lux", "RepeatedLayer(Dense(2 => 2); repeats=Val(3), input_injection=Val(true))",
     luxport.RepeatedLayer(luxport.Dense(2, 2), repeats=3, input_injection=True)),
    ("Lux", "SelectDim(2, 1)", luxport.SelectDim(-2, 0)),
    ("Lux", "ReverseSequence(1)", luxport.ReverseSequence(-1)),
    ("Lux", "PairwiseFusion(+, Dense(2 => 2))", FOLD(operator.add, luxport.Dense(2, 2))),
    ("Flux", "PairwiseFusion(+, Dense(2 => 2))", FUSION(operator.add, luxport.Dense(2, 2))),
    ("Lux", "LPPool((2, 3); p=3)", luxport.LPPool((3, 2), p=3)),
    ("Lux", "SinusoidalPositionalEmbedding(8)", luxport.SinusoidalPositionalEmbedding(8)),
    ("Flux", "MultiHeadAttention((3, 4, 5) => (6, 7) => 8; nheads=1)",
     luxport.MultiHeadAttention((3, 4, 5), (6, 7), 8, nheads=1)),
    ("Flux", "LSTM(2 => 3; return_state=true)",
     luxport.Recurrence(luxport.LSTMCell(2, 3, use_recurrent_bias=False), return_sequence=True, return_state=True)),
    ("Flux", "Chain(map(i -> Dense(i => i + 1), 1:2)...)", luxport.Chain(luxport.Dense(1, 2), luxport.Dense(2, 3))),
    ("Flux", "Chain(ntuple(i -> Dense(2 => 2), 2)...)", luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2))),
    ("Flux", "softmax ∘ Dense(2 => 2)", luxport.Chain(luxport.Dense(2, 2), luxport.ops.softmax)),
    ("Flux", "Conv((3, 3), 1 => 8; init=(dims...) -> 0.02f0 * randn(Float32, dims...))",
     luxport.Conv((3, 3), 1, 8, init_weight=luxport.initializers.normal(std=0.02))),
])  # fmt: skip
def test_layers_whose_meaning_hangs_on_the_package(dialect, julia, expected):
    assert ported(f"using {dialect}\nmodel = {julia}")["model"] == expected


@pytest.mark.parametrize(("dialect", "julia"), [
    ("Lux", "LayerNorm((3, 4))"),  # over the whole batch
    ("Flux", "Flux.WeightNorm(Conv((3,), 1 => 2))"),  # a size for each tap and input
    ("Lux", "RepeatedLayer(Dense(2 => 2))"),  # hands every repetition the first input
    ("MLUtils", "PairwiseFusion(+, Dense(2 => 2))"),
    ("Flux", "Embedding(10 => 4; padding_idx=1)"),
    ("Flux", "Parallel(*, Dense(2 => 2), Dense(2 => 2), Dense(2 => 2))"),  # products of matrices
])  # fmt: skip
def test_what_the_packages_compute_otherwise_is_marked(dialect, julia):
    translation = translate(f"using {dialect}\nmodel = {julia}")
    assert translation.holes
    with pytest.raises(NotImplementedError):
        executed(translation.python)


def test_products_and_indices_are_settled_by_what_there_is():
    source = """
    using Flux
    both = Chain(((a, b),) -> a * b)
    turned = Chain(x -> x' * x)
    fixed = Chain(Base.Fix1(*, 2), Base.Fix2(reshape, (3, :)), x -> @. tanh(x) + 1)
    entry = Chain(x -> x[2])
    squares = Chain(x -> sum(abs2, x; dims=2))
    """
    found = ported(source)
    a, b = np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(4, 3)  # Julia's sizes (2, 3) and (3, 4)
    state = luxport.setup(0, found["both"])
    np.testing.assert_array_equal(found["both"]((a, b), *state)[0].T, a.T @ b.T)
    np.testing.assert_array_equal(found["both"]((2.0, b), *state)[0], 2 * b)
    np.testing.assert_array_equal(found["turned"](a, *luxport.setup(0, found["turned"]))[0], (a @ a.T).T)
    y = found["fixed"](a, *luxport.setup(0, found["fixed"]))[0]
    np.testing.assert_allclose(y, np.tanh(2 * a).reshape(2, 3) + 1)
    state = luxport.setup(0, found["entry"])
    assert found["entry"](a, *state)[0] == a.T[1, 0] == 1.0  # Julia counts along the first axis
    np.testing.assert_array_equal(found["entry"]((a, b), *state)[0], b)
    squares = found["squares"](a, *luxport.setup(0, found["squares"]))[0]
    np.testing.assert_array_equal(squares, (a**2).sum(axis=0, keepdims=True))


def test_options_in_structs_and_functions_in_any_order():
    source = """
    using Flux
    Base.@kwdef struct Args
        width::Int = 4
        act = relu
        dev = gpu
    end
    build(args::Args; kw...) = conv_bn((3, 3), 3 => args.width, args.act; kw...) |> args.dev
    function conv_bn(k, ch::Pair, act; pad = 0, stride = 1)
        layers = []
        push!(layers, Conv(k, ch; pad, stride, bias = false), BatchNorm(last(ch), act))
        stride > 1 && push!(layers, MaxPool((2, 2)))
        @info "built"
        return Chain(layers...)
    end
    f(n) = Dense(n => 1)
    f(n, m) = Dense(n => m)
    i, layers = 1, []
    while i < 3
        push!(layers, f(i, i + 1))
        i += 1
    end
    model, dense = build(Args(; width = 2); stride = 2), Chain(layers..., f(3))
    """
    found = ported(source)
    conv = luxport.Conv((3, 3), 3, 2, padding=0, stride=2, use_bias=False)
    pool = luxport.MaxPool((2, 2))
    assert found["model"] == luxport.Chain(conv, luxport.BatchNorm(2, luxport.relu), pool)
    assert found["dense"] == luxport.Chain(*[luxport.Dense(*sizes) for sizes in ((1, 2), (2, 3), (3, 1))])


def test_what_is_not_ported_raises_also_where_it_was_called_before():
    source = "using Flux\nmodel() = Chain(Dense(2 => 3), helper(3))\nhelper(n) = weird!(n)[n:end, 1] => magic"
    found = executed(translate(source).python)
    with pytest.raises(NotImplementedError, match="helper"):
        found["model"]()


def test_keywords_that_are_handed_on_to_layers():
    source = """
    using Flux
    function conv_bn(kernel, (in, out)::Pair, act = identity; kwargs...)
        return Chain(Conv(kernel, in => out; bias = false, kwargs...), BatchNorm(out, act))
    end
    pool(window; pad) = MaxPool(window; pad)
    dense(n; kwargs...) = Dense(n => 1, tanh; kwargs...)
    sizes(shape::Dims{2}) = Dense(prod(shape .÷ 4) => vcat(1, [2, 3])[end])
    model = conv_bn((3, 5), 1 => 8, relu; stride = (1, 2), pad = (1, 2, 3, 4), init = Flux.glorot_normal)
    same, pooled = conv_bn((3, 3), 2 => 4; pad = SamePad()), pool((2, 3); pad = (0, 1))
    linear, flat = dense(3; bias = false), sizes((8, 12))
    """
    found = ported(source)
    options = {"use_bias": False, "init_weight": luxport.initializers.glorot_normal}
    conv = luxport.Conv((5, 3), 1, 8, stride=(2, 1), padding=((3, 4), (1, 2)), **options)
    assert found["model"] == luxport.Chain(conv, luxport.BatchNorm(8, luxport.relu))
    assert found["same"][0] == luxport.Conv((3, 3), 2, 4, padding=luxport.SamePad(), use_bias=False)
    assert found["pooled"] == luxport.MaxPool((3, 2), padding=(1, 0))
    assert found["linear"] == luxport.Dense(3, 1, luxport.tanh, use_bias=False)
    assert found["flat"] == luxport.Dense(6, 3)


@pytest.mark.parametrize(
    "julia", ["atan.(x, 2 .* x)", "log.(2, x)", "max.(x, x, 1)", "softshrink.(x, 0.1)", "x[3:-1:1, 1]"]
)
def test_arguments_that_python_would_take_for_others(julia):
    translation = translate(f"using Flux\nf(x) = {julia}")
    (hole,) = translation.holes
    assert hole.line == 2
    with pytest.raises(NotImplementedError):
        executed(translation.python)["f"](np.ones((2, 2)))


def test_loops_over_places_and_slices():
    source = """
    using Flux
    function columns(x)
        y = x[:, 1] .* 0
        for i in size(x, 2):-1:1, j in (1, 2)
            y = y .+ x[:, i] .* (i - j)
        end
        return y
    end
    mlp(sizes) = Chain([Dense(a => b) for (a, b) in zip(sizes[1:end-1], sizes[2:end])]...)
    model = mlp([2, 3, 4])
    every = [Dense(i => n) for (i, n) in enumerate([5, 6, 7]) if i != 2]
    """
    found = ported(source)
    x = np.arange(12.0).reshape(4, 3)  # Julia's size (3, 4): its columns are our rows
    expected = sum(x[i - 1] * (i - j) for i in (4, 3, 2, 1) for j in (1, 2))
    np.testing.assert_array_equal(found["columns"](x), expected)
    assert found["model"] == luxport.Chain(luxport.Dense(2, 3), luxport.Dense(3, 4))
    assert found["every"] == [luxport.Dense(1, 5), luxport.Dense(3, 7)]


def test_attention_as_a_struct():
    source = """
    using Flux
    struct Attention
        q::Dense
        k::Dense
        v::Dense
        scale::Float32
    end
    Flux.@layer Attention trainable=(q, k, v)
    Attention(d::Int) = Attention(Dense(d => d; bias=false), Dense(d => d), Dense(d => d), 0.5)
    function (a::Attention)(x)  # features, time, batch
        d, T, B = size(x)
        q, k, v = a.q(x), a.k(x), a.v(x)
        scores = batched_mul(permutedims(k, (2, 1, 3)), q) ./ Float32(sqrt(d))
        return reshape(batched_mul(v, softmax(scores; dims=1)), d, T, B) .* a.scale
    end
    model = Attention(4)
    """
    model = ported(source)["model"]
    assert counted(model) == 4 * 4 + 2 * (4 * 4 + 4)
    x, ps, y = output(model, 2, 3, 4)
    q, k, v = (x @ ps[name]["weight"] + ps[name].get("bias", 0) for name in "qkv")
    scores = np.exp(np.einsum("bqd,bkd->bqk", q, k) / 2)  # the softmax over keys, in NumPy
    np.testing.assert_allclose(y, 0.5 * (scores / scores.sum(-1, keepdims=True)) @ v, rtol=1e-5, atol=1e-6)


def test_what_binds_less_than_a_sum_counts_whole():
    """A range up to ``deep ? 4 : 2`` has 4 or 2 numbers, as Julia counts them."""
    source = """
    using Flux
    deepened(deep) = Chain([Dense(4 => 4) for i in 1:(deep ? 4 : 2)]...)
    """
    deepened = ported(source)["deepened"]
    assert [len(deepened(deep).layers) for deep in (True, False)] == [4, 2]


def test_inner_constructors_come_before_outer_ones():
    source = """
    using Flux
    struct M
        a
        M(n::Int) = new(Dense(n => n))
    end
    M() = M(3)
    (m::M)(x) = m.a(x)
    model = M()
    """
    assert luxport.parameter_length(ported(source)["model"]) == 12


def test_a_method_returns_a_tuple_as_a_tuple():
    found = ported("using Flux\nsplit(x) = begin\n  y = 2 .* x\n  return (y, x)\nend")
    x = np.ones((2, 3))
    y = found["split"](x)
    assert isinstance(y, tuple) and [part.tolist() for part in y] == [(2 * x).tolist(), x.tolist()]


def test_the_variable_of_a_loop_is_another_than_the_one_before_it():
    """Julia's manual, "Scope of Variables": the variable of a for loop is new, whatever there is around it."""
    source = """
    using Flux
    i = 10
    function hides_a_global(n)
        k = i
        widths = []
        for i in 1:n
            i += 1
            push!(widths, Dense(i => k))
        end
        return Chain(widths..., Dense(i => 3))
    end
    function hides_a_parameter(i)
        for i in 1:2
        end
        return Dense(i => 3)
    end
    function hides_a_local(n)
        i_ = 5
        layers = []
        for n in n:n+1, i_ in (n, 7)
            push!(layers, Dense(n => i_))
        end
        return Chain(layers..., Dense(n => i_))
    end
    function in_a_closure(n)
        j = 4
        scaled = x -> begin
            for j in 1:2
            end
            x .* j
        end
        return scaled
    end
    for i in 1:2
        println(i)
    end
    last = Dense(i => 1)
    """
    found, dense = ported(source), luxport.Dense
    assert found["hides_a_global"](2) == luxport.Chain(dense(2, 10), dense(3, 10), dense(10, 3))
    assert found["hides_a_parameter"](6) == dense(6, 3)
    pairs = (2, 2), (2, 7), (3, 3), (3, 7), (2, 5)
    assert found["hides_a_local"](2) == luxport.Chain(*[dense(n, m) for n, m in pairs])
    assert found["in_a_closure"](1)(np.ones(1)) == 4
    assert found["last"] == dense(10, 1)


def test_loops_without_a_variable_nest():
    source = """
    using Flux
    function f(n)
        layers = []
        for _ in 1:n
            for _ in 1:2
                push!(layers, x -> relu.(x))
            end
        end
        return Chain(layers...)
    end
    """
    assert len(ported(source)["f"](2).layers) == 4


def test_a_parameter_belongs_to_its_function():
    """Assigned inside the function it is no global; a function inside that assigns to it would change it."""
    source = "using Flux\nn = 1\nfunction f(n)\n  n = n + 1\n  return Dense(n => 3)\nend"
    assert ported(source)["f"](4) == luxport.Dense(5, 3)
    inside = "using Flux\nfunction f(n)\n  g() = begin\n    n = 2\n    n\n  end\n  g()\n  Dense(n => 3)\nend"
    (hole,) = translate(inside).holes
    assert (hole.line, hole.reason) == (4, "an assignment to a variable of the function around")


def test_a_struct_with_keywords_takes_its_fields_by_position_too():
    """Base.@kwdef leaves the constructor of all fields in place."""
    source = "using Flux\nBase.@kwdef struct M\n  a = Dense(2 => 3)\n  b = 2\nend\n(m::M)(x) = m.a(x) .* m.b\n"
    found = ported(source + "one = M(Dense(2 => 4), 5)\ntwo = M(b=3)")
    for model, out, factor in ((found["one"], 4, 5), (found["two"], 3, 3)):
        ps, st = luxport.setup(0, model, backend="numpy")
        x = np.ones((1, 2), np.float32)
        y, _ = luxport.Dense(2, out)(x, ps["a"], {})
        np.testing.assert_allclose(model(x, ps, st)[0], factor * y)


def test_functions_of_elements_as_activations():
    found = ported("using Flux\nmodel = Chain(Dense(2 => 3, abs2), Dense(3 => 3, abs))")
    square, size = [layer.activation for layer in found["model"].layers.values()]
    np.testing.assert_array_equal(square(np.array([-3.0, 2.0])), [9.0, 4.0])
    np.testing.assert_array_equal(size(np.array([-3.0, 2.0])), [3.0, 2.0])
    (hole,) = translate("using Flux\nmodel = Dense(2 => 3, max)").holes
    assert hole.reason == "max of 1 argument"


def test_a_size_or_an_activation_is_not_guessed():
    (hole,) = translate("using Flux\nf(k, act) = LayerNorm(k, 4, act)").holes
    assert hole.reason == "a last argument that may be a size or an activation"
    found = ported("using Flux\nf(sizes) = LayerNorm(sizes[1], sizes[2])\ng(n, sizes) = LayerNorm(n, sizes[1], relu)")
    assert found["f"]((2, 3)) == luxport.LayerNorm((3, 2), epsilon=1e-10)
    assert found["g"](2, (3,)) == luxport.LayerNorm((3, 2), luxport.relu, epsilon=1e-10)


def test_keywords_that_are_handed_on_to_a_layer_norm():
    """Flux's epsilon is squared (layers/stateless.jl of 0.16), wherever it comes from."""
    found = ported("using Flux\nnorm(n; kw...) = LayerNorm(n; kw...)\nplain = norm(3)\nlarge = norm(3; eps=0.5)")
    assert found["plain"] == luxport.LayerNorm(3, epsilon=1e-10)
    assert found["large"] == luxport.LayerNorm(3, epsilon=0.25)
    assert found["norm"](3, affine=False) == luxport.LayerNorm(3, affine=False, epsilon=1e-10)


@pytest.mark.parametrize(("flux", "plain", "large"), [
    # normalize in src/layers/stateless.jl at v0.6.10, v0.9.0, v0.11.6, v0.14.25, v0.15.0; epsilon is told since 0.12
    ((0, 6), OldLayerNorm(3, epsilon=0.0, corrected=True), None),
    ((0, 9), OldLayerNorm(3, epsilon=0.0), None),
    ((0, 11), OldLayerNorm(3, epsilon=1e-5), None),
    ((0, 14), OldLayerNorm(3, epsilon=1e-5), OldLayerNorm(3, luxport.relu, epsilon=0.5)),
    ((0, 15), luxport.LayerNorm(3, epsilon=1e-10), luxport.LayerNorm(3, luxport.relu, epsilon=0.25)),
])  # fmt: skip
def test_layer_norm_has_the_formula_of_the_version(flux, plain, large):
    found = ported("using Flux\nplain = LayerNorm(3)\nnorm(; kw...) = LayerNorm(3, relu; kw...)", flux=flux)
    assert found["plain"] == plain
    if large is not None:
        assert found["norm"](eps=0.5) == large
        assert ported("using Flux\nlarge = LayerNorm(3, relu; eps=0.5)", flux=flux)["large"] == large


def test_layer_norm_of_a_version_with_two_formulas_is_a_hole():
    (hole,) = translate("using Flux\nmodel = LayerNorm(3)", flux=(0, 7)).holes
    assert hole.reason == "a LayerNorm that divides by n - 1 until Flux 0.7.2 and by n later: say 0.6 or 0.8"


def test_new_in_a_struct_with_keywords():
    source = """
    using Flux
    Base.@kwdef struct M
        a = Dense(2 => 3)
        b = 2
        M(a, b) = new(a, b)
        M(n::Int) = new(Dense(2 => n), 7)
    end
    (m::M)(x) = m.a(x) .* m.b
    one, two = M(Dense(2 => 5), 4), M(6)
    """
    found = ported(source)
    assert (counted(found["one"]), counted(found["two"])) == (2 * 5 + 5, 2 * 6 + 6)
    x, ps, y = output(found["one"], 1, 2)
    np.testing.assert_allclose(y, 4 * (x @ ps["a"]["weight"] + ps["a"]["bias"]))


def test_constructors_of_a_record_that_is_not_ported_raise():
    source = """
    using Flux
    early() = C(5, 6)
    Base.@kwdef struct C
        a = 1
        b = 2
        C(a, b) = new(a, b)
        C(a) = new(a, a)
    end
    late() = C(3)
    """
    found = executed(translate(source).python)
    for make in ("early", "late"):
        with pytest.raises(NotImplementedError, match="C"):
            found[make]()


def test_labels_as_vectors_and_back():
    """Flux's rows are samples here; onecold counts from 1, unless labels say otherwise."""
    source = """
    using Flux
    using Flux: onehotbatch, onecold
    encode(labels) = onehotbatch(labels, 0:3)
    named(labels) = onehotbatch(labels, [:a, :b], :b)
    places(y) = onecold(y)
    digits(y) = onecold(y, 0:3)
    accuracy(y, labels) = mean(onecold(y, 0:3) .== labels)
    share(y, labels) = sum(onecold(y, 0:3) .== labels) / length(labels)
    loss(y, t) = sum(abs2, y .- t) / length(t)
    """
    found, labels = ported(source), np.array([2, 0])
    np.testing.assert_array_equal(found["encode"](labels), [[0, 0, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(found["named"](["a", "x"]), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(found["places"](found["encode"](labels)), [3, 1])
    np.testing.assert_array_equal(found["digits"](found["encode"](labels)), labels)
    for name in ("accuracy", "share"):
        assert found[name](found["encode"](labels), np.array([2, 1])) == 0.5
    assert found["loss"](np.ones((2, 3)), np.zeros((2, 3))) == 1


def test_tables_and_pipes():
    source = """
    using Flux
    acts = Dict("relu" => relu, "tanh" => tanh)
    sizes = Dict{Symbol,Int}(:small => 16, :large => 64)
    places = Dict(1 => 3, 2 => 4)
    build(n; act="relu", size=:small) = Dense(n => sizes[size], acts[act])
    wide(kind) = Dense(places[1] => get(sizes, kind, 5), haskey(acts, "gelu") ? relu : tanh)
    first = build(3; act="tanh", size=:large)
    second = wide(:none)
    f(x) = x |> relu |> sum
    """
    found = ported(source)
    assert found["first"] == luxport.Dense(3, 64, luxport.tanh)
    assert found["second"] == luxport.Dense(3, 5, luxport.tanh)
    assert found["f"](np.array([-1.0, 2.0, 3.0])) == 5


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ('d["a"] = 5', "a Dict that is changed later"),
        ('merge!(d, Dict("a" => 5))', "a Dict that is changed later"),
        ('f() = push!(d, "a" => 5)', "a Dict that is changed later"),
        ("n = [v for (k, v) in d]", "a loop over a Dict"),
        ("n = length(d)", "length of a Dict"),
    ],
)
def test_what_tables_are_not_ported_with(statement, reason):
    """A table that is changed by what is left out is not read as it was."""
    translation = translate(f'using Flux\nd = Dict("a" => 3)\n{statement}\nm = Dense(d["a"] => 1)')
    assert any(reason in hole.reason for hole in translation.holes)
    assert "n = " in statement or "m" not in executed(translation.python, "imported")


def test_files_that_stand_beside_are_included(tmp_path, capsys):
    (tmp_path / "parts").mkdir()
    (tmp_path / "net.jl").write_text(
        'using Flux\ninclude("parts/block.jl")  # blocks\ninclude("none.jl")\nmodel = block(3)\n'
    )
    (tmp_path / "parts" / "block.jl").write_text(
        'include("../net.jl")\ninclude("size.jl")\nblock(n) = Chain(Dense(n => size), Dense(size => n))\n'
    )
    (tmp_path / "parts" / "size.jl").write_text("size = 4\nweird!(size)\n")
    assert main(["port", str(tmp_path / "net.jl"), "--run", "-o", str(tmp_path / "net.py")]) == 1
    out, err = capsys.readouterr()
    assert out == "model: Chain with 31 parameters, (2, 3) -> (2, 3)\n"
    places = [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in err.splitlines()[:-1]]
    assert places == ["parts/block.jl:1", "parts/size.jl:2", "net.jl:3"]
    assert "# parts/size.jl:2: weird!(size)" in (tmp_path / "net.py").read_text()


@pytest.mark.parametrize("size", [37_000, 38_000, 70_000])
def test_all_that_is_included_is_as_large_as_one_source_may_be(tmp_path, capsys, size):
    """Each of these files alone is not too large; the third one is included by the second, through a line."""
    comment = "#" * (size - 1) + "\n"
    (tmp_path / "net.jl").write_text('include("a.jl")\nusing Flux\nm = Dense(n => 1)\n')
    (tmp_path / "a.jl").write_text(comment + 'include("b.jl")\n')
    (tmp_path / "b.jl").write_text(comment + "n = 3\n")
    status = main(["port", str(tmp_path / "net.jl")])
    out, err = capsys.readouterr()
    if 2 * size < 75_000:
        assert status == 0 and "luxport.Dense(n, 1)" in out
        return
    told = f"with the files that it includes it is larger than 75,000 bytes: a.jl:2 includes one of {size + 6:,}"
    assert (status, out, err) == (2, "", f"luxport port: {tmp_path / 'net.jl'}: {told}\n")


def test_only_files_of_the_same_folder_are_included(tmp_path, capsys):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outer.jl").write_text("secret = 3\n")
    (folder / "link.jl").symlink_to(tmp_path / "outer.jl")
    (folder / "net.jl").write_text('include("../outer.jl")\ninclude("link.jl")\ninclude("/etc/hosts.jl")\n')
    assert main(["port", str(folder / "net.jl")]) == 1
    assert "secret" not in capsys.readouterr().out
