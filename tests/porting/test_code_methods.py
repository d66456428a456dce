"""`luxport port`: Julia's functions and layers with several methods, and its training with Lux.

Which method Julia calls is from its manual, "Methods": the most special one that the arguments' types allow.
"""

import operator
from typing import Any

import numpy as np
import pytest
from executed import execute, execute_in_flux

import luxport
from luxport.porting.translate import translate


def test_functions_by_types_and_numbers_of_arguments():
    found = execute("""
    using Flux
    build(x::Tuple) = Chain(Dense(x[1] => x[2]), relu)
    build(x::Int, y::Int=4) = Dense(x => y)
    build(f::Function, sizes...) = Dense(sizes[1] => sizes[2], f)
    one, other, third, last = build(3), build((2, 5)), build(2, 3), build(tanh, 2, 6)
    a, b, c, d = one, other, third, last
    """)
    assert (found["a"], found["c"]) == (luxport.Dense(3, 4), luxport.Dense(2, 3))
    assert found["b"] == luxport.Chain(luxport.Dense(2, 5), luxport.relu)
    assert found["d"] == luxport.Dense(2, 6, luxport.tanh)


def test_the_most_special_method_is_called_wherever_it_stands():
    found = execute("""
    using Flux
    f(x) = 1
    f(x::AbstractArray) = 2
    f(x::AbstractArray{Float32,3}) = 3
    f(x::AbstractVector) = 4
    f(x::Real) = 5
    f(x::Int) = 6
    f(x::Bool) = 7
    f(x::String) = 8
    f(x::Nothing) = 9
    f(x::AbstractFloat) = 10
    f(x::Chain) = 11
    f(xs...) = 12
    """)
    f = found["f"]
    given = [object(), np.ones((1, 1)), np.ones((1, 1, 1)), np.ones(1), 1, True, "a", None, 1.0, luxport.Chain()]
    assert [f(one) for one in given] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert f(1, 2) == f() == 12
    with pytest.raises(ValueError, match="no method of g takes these arguments"):
        execute("using Flux\ng(x::Int) = 1\ng(x::String) = 2")["g"](1.0)


@pytest.mark.parametrize(
    "methods",
    [
        "f(x::Int, y) = 1\nf(x, y::Int) = 2",  # ambiguous in Julia, too
        "f(x::Own) = 1\nf(x::Other) = 2",
        "f(x::Tuple{Int,Int}) = 1\nf(x::Vector{<:Own}) = 1\nf(x::Union{Int,Own}) = 2",
    ],
)
def test_methods_that_nothing_tells_apart(methods: str):
    translation = translate(f"using Flux\n{methods}\nmodel = Dense(f(1) => 2)")
    assert any("several methods" in hole.reason for hole in translation.holes)


def test_a_method_that_is_not_ported_leaves_the_others():
    translation = translate("using Flux\nbuild(x::Int) = Dense(x => 2)\nbuild(x::String) = unknown(x)\nm = build(3)")
    names: dict[str, Any] = {"__name__": "ported"}
    exec(translation.python, names)
    assert names["m"] == luxport.Dense(3, 2)
    with pytest.raises(NotImplementedError, match="unknown"):
        names["build"]("a")


def test_a_layer_of_flux_by_the_axes_of_its_input():
    found = execute("""
    using Flux
    struct M
        a
    end
    (m::M)(x::AbstractMatrix) = m.a(x)
    (m::M)(x::AbstractVector) = vec(m(reshape(x, :, 1)))
    (m::M)(x::AbstractMatrix, y::AbstractMatrix) = m(x) .* y
    model = M(Dense(2 => 3))
    """)
    model = found["model"]
    ps, st = luxport.setup(0, model)
    x = np.asarray([[1.0, 2.0], [3.0, -1.0]], np.float32)
    want = x @ ps["a"]["weight"] + ps["a"]["bias"]
    np.testing.assert_allclose(model(x, ps, st)[0], want, rtol=1e-6)
    np.testing.assert_allclose(model(x[0], ps, st)[0], want[0], rtol=1e-6)
    np.testing.assert_allclose(model((x, 2 * want), ps, st)[0], 2 * want * want, rtol=1e-6)


