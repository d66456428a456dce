"""`luxport port`: operators, numbers and defaults that mean something else in Julia than in Python."""

import math
import operator

import numpy as np
import pytest
from execution import execute_in_flux

import luxport
from luxport.porting.translate import translate

# Operators by precedence, from Julia's manual ("Operator Precedence and Associativity", "Numeric Literal
# Coefficients"), each with its neighbors in the table; the numbers are computed by hand for a = 7, b = 3, n = 2.
NUMBERS = {
    "2^3^n": 512,  # powers associate to the right
    "2^n^3": 256,
    "(2^3)^n": 64,
    "n^n^n^n": 65536,
    "2n^2": 8,  # a coefficient binds looser than a power
    "2(n + 1)^2": 18,
    "3(a)^n^n": 3 * 7**4,
    "2^2n": 16,  # and tighter to the right of one
    "2^2n^2": 2**8,
    "-n^2": -4,  # powers before signs
    "-2^2": -4,
    "-2n^2": -8,
    "-(n)^2": -4,
    "-(a, n)^2": 25,
    "+(a, b, n)": 12,
    "2^-n": 0.25,
    "-n + a": 5,  # signs before sums and products
    "a - -n": 9,
    "-a * b": -21,
    "12 / 2n": 3,  # a coefficient before a quotient
    "a * 2n": 28,
    "2n * b": 12,
    "a - 2n": 3,
    "a * b + n": 23,  # products before sums, from the left
    "a + b * n": 13,
    "a - b - n": 2,
    "a - b + n": 6,
    "a + b - n": 8,
    "12 / b / n": 2,
    "12 / b * n": 8,
    "a * b ÷ n": 10,
    "a ÷ n * b": 9,
    "a % b * n": 2,
    "a * b % n": 1,
    "a ÷ b % n": 0,
    "a + b % n": 8,
    "a + b ÷ n": 8,
    "a^n * b": 147,
    "b * a^n": 147,
    "a^n + b": 52,
    "a ÷ n^2": 1,
    "-a ÷ n": -3,  # the sign first, then toward zero
    "-(a ÷ n)": -3,
    "a ÷ -n": -3,
    "-a % b": -1,
    "a % -b": 1,
    "-9 ÷ 3": -3,
    "0 ÷ -3": 0,
    "(n - a) ÷ n": -2,
    "div(-a, n)": -3,
    "rem(-a, b)": -1,
    "mod(-a, b)": 2,
    "mod(a, -b)": -2,
    "fld(-a, n)": -4,
    "cld(a, n)": 4,
    "cld(-a, n)": -3,
    "a > b ? n : a": 2,  # conditions after comparisons after sums
    "a + n > b * n ? 1 : 2": 1,
    "a < b ? 1 : a > b ? 2 : 3": 2,
    "a == b || a > b && n == 2 ? 1 : 2": 1,
    "!(a == b) && n == 2 ? 1 : 2": 1,
    "a == 7 && b == 4 || n == 2 ? 1 : 2": 1,
    "a - n == b + n ? 1 : 2": 1,
    "1 < n < b ? 1 : 2": 1,  # a chain is the conjunction of its comparisons
    "1 < a < b ? 1 : 2": 2,
    "1 << n + 1": 5,  # shifts before sums and products
    "1 << n * 3": 12,
    "a * 1 << b": 56,
    "-a >> 1": -4,
    "2a >> 1": 7,
    "a in (1, 7) ? 1 : 2": 1,
    "length(b:a)": 5,  # ranges of whole numbers are values
    "sum(b:a)": 25,
    "(b:a)[2]": 4,
    "length(a:-2:b)": 3,
    "maximum(b:a)": 7,
    "sum(i -> i^2, 1:b)": 14,
    "reduce(*, 1:b)": 6,
    "foldl(+, b:a; init = 0)": 25,
    "max(a, b, 9) - min(a, n)": 7,
    "abs(-a ÷ n)": 3,
    "clamp(a, 1, b)": 3,
    "ifelse(a > b, n, b)": 2,
    "a / n |> ceil |> Int": 4,
    "Int(floor(a / n)) + trunc(Int, -a / n)": 0,
    "round(Int, 5 / n) + Int(round(a / n))": 6,  # halves to the even neighbor
    "gcd(6, 4) * lcm(4, 6) + isqrt(a)": 26,
    "mod1(9, b) + mod1(a, b)": 4,
    "convert(Int, a) + Int64(n)": 9,
}
ARRAYS = {  # of x = [[1, 2], [3, 4]]
    "2x.^2": lambda x: 2 * x**2,
    "0.5f0x.^2 .+ 1": lambda x: 0.5 * x**2 + 1,
    "2 .* x .^ 2": lambda x: 2 * x**2,
    "x .^ 2 .^ 3": lambda x: x**8,
    ".-x .^ 2": lambda x: -(x**2),
    "-x .* 2": lambda x: -2 * x,
    "x .- x ./ 2": lambda x: x / 2,
    "x .+ x .* x": lambda x: x + x * x,
    "2x .+ 1": lambda x: 2 * x + 1,
    "x .* 2 .> 4": lambda x: x * 2 > 4,
    "2tanh.(x).^2": lambda x: 2 * np.tanh(x) ** 2,
    "x |> sum": lambda x: 10.0,
    "sum([x, 2x])": lambda x: 3 * x,  # arrays in a list are added up
    "mean([x, 2x, 3x])": lambda x: 2 * x,
    "sum(x)": lambda x: 10.0,
    "mean(x)": lambda x: 2.5,
    "sum(map(y -> y .+ 1, (x, x)))": lambda x: 2 * x + 2,
    "sum([y .* i for (i, y) in enumerate((x, x))])": lambda x: 3 * x,
}


