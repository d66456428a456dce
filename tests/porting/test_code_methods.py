"""`luxport port`: functions and layers with several methods.

Julia's manual, "Methods", says which method is called: the most specific one that the arguments' types allow.
"""

from typing import Any

import numpy as np
import pytest
from execution import execute

import luxport
from luxport.porting.translate import translate


def test_methods_are_chosen_by_types_and_numbers_of_arguments():
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


def test_the_most_specific_method_is_called_whatever_the_order():
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
        "f(x::Int, y) = 1\nf(x, y::Int) = 2",  # ambiguous in Julia as well
        "f(x::Own) = 1\nf(x::Other) = 2",
        "f(x::Tuple{Int,Int}) = 1\nf(x::Vector{<:Own}) = 1\nf(x::Union{Int,Own}) = 2",
    ],
)
def test_methods_that_cannot_be_told_apart_are_marked(methods: str):
    translation = translate(f"using Flux\n{methods}\nmodel = Dense(f(1) => 2)")
    assert any("several methods" in hole.reason for hole in translation.holes)


def test_methods_beside_one_that_is_not_ported_are_kept():
    translation = translate("using Flux\nbuild(x::Int) = Dense(x => 2)\nbuild(x::String) = unknown(x)\nm = build(3)")
    names: dict[str, Any] = {"__name__": "ported"}
    exec(translation.python, names)
    assert names["m"] == luxport.Dense(3, 2)
    with pytest.raises(NotImplementedError, match="unknown"):
        names["build"]("a")


def test_a_flux_layers_method_is_chosen_by_its_inputs_axes():
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


def test_a_lux_layers_method_is_chosen_by_its_inputs_axes():
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
    assert list(ps) == ["a"]  # a layer around a single layer has no key of its own
    x = np.ones((4, 2), np.float32)
    assert model(x, ps, st)[0].shape == (4, 3)
    assert model(x[0], ps, st)[0].shape == (3,)


def test_a_tuple_of_inputs_is_taken_apart():
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


def test_an_operator_right_before_a_bracket_is_no_product():
    """The grammar takes these for products: ``f(7-(n))`` is not ``f(7 * -(n))``."""
    found = execute("""
    using Flux
    k = 3
    a = Dense(7-(k-1)*2 => 2*(k+1))
    b = Dense(2^(k-1) => 12÷(k))
    g(x, A) = 2-(x)[1, 1] + 3*(x)[2, 1]
    """)
    assert (found["a"], found["b"]) == (luxport.Dense(3, 8), luxport.Dense(4, 4))
    assert found["g"](np.asarray([[5.0, 7.0]]), 0) == 2 - 5 + 3 * 7


# Julia's arrays have reversed axes: its matrix [1 2 3; 4 5 6] is this one here.
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
def test_functions_of_arrays_use_julias_axes(julia: str):
    found = execute(f"using Flux, Statistics, LinearAlgebra\nf(x) = {julia}")
    np.testing.assert_allclose(found["f"](ARRAY), ARRAYS[julia], rtol=1e-12)


def test_lists_and_generators_of_numbers_are_computed():
    found = execute("""
    using Flux
    hidden = [2i for i in 1:3]
    total = sum(i^2 for i in 1:3)
    model = Chain((Dense(hidden[i] => hidden[i + 1]) for i in 1:2)...)
    other = Dense(total => maximum(3i for i in 1:4 if isodd(i)))
    """)
    assert found["model"] == luxport.Chain(luxport.Dense(2, 4), luxport.Dense(4, 6))
    assert found["other"] == luxport.Dense(14, 9)


def test_a_layer_norm_of_unknown_origin_is_taken_for_fluxs():
    translation = translate("model = LayerNorm(4)")
    assert translation.holes == ()
    assert "# LayerNorm is taken for Flux's" in translation.python
    assert translate("using Flux, Lux\nmodel = LayerNorm(4)").holes