def test_a_layer_of_lux_by_the_axes_of_its_input():
    found = execute("""
    using Lux
    struct L <: AbstractLuxContainerLayer{(:a,)}
        a
    end
    function (l::L)(x::AbstractMatrix, ps, st)
        y, sta = l.a(x, ps.a, st.a)
        return y, (; a=sta)
    end
    function (l::L)(x::AbstractVector, ps, st)
        y, st = l(reshape(x, :, 1), ps, st)
        return vec(y), st
    end
    struct W{F} <: AbstractLuxWrapperLayer{:layer}
        layer::F
    end
    model = W(L(Dense(2 => 3)))
    """)
    model = found["model"]
    ps, st = luxport.setup(0, model)
    assert list(ps) == ["a"]  # a layer around one other has no key of its own
    x = np.ones((4, 2), np.float32)
    assert model(x, ps, st)[0].shape == (4, 3)
    assert model(x[0], ps, st)[0].shape == (3,)


def test_inputs_that_are_only_taken_apart():
    found = execute("""
    using Flux
    struct J
        a
    end
    (j::J)((x, y)) = j(x, y)
    (j::J)(x, y) = j.a(x) .+ y
    struct K
        a
    end
    (k::K)(xy::Tuple) = k(xy...)
    (k::K)(x, y) = k.a(x) .- y
    models = [J(Dense(2 => 2)), K(Dense(2 => 2))]
    """)
    x = np.ones((3, 2), np.float32)
    for model, sign in zip(found["models"], (1, -1), strict=True):
        ps, st = luxport.setup(0, model)
        want = x @ ps["a"]["weight"] + ps["a"]["bias"] + sign * x
        np.testing.assert_allclose(model((x, x), ps, st)[0], want, rtol=1e-6)


def test_operators_without_a_space_before_brackets():
    """Which the grammar takes for products: ``f(7-(n))`` is no ``f(7 * -(n))``."""
    found = execute("""
    using Flux
    k = 3
    a = Dense(7-(k-1)*2 => 2*(k+1))
    b = Dense(2^(k-1) => 12÷(k))
    g(x, A) = 2-(x)[1, 1] + 3*(x)[2, 1]
    """)
    assert (found["a"], found["b"]) == (luxport.Dense(3, 8), luxport.Dense(4, 4))
    assert found["g"](np.asarray([[5.0, 7.0]]), 0) == 2 - 5 + 3 * 7


# Julia's arrays have the axes the other way round: its matrix [1 2 3; 4 5 6] is this one here.
ARRAY = np.asarray([[1.0, 4.0], [2.0, 5.0], [3.0, 7.0]])
ARRAYS = {
    "reshape(x, size(x)..., 1)": ARRAY[None],
    "reshape(x, 1, size(x)[2:end]..., :)": ARRAY.reshape(-1, 3, 1),
    "x[:, 1:2:end]": ARRAY[::2],
    "x[1:1:2, 2]": ARRAY[1],
    "view(x, 1, :)": ARRAY[:, 0],
    "selectdim(x, 2, 3)": ARRAY[2],
    "Flux.unsqueeze(x, 2)": ARRAY[:, None],
    "std(x; dims=2)": ARRAY.std(0, ddof=1, keepdims=True),
    "var(x; dims=1, corrected=false)": ARRAY.var(1, keepdims=True),
    "reverse(x; dims=1)": ARRAY[:, ::-1],
    "cumsum(x; dims=2)": ARRAY.cumsum(0),
    "repeat(x, 2, 1)": np.tile(ARRAY, (1, 2)),
    "zero(x) .+ ones(size(x))": np.ones_like(ARRAY),
    "norm(x)": np.sqrt((ARRAY**2).sum()),
    "stack([2 .* s for s in eachslice(x; dims=2)])": 2 * ARRAY,
    "stack([s for s in eachslice(x; dims=2)]; dims=1)": ARRAY.T,
    "first(Iterators.peel(eachslice(x; dims=2)))": ARRAY[0],
}