def test_operators_bind_as_in_julia():
    lines = [f"v{place} = {julia}" for place, julia in enumerate(NUMBERS)]
    found = execute_in_flux("\n".join(["a = 7", "b = 3", "n = 2", *lines]))
    assert {julia: found[f"v{place}"] for place, julia in enumerate(NUMBERS)} == NUMBERS


def test_operators_on_arrays_bind_as_in_julia():
    julia = [expression for expression in ARRAYS if "|>" not in expression]
    found = execute_in_flux("\n".join(f"f{place}(x) = {expression}" for place, expression in enumerate(julia)))
    x = np.asarray([[1.0, 2.0], [3.0, 4.0]], np.float32)
    for place, expression in enumerate(julia):
        np.testing.assert_allclose(found[f"f{place}"](x), ARRAYS[expression](x), rtol=1e-6, err_msg=expression)


@pytest.mark.parametrize("julia", ["10^50", "2^63", "2^3^4^5", "(9^9)^9"])
def test_powers_that_do_not_fit_in_64_bits_are_marked(julia):
    assert "64 bits" in translate(f"n = {julia}").holes[0].reason


def test_functions_take_arrays_or_tuples_of_arrays():
    found = execute_in_flux("""
    joined(xs...) = sum(xs)
    averaged(xs) = mean(xs)
    model = Parallel((xs...) -> mean(xs), Dense(2 => 2), Dense(2 => 2))
    """)
    a, b = np.ones((2, 3), np.float32), np.full((2, 3), 3, np.float32)
    np.testing.assert_array_equal(found["joined"](a, b), a + b)
    np.testing.assert_array_equal(found["averaged"]((a, b)), (a + b) / 2)
    assert found["averaged"](a) == 1
    ps, st = luxport.setup(0, found["model"])
    x = np.ones((3, 2), np.float32)
    y, _ = found["model"](x, ps, st)
    each = [x @ ps[name]["weight"] + ps[name]["bias"] for name in ("layer_1", "layer_2")]
    np.testing.assert_allclose(y, (each[0] + each[1]) / 2, rtol=1e-6)


def test_operators_with_a_dot_work_on_a_number_or_a_tuple():
    found = execute_in_flux("""
    halved(k) = Conv((1, 1), 1 => 2; stride = k .÷ 2)
    more(k) = Conv((1, 1), 1 => 2; stride = k .+ 1)
    both(a, b) = Conv((1, 1), 1 => 2; stride = a .* b)
    left(k) = Conv((1, 1), 1 => 2; stride = k .% 3)
    """)
    assert (found["halved"](7).stride, found["halved"]((7, 4)).stride) == (3, (2, 3))
    assert (found["more"](1).stride, found["more"]((1, 2)).stride) == (2, (3, 2))
    assert found["both"]((1, 2), (3, 4)).stride == (8, 3) and found["left"]((4, 5)).stride == (2, 1)


def test_defaults_are_computed_in_each_call():
    found = execute_in_flux("""
    k = 3
    function f(n, layers=[Dense(1 => 1)], m=2n; last=m + k)
        push!(layers, Dense(n => m))
        Chain(layers..., Dense(m => last))
    end
    first, second = f(1), f(2)
    """)
    assert [len(found[name].layers) for name in ("first", "second")] == [3, 3]
    assert found["second"][1] == luxport.Dense(2, 4) and found["second"][2] == luxport.Dense(4, 7)


def test_functions_find_the_arrays_among_their_arguments():
    found = execute_in_flux("""
    function apart(p)
        x, y = p
        exp.(x) .+ y
    end
    later(n, x) = reshape(exp.(x), n, :)
    deep((a, b)) = exp.(a) .+ b
    counted(n) = n + 1
    """)
    x = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(found["apart"]((x, x)), x + 1)
    assert found["later"](2, x).shape == (3, 2)
    np.testing.assert_array_equal(found["deep"]((x, x)), x + 1)
    assert found["counted"](1) == 2


