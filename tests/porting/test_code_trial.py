"""`luxport port --run`: the inputs and sizes of the trial. Shapes and counts are computed by hand."""

import numpy as np
import pytest
from execution import execute_in_flux

import luxport
from luxport.porting.translate.module import translate
from luxport.porting.translate.trial import report
from luxport.porting.translate.trial_inputs import Whole, find_shapes


def list_trial_lines(julia):
    return list(report(translate(julia)))


def find_input(julia):
    (line,) = list_trial_lines(julia)
    return line.partition("parameters, ")[2]


BRANCHES = "struct M; a; b; end\n(m::M)(x, y) = m.a(x) .* m.b(y)\nM() = M(Dense(3 => 4), Dense(5 => 4))\n"
NAMED = "struct M; a; b; end\n(m::M)(t) = m.a(t.left) .+ m.b(t.right)\nM() = M(Dense(3 => 4), Dense(5 => 4))\n"
TOKENS = "struct M; e; d; end\n(m::M)(x) = m.d(m.e(x))\nM() = M(Embedding(9 => 4), Dense(4 => 2))\n"
MIXED = "struct M; e; d; end\n(m::M)(t, x) = m.e(t) .+ m.d(x)\nM() = M(Embedding(9 => 4), Dense(6 => 4))\n"
CROSS = "struct M; a; end\n(m::M)((q, k)) = m.a(q, k, k)[1]\nM() = M(MultiHeadAttention(8; nheads = 2))\n"
BOTH = "{'left': (2, 3), 'right': (2, 5)} -> (2, 4)"
MADE = "M() = M(Dense(3 => 4), Dense(5 => 4))\n"
TAKEN = {
    "two inputs": (BRANCHES, "((2, 3), (2, 5)) -> (2, 4)"),
    "a named tuple": (NAMED, BOTH),
    "a named tuple in the head": (
        "struct M; a; b; end\n(m::M)((; left, right)) = m.a(left) .+ m.b(right)\n" + MADE, BOTH),
    "a named tuple taken apart": (
        "struct M; a; b; end\nfunction (m::M)(t)\n(; left, right) = t\nm.a(left) .+ m.b(right)\nend\n" + MADE, BOTH),
    "tokens": (TOKENS, "(2, 5) of ints -> (2, 5, 2)"),
    "tokens and an array": (MIXED, "((2, 5) of ints, (2, 5, 6)) -> (2, 5, 4)"),
    "a tuple in the head": (CROSS, "((2, 5, 8), (2, 5, 8)) -> (2, 5, 8)"),
    "two inputs, of which one is two": (
        "struct M; a; b; end\nfunction (m::M)(h, x)\nl, r = x\nm.a(h) .+ m.b(l) .* m.a(r)\nend\n"
        "M() = M(Dense(3 => 4), Dense(5 => 4))", "((2, 3), ((2, 5), (2, 3))) -> (2, 4)"),
    "the part that comes first stands last": (
        "struct M; b; a; end\n(m::M)(x) = m.b(m.a(x))\nM() = M(Dense(5 => 4), Dense(3 => 5))", "(2, 3) -> (2, 4)"),
    "matrices of one's own": (
        "struct M; W; b; end\n(m::M)(x) = m.W * x .+ m.b\nM(n) = M(randn(Float32, 4, n), zeros(4))\nm = M(3)",
        "(2, 3) -> (2, 4)"),
    "an image whose side a Dense tells": (
        "m = Chain(Conv((5, 5), 1 => 2), Flux.flatten, Dense(2 * 15 * 15 => 3))", "(2, 1, 19, 19) -> (2, 3)"),
    "sizes in place": (
        "imgsize = (40, 20, 3)\nm = Chain(Conv((1, 1), 3 => 2), Flux.flatten, Dense(2 * 40 * 20 => 3))",
        "(2, 3, 20, 40) -> (2, 3)",
    ),
    "sizes in variables": ("n = 6\nb = 7\nx = rand(Float32, 4, n, b)\nm = Dense(4 => 2)", "(7, 6, 4) -> (7, 6, 2)"),
    "whole numbers that are drawn": (TOKENS + "x = rand(1:9, 3, 6)", "(6, 3) of ints -> (6, 3, 2)"),
    "a call's tuple": (
        BRANCHES.replace("(x, y)", "((x, y))") + "x = randn(Float32, 3, 6)\ny = ones(5, 6)\nM()((x, y))",
        "((6, 3), (6, 5)) -> (6, 4)",
    ),
    "a call's arguments": (
        BRANCHES + "x = randn(Float32, 3, 6) |> gpu\ny = ones(5, 6)\nm = M()\nm(x, y)", "((6, 3), (6, 5)) -> (6, 4)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_a_model_is_tried_on_an_input_that_fits(name):
    julia, want = TAKEN[name]
    assert list_trial_lines(f"using Flux\n{julia}")[0].partition("parameters, ")[2] == want


def test_lux_models_are_tried_on_inputs_that_fit():
    head = "using Lux\nstruct M <: Lux.AbstractLuxContainerLayer{(:a, :b)}; a; b; end\n"
    head += "m = M(Dense(3 => 4), Dense(5 => 4))\n"
    body = "(m::M)((x, y), ps, st) = (m.a(x, ps.a, st.a)[1] .* m.b(y, ps.b, st.b)[1], st)\n"
    assert find_input(head + body) == "((2, 3), (2, 5)) -> (2, 4)"
    body = "(m::M)(t, ps, st) = (m.a(t.x, ps.a, st.a)[1] .* m.b(t.y, ps.b, st.b)[1], st)\n"
    assert find_input(head + body) == "{'x': (2, 3), 'y': (2, 5)} -> (2, 4)"
    drawn = (
        "x = rand(Float32, 3, 9); y = rand(Float32, 5, 9)\nLux.apply(m, (; x, y), ps, st)\nm((x = x, y = y), ps, st)"
    )
    assert find_input(head + body + drawn) == "{'x': (9, 3), 'y': (9, 5)} -> (9, 4)"


def test_one_array_is_not_several_inputs():
    """To Python a batch of two is two arrays, to Julia one input."""
    model = luxport.compact(a=luxport.Dense(3, 4), b=luxport.Dense(3, 4))(lambda x, *, a, b: [part for part in x][0])
    assert "expected" not in find_shapes(model, [Whole((2, 3))]).partition(":")[0]
    with pytest.raises(TypeError, match="several inputs"):
        list(Whole((2, 3)))
    assert find_shapes(luxport.Dense(3, 4), []) == "(2, 3) -> (2, 4)"


def test_an_error_of_the_trial_is_printed_once():
    julia = "using Flux\nstruct M; a; end\n(m::M)(x) = weird(m.a(x))\nM() = M(Dense(3 => 4))"
    assert list_trial_lines(julia)[0] == (
        "M(): CompactLayer with 16 parameters, NotImplementedError: not ported: weird(m.a(x))"
    )
    never = luxport.Chain(luxport.Dense(3, 4), luxport.Dense(5, 2))
    assert find_shapes(never, []).startswith(
        "no input found that it takes: LayerError: Dense at layer_2 expects (..., 5)"
    )


MADE_UP = {
    "mlp(n_in, hidden::Int, σ) = Chain(Dense(n_in => hidden, σ), Dense(hidden => 3))":
        "mlp(8, 8, relu), sizes made up: Chain with 99 parameters, (2, 8) -> (2, 3)",
    "conv(ch, n) = Conv((n, n), ch)":
        "conv(8 => 8, 8), sizes made up: Conv with 4,104 parameters, (2, 8, 28, 28) -> (2, 8, 21, 21)",
    "drop(n; p::Float32, bias) = Chain(Dense(n => 2; bias), Dropout(p))":
        "drop(8; p = 0.5, bias = true), sizes made up: Chain with 18 parameters, (2, 8) -> (2, 2)",
    "struct B; l; end\n(b::B)(x) = b.l(x) .+ x\n"
    "B(width::Integer, depth) = B(Chain([Dense(width => width) for _ in 1:depth]...))":
        "B(8, 2), sizes made up: CompactLayer with 144 parameters, (2, 8) -> (2, 8)",
    "joined(n::Int, connection::Function) = SkipConnection(Dense(n => n), connection)":
        "joined(8, +), sizes made up: SkipConnection with 72 parameters, (2, 8) -> (2, 8)",
    "head(n) = Chain(AdaptiveMeanPool((1, 1)), Flux.flatten, Dense(n => 3))":
        "head(8), sizes made up: Chain with 27 parameters, (2, 8, 28, 28) -> (2, 3)",
    "around(net) = SkipConnection(net, +)":
        "around(Dense(8 => 8)), sizes made up: SkipConnection with 72 parameters, (2, 8) -> (2, 8)",
}  # fmt: skip


@pytest.mark.parametrize("julia", MADE_UP)
def test_a_function_called_nowhere_is_tried_with_invented_sizes(julia):
    assert list_trial_lines(f"using Flux\n{julia}") == [MADE_UP[julia]]


def test_a_function_that_the_source_calls_needs_no_invented_sizes():
    assert list_trial_lines("using Flux\nmlp(n) = Dense(n => 3)\nf() = mlp(4)") == [
        "f(): Dense with 15 parameters, (2, 4) -> (2, 3)"
    ]
    assert list_trial_lines("using Flux\nodd(x::Unknown) = Dense(x.n => 3)") == [
        "no model is built when it is imported"
    ]


def test_shapes_without_values_equal_those_of_arrays():
    """Whatever a shape without values passes through, an array passes through too."""
    model = execute_in_flux(BRANCHES)["M"]()
    ps, st = luxport.setup(0, model, backend="numpy")
    y, _ = model((np.ones((2, 3), "float32"), np.ones((2, 5), "float32")), ps, st)
    assert y.shape == (2, 4)
