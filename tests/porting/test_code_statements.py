"""`luxport port`: conditions, loops, tables, indices and scopes keep Julia's meaning in Python."""

import operator

import numpy as np
import pytest
from execution import execute, execute_python

import luxport
from luxport.porting.translate import translate


@pytest.mark.parametrize("change", ["push!(layers, weird())", "layers[1] = weird()", "layers = weird(layers)"])
def test_a_change_that_is_not_understood_marks_the_model(change):
    source = f"using Flux\nlayers = [Dense(2 => 3)]\nfor i in 1:2\n    {change}\nend\nmodel = Chain(layers...)"
    with pytest.raises(NotImplementedError, match="weird"):
        execute_python(translate(source).python)


def test_conditions_and_comparisons_are_translated():
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
    found = execute(source)
    dense = [luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 4, luxport.relu)]
    assert found["dropping"] == luxport.Chain(*dense, luxport.Dropout(0.2))
    tanh = [luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 4, luxport.tanh)]
    assert found["plain"] == luxport.Chain(*tanh, luxport.NoOpLayer())
    assert found["short"] == luxport.Chain(dense[0])


def test_code_with_another_meaning_in_python_is_marked():
    # One set of parameters in Flux, but two in Lux
    shared = "using Flux\nd = Dense(2 => 2)\nm = Chain(d, x -> x .+ 1, d)"
    assert [hole.julia for hole in translate(shared).holes] == ["d"]
    assert not translate(shared.replace("Flux", "Lux")).holes
    defaults = "using Flux\nn = 4\nf(n, m=n) = Dense(n => m)\nmodel = Chain(f(2))"  # Python's n would be 4
    assert execute(defaults)["model"] == luxport.Chain(luxport.Dense(2, 2))
    methods = "using Flux\nf(n::Int) = Dense(n => 1)\nf(n::Pair) = Dense(n)\nmodel = Chain(f(2))"
    with pytest.raises(NotImplementedError):
        execute_python(translate(methods).python)
    enclosing = (
        "using Flux\nfunction f(n)\n k = 1\n g() = begin\n k = 2\n k\n end\n g()\n Dense(n => k)\nend\nm = Chain(f(2))"
    )
    assert translate(enclosing).holes


def test_conditions_may_be_values():
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
    found = execute(source)
    plain = luxport.Parallel(operator.add, luxport.NoOpLayer(), luxport.Dense(2, 2, luxport.tanh))
    assert found["one"] == plain
    inner = luxport.Chain(luxport.Dense(3, 2), luxport.relu)
    assert found["other"] == luxport.Parallel(operator.add, luxport.Dense(3, 2), inner)


def test_products_and_indices_depend_on_their_operands():
    source = """
    using Flux
    both = Chain(((a, b),) -> a * b)
    turned = Chain(x -> x' * x)
    fixed = Chain(Base.Fix1(*, 2), Base.Fix2(reshape, (3, :)), x -> @. tanh(x) + 1)
    entry = Chain(x -> x[2])
    squares = Chain(x -> sum(abs2, x; dims=2))
    """
    found = execute(source)
    a, b = np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(4, 3)  # Julia's sizes (2, 3) and (3, 4)
    state = luxport.setup(0, found["both"])
    np.testing.assert_array_equal(found["both"]((a, b), *state)[0].T, a.T @ b.T)
    np.testing.assert_array_equal(found["both"]((2.0, b), *state)[0], 2 * b)
    np.testing.assert_array_equal(found["turned"](a, *luxport.setup(0, found["turned"]))[0], (a @ a.T).T)
    y = found["fixed"](a, *luxport.setup(0, found["fixed"]))[0]
    np.testing.assert_allclose(y, np.tanh(2 * a).reshape(2, 3) + 1)
    state = luxport.setup(0, found["entry"])
    assert found["entry"](a, *state)[0] == a.T[1, 0] == 1.0  # Julia's linear index runs along its first axis
    np.testing.assert_array_equal(found["entry"]((a, b), *state)[0], b)
    squares = found["squares"](a, *luxport.setup(0, found["squares"]))[0]
    np.testing.assert_array_equal(squares, (a**2).sum(axis=0, keepdims=True))


@pytest.mark.parametrize(
    "julia", ["atan.(x, 2 .* x)", "log.(2, x)", "max.(x, x, 1)", "softshrink.(x, 0.1)", "x[3:-1:1, 1]"]
)
def test_arguments_that_python_would_misplace_are_marked(julia):
    translation = translate(f"using Flux\nf(x) = {julia}")
    (hole,) = translation.holes
    assert hole.line == 2
    with pytest.raises(NotImplementedError):
        execute_python(translation.python)["f"](np.ones((2, 2)))