@pytest.mark.parametrize("julia", ARRAYS)
def test_functions_of_arrays(julia: str):
    found = execute(f"using Flux, Statistics, LinearAlgebra\nf(x) = {julia}")
    np.testing.assert_allclose(found["f"](ARRAY), ARRAYS[julia], rtol=1e-12)


def test_numbers_in_lists_and_generators():
    found = execute("""
    using Flux
    hidden = [2i for i in 1:3]
    total = sum(i^2 for i in 1:3)
    model = Chain((Dense(hidden[i] => hidden[i + 1]) for i in 1:2)...)
    other = Dense(total => maximum(3i for i in 1:4 if isodd(i)))
    """)
    assert found["model"] == luxport.Chain(luxport.Dense(2, 4), luxport.Dense(4, 6))
    assert found["other"] == luxport.Dense(14, 9)


def test_a_layer_norm_of_neither_package_is_said_to_be_fluxs():
    translation = translate("model = LayerNorm(4)")
    assert translation.holes == ()
    assert "# LayerNorm is taken for Flux's" in translation.python
    assert translate("using Flux, Lux\nmodel = LayerNorm(4)").holes


def test_training_with_lux_is_luxports():
    found = execute("""
    using Lux, Optimisers, Random
    function objective(model, ps, st, (x, y))
        ŷ, st = model(x, ps, st)
        return MSELoss()(ŷ, y), st, (;)
    end
    function train(x, y)
        model = Chain(Dense(2 => 4, tanh), Dense(4 => 1))
        ps, st = Lux.setup(Random.default_rng(), model)
        state = Training.TrainState(model, ps, st, Adam(0.05f0))
        loss = 0
        for epoch in 1:30
            _, loss, _, state = Training.single_train_step!(AutoZygote(), objective, (x, y), state)
            epoch % 10 == 0 && println("epoch $epoch: $loss")
        end
        return state, loss
    end
    """)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 2)).astype(np.float32), rng.normal(size=(16, 1)).astype(np.float32)
    with luxport.using("jax"):
        state, loss = found["train"](luxport.asarray(x, backend="jax"), luxport.asarray(y, backend="jax"))
    assert int(state.step) == 30
    assert float(loss) < float(np.mean(y**2))


def test_forwards_told_apart_by_types_that_where_bounds_and_without_those_of_other_packages():
    translation = translate("""using Flux
    struct Flat{F, M, B}; weight::M; bias::B; activation::F; end
    Flat((in, out)::Pair{<:Integer, <:Integer}, activation = identity) =
        Flat(Flux.glorot_uniform(out, in), zeros(Float32, out), activation)
    (a::Flat)(x::AbstractVecOrMat) = a.activation.(a.weight * x .+ a.bias)
    (a::Flat)(x::AbstractArray) = reshape(a(reshape(x, size(x, 1), :)), :, size(x)[2:end]...)
    struct Graphs; layer; end
    (g::Graphs)(graph::FeaturedGraph) = g(graph.x)
    (g::Graphs)(x::AbstractArray) = g.layer(x)
    struct Axes; layer; end
    (g::Axes)(x::A) where {T, A <: AbstractArray{T, 4}} = g.layer(x)
    (g::Axes)(x::B) where {T, B <: AbstractArray{T, 3}} = g.layer(x) .+ 1
    flat = Flat(3 => 4)
    graphs = Graphs(Dense(3 => 4))
    axes = Axes(Dense(3 => 4))
    """)
    assert [hole.reason for hole in translation.holes] == ["a method for another package's types"]
    names: dict[str, Any] = {"__name__": "ported"}
    exec(translation.python, names)
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    ps, st = luxport.setup(0, names["flat"])
    np.testing.assert_allclose(names["flat"](x, ps, st)[0], x @ ps["weight"], rtol=1e-5)
    for name, added in (("graphs", 0), ("axes", 1)):
        ps, st = luxport.setup(0, names[name])
        weight = ps["layer"]["weight"]
        np.testing.assert_allclose(names[name](x, ps, st)[0], x @ weight + added, rtol=1e-5)
        np.testing.assert_allclose(names[name](x[None], ps, st)[0], x[None] @ weight, rtol=1e-5)


