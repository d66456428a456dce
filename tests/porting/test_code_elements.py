"""`luxport port`: comparisons, conditions and functions of one number, called on each element in Julia."""

import numpy as np
import pytest
from execution import execute_in_flux

import luxport
from luxport.porting.translate import translate

X = np.asarray([[1.0, -2.0], [3.0, -4.0], [0.5, 6.0]], np.float32)


# From Julia's manual ("Chaining comparisons", "Dot Syntax for Vectorizing Functions", "Short-Circuit Evaluation",
# "Operator Precedence"): a dotted chain is the conjunction of its comparisons, `.&&` binds looser than they do, `.&`
# tighter.
EACH = {
    "0 .< x .< 2": (X > 0) & (X < 2),
    "-3 .<= x .<= 3": (X >= -3) & (X <= 3),
    "0 .< x .!= 1 .< 5": (X > 0) & (X != 1),
    "@. 0 < x < 2": (X > 0) & (X < 2),
    "@. 0 < x < 2 || x > 5": ((X > 0) & (X < 2)) | (X > 5),
    "x .> 0 .&& x .< 2": (X > 0) & (X < 2),
    "x .> 2 .|| x .< -3": (X > 2) | (X < -3),
    "(x .> 0) .& (x .< 2) .| (x .> 5)": ((X > 0) & (X < 2)) | (X > 5),
    ".!(x .> 0)": X <= 0,
    "@. !(x > 0)": X <= 0,
    "(0 .< x .< 2) .* x": np.where((X > 0) & (X < 2), X, 0),
}


@pytest.mark.parametrize("julia", EACH)
def test_comparisons_with_dots_compare_each_element(julia):
    np.testing.assert_array_equal(execute_in_flux(f"f(x) = {julia}")["f"](X), EACH[julia])


LEAKY = np.where(X > 0, X, 0.1 * X)
FOLDED = np.where(X > 5, 5 * X, LEAKY)
OF_ONE = {
    "act(x) = x > 0 ? x : 0.1x": LEAKY,
    "act(x::Real) = ifelse(x > 0, x, 0.1x)": LEAKY,
    "function act(x)\n if x > 0\n  x\n else\n  0.1x\n end\nend": LEAKY,
    "function act(x)\n if x > 5\n  return 5x\n elseif x > 0\n  return x\n else\n  return 0.1x\n end\nend": FOLDED,
    "act(x) = 0 < x < 2 ? x : zero(x)": np.where((X > 0) & (X < 2), X, 0),
    "act(x) = x > 0 && x < 2 ? x^2 : x": np.where((X > 0) & (X < 2), X**2, X),
    "act(x) = !(x > 0) || x == 3 ? 2x : x": np.where((X <= 0) | (X == 3), 2 * X, X),
    "act(x) = x > 0 ? x : x < -3 ? -3 + 0x : x / 2": np.where(X > 0, X, np.where(X < -3, -3, X / 2)),
    "half(x) = x / 2\nact(x) = x > 0 ? half(x) : x": np.where(X > 0, X / 2, X),
    "act = x -> x > 0 ? x : 0.1x": LEAKY,
}


@pytest.mark.parametrize("julia", OF_ONE)
def test_functions_of_one_number_apply_to_each_element(julia):
    name = "act" if "act =" not in julia else julia.removeprefix("act = ")
    definition = "" if "act =" in julia else julia
    layer = execute_in_flux(f"{definition}\nmodel = Dense(2 => 2, {name})")["model"]
    np.testing.assert_allclose(layer.activation(X), OF_ONE[julia], rtol=1e-6)
    if definition:
        np.testing.assert_allclose(execute_in_flux(f"{definition}\nf(x) = act.(x)")["f"](X), OF_ONE[julia], rtol=1e-6)


def test_a_function_of_one_number_may_have_two_arguments():
    found = execute_in_flux("larger(a, b) = a > b ? a : b\nf(x) = larger.(x, 0)\ng(x) = larger.(x, 2 .* x)")
    np.testing.assert_array_equal(found["f"](X), np.maximum(X, 0))
    np.testing.assert_array_equal(found["g"](X), np.maximum(X, 2 * X))


def test_a_function_called_on_numbers_stays_one_of_numbers():
    found = execute_in_flux("""
    wide(n) = n > 4 ? 2n : n
    model = Dense(wide(3) => wide(5))
    deep(x, n) = n == 0 ? x : deep(2 .* x, n - 1)
    """)
    assert found["model"] == luxport.Dense(3, 10)
    np.testing.assert_array_equal(found["deep"](X, 2), 4 * X)


def test_a_function_called_on_a_list_of_matrices_stays_one_of_matrices():
    """``square.(xs)`` squares each matrix: nothing says that its argument is a number."""
    julia = "square(a) = a * a'\nf(x, y) = sum(square.((x, y)))"
    assert "matmul(a, adjoint(a))" in translate(f"using Flux\n{julia}").python