def test_loops_over_indices_and_slices_are_translated():
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
    found = execute(source)
    x = np.arange(12.0).reshape(4, 3)  # Julia's size is (3, 4): its columns are our rows
    expected = sum(x[i - 1] * (i - j) for i in (4, 3, 2, 1) for j in (1, 2))
    np.testing.assert_array_equal(found["columns"](x), expected)
    assert found["model"] == luxport.Chain(luxport.Dense(2, 3), luxport.Dense(3, 4))
    assert found["every"] == [luxport.Dense(1, 5), luxport.Dense(3, 7)]


def test_the_end_of_a_range_may_be_a_condition():
    """A range up to ``deep ? 4 : 2`` has 4 or 2 numbers, as in Julia."""
    source = """
    using Flux
    deepened(deep) = Chain([Dense(4 => 4) for i in 1:(deep ? 4 : 2)]...)
    """
    deepened = execute(source)["deepened"]
    assert [len(deepened(deep).layers) for deep in (True, False)] == [4, 2]


def test_a_method_returns_a_tuple_as_a_tuple():
    found = execute("using Flux\nsplit(x) = begin\n  y = 2 .* x\n  return (y, x)\nend")
    x = np.ones((2, 3))
    y = found["split"](x)
    assert isinstance(y, tuple) and [part.tolist() for part in y] == [(2 * x).tolist(), x.tolist()]


def test_a_loops_variable_hides_the_one_outside():
    """Julia's manual, "Scope of Variables": a for loop's variable is new, whatever is around it."""
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
    found, dense = execute(source), luxport.Dense
    assert found["hides_a_global"](2) == luxport.Chain(dense(2, 10), dense(3, 10), dense(10, 3))
    assert found["hides_a_parameter"](6) == dense(6, 3)
    pairs = (2, 2), (2, 7), (3, 3), (3, 7), (2, 5)
    assert found["hides_a_local"](2) == luxport.Chain(*[dense(n, m) for n, m in pairs])
    assert found["in_a_closure"](1)(np.ones(1)) == 4
    assert found["last"] == dense(10, 1)


def test_loops_without_a_variable_may_be_nested():
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
    assert len(execute(source)["f"](2).layers) == 4


def test_a_parameter_belongs_to_its_function():
    """An assignment in its function makes no global; one in an inner function would change it."""
    source = "using Flux\nn = 1\nfunction f(n)\n  n = n + 1\n  return Dense(n => 3)\nend"
    assert execute(source)["f"](4) == luxport.Dense(5, 3)
    inside = "using Flux\nfunction f(n)\n  g() = begin\n    n = 2\n    n\n  end\n  g()\n  Dense(n => 3)\nend"
    (hole,) = translate(inside).holes
    assert (hole.line, hole.reason) == (4, "an assignment to a variable of the function around")


def test_functions_of_elements_may_be_activations():
    found = execute("using Flux\nmodel = Chain(Dense(2 => 3, abs2), Dense(3 => 3, abs))")
    square, size = [layer.activation for layer in found["model"].layers.values()]
    np.testing.assert_array_equal(square(np.array([-3.0, 2.0])), [9.0, 4.0])
    np.testing.assert_array_equal(size(np.array([-3.0, 2.0])), [3.0, 2.0])
    (hole,) = translate("using Flux\nmodel = Dense(2 => 3, max)").holes
    assert hole.reason == "max of 1 argument"


def test_a_size_or_an_activation_is_not_guessed():
    (hole,) = translate("using Flux\nf(k, act) = LayerNorm(k, 4, act)").holes
    assert hole.reason == "a last argument that may be a size or an activation"
    found = execute("using Flux\nf(sizes) = LayerNorm(sizes[1], sizes[2])\ng(n, sizes) = LayerNorm(n, sizes[1], relu)")
    assert found["f"]((2, 3)) == luxport.LayerNorm((3, 2), epsilon=1e-10)
    assert found["g"](2, (3,)) == luxport.LayerNorm((3, 2), luxport.relu, epsilon=1e-10)


def test_one_hot_labels_are_translated_both_ways():
    """Flux's columns are our rows, one a sample; onecold counts from 1 unless labels are given."""
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
    found, labels = execute(source), np.array([2, 0])
    np.testing.assert_array_equal(found["encode"](labels), [[0, 0, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(found["named"](["a", "x"]), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(found["places"](found["encode"](labels)), [3, 1])
    np.testing.assert_array_equal(found["digits"](found["encode"](labels)), labels)
    for name in ("accuracy", "share"):
        assert found[name](found["encode"](labels), np.array([2, 1])) == 0.5
    assert found["loss"](np.ones((2, 3)), np.zeros((2, 3))) == 1


def test_tables_and_pipes_are_translated():
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
    found = execute(source)
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
def test_unsupported_uses_of_tables_are_marked(statement, reason):
    """A table changed by code that is left out must not be read as it was."""
    translation = translate(f'using Flux\nd = Dict("a" => 3)\n{statement}\nm = Dense(d["a"] => 1)')
    assert any(reason in hole.reason for hole in translation.holes)
    assert "n = " in statement or "m" not in execute_python(translation.python, "imported")
