"""The contract: layers as values, containers and wrappers of the user's own, setup, counts, states, shapes."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import luxport as lp
from luxport import initializers


class Shift(lp.Layer):
    dims: int

    def initial_parameters(self, rng):
        return {"shift": rng.normal((self.dims,))}

    def __call__(self, x, ps, st):
        return x + ps["shift"], st


class Counter(lp.Layer):
    def initial_states(self, rng):
        return {"calls": np.zeros((), np.int32), "carry": None, "training": lp.Static(True)}

    def __call__(self, x, ps, st):
        return x, {**st, "calls": st["calls"] + 1}


class Residual(lp.ContainerLayer):
    inner: lp.Layer
    shortcut: lp.Layer | None = None

    def __call__(self, x, ps, st):
        y, inner = self.inner(x, ps["inner"], st["inner"])
        return x + y, {"inner": inner}


class Blocks(lp.ContainerLayer):
    """Layers in a list, a dict and both nested."""

    first: tuple
    named: dict
    nested: list

    def __call__(self, x, ps, st):
        new = {"first": {}, "named": {}, "nested": {"layer_1": {}, "layer_2": None}}
        for (name, p), layer in zip(ps["first"].items(), self.first, strict=True):
            x, new["first"][name] = layer(x, p, st["first"][name])
        for name, layer in self.named.items():
            x, new["named"][name] = layer(x, ps["named"][name], st["named"][name])
        inner, last = self.nested
        x, new["nested"]["layer_1"]["a"] = inner["a"](x, ps["nested"]["layer_1"]["a"], st["nested"]["layer_1"]["a"])
        x, new["nested"]["layer_2"] = last(x, ps["nested"]["layer_2"], st["nested"]["layer_2"])
        return x, new


class Twice(lp.WrapperLayer):
    inner: lp.Layer
    times: int = 2

    def __call__(self, x, ps, st):
        for _ in range(self.times):
            x, st = self.inner(x, ps, st)
        return x, st


class Forwarding(lp.WrapperLayer):
    inner: lp.Layer


def blocks():
    return Blocks(
        [Shift(2), Shift(2)], {"dense": lp.Dense(2, 3), "count": Counter()}, [{"a": lp.Dense(3, 2)}, Shift(2)]
    )


LAYERS = [
    Shift(3),
    Residual(lp.Dense(3, 3)),
    blocks(),
    Twice(Shift(2)),
    lp.Chain(lp.Dense(2, 3, lp.tanh), lp.BatchNorm(3), lp.WrappedFunction(np.tanh), lp.NoOpLayer()),
    lp.Chain(encoder=lp.Dense(2, 3), name="named"),
    lp.Dense(2, 3, init_weight=initializers.glorot_uniform(gain=2.0)),
    lp.Scale(2, 3, lp.relu),
    lp.BatchNorm(4, affine=False),
    lp.Dropout(0.5, axes=(0,)),
    lp.FlattenLayer(2),
    lp.ReshapeLayer(2, -1),
    lp.SelectDim(1, 0),
]


class TestValues:
    @pytest.mark.parametrize("layer", LAYERS, ids=repr)
    def test_copies_are_equal_and_hash_alike(self, layer):
        for other in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert other == layer
            assert hash(other) == hash(layer)
            assert repr(other) == repr(layer)

    @pytest.mark.parametrize("layer", LAYERS, ids=repr)
    def test_is_immutable(self, layer):
        with pytest.raises(AttributeError):
            layer.anything = 1

    def test_differs_by_class_and_by_field(self):
        class MyDense(lp.Dense):
            pass

        assert lp.Dense(2, 3) != lp.Dense(2, 4)
        assert lp.Dense(2, 3) != lp.Dense(2, 3, lp.tanh)
        assert MyDense(2, 3) != lp.Dense(2, 3)
        assert lp.Dense(2, 3) == lp.Dense(2, 3, lp.identity)
        assert (
            initializers.glorot_uniform(gain=2.0)
            == initializers.glorot_uniform(gain=2.0)
            != initializers.glorot_uniform
        )

    def test_holds_no_arrays_after_a_call(self):
        model = lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3))
        before = copy.deepcopy(model.__dict__)
        model(np.ones((4, 2), np.float32), *lp.setup(0, model))
        assert model.__dict__ == before

    def test_subclasses_without_fields_are_built_as_their_parents(self):
        class MyChain(lp.Chain):
            def __call__(self, x, ps, st):
                return super().__call__(2 * x, ps, st)

        class MyScale(lp.Scale):
            pass

        assert [type(layer) for layer in MyChain(lp.Dense(2, 3), np.tanh)] == [lp.Dense, lp.WrappedFunction]
        assert MyScale(2, 3, lp.tanh).dims == (2, 3)

    def test_a_layer_without_a_call_cannot_be_built(self):
        class Nothing(lp.Layer):
            pass

        with pytest.raises(TypeError, match="abstract"):
            Nothing()  # type: ignore[abstract]


class TestContainers:
    def test_parameters_by_field(self):
        ps, st = lp.setup(0, Residual(lp.Dense(3, 3)))
        assert list(ps) == list(st) == ["inner"]
        assert list(ps["inner"]) == ["weight", "bias"]

    def test_optional_children_that_are_there(self):
        assert list(lp.setup(0, Residual(lp.Dense(3, 3), lp.NoOpLayer()))[0]) == ["inner", "shortcut"]

    def test_tuples_lists_dicts_and_nests(self):
        model = blocks()
        ps, st = lp.setup(0, model)
        assert lp.tree.map(np.shape, ps) == {
            "first": {"layer_1": {"shift": (2,)}, "layer_2": {"shift": (2,)}},
            "named": {"dense": {"weight": (2, 3), "bias": (3,)}, "count": {}},
            "nested": {"layer_1": {"a": {"weight": (3, 2), "bias": (2,)}}, "layer_2": {"shift": (2,)}},
        }
        y, new = model(np.ones((4, 2), np.float32), ps, st)
        assert y.shape == (4, 2)
        assert new["named"]["count"]["calls"] == 1
        assert lp.tree.structure(new) == lp.tree.structure(st)

    def test_draws_in_field_order(self):
        ps, _ = lp.setup(3, blocks())
        rng = lp.rng(3)
        np.testing.assert_array_equal(ps["first"]["layer_1"]["shift"], rng.normal((2,)))
        np.testing.assert_array_equal(ps["first"]["layer_2"]["shift"], rng.normal((2,)))
        np.testing.assert_array_equal(ps["named"]["dense"]["weight"], initializers.glorot_uniform(rng, (2, 3)))

    def test_a_function_among_layers_is_an_error(self, message):
        text = message(TypeError, Blocks, [Shift(2), np.tanh], {}, [])
        assert text.startswith("Blocks expects nothing but layers in first, got ")
        assert text.endswith("wrap functions in luxport.WrappedFunction")

    def test_wrapper_adds_no_key(self):
        ps, st = lp.setup(0, Twice(Shift(2)))
        assert list(ps) == ["shift"]
        y, _ = Twice(Shift(2))(np.zeros(2, np.float32), ps, st)
        np.testing.assert_allclose(y, 2 * ps["shift"])

    def test_wrapper_forwards(self):
        layer = Forwarding(Shift(2))
        ps, st = lp.setup(0, layer)
        np.testing.assert_array_equal(layer(np.zeros(2, np.float32), ps, st)[0], ps["shift"])

    def test_wrapper_of_nothing_or_two(self, message):
        class Both(lp.WrapperLayer):
            a: lp.Layer
            b: lp.Layer

        assert message(TypeError, Forwarding, 3) == "Forwarding expects exactly one field of layers, got 0"
        assert message(TypeError, Both, Shift(2), Shift(2)) == "Both expects exactly one field of layers, got 2"

    def test_any_mapping_will_do(self):
        model = lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3))
        ps, st = lp.setup(0, model)
        x = np.ones((4, 2), np.float32)
        views = [MappingProxyType({k: MappingProxyType(v) for k, v in entries.items()}) for entries in (ps, st)]
        np.testing.assert_array_equal(model(x, *views)[0], model(x, ps, st)[0])


class TestSetup:
    def test_seed_or_rng(self):
        model = lp.Dense(2, 3)
        np.testing.assert_array_equal(lp.setup(5, model)[0]["weight"], lp.setup(lp.rng(5), model)[0]["weight"])
        np.testing.assert_array_equal(lp.setup(np.int64(5), model)[0]["weight"], lp.setup(5, model)[0]["weight"])
        rng = lp.rng(5)
        assert (lp.setup(rng, model)[0]["weight"] != lp.setup(rng, model)[0]["weight"]).any()

    def test_same_numbers_everywhere(self, backend, host):
        model = lp.Chain(lp.Dense(3, 4), lp.BatchNorm(4), lp.Dropout(0.5))
        want, got = lp.setup(7, model, backend="numpy"), lp.setup(7, model, backend=backend)
        assert {lp.backend_of(leaf).name for leaf in lp.tree.leaves(got)} == {backend}
        lp.tree.map(np.testing.assert_array_equal, host(got), want)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
    def test_dtype_converts_floating_values_alone(self, backend, dtype):
        ps, st = lp.setup(0, lp.Chain(lp.BatchNorm(3), lp.Dropout(0.5)), backend=backend, dtype=dtype)
        assert {lp.backend.dtype_name(leaf) for leaf in lp.tree.leaves(ps)} == {dtype}
        # Running statistics are never half, where they would stand still.
        statistics = "float32" if dtype in ("float16", "bfloat16") else dtype
        assert lp.backend.dtype_name(st["layer_1"]["running_mean"]) == statistics
        assert lp.backend.dtype_name(st["layer_2"]["rng"]["key"]) == "int32"

    def test_device(self, backend, message):
        lp.setup(0, lp.Dense(2, 3), backend=backend, device="cpu")
        text = message(ValueError, lp.setup, 0, lp.Dense(2, 3), backend=backend, device="abacus")
        assert "'abacus'" in text and backend in text and "cpu" in text

    def test_bad_arguments(self, message):
        layer = lp.Dense(2, 3)
        assert message(TypeError, lp.setup, None, layer) == "a seed or a luxport.Rng expected, got NoneType"
        assert "got -1" in message(ValueError, lp.setup, -1, layer)
        assert message(TypeError, lp.setup, 0, np.tanh) == "setup expects a layer, got ufunc"
        assert "a floating dtype expected, got 'int32'" in message(ValueError, lp.setup, 0, layer, dtype="int32")
        assert "a floating dtype expected, got 'float33'" in message(ValueError, lp.setup, 0, layer, dtype="float33")
        assert "a dtype expected by name" in message(TypeError, lp.setup, 0, layer, dtype=np.float64)

    def test_initial_values_of_trees_of_layers(self):
        ps = lp.initial_parameters(0, {"a": lp.Dense(2, 3), "b": [lp.Dense(3, 1), lp.NoOpLayer()]})
        assert lp.tree.map(np.shape, ps) == {
            "a": {"weight": (2, 3), "bias": (3,)},
            "b": {"layer_1": {"weight": (3, 1), "bias": (1,)}, "layer_2": {}},
        }
        assert lp.initial_states(0, (lp.NoOpLayer(), lp.Dropout(0.5)))["layer_2"]["training"] == lp.Static(True)


class TestCounts:
    # FEATURES KEY-01, 02, 06, 12, 23, 27, after Lux's parameterlength and statelength.
    @pytest.mark.parametrize(
        ("layer", "parameters", "states"),
        [
            (lp.Dense(128, 256), 128 * 256 + 256, 0),
            (lp.Dense(128, 256, use_bias=False), 128 * 256, 0),
            (lp.Scale(2, 3), 12, 0),
            (lp.BatchNorm(7), 14, 15),
            (lp.BatchNorm(7, affine=False), 0, 15),
            (lp.BatchNorm(7, track_stats=False), 14, 1),
            (lp.Dropout(0.5), 0, 2),
            (lp.NoOpLayer(), 0, 0),
            (lp.FlattenLayer(), 0, 0),
            (lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3), np.tanh), 15, 7),
            (Counter(), 0, 3),
        ],
    )
    def test_exact(self, layer, parameters, states):
        ps, st = lp.setup(0, layer)
        assert lp.parameter_length(layer) == lp.parameter_length(ps) == parameters
        assert lp.state_length(layer) == lp.state_length(st) == states

    def test_counts_without_drawing(self):
        assert lp.parameter_length(lp.Dense(10**6, 10**6)) == 10**12 + 10**6

    def test_an_initializer_that_looks_at_its_values(self):
        layer = lp.Dense(2, 3, init_weight=lambda rng, shape: rng.normal(shape) / np.linalg.norm(rng.normal(shape)))
        assert lp.parameter_length(layer) == 9


class TestApply:
    def test_apply_is_the_call(self):
        model = lp.Dense(2, 3)
        ps, st = lp.setup(0, model)
        x = np.ones((1, 2), np.float32)
        np.testing.assert_array_equal(lp.apply(model, x, ps, st)[0], model(x, ps, st)[0])

    def test_stateless_apply(self, message):
        model = lp.Chain(lp.Dense(2, 3), np.tanh)
        ps, st = lp.setup(0, model)
        x = np.ones((1, 2), np.float32)
        np.testing.assert_array_equal(lp.stateless_apply(model, x, ps), model(x, ps, st)[0])
        text = message(lp.LayerError, lp.stateless_apply, lp.BatchNorm(2), x, {})
        assert text == "BatchNorm has states, and stateless_apply expects a model without any: call model(x, ps, st)"

    def test_inputs_stay_as_they_were(self, backend, host):
        model = lp.Chain(lp.Dense(3, 3), lp.BatchNorm(3), lp.Dropout(0.5))
        ps, st = lp.setup(0, model, backend=backend)
        x = lp.asarray(np.ones((4, 3)), dtype="float32", backend=backend)
        before = host((x, ps, st))
        first, _ = model(x, ps, st)
        second, _ = model(x, ps, st)
        lp.tree.map(np.testing.assert_array_equal, host((x, ps, st)), before)
        np.testing.assert_array_equal(*host((first, second)))


class TestStates:
    def test_modes(self):
        _, st = lp.setup(0, lp.Chain(lp.BatchNorm(2), lp.Chain(lp.Dropout(0.5), Counter())))
        training = [
            st["layer_1"]["training"],
            st["layer_2"]["layer_1"]["training"],
            st["layer_2"]["layer_2"]["training"],
        ]
        assert training == [lp.Static(True)] * 3
        off = lp.test_mode(st)
        assert off["layer_2"]["layer_2"]["training"] == lp.Static(False)
        assert st["layer_1"]["training"] == lp.Static(True)
        assert lp.tree.structure(lp.train_mode(off)) == lp.tree.structure(st)
        assert off["layer_1"]["running_mean"] is st["layer_1"]["running_mean"]

    def test_update_state(self):
        pair = namedtuple("pair", "carry other")
        st = {"a": {"carry": 1, "b": [{"carry": 2}, 3]}, "carry": {"carry": 4}, "p": pair({"carry": 5}, 6)}
        new = lp.update_state(st, "carry", 0)
        assert new == {"a": {"carry": 0, "b": [{"carry": 0}, 3]}, "carry": 0, "p": pair({"carry": 0}, 6)}
        assert isinstance(new["p"], pair)
        assert st["a"]["carry"] == 1

    def test_update_state_leaves_excluded_subtrees_alone(self):
        st = {"frozen": {"keep": True, "training": 1}, "free": {"training": 1}}
        new = lp.update_state(st, "training", 2, exclude=lambda entry: isinstance(entry, dict) and "keep" in entry)
        assert new == {"frozen": {"keep": True, "training": 1}, "free": {"training": 2}}


class TestOutputShape:
    @pytest.mark.parametrize(
        ("layer", "shape", "want"),
        [
            (lp.Dense(3, 5), (7, 2, 3), (7, 2, 5)),
            (lp.Dense(3, 5), (3,), (5,)),
            (lp.Scale(2, 1), (5, 2, 3), (5, 2, 3)),
            (lp.BatchNorm(3), (1, 3), (1, 3)),
            (lp.FlattenLayer(), (5, 2, 3), (5, 6)),
            (lp.ReshapeLayer(-1, 2), (5, 2, 3), (5, 3, 2)),
            (lp.SelectDim(1, -1), (5, 2, 3), (5, 3)),
            (lp.Dropout(0.5), (5, 2), (5, 2)),
            (lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lambda x: x * 2), (0, 3), (0, 4)),
            (lp.Dense(10**6, 10**6), (1000, 10**6), (1000, 10**6)),
            (blocks(), (4, 2), (4, 2)),
        ],
    )
    def test_shapes(self, layer, shape, want):
        assert lp.output_shape(layer, shape) == want

    def test_trees(self):
        layer = lp.WrappedFunction(lambda d: {"sum": d["a"] + d["b"][0], "rest": d["b"][1:]})
        got = lp.output_shape(layer, {"a": (2, 3), "b": [(3,), (4,), ()]})
        assert got == {"sum": (2, 3), "rest": ((4,), ())}

    def test_arrays_stand_for_their_shapes(self, backend, array):
        x = array(np.zeros((4, 2)), backend)
        assert lp.output_shape(lp.Dense(2, 3), x) == (4, 3)
        assert lp.output_shape(lp.WrappedFunction(lambda pair: pair[0] + pair[1]), (x, (2,))) == (4, 2)

    def test_errors(self, message):
        layer = lp.Chain(lp.Dense(2, 3), lp.Dense(4, 1))
        text = message(lp.LayerError, lp.output_shape, layer, (5, 2))
        assert text == "Dense at layer_2 expects (..., 4), got (5, 3)"
        assert "got 5" in message(TypeError, lp.output_shape, layer, 5)
        assert "got (None, 2)" in message(TypeError, lp.output_shape, layer, (None, 2))
        assert "got (64, 'a')" in message(TypeError, lp.output_shape, layer, (64, "a"))
        assert "got (-1, 2)" in message(ValueError, lp.output_shape, layer, (-1, 2))
        assert "values of an array needed" in message(
            TypeError, lp.output_shape, lp.WrappedFunction(np.linalg.inv), (2, 2)
        )


def test_initial_values_are_in_single_precision(backend):
    class Doubles(lp.Layer):
        def initial_parameters(self, rng):
            return {"gain": np.ones(3), "phase": np.ones(2, np.complex128), "step": np.ones(1, np.int32), "one": 1.0}

        def __call__(self, x, ps, st):
            return x * ps["gain"], st

    ps, _ = lp.setup(0, Doubles(), backend=backend)
    kinds = {
        name: str(array.dtype).rpartition(".")[2].strip("'<> ") for name, array in lp.to(ps, backend="numpy").items()
    }
    assert kinds == {"gain": "float32", "phase": "complex64", "step": "int32", "one": "float32"}
    assert (
        lp.to(lp.setup(0, Doubles(), backend="numpy", dtype="float64")[0]["gain"], backend="numpy").dtype == np.float64
    )


def test_initial_values_that_are_no_arrays(message):
    class Wrong(lp.Layer):
        value: object

        def initial_parameters(self, rng):
            return self.value

        def __call__(self, x, ps, st):
            return x, st

    text = message(TypeError, lp.setup, 0, lp.Chain(Wrong({"gain": "one"})), backend="numpy")
    assert text == "setup expects arrays as initial values, got str at layer_1.gain"
    text = message(TypeError, lp.setup, 0, lp.Chain(Wrong(None)), backend="numpy")
    assert text == "Wrong.initial_parameters returned NoneType: return a dict of arrays by their names"
    text = message(TypeError, lp.setup, 0, lp.Dense(2, 3, init_weight=lambda rng, shape: np.ones(3)))
    assert text == "Dense expects weight (2, 3) of its initializer, got (3,)"


def test_a_model_has_no_mode(message):
    text = message(TypeError, lp.test_mode, lp.Dense(2, 3))
    assert text == (
        "test_mode expects states, got the layer Dense: a model has no mode, its states have: "
        "st = luxport.test_mode(st), then model(x, ps, st)"
    )
    for change in (lp.train_mode, lp.test_mode, lambda st: lp.update_state(st, "carry", None)):
        assert "expects states" in message(TypeError, change, None)
        assert "expects states" in message(TypeError, change, lp.NoOpLayer())


def test_layers_that_are_not_declared_as_they_should_be(message):
    class Initialized(lp.Layer):
        def __init__(self, n):
            self.n = n

        def __call__(self, x, ps, st):
            return x, st

    class Holding(lp.Layer):
        inner: lp.Layer

        def __call__(self, x, ps, st):
            return self.inner(x, ps["inner"], st["inner"])

    assert message(TypeError, Initialized, 3) == (
        "Initialized is a frozen dataclass, as every layer: name its fields with their types in the class, and "
        "leave __init__ out (__post_init__ is the place to check them)"
    )
    assert message(TypeError, Holding, lp.Dense(2, 3)) == (
        "Holding holds layers in inner: derive it from luxport.ContainerLayer, so that they get parameters and states"
    )


WRONG_ARGUMENTS = {
    "a string for a function": (
        lambda: lp.Dense(3, 4, "relu"),
        "Dense expects activation as a function of an array, got 'relu': pass luxport.relu",
    ),
    "a bias by position": (
        lambda: lp.Dense(3, 4, False),
        "Dense expects activation as a function of an array, got False: a bias is by name, use_bias=False",
    ),
    "a layer for a function": (
        lambda: lp.Dense(3, 4, lp.Dense(4, 4)),
        "Dense expects activation as a function of an array, got Dense(4, 4): "
        "luxport.Chain puts layers one after the other",
    ),
    "a misspelled option": (
        lambda: lp.LayerNorm(3, afine=False),
        "LayerNorm has no option 'afine': did you mean affine? it takes ",
    ),
    "another library's option": (lambda: lp.Dropout(rate=0.5), "Dropout has no option 'rate': did you mean p? "),
    "too few": (
        lambda: lp.Dense(3),
        "Dense is built as Dense(in_dims, out_dims, activation=..., *, ...), got no out_dims",
    ),
    "too many": (lambda: lp.NoOpLayer(3), "NoOpLayer is built as NoOpLayer(), got 1 arguments by position"),
    "no flag": (lambda: lp.BatchNorm(3, affine="no"), "BatchNorm expects affine as True or False, got 'no'"),
    "no number": (
        lambda: lp.LayerNorm(3, epsilon=-1.0),
        "LayerNorm expects epsilon as a number of at least 0, got -1.0",
    ),
    "an initializer's name": (
        lambda: lp.Dense(3, 4, init_weight="zeros"),
        "Dense expects init_weight as a function of a generator and a shape, "
        "got 'zeros': pass luxport.initializers.zeros",
    ),
    "a rule's option": (
        lambda: lp.optimizers.Adam(lr=0.1),
        "Adam has no option 'lr': did you mean eta? it takes eta, ",
    ),
    "a schedule for a number": (
        lambda: lp.optimizers.Adam(lp.schedules.Constant(0.1)),
        "Adam expects numbers, got the schedule Constant(value=0.1): "
        "luxport.optimizers.Scheduler(Adam(), eta=Constant(value=0.1)) follows one",
    ),
    "a rule's class": (
        lambda: lp.optimizers.setup(lp.optimizers.Adam, {}),
        "optimizers.setup expects a rule, such as luxport.optimizers.Adam(0.001), got the class Adam: call it",
    ),
    "a rule's hyper-parameter": (
        lambda: lp.optimizers.setup(lp.optimizers.Adam(beta=0.9), {}),
        "Adam expects beta as a pair of numbers, got 0.9",
    ),
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_wrong_arguments(case, message):
    call, text = WRONG_ARGUMENTS[case]
    assert message(TypeError, call).startswith(text)


def test_a_pair_that_was_not_taken_apart(message):
    model = lp.Dense(3, 3)
    ps, st = lp.setup(0, model)
    pair = model(np.ones((1, 3), np.float32), ps, st)
    assert message(lp.LayerError, model, pair, ps, st) == (
        "Dense expects an array, got a pair of an output and states: take it apart, y, st = model(x, ps, st)"
    )


@pytest.mark.parametrize("hold", [lambda m: lp.Chain(m, m), lambda m: lp.Parallel(max, m, m),
                                  lambda m: lp.Chain(lp.SkipConnection(m, max), m)])  # fmt: skip
def test_layers_that_stand_in_each_other_twice_are_built_at_once(hold):
    # Of 16 levels, each of which described all that is below it twice, building took 9.5 s; here it would take years.
    model, like, other = lp.Dense(2, 2), lp.Dense(2, 2), lp.Dense(2, 2, lp.relu)
    for _ in range(60):
        model, like, other = hold(model), hold(like), hold(other)
    assert model == like and model != other and hash(model) == hash(like) and len({model, like, other}) == 2
    assert len(list(model.children().values())) > 0
    # Counts know all places, texts end, and what would walk through them all says so.
    assert lp.parameter_length(model) >= 6 * 2**60 and lp.state_length(model) == 0
    assert repr(model).count("Dense(2, 2)") < 20_000 and len(str(model).splitlines()) <= 10_001
    for walk in (lambda: lp.setup(0, model), lambda: lp.summary(model, (1, 2)), lambda: lp.output_shape(model, (1, 2))):
        with pytest.raises(
            ValueError, match=r"at most 1,000,000 layers, got a (Chain|Parallel) of [\d,]{25}: the same"
        ):
            walk()


def test_numbers_of_numpy_are_plain_in_a_model():
    pairs = [
        (lp.Dense(np.int64(3), np.prod((2, 2))), lp.Dense(3, 4)),
        (lp.Conv((np.int32(3), 3), 1, np.uint8(2), padding=((np.int64(1), 1), (1, 1))), None),
        (lp.BatchNorm(3, epsilon=np.float64(1e-5), affine=np.bool_(True)), lp.BatchNorm(3)),
    ]
    for model, plain in pairs:
        assert plain is None or (model == plain and repr(model) == repr(plain))
        assert "np." not in repr(model) and types_of_numbers(model) <= {bool, int, float}


def types_of_numbers(model):
    """List the types of all numbers that a layer holds."""
    found, left = set(), list(vars(model).values())
    while left:
        value = left.pop()
        left += value if isinstance(value, tuple) else ()
        found |= {type(value)} if isinstance(value, (bool, int, float, np.generic)) else set()
    return found
