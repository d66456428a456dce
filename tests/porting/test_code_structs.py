"""`luxport port`: structs of Julia become layers that compute the same."""

import numpy as np
import pytest
from execution import compute_output, execute, execute_python

import luxport
from luxport.porting.translate import translate


def test_a_struct_with_arrays_becomes_a_layer():
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
    model = execute(source)["model"]
    assert luxport.parameter_length(model) == 10 * 5 + 5 + 5 * 2 + 2
    x, ps, y = compute_output(model, 3, 10)
    first, second = ps["layer_1"], ps["layer_2"]
    assert (first["W"].shape, second["W"].shape) == ((10, 5), (5, 2))
    expected = np.tanh(x @ first["W"] + first["b"]) @ second["W"] + second["b"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_a_struct_with_an_inner_constructor_becomes_a_layer():
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
    model = execute(source)["model"]
    assert luxport.parameter_length(model) == (10 * 5 + 5) + 2 * (5 * 2 + 2) + (2 * 10 + 10)
    x, ps, (y, mean) = compute_output(model, 3, 10)
    h = np.maximum(x @ ps["encoder"]["layer_1"]["weight"] + ps["encoder"]["layer_1"]["bias"], 0)
    np.testing.assert_allclose(mean, h @ ps["μ"]["weight"] + ps["μ"]["bias"], rtol=1e-5, atol=1e-6)
    assert y.shape == (3, 10)


def test_structs_may_have_several_inputs_and_any_number_of_layers():
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
    found = execute(source)
    one = np.ones((2, 1), np.float32)
    ps, st = luxport.setup(0, found["join"])
    assert found["join"]((one, one), ps, st)[0].shape == (2, 12)
    assert [y.shape for y in compute_output(found["split"], 2, 10)[2]] == [(2, 5), (2, 3)]
    assert (luxport.parameter_length(found["join"]), luxport.parameter_length(found["split"])) == (10 + 14, 55 + 33)
    ps, st = luxport.setup(0, found["two"])
    x, pair = np.ones((2, 3), np.float32), (np.ones((2, 3), np.float32), np.ones((2, 2), np.float32))
    assert found["two"]((x, pair), ps, st)[0].shape == (2, 4)


def test_structs_of_lux_become_layers():
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
    model = execute(source)["model"]
    assert luxport.parameter_length(model) == (3 * 4 + 4) + (4 * 4 + 4 + 2 * 4) + (4 * 2 + 2)
    x, ps, y = compute_output(model, 5, 3)
    h = x @ ps["layer_1"]["weight"] + ps["layer_1"]["bias"]
    h = h + h @ ps["layer_2"]["inner"]["weight"]
    h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    np.testing.assert_allclose(y, h @ ps["layer_3"]["weight"] / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("source", "reason"), [
    ("struct A\n x\nend\n(a::A)(x::Own) = x\n(a::A)(x::Other) = 2x\nmodel = A(Dense(1 => 1))", "several methods"),
    ("struct A\n a\nend\nA(x) = A(Dense(x => 1))\n(m::A)(x) = m.a(x)\nf(n) = A(n)\nmodel = f(1)", "which constructor"),
    ("struct A\n a\nend\n(m::A)(x, ps, st) = m.a(x, ps, st)\nmodel = A(Dense(1 => 1))", "forward method with three"),
])  # fmt: skip
def test_structs_that_are_not_understood_are_marked(source, reason):
    translation = translate(("using Lux\n" if "ps, st" in source else "using Flux\n") + source)
    assert any(reason in hole.reason for hole in translation.holes)
    with pytest.raises(NotImplementedError):
        execute_python(translation.python)


def test_structs_may_contain_options_and_functions_may_come_in_any_order():
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
    found = execute(source)
    conv = luxport.Conv((3, 3), 3, 2, padding=0, stride=2, use_bias=False)
    pool = luxport.MaxPool((2, 2))
    assert found["model"] == luxport.Chain(conv, luxport.BatchNorm(2, luxport.relu), pool)
    assert found["dense"] == luxport.Chain(*[luxport.Dense(*sizes) for sizes in ((1, 2), (2, 3), (3, 1))])


def test_a_call_before_an_unported_definition_raises():
    source = "using Flux\nmodel() = Chain(Dense(2 => 3), helper(3))\nhelper(n) = weird!(n)[n:end, 1] => magic"
    found = execute_python(translate(source).python)
    with pytest.raises(NotImplementedError, match="helper"):
        found["model"]()


def test_attention_in_a_struct_equals_numpys():
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
    model = execute(source)["model"]
    assert luxport.parameter_length(model) == 4 * 4 + 2 * (4 * 4 + 4)
    x, ps, y = compute_output(model, 2, 3, 4)
    q, k, v = (x @ ps[name]["weight"] + ps[name].get("bias", 0) for name in "qkv")
    scores = np.exp(np.einsum("bqd,bkd->bqk", q, k) / 2)  # the softmax over keys, in NumPy
    np.testing.assert_allclose(y, 0.5 * (scores / scores.sum(-1, keepdims=True)) @ v, rtol=1e-5, atol=1e-6)


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
    assert luxport.parameter_length(execute(source)["model"]) == 12


def test_a_struct_with_keywords_takes_positional_fields():
    """Base.@kwdef keeps the constructor that takes all fields."""
    source = "using Flux\nBase.@kwdef struct M\n  a = Dense(2 => 3)\n  b = 2\nend\n(m::M)(x) = m.a(x) .* m.b\n"
    found = execute(source + "one = M(Dense(2 => 4), 5)\ntwo = M(b=3)")
    for model, out, factor in ((found["one"], 4, 5), (found["two"], 3, 3)):
        ps, st = luxport.setup(0, model, backend="numpy")
        x = np.ones((1, 2), np.float32)
        y, _ = luxport.Dense(2, out)(x, ps["a"], {})
        np.testing.assert_allclose(model(x, ps, st)[0], factor * y)


def test_new_works_in_a_struct_with_keywords():
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
    found = execute(source)
    assert (luxport.parameter_length(found["one"]), luxport.parameter_length(found["two"])) == (2 * 5 + 5, 2 * 6 + 6)
    x, ps, y = compute_output(found["one"], 1, 2)
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
    found = execute_python(translate(source).python)
    for make in ("early", "late"):
        with pytest.raises(NotImplementedError, match="C"):
            found[make]()