def test_types_that_the_file_names_itself_tell_nothing_apart():
    source = "using Flux\nconst Batch = AbstractArray{Float32, 3}\nstruct Net; layer; end\n"
    source += "(m::Net)(x::Batch) = m.layer(x)\n(m::Net)(x::AbstractArray) = m.layer(x) .+ 1\n"
    assert any("with several methods" in hole.reason for hole in translate(source).holes)


def test_training_states_in_a_function():
    found = execute("""using Lux
    function train(model, data; epochs = 2)
        ps, st = Lux.setup(Xoshiro(0), model)
        state = Training.TrainState(model, ps, st, Descent(0.1f0))
        for epoch in 1:epochs
            for (x, y) in data
                _, loss, _, state = Training.single_train_step!(AutoZygote(), MSELoss(), (x, y), state)
                println(loss)
            end
        end
        return state
    end
    """)
    x = np.ones((4, 2), np.float32)
    with luxport.using("jax"):
        x = luxport.asarray(x)
        state = found["train"](luxport.Dense(2, 1), [(x, x[:, :1])])
    assert int(state.step) == 2


def test_wrappers_that_have_options_beside_the_layer():
    found = execute("""using Lux
    abstract type AbstractNet <: AbstractLuxWrapperLayer{:layer} end
    struct Named{L} <: AbstractNet
        layer::L
        pretrained::Bool
    end
    model = Named(Chain(Dense(2 => 3), Dense(3 => 1)), false)
    """)
    assert luxport.parameter_length(found["model"]) == 13 and found["model"].pretrained is False
    assert luxport.output_shape(found["model"], (5, 2)) == (5, 1)


def test_constructors_that_types_tell_apart():
    """Julia makes one of the fields' types, and without parameters of the type one more that takes anything."""
    found = execute("""
    using Flux
    struct Pair2
        l::Dense
        r
    end
    Pair2(n::Int, m::Int) = Pair2(Dense(n => m), Dense(m => n))
    Pair2(sizes::Tuple) = Pair2(sizes[1], sizes[2])
    Pair2(c::Chain) = Pair2(c[1], SkipConnection(c[2], +))
    (a::Pair2)(x) = a.r(a.l(x))
    by_variables(a, b) = Pair2(a, b)
    of_one(a) = Pair2(a)
    one = by_variables(2, 3)
    other = by_variables(Dense(2 => 4), Dense(4 => 1))
    third = of_one((2, 5))
    last = of_one(Chain(Dense(2 => 3), Dense(3 => 3)))
    """)
    lengths = [luxport.parameter_length(found[name]) for name in ("one", "other", "third", "last")]
    assert lengths == [9 + 8, 12 + 5, 15 + 12, 9 + 12]


def test_a_choice_of_constructors_is_written_where_a_call_needs_it():
    source = "using Flux\nstruct A\n l\n r\nend\n(a::A)(x) = a.r(a.l(x))\n"
    source += "A(n::Int, m::Int) = A(Dense(n => m), Dense(m => n))"
    assert "by_types" not in translate(f"{source}\nmodel = A(2, 3)").python
    assert "by_types" in translate(f"{source}\nf(a, b) = A(a, b)\nmodel = f(2, 3)").python


