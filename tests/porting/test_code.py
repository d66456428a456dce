"""`luxport port`: models of Flux and Lux become the models that one would write by hand."""

import ast
import operator
from pathlib import Path

import numpy as np
import pytest
from execution import execute
from samples import CONVNET

import luxport


def test_a_convolutional_network_in_a_function_is_translated():
    expected = luxport.Chain(
        *(luxport.Conv((5, 5), 1, 6, luxport.relu), luxport.MaxPool((2, 2))),
        *(luxport.Conv((5, 5), 6, 16, luxport.relu), luxport.MaxPool((2, 2)), luxport.FlattenLayer()),
        *(luxport.Dense(256, 120, luxport.relu), luxport.Dense(120, 84, luxport.relu), luxport.Dense(84, 10)),
    )
    model = execute(CONVNET)["model"]
    assert model == expected
    assert luxport.parameter_length(model) == 44_426  # the model zoo's own count for its LeNet-5


def test_blocks_in_vectors_loops_and_splats_are_translated():
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
    assert execute(source)["model"] == expected


def test_an_autoencoder_with_sizes_in_variables_is_translated():
    source = """
    using Flux
    N, width = 32, 2 * 16
    encoder = Dense(28^2, N, leakyrelu) |> gpu
    decoder = Dense(N => 28^2; bias=false, init=Flux.glorot_normal)
    model = Chain(; encoder, decoder)
    less(n::Int) = n - 4
    wide = Dense(2width => less(6), σ)
    """
    found = execute(source)
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
def test_layers_of_flux_become_those_of_luxport(julia, expected):
    assert execute(f"using Flux\nmodel = {julia}")["model"] == expected


@pytest.mark.parametrize(("julia", "expected"), [
    ("Dense(2 => 3, gelu; use_bias=false)", luxport.Dense(2, 3, luxport.gelu, use_bias=False)),
    ("LSTMCell(2 => 3)", luxport.LSTMCell(2, 3)),
    ("Recurrence(GRUCell(2 => 3; train_state=true); return_sequence=true)",
     luxport.Recurrence(luxport.GRUCell(2, 3, train_state=True), return_sequence=True)),
    ("ReshapeLayer((4, 3))", luxport.ReshapeLayer((3, 4))),
    ("BranchLayer(Dense(2 => 3), NoOpLayer())", luxport.BranchLayer(luxport.Dense(2, 3), luxport.NoOpLayer())),
    ("Chain(Dense(2 => 3); name=\"small\")", luxport.Chain(luxport.Dense(2, 3), name="small")),
])  # fmt: skip
def test_layers_of_lux_become_those_of_luxport(julia, expected):
    assert execute(f"using Lux\nmodel = {julia}")["model"] == expected


def test_anonymous_functions_work_on_reversed_axes():
    source = """
    using Flux
    merge(x) = reshape(x, :, size(x, 4))
    model = Chain(x -> maxpool(x, (2, 1)), x -> relu.(x) .* 2 .- 1, merge, x -> reshape(x, 2, 3, :),
                  x -> permutedims(x, (2, 1, 3)), x -> sum(x; dims=1), x -> x[1, :, end],
                  Dense(2 => 2, x -> max(0, x) * x))
    """
    found = execute(source)
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


def test_residual_blocks_and_joins_are_translated():
    source = """
    using Flux
    function block(ch)
        inner = Chain(Conv((3, 3), ch => ch; pad=1, bias=false), BatchNorm(ch, relu))
        Chain(SkipConnection(inner, (mx, x) -> cat(mx, x; dims=3)), x -> relu.(x))
    end
    model = block(4)
    two = Parallel(vcat, Dense(2 => 3), Dense(2 => 1))
    """
    found = execute(source)
    x = np.ones((2, 4, 5, 5), np.float32)
    ps, st = luxport.setup(0, found["model"])
    assert found["model"](x, ps, st)[0].shape == (2, 8, 5, 5)  # Julia's third axis is ours before (H, W)
    ps, st = luxport.setup(0, found["two"])
    assert found["two"](np.ones((7, 2), np.float32), ps, st)[0].shape == (7, 4)


def test_compact_layers_are_translated():
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
    model = execute(source)["model"]

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


def test_a_gan_is_translated():
    source = """
    using Flux
    const latent_dim = 100
    Discriminator() = Chain(
        Conv((4, 4), 1 => 64; stride=2, pad=1), x -> leakyrelu.(x, 0.2f0), Dropout(0.25), Flux.flatten,
        Dense(7 * 7 * 128, 1))
    generator = Chain(Dense(latent_dim => 7 * 7 * 256), BatchNorm(7 * 7 * 256, relu), x -> reshape(x, 7, 7, 256, :))
    """
    found = execute(source)
    disc = found["Discriminator"]()
    assert (disc[0], disc[2]) == (luxport.Conv((4, 4), 1, 64, stride=2, padding=1), luxport.Dropout(0.25))
    np.testing.assert_allclose(disc[1].function(np.array([-1.0, 2.0], np.float32)), [-0.2, 2.0], rtol=1e-6)
    assert found["generator"][2].function(np.zeros((3, 7 * 7 * 256))).shape == (3, 256, 7, 7)


def test_keywords_are_passed_on_to_layers():
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
    found = execute(source)
    options = {"use_bias": False, "init_weight": luxport.initializers.glorot_normal}
    conv = luxport.Conv((5, 3), 1, 8, stride=(2, 1), padding=((3, 4), (1, 2)), **options)
    assert found["model"] == luxport.Chain(conv, luxport.BatchNorm(8, luxport.relu))
    assert found["same"][0] == luxport.Conv((3, 3), 2, 4, padding=luxport.SamePad(), use_bias=False)
    assert found["pooled"] == luxport.MaxPool((3, 2), padding=(1, 0))
    assert found["linear"] == luxport.Dense(3, 1, luxport.tanh, use_bias=False)
    assert found["flat"] == luxport.Dense(6, 3)


def test_an_epsilon_is_passed_on_to_a_layer_norm():
    """Flux squares its epsilon (layers/stateless.jl of 0.16), wherever it comes from."""
    found = execute("using Flux\nnorm(n; kw...) = LayerNorm(n; kw...)\nplain = norm(3)\nlarge = norm(3; eps=0.5)")
    assert found["plain"] == luxport.LayerNorm(3, epsilon=1e-10)
    assert found["large"] == luxport.LayerNorm(3, epsilon=0.25)
    assert found["norm"](3, affine=False) == luxport.LayerNorm(3, affine=False, epsilon=1e-10)


def test_resnet18_has_torchvisions_number_of_parameters():
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
    model = execute(source)["model"]
    assert luxport.parameter_length(model) == 11_689_512  # torchvision's count for resnet18
    assert luxport.output_shape(model, (2, 3, 64, 64)) == (2, 1000)


TRANSLATE = Path(__file__).parents[2] / "luxport/porting/translate"


def test_the_translator_passes_its_knowledge_on_as_a_value() -> None:
    """It is passed on and never changed, together with the tables of readers: only one file imports these."""
    kinds = {
        node.name: ast.unparse(node.decorator_list[0])
        for node in ast.parse((TRANSLATE / "scope.py").read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    assert kinds == dict.fromkeys(("Scope", "Source", "Table"), "dataclass(frozen=True)")
    importing: dict[str, set[str]] = {"LAYERS": set(), "READERS": set()}
    for file in TRANSLATE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                importing.get(alias.name, set()).add(file.stem)
    assert importing == {"LAYERS": {"module"}, "READERS": {"module"}}