@pytest.mark.parametrize(
    "julia",
    [
        "step(x) = x > 0 ? 1 : 0\nf(x) = step.(x)",  # its dtype is unknown
        "act(x) = begin\n if x > 0\n  y = 2x\n  return y\n end\n x\nend\nf(x) = act.(x)",
    ],
)
def test_functions_of_one_number_that_are_not_understood_are_marked(julia):
    assert translate(f"using Flux\n{julia}").holes


def test_operators_of_bits_bind_as_in_julia():
    """From Julia's table: ``&`` binds as products do, ``|`` and ``⊻`` as sums, shifts tighter than both."""
    numbers = {
        "a & b + 1": 4,
        "a & b * 2": 6,
        "1 | 2 * 2": 5,
        "8 | b & 1": 9,
        "a ⊻ b": 4,
        "a & b << 1": 6,
        "5 ⊻ 1 + 1": 5,
    }
    found = execute_in_flux(
        "\n".join(["a = 7", "b = 3", *(f"v{place} = {julia}" for place, julia in enumerate(numbers))])
    )
    assert {julia: found[f"v{place}"] for place, julia in enumerate(numbers)} == numbers
    assert execute_in_flux("a = 7\nv = a ∉ (1, 2) ? 1 : 2\nw = √16 + 1")["w"] == 5


# Julia's manual ("Functions", "The return Keyword"): a function's value is its last expression; an assignment's is the
# assigned value, and `push!` gives the vector.
VALUES = {
    "f(x) = begin\n a, b = x .+ 1, 2x\nend": (X + 1, 2 * X),
    "function f(x)\n y = x .+ 1\nend": X + 1,
    "function f(x)\n y = x\n y += 1\nend": X + 1,
    "function f(x)\n n = 2\n if n > 1\n  y = x .* n\n else\n  y = x\n end\nend": 2 * X,
}


@pytest.mark.parametrize("julia", VALUES)
def test_a_last_assignment_is_the_value_of_a_function(julia):
    np.testing.assert_array_equal(np.asarray(execute_in_flux(julia)["f"](X)), np.asarray(VALUES[julia]))


def test_push_returns_the_vector():
    found = execute_in_flux("""
    added(layers, n) = push!(layers, Dense(n => n))
    function network(n)
        layers = [
            Dense(n => 2)
        ]
        Chain(added(layers, 2)...)
    end
    model = network(3)
    """)
    assert found["model"] == luxport.Chain(luxport.Dense(3, 2), luxport.Dense(2, 2))
    assert translate("using Flux\nf(a) = [a;]\ng(a) = [\n a\n a\n]").holes


def test_functions_may_take_any_number_of_arrays():
    found = execute_in_flux("""
    joined(xs::AbstractArray...) = cat(xs...; dims = Val(1))
    below(x, more...) = cat(x, more...; dims = 2)
    grown(xs...) = sum(map(x -> exp.(x), xs))
    model = Parallel(joined, Dense(2 => 1), Dense(2 => 3))
    """)
    np.testing.assert_array_equal(found["joined"](X, X), np.concatenate([X, X], -1))
    np.testing.assert_array_equal(found["below"](X, X, X), np.concatenate([X, X, X], 0))
    np.testing.assert_allclose(found["grown"](X, 2 * X), np.exp(X) + np.exp(2 * X), rtol=1e-6)
    ps, st = luxport.setup(0, found["model"])
    parts = [X @ ps[name]["weight"] for name in ("layer_1", "layer_2")]
    np.testing.assert_allclose(found["model"](X, ps, st)[0], np.concatenate(parts, -1), rtol=1e-5)


# Julia's manual ("Integers and Floating-Point Numbers"): Bool is a number, 1 or 0, in sums and products.
COUNTED = {
    "x .* (0 .<= x .<= 1)": np.where((X >= 0) & (X <= 1), X, 0),
    "(x .> 0) .* x .+ .!(x .> 0) .* 2": np.where(X > 0, X, 2),
    "2 .* (x .> 0) .+ 1": np.where(X > 0, 3.0, 1.0),
    "x .- (x .> 1)": X - (X > 1),
    "@. (x > 0) * x": np.where(X > 0, X, 0),
    "sum(.!(x .> 0); dims=1)": (X <= 0).sum(-1, keepdims=True),
    "mean((x .> 0) .&& (x .< 2))": np.mean((X > 0) & (X < 2)),
}


@pytest.mark.parametrize("julia", COUNTED)
def test_true_and_false_are_numbers_of_the_dtype_beside_them(julia):
    """NumPy would give float64 for a mask times a number, and TensorFlow a mask for a product."""
    found = execute_in_flux(f"f(x) = {julia}")["f"](X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, COUNTED[julia], rtol=1e-6)


def test_sums_of_two_masks_are_marked():
    """NumPy's sum would be an "or"; Julia counts to two."""
    assert translate("using Flux\nf(x) = (x .> 0) .+ (x .> 1)").holes


def test_repeat_and_batched_transpose_use_julias_axes():
    found = execute_in_flux("twice(x) = repeat(x, 2)\nturned(x) = batched_transpose(x)")
    np.testing.assert_array_equal(found["twice"](X), np.concatenate([X, X], -1))
    stacked = np.stack([X, 2 * X])
    np.testing.assert_array_equal(found["turned"](stacked), stacked.swapaxes(1, 2))