@pytest.mark.parametrize(
    ("methods", "calls", "wanted"),
    [
        ("f(x::Dense) = 1\nf(x::Chain) = 2\nf(x) = 3", "f(Dense(1 => 1)), f(Chain(Dense(1 => 1))), f(2)", (1, 2, 3)),
        ("f(x::String) = 1\nf(x::Symbol) = 2", 'f("a"), f(:a)', None),
        ("f(x::Float32) = 1\nf(x::Float64) = 2", "f(1f0), f(1.0)", None),
        ("f(x::NTuple{2,Int}) = 1\nf(x::NTuple{3,Int}) = 2", "f((1, 2)), f((1, 2, 3))", None),
        ("f(x::Vector) = 1\nf(x::AbstractVector) = 2", "f([1, 2]), f(1:2)", None),
    ],
)
def test_types_that_are_one_here_are_not_told_apart(methods: str, calls: str, wanted: Any):
    """Dense and Chain are two; Float32 and Float64, say, would both be a float, so that neither method is chosen."""
    translation = translate(f"using Flux\n{methods}\nv = ({calls})")
    if wanted is None:
        assert any("several methods" in hole.reason for hole in translation.holes)
    else:
        assert execute(f"using Flux\n{methods}\nv = ({calls})")["v"] == list(wanted)


def test_fields_that_flux_does_not_train_are_states():
    found = execute("""
    using Flux
    struct Part
        a
        b
        w
        n
    end
    Flux.@layer Part trainable=(a,)
    (m::Part)(x) = m.a(m.b(x)) .* m.w .+ m.n
    struct Older
        a
        b
    end
    Flux.@functor Older
    Flux.trainable(m::Older) = (m.a,)
    (m::Older)(x) = m.a(m.b(x))
    part = Part(Dense(3 => 1), Dense(2 => 3), randn(Float32, 1), 2)
    older = Older(Dense(2 => 2), Chain(Dense(2 => 2), BatchNorm(2)))
    """)
    x = np.ones((4, 2), np.float32)
    ps, st = luxport.setup(0, found["part"])
    assert ps["b"] == {} and luxport.parameter_length(found["part"]) == 4
    inner = st["b"]["frozen_params"]
    h = (x @ inner["weight"] + inner["bias"]) @ ps["a"]["weight"] + ps["a"]["bias"]
    np.testing.assert_allclose(found["part"](x, ps, st)[0], h * st["w"] + 2, rtol=1e-5)
    assert luxport.parameter_length(found["older"]) == 6


def test_what_sources_have_of_attention_padding_and_initial_values():
    found = execute("""
    using Flux, NNlib
    using Distributions: Normal
    narrow(shape...) = map(Float32, rand(Normal(0.0f0, 0.02f0), shape...))
    shifted(dims...) = Float32.(rand(Normal(1, 0.5), dims...))
    window(kernel, p = 1) = Conv(kernel, 1 => 2; pad = (1, 2), init = narrow)
    conv, four = window((3, 5)), Conv((3, 3), 1 => 2; pad = (1, 2, 3, 4), init = shifted)
    parts(x) = Flux.chunk(x, 3; dims = 1)
    function halves(x)
        local a, b
        a, b = chunk(x, 2)
        a .- b
    end
    struct Causal
        mha
        norm
    end
    Flux.@layer Causal
    (m::Causal)(x) = x .+ first(m.mha(m.norm(x); mask = NNlib.make_causal_mask(x)))
    model = Causal(MultiHeadAttention(8; nheads = 2), LayerNorm(8))
    """)
    normal = luxport.initializers.normal
    assert found["conv"] == luxport.Conv((5, 3), 1, 2, padding=(2, 1), init_weight=normal(std=0.02))
    assert found["four"].padding == ((3, 4), (1, 2)) and found["four"].init_weight == normal(mean=1, std=0.5)
    x = np.arange(28.0).reshape(4, 7)
    # MLUtils.chunk: parts of one size, of which the last may be smaller; along the last axis of Julia's by itself
    assert [part.shape for part in found["parts"](x)] == [(4, 3), (4, 3), (4, 1)]
    np.testing.assert_array_equal(found["halves"](x), x[:2] - x[2:])
    ps, st = luxport.setup(0, found["model"])
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    later = np.concatenate([x[:, :3], x[:, 3:] + 1], 1)
    one, other = [found["model"](given, ps, st)[0] for given in (x, later)]
    np.testing.assert_array_equal(one[:, :3], other[:, :3])
    assert np.abs(one[:, 3:] - other[:, 3:]).max() > 0.1


