"""NNlib's functions of whole arrays, translated; NumPy gives the expected values, with Julia's axes reversed."""

import numpy as np
import pytest
from execution import execute, execute_in_flux

import luxport
from luxport.porting.translate import translate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6, 5)).astype("float32")  # in Julia (5, 6, 4, 2)


def translate_function(body, **more):
    return execute_in_flux(f"f(x{''.join(f', {name}' for name in more)}) = {body}")["f"]


def pad(mode, *widths, **options):
    return np.pad(X, ((0, 0),) * (4 - len(widths)) + widths[::-1], mode=mode, **options)


PADDED = {
    "pad_zeros(x, (1, 2, 3, 4); dims = [1, 2])": pad("constant", (1, 2), (3, 4)),
    "pad_zeros(x, (1, 2, 3, 4), dims = (1, 2))": pad("constant", (1, 2), (3, 4)),
    "pad_zeros(x, (1, 2); dims = 1:2)": pad("constant", (1, 1), (2, 2)),
    "pad_zeros(x, (1, 2); dims = 3)": pad("constant", (0, 0), (0, 0), (1, 2)),
    "NNlib.pad_constant(x, 1, 2f0; dims = 2)": pad("constant", (0, 0), (1, 1), constant_values=2),
    "pad_zeros(x, 1)": pad("constant", *[(1, 1)] * 4),
    "pad_reflect(x, (1, 2, 3, 4))": pad("reflect", (1, 2), (3, 4)),
    "Flux.pad_repeat(x, (1, 2, 0, 1); dims = 1:2)": pad("edge", (1, 2), (0, 1)),
    "pad_symmetric(x, 2)": pad("symmetric", (2, 2), (2, 2)),
    "pad_circular(x, (1, 2))": pad("wrap", (1, 2)),
}


@pytest.mark.parametrize("julia", PADDED)
def test_paddings_equal_numpys(julia):
    np.testing.assert_array_equal(translate_function(julia)(X), PADDED[julia])


def test_gates_resizing_gathering_and_scattering_equal_numpys():
    halves = X[:, :2] / (1 + np.exp(-X[:, 2:]))
    np.testing.assert_allclose(translate_function("glu(x, 3)")(X), halves, rtol=1e-5)
    np.testing.assert_array_equal(translate_function("upsample_nearest(x, (2, 3))")(X), X.repeat(2, -1).repeat(3, -2))
    np.testing.assert_array_equal(
        translate_function("NNlib.upsample_nearest(x; size = (10, 18))")(X), X.repeat(2, -1).repeat(3, -2)
    )
    np.testing.assert_array_equal(translate_function("pixel_shuffle(x, 2)")(X), luxport.ops.pixel_shuffle(X, factor=2))
    rows, places = X[0, 0], np.array([4, 0, 4])
    np.testing.assert_array_equal(translate_function("NNlib.gather(x, i)", i=0)(rows, places), rows[places])
    got = translate_function("NNlib.scatter(+, x, i; dstsize = 5)", i=0)(rows[:3], places)
    np.testing.assert_allclose(got, np.stack([rows[1], *np.zeros((3, 5)), rows[0] + rows[2]]), rtol=1e-6)
    got = translate_function("scatter(max, x, i; dstsize = (4, n))", i=0, n=0)(rows[:3], places, 5)
    np.testing.assert_array_equal(got[4], np.maximum(rows[0], rows[2]))


def test_reshape_may_add_axes_of_size_one():
    spread = execute("f(x, n) = reshape(x, ones(Int64, n)..., size(x)...)")["f"]
    assert spread(X, 2).shape == (*X.shape, 1, 1)  # Julia's first axes are the last
    assert execute("f(x, a) = reshape(a, ones(Int, length(size(x)) - 2)..., length(a), 1)")["f"](
        X, X[0, :, 0, 0]
    ).shape == (1, 4, 1, 1)


@pytest.mark.parametrize(
    "julia", ["pad_zeros(x, (1, 2))", "pad_zeros(x, (1, 2, 3); dims = 1:2)", "scatter(cat, x, x)", "pad_reflect(x, y)"]
)
def test_an_ambiguous_call_is_a_hole(julia):
    # Without dims, the number of sizes decides whether NNlib takes them for all axes or the first ones.
    assert translate(f"using Flux\nf(x) = {julia}").holes


CHAINS = """
struct Net; layers; head; end
function (m::Net)(x)
    a = m.layers[1](x)
    b = m.layers[2](a)
    return m.head(hcat_of(a, b))
end
hcat_of(a, b) = cat(a, b; dims = 1)
Net() = Net(Chain(Dense(3 => 4, relu), BatchNorm(4)), Dense(8 => 2))
"""


def test_layers_of_a_chain_are_found_by_index():
    net = execute_in_flux(CHAINS)["Net"]()
    ps, st = luxport.setup(0, net)
    x = RNG.normal(size=(5, 3)).astype("float32")
    y, after = net(x, ps, st)
    first, second = ps["layers"]["layer_1"], st["layers"]["layer_2"]
    a = np.maximum(x @ first["weight"] + first["bias"], 0)
    b, states = luxport.BatchNorm(4)(a, ps["layers"]["layer_2"], second)
    np.testing.assert_allclose(y, np.concatenate([a, b], -1) @ ps["head"]["weight"] + ps["head"]["bias"], rtol=1e-5)
    np.testing.assert_allclose(after["layers"]["layer_2"]["running_mean"], states["running_mean"], rtol=1e-6)


def test_roots_are_translated():
    ported = execute_in_flux("""
    scaled(n, m) = Dense(n => m; init = kaiming_normal(gain = 0.5 * √(4 * n)))
    of_features(x) = x ./ √size(x, 1)
    of_each(x) = .√(abs.(x)) .+ √2 .* sqrt.(abs.(x))
    """)
    assert ported["scaled"](9, 2).init_weight == luxport.initializers.kaiming_normal(gain=0.5 * 6)
    np.testing.assert_allclose(ported["of_features"](X), X / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(ported["of_each"](X), (1 + np.sqrt(2)) * np.sqrt(np.abs(X)), rtol=1e-6)


def test_layers_of_a_chain_are_found_by_name():
    source = CHAINS.replace("layers[1]", "layers[:a]").replace("layers[2]", "layers[:b]")
    net = execute_in_flux(source.replace("Chain(Dense", "Chain(a = Dense").replace("BatchNorm", "b = BatchNorm"))[
        "Net"
    ]()
    ps, st = luxport.setup(0, net)
    y, after = net(X[0, 0, :, :3], ps, st)
    assert y.shape == (6, 2)
    assert not np.array_equal(after["layers"]["b"]["running_mean"], st["layers"]["b"]["running_mean"])


def test_slices_of_a_chain_are_chains():
    source = CHAINS.replace("m.layers[1](x)", "m.layers[1:2](x)").replace("m.layers[2](a)", "m.layers[2:end](a)")
    net = execute_in_flux(source)["Net"]()
    ps, st = luxport.setup(0, net)
    x = X[0, 0, :, :3]
    y, _ = net(x, ps, luxport.test_mode(st))
    first, norm = ps["layers"]["layer_1"], luxport.BatchNorm(4)
    once = lambda a: norm(a, ps["layers"]["layer_2"], luxport.test_mode(st["layers"]["layer_2"]))[0]  # noqa: E731
    a = once(np.maximum(x @ first["weight"] + first["bias"], 0))
    want = np.concatenate([a, once(a)], -1) @ ps["head"]["weight"] + ps["head"]["bias"]
    np.testing.assert_allclose(y, want, rtol=1e-5)
