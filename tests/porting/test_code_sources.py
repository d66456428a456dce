"""`luxport port`: further parts of published sources: training, lists, attention, choices."""

import operator

import numpy as np
from execution import execute, execute_in_flux

import luxport
from luxport.porting.translate import translate


def test_training_with_lux_becomes_luxports():
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


def test_training_states_in_a_function_are_translated():
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


def test_wrappers_may_have_options_beside_the_layer():
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


def test_untrained_fields_of_flux_become_states():
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


def test_attention_padding_and_initial_values_are_translated():
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
    # MLUtils.chunk: equal parts, of which the last may be smaller; by default along Julia's last axis
    assert [part.shape for part in found["parts"](x)] == [(4, 3), (4, 3), (4, 1)]
    np.testing.assert_array_equal(found["halves"](x), x[:2] - x[2:])
    ps, st = luxport.setup(0, found["model"])
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    later = np.concatenate([x[:, :3], x[:, 3:] + 1], 1)
    one, other = [found["model"](given, ps, st)[0] for given in (x, later)]
    np.testing.assert_array_equal(one[:, :3], other[:, :3])
    assert np.abs(one[:, 3:] - other[:, 3:]).max() > 0.1


def test_lists_and_choices_are_translated():
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


def test_only_indices_of_embeddings_count_from_zero():
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


def test_vectors_may_grow_by_several_entries():
    # 3 + 1 layers of 4 => 4, a norm, 4 => 8 and 8 => 24.
    assert luxport.parameter_length(execute_in_flux(VECTORS)["tower"](4)) == 4 * 20 + 8 + 40 + 216
    translation = translate("using Flux\nf(xs) = begin; ys = []; append!(ys, xs...); Chain(ys...) end")
    assert [hole.reason for hole in translation.holes] == ["append! of several lists in one"]