def test_structs_may_contain_vectors():
    found = execute_in_flux("""
    struct Scaled
        layer
        factors
    end
    (m::Scaled)(x) = m.layer(x) .* m.factors[2]
    model = Scaled(Dense(2 => 2), [1.0, 3.0])
    """)
    ps, st = luxport.setup(0, found["model"])
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(found["model"](x, ps, st)[0], 3 * (x @ ps["layer"]["weight"] + ps["layer"]["bias"]))


def test_an_activation_with_a_coefficient_is_translated():
    found = execute_in_flux("model = Dense(1 => 1, x -> 0.5f0x^2)")
    assert found["model"].activation(np.float32(3)) == pytest.approx(4.5)
    assert math.isclose(found["model"].activation(np.float32(2)), 2)


def test_losses_become_luxports():
    found = execute_in_flux("""
    loss(x, y) = Flux.logitcrossentropy(x, y)
    summed(x, y) = Flux.Losses.mse(x, y; agg=sum)
    along(x, y) = Flux.crossentropy(softmax(x), y; dims=2)
    """)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3)).astype(np.float32), np.eye(3, dtype=np.float32)[:2]
    logs = x - np.log(np.exp(x).sum(-1, keepdims=True))  # Flux: agg(-sum(y .* logsoftmax(x; dims); dims))
    np.testing.assert_allclose(found["loss"](x, y), -(y * logs).sum(-1).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["summed"](x, y), ((x - y) ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(found["along"](x, y), -(y * logs).sum(-2).mean(), rtol=1e-4)
    assert translate("using Flux\nf(x, y) = Flux.mse(x, y; agg=identity)").holes


def test_initializers_are_values():
    found = execute_in_flux("""
    random = MersenneTwister(3)
    narrow(dims...) = randn(Float32, dims...) .* 0.1f0
    wide = Flux.glorot_normal(; gain = 2)
    plain = Flux.kaiming_uniform
    handed(n, init) = Dense(n => 2; init = init)
    by_default(n; init = narrow) = Dense(n => 2; init = init)
    inside(n) = begin
        init = Flux.orthogonal(random; gain = 3)
        Dense(n => 2; init)
    end
    last = Dense(2 => 2; init = Flux.glorot_normal(random))
    models = Chain(handed(3, wide), handed(2, plain), by_default(2), inside(2), last)
    """)
    initializers = luxport.initializers
    wanted = [initializers.glorot_normal(gain=2), initializers.kaiming_uniform, initializers.normal(std=0.1)]
    wanted += [initializers.orthogonal(gain=3), initializers.glorot_normal]
    assert [layer.init_weight for layer in found["models"].layers.values()] == wanted


def test_entries_of_vectors_may_be_assigned():
    found = execute_in_flux("""
    function mlp(sizes...; n = length(sizes) - 1)
        layers = Vector{Any}(undef, n)
        for i in 1:n
            layers[i] = Dense(sizes[i] => sizes[i + 1])
            if i > 1
                layers[i] = SkipConnection(layers[i], +)
            end
        end
        layers[end] = Dense(sizes[n] => 1)
        return Chain(layers...)
    end
    function blocks(depth)
        layers = Vector{Any}(undef, 2depth)
        widths = Vector{Int}(undef, depth)
        for i in 1:depth
            widths[i] = 4i
            layers[2i - 1] = Conv((3, 3), (i == 1 ? 1 : widths[i - 1]) => widths[i])
            layers[2i] = MaxPool((2, 2))
        end
        Chain(layers...)
    end
    dense = mlp(2, 3, 3, 4)
    conv = blocks(2)
    """)
    layers = luxport.Dense(2, 3), luxport.SkipConnection(luxport.Dense(3, 3), operator.add), luxport.Dense(3, 1)
    assert found["dense"] == luxport.Chain(*layers)
    pool = luxport.MaxPool((2, 2))
    assert found["conv"] == luxport.Chain(luxport.Conv((3, 3), 1, 4), pool, luxport.Conv((3, 3), 4, 8), pool)


@pytest.mark.parametrize(
    "julia",
    [
        "function f(layers)\n layers[1] = Dense(2 => 2)\n Chain(layers...)\nend",
        "function f()\n a = [Dense(2 => 2)]\n b = a\n a[1] = Dense(2 => 3)\n Chain(b...)\nend",
    ],
)
def test_a_change_visible_through_another_name_is_marked(julia):
    assert translate(f"using Flux\n{julia}").holes


def test_a_layer_in_two_models_gets_a_remark():
    """In Flux it is one object: training one of the models changes the other."""
    source = "using Flux\nbase = Dense(3 => 2)\na = Chain(base, Dense(2 => 1))\nb = Chain(base, Dense(2 => 4))\n"
    translation = translate(source)
    assert translation.holes == ()
    assert translation.python.count("# base is in another model, too") == 1
    assert "in another model" not in translate(source.replace("using Flux", "using Lux")).python
    local = (
        "using Flux\nf() = begin\n l = Dense(1 => 1)\n Chain(l)\nend\ng() = begin\n l = Dense(1 => 2)\n Chain(l)\nend\n"
    )
    assert "in another model" not in translate(local).python
