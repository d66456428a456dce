"""`luxport port`: constructors and forward methods that differ by types and their parameters."""

from typing import Any

import numpy as np
import pytest
from execution import execute

import luxport
from luxport.porting.translate import translate


def test_forwards_differ_by_bounded_types_and_ignore_those_of_other_packages():
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


def test_types_that_the_file_defines_choose_no_method():
    source = "using Flux\nconst Batch = AbstractArray{Float32, 3}\nstruct Net; layer; end\n"
    source += "(m::Net)(x::Batch) = m.layer(x)\n(m::Net)(x::AbstractArray) = m.layer(x) .+ 1\n"
    assert any("with several methods" in hole.reason for hole in translate(source).holes)


def test_constructors_are_chosen_by_types():
    """Julia makes one for the fields' types, and, if the type has no parameters, one that takes anything."""
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


def test_a_choice_of_constructors_is_written_only_if_a_call_needs_it():
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
def test_types_that_are_equal_in_python_choose_no_method(methods: str, calls: str, wanted: Any):
    """Dense and Chain differ; Float32 and Float64 are both a float, so neither method is chosen."""
    translation = translate(f"using Flux\n{methods}\nv = ({calls})")
    if wanted is None:
        assert any("several methods" in hole.reason for hole in translation.holes)
    else:
        assert execute(f"using Flux\n{methods}\nv = ({calls})")["v"] == list(wanted)


def test_parameters_without_names_choose_by_their_types():
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


def test_a_container_with_computed_names_has_a_key_for_each():
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