def test_what_sources_have_of_lists_and_choices():
    found = execute("""
    using Flux
    network(n) = Chain(later(n), Dense(n => 1))
    const later = (n; act = relu) -> Dense(n => n, act)
    chosen(last, act) = Dense(2 => 3, ifelse(last, identity, act))
    function wide(n, deep)
        w = 1
        deep && (w = 2n)
        deep || (w = 3)
        Dense(n => w)
    end
    function joined(sizes)
        pairs = collect(zip(sizes[1:end-1], sizes[2:end]))
        Chain([Dense(a => b) for (a, b) in pairs]..., Dense(pairs[end][2] => 1))
    end
    function hidden(a, b, n)
        sizes = vcat(a, [b for _ in 1:n])
        Chain([Dense(i => o) for (i, o) in zip(sizes[1:end-1], sizes[2:end])]...)
    end
    repeated = Chain(map(n -> Dense(n => n), ntuple(Returns(3), 2))...)
    second(x, o) = Flux.gate(x, o, 2)
    skipping(layer, join) = SkipConnection(layer, join)
    skips = skipping(Dense(2 => 2), +)
    one, other = network(3), joined([3, 4, 5])
    two, three = hidden(2, 3, 2), (chosen(true, relu), chosen(false, relu), wide(3, true), wide(3, false))
    """)
    dense = luxport.Dense
    assert found["one"] == luxport.Chain(dense(3, 3, luxport.relu), dense(3, 1))
    assert found["other"] == luxport.Chain(dense(3, 4), dense(4, 5), dense(5, 1))
    assert found["two"] == luxport.Chain(dense(2, 3), dense(3, 3))
    assert list(found["three"]) == [dense(2, 3), dense(2, 3, luxport.relu), dense(3, 6), dense(3, 3)]
    assert found["repeated"] == luxport.Chain(dense(3, 3), dense(3, 3))
    assert found["skips"] == luxport.SkipConnection(dense(2, 2), operator.add)
    np.testing.assert_array_equal(found["second"](np.arange(12.0).reshape(2, 6), 3), [[3, 4, 5], [9, 10, 11]])


def test_places_from_one_are_from_zero_in_an_embedding_alone():
    found = execute("""
    using Flux
    struct Net
        token
        position
        counter
    end
    Flux.@layer Net
    function (m::Net)(x)
        T, B = size(x)
        m.token(x) .+ m.position(1:T) .+ m.counter(2:3)
    end
    model = Net(Embedding(5 => 2), Embedding(7 => 2), identity)
    """)
    ps, st = luxport.setup(0, found["model"])
    y, _ = found["model"](np.zeros((2, 3), np.int32), ps, st)
    wanted = ps["token"]["weight"][0] + ps["position"]["weight"][:3] + np.asarray([2, 3])
    np.testing.assert_allclose(y, np.tile(wanted, (2, 1, 1)), rtol=1e-6)


