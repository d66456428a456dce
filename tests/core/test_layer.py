"""The contract of a layer: values, containers and wrappers, calls, immutability, and errors of wrong arguments."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import copy
import dataclasses
import pickle
from types import MappingProxyType

import numpy as np
import pytest
from own_layers import LAYERS, Blocks, Forwarding, Residual, Shift, Twice, make_blocks

import luxport as lp
from luxport import initializers


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

    def test_a_call_stores_no_arrays(self):
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
        model = make_blocks()
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
        ps, _ = lp.setup(3, make_blocks())
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

    def test_any_mapping_is_accepted(self):
        model = lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3))
        ps, st = lp.setup(0, model)
        x = np.ones((4, 2), np.float32)
        views = [MappingProxyType({k: MappingProxyType(v) for k, v in entries.items()}) for entries in (ps, st)]
        np.testing.assert_array_equal(model(x, *views)[0], model(x, ps, st)[0])


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


def test_wrongly_declared_layers_are_errors(message):
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
        "LayerNorm expects epsilon as a finite number of at least 0, got -1.0",
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
        "Adam expects beta as a tuple of two numbers of at least 0 and below 1, got 0.9",
    ),
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_wrong_arguments_are_errors(case, message):
    call, text = WRONG_ARGUMENTS[case]
    assert message(TypeError, call).startswith(text)


def test_changing_a_layer_is_an_error_that_names_replace(message):
    layer = lp.Dense(3, 3)
    told = "Dense is immutable, as every layer, and its {} cannot be set or deleted: {}what changes in training is in"
    way = "dataclasses.replace(layer, use_bias=...) makes another layer; "
    assert told.format("use_bias", way) in message(AttributeError, setattr, layer, "use_bias", False)
    assert told.format("use_bias", way) in message(AttributeError, delattr, layer, "use_bias")
    assert told.format("weight", "") in message(AttributeError, setattr, layer, "weight", 0)
    assert dataclasses.replace(layer, use_bias=False) == lp.Dense(3, 3, use_bias=False)


def test_an_unpacked_pair_as_input_is_an_error(message):
    model = lp.Dense(3, 3)
    ps, st = lp.setup(0, model)
    pair = model(np.ones((1, 3), np.float32), ps, st)
    assert message(lp.LayerError, model, pair, ps, st) == (
        "Dense expects an array, got a pair of an output and states: take it apart, y, st = model(x, ps, st)"
    )


@pytest.mark.parametrize("hold", [lambda m: lp.Chain(m, m), lambda m: lp.Parallel(max, m, m),
                                  lambda m: lp.Chain(lp.SkipConnection(m, max), m)])  # fmt: skip
def test_layers_nested_twice_in_each_other_are_built_quickly(hold):
    # If each level described everything below it twice, 16 levels would take 9.5 s, and these 60 years.
    model, like, other = lp.Dense(2, 2), lp.Dense(2, 2), lp.Dense(2, 2, lp.relu)
    for _ in range(60):
        model, like, other = hold(model), hold(like), hold(other)
    assert model == like and model != other and hash(model) == hash(like) and len({model, like, other}) == 2
    assert len(list(model.children().values())) > 0
    # Counts include all places, printed texts are cut, and walks over all places raise.
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
        assert "np." not in repr(model) and find_number_types(model) <= {bool, int, float}


def find_number_types(model):
    """Return the types of all numbers that a layer holds."""
    found, left = set(), list(vars(model).values())
    while left:
        value = left.pop()
        left += value if isinstance(value, tuple) else ()
        found |= {type(value)} if isinstance(value, (bool, int, float, np.generic)) else set()
    return found