def test_types_of_parameters_that_have_no_name():
    found = execute("""
    using Flux
    dropped(::Nothing, n) = Dense(n => n)
    dropped(p::Real, n) = Chain(Dense(n => n), Dropout(p))
    struct Repeated
        layer
        times
    end
    (m::Repeated)(x) = repeat(m.layer(x), 1, m.times)
    one, other = dropped(nothing, 2), dropped(0.5, 2)
    repeated = Repeated(Dense(2 => 3), 2)
    wave = Dense(1 => 1, Base.Fix1(NNlib.fast_activation, cos))
    """)
    assert found["one"] == luxport.Dense(2, 2)
    assert found["other"] == luxport.Chain(luxport.Dense(2, 2), luxport.Dropout(0.5))
    ps, st = luxport.setup(0, found["repeated"])
    x = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    once = x @ ps["layer"]["weight"] + ps["layer"]["bias"]
    np.testing.assert_allclose(found["repeated"](x, ps, st)[0], np.concatenate([once, once]), rtol=1e-6)
    np.testing.assert_allclose(found["wave"].activation(x), np.cos(x), rtol=1e-6)


VECTORS = """
struct Block; d; end
(b::Block)(x) = b.d(x)
function tower(n)
    blocks = Block[]
    push!(blocks, Block(Dense(n => n)))
    for _ in range(1, length = 2)
        push!(blocks, Block(Dense(n => n)))
    end
    more = Vector()
    push!(more, [Dense(n => n), BatchNorm(n)]..., tanh)
    for i in range(2, 3)
        push!(more, Dense(n => n * i))
        n = n * i
    end
    Chain(blocks..., more...)
end
"""


def test_vectors_that_grow_by_several_entries():
    # 3 + 1 layers of 4 => 4, a norm, 4 => 8 and 8 => 24.
    assert luxport.parameter_length(execute_in_flux(VECTORS)["tower"](4)) == 4 * 20 + 8 + 40 + 216
    translation = translate("using Flux\nf(xs) = begin; ys = []; append!(ys, xs...); Chain(ys...) end")
    assert [hole.reason for hole in translation.holes] == ["append! of several lists in one"]


FIVE = """
using Lux
struct Five <: Lux.AbstractExplicitContainerLayer{tuple([Symbol("layer" * string(i)) for i in 1:2]...)}
    scale
    layer1
    layer2
end
function (m::Five)(x, ps, st)
    a, st1 = m.layer1(x, ps.layer1, st.layer1)
    b, st2 = m.layer2(a, ps.layer2, st.layer2)
    return b .* m.scale, (layer1 = st1, layer2 = st2)
end
five = Five(2, Dense(3 => 4), Dense(4 => 2))
"""


def test_a_container_whose_names_are_computed_has_a_key_for_each():
    five = execute(FIVE)["five"]
    ps, st = luxport.setup(0, five)
    x = np.ones((5, 3), np.float32)
    hidden = x @ ps["layer1"]["weight"] + ps["layer1"]["bias"]
    want = 2 * (hidden @ ps["layer2"]["weight"] + ps["layer2"]["bias"])
    np.testing.assert_allclose(five(x, ps, st)[0], want, rtol=1e-5)


TYPED = """
using Lux
struct Net{A, B} <: Lux.AbstractLuxContainerLayer{(:a, :b)}
    n::Int
    a::A
    b::B
end
function Net(n)
    a, b = Dense(n => n), Dense(n => 2)
    return Net{typeof(a), typeof(b)}(n, a, b)
end
function (m::Net)(x, ps, st)
    y, st_a = m.a(x, ps.a, st.a)
    z, st_b = m.b(y, ps.b, st.b)
    return z .* m.n, (a = st_a, b = st_b)
end
"""


def test_a_constructor_for_types_takes_all_fields():
    net = execute(TYPED)["Net"](3)
    assert (net.n, luxport.parameter_length(net)) == (3, 12 + 8)
    assert luxport.output_shape(net, (5, 3)) == (5, 2)
    inner = TYPED.replace("b::B\n", "b::B\n    Net{A, B}(n, a, b) where {A, B} = new{A, B}(2n, a, b)\n", 1)
    assert "a constructor for types that are given" in [hole.reason for hole in translate(inner).holes]
