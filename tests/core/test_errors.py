"""Errors of wrong inputs: one line, the same text on every backend, eager and compiled, with the path in the model."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp

MODEL = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lp.Chain(lp.Dense(4, 2), lp.Dense(2, 1)))


def remove_entry(entries, *path):
    """Return nested dicts without the entry at a path."""
    name, *rest = path
    if not rest:
        return {key: value for key, value in entries.items() if key != name}
    return {**entries, name: remove_entry(entries[name], *rest)}


def replace_entry(entries, value, *path):
    name, *rest = path
    return {**entries, name: replace_entry(entries[name], value, *rest) if rest else value}


# Each case is a function that spoils x, ps and st, the error's type, and its text.
CASES = {
    "channels": (
        lambda x, ps, st: (x[:, :2], ps, st),
        lp.LayerError,
        "Dense at layer_1 expects (..., 3), got (5, 2)",
    ),
    "rank": (lambda x, ps, st: (x[0, 0], ps, st), lp.LayerError, "Dense at layer_1 expects (..., 3), got ()"),
    "one value per channel": (
        lambda x, ps, st: (x[:1], ps, st),
        lp.LayerError,
        "BatchNorm at layer_2 expects more than one value per channel in training, got (1, 4): "
        "DataLoader(partial=False) leaves out a last batch of one sample",
    ),
    "float dtype": (
        lambda x, ps, st: (lp.to(x, dtype="float16"), ps, st),
        lp.LayerTypeError,
        "Dense at layer_1 expects float32 as its parameters, got float16: "
        "convert the input or the parameters with luxport.to(..., dtype='float32')",
    ),
    "complex dtype": (
        lambda x, ps, st: (lp.to(x, dtype="complex64"), ps, st),
        lp.LayerTypeError,
        "Dense at layer_1 expects float32 as its parameters, got complex64: "
        "convert the parameters with luxport.to(..., dtype='complex64')",
    ),
    "integer dtype": (
        lambda x, ps, st: (lp.asarray(np.ones((5, 3), np.int32), backend=lp.backend_of(x)), ps, st),
        lp.LayerTypeError,
        "Dense at layer_1 expects float32 as its parameters, got int32: convert the input to float32",
    ),
    "a list": (
        lambda x, ps, st: ([[1.0, 2.0, 3.0]], ps, st),
        lp.LayerTypeError,
        "Dense at layer_1 expects an array, got list: make one with luxport.asarray",
    ),
    "None": (
        lambda x, ps, st: (None, ps, st),
        lp.LayerTypeError,
        "Dense at layer_1 expects an array, got None: make one with luxport.asarray",
    ),
    "no such layer in ps": (
        lambda x, ps, st: (x, remove_entry(ps, "layer_2"), st),
        lp.LayerError,
        "Chain expects parameters {layer_1, layer_2, layer_3}, got {layer_1, layer_3}: make them with luxport.setup",
    ),
    "no weight": (
        lambda x, ps, st: (x, remove_entry(ps, "layer_3", "layer_2", "weight"), st),
        lp.LayerError,
        "Dense at layer_3.layer_2 expects parameters {weight, bias}, got {bias}: make them with luxport.setup",
    ),
    "weight None": (
        lambda x, ps, st: (x, replace_entry(ps, None, "layer_1", "weight"), st),
        lp.LayerError,
        "Dense at layer_1 expects an array as weight, got None: make one with luxport.setup",
    ),
    "weight of another shape": (
        lambda x, ps, st: (x, replace_entry(ps, x, "layer_1", "weight"), st),
        lp.LayerError,
        "Dense at layer_1 expects weight (3, 4), got (5, 3): parameters of another layer? make them with luxport.setup",
    ),
    "ps no mapping": (
        lambda x, ps, st: (x, [x], st),
        lp.LayerError,
        "Chain expects parameters as a mapping with {layer_1, layer_2, layer_3}, got list: "
        "make them with luxport.setup",
    ),
    "no such layer in st": (
        lambda x, ps, st: (x, ps, remove_entry(st, "layer_3", "layer_1")),
        lp.LayerError,
        "Chain at layer_3 expects states {layer_1, layer_2}, got {layer_2}: make them with luxport.setup",
    ),
    "no running mean": (
        lambda x, ps, st: (x, ps, remove_entry(st, "layer_2", "running_mean")),
        lp.LayerError,
        "BatchNorm at layer_2 expects states {running_mean, running_var, training}, "
        "got {running_var, training}: make them with luxport.setup",
    ),
    "st None": (
        lambda x, ps, st: (x, ps, None),
        lp.LayerError,
        "Chain expects states as a mapping with {layer_1, layer_2, layer_3}, got NoneType: "
        "make them with luxport.setup",
    ),
}


def prepare(backend):
    ps, st = lp.setup(0, MODEL, backend=backend)
    return lp.asarray(np.ones((5, 3)), dtype="float32", backend=backend), ps, st


@pytest.mark.parametrize("case", CASES)
def test_errors_of_eager_calls(case, backend, message):
    spoil, kind, text = CASES[case]
    assert message(kind, MODEL, *spoil(*prepare(backend))) == text


@pytest.mark.parametrize("case", CASES)
def test_errors_of_compiled_calls(case, backend, message):
    spoil, kind, text = CASES[case]
    assert message(kind, lp.jit(MODEL), *spoil(*prepare(backend))) == text


@pytest.mark.parametrize("case", ["channels", "no weight", "one value per channel"])
def test_errors_inside_a_gradient(case, ad_backend, message):
    spoil, kind, text = CASES[case]
    x, ps, st = spoil(*prepare(ad_backend))
    assert message(kind, lp.grad(lambda ps: lp.namespace(x).sum(MODEL(x, ps, st)[0])), ps) == text


@pytest.mark.parametrize("other", ["numpy", "jax", "torch", "tf"])
def test_errors_of_mixed_backends(backend, other, message):
    x, _, _ = prepare(backend)
    _, ps, st = prepare(other)
    if backend == other:
        assert MODEL(x, ps, st)[0].shape[0] == 5
        return
    want = (
        f"expects arrays of one backend, got {backend} and {other} together: "
        f"move one with luxport.to(..., backend={(other if backend == 'numpy' else backend)!r})"
    )
    assert message(TypeError, MODEL, x, ps, st) == (
        f"Dense at layer_1 expects an input of {other} as its parameters, got one of {backend}: "
        + (f"make them with luxport.setup(..., backend={backend!r}), or " if other == "numpy" else "")
        + f"move it with luxport.to(x, backend={other!r})"
    )
    assert message(TypeError, lp.jit(MODEL), x, ps, st) == f"luxport {want}"
    assert message(TypeError, lp.ops.dense, x, ps["layer_1"]["weight"], None) == f"dense {want}"
    assert message(TypeError, lp.backend_of, x, None, ps["layer_1"]["weight"]) == f"luxport {want}"


class Both(lp.ContainerLayer):
    parts: tuple
    named: dict

    def __call__(self, x, ps, st):
        for name, layer in zip(ps["parts"], self.parts, strict=True):
            x, _ = layer(x, ps["parts"][name], st["parts"][name])
        return self.named["last"](x, ps["named"]["last"], st["named"]["last"])[0], st


def test_paths_lead_through_the_users_containers(message):
    shared = lp.Dense(3, 3)
    model = lp.Chain(net=Both((shared, shared, lp.Dense(3, 2)), {"last": lp.Chain(lp.Dense(3, 1))}))
    x, (ps, st) = np.ones((5, 3), np.float32), lp.setup(0, model)
    text = message(lp.LayerError, model, x, ps, st)
    assert text == "Dense at net.named.last.layer_1 expects (..., 3), got (5, 2)"
    # One layer in two places: the parameters show which place failed.
    spoilt = replace_entry(ps, {"weight": ps["net"]["parts"]["layer_2"]["weight"]}, "net", "parts", "layer_2")
    text = message(lp.LayerError, model, x, spoilt, st)
    assert (
        text
        == "Dense at net.parts.layer_2 expects parameters {weight, bias}, got {weight}: make them with luxport.setup"
    )


def test_wrappers_add_nothing_to_the_path(message):
    class Quiet(lp.WrapperLayer):
        inner: lp.Layer

    model = lp.Chain(Quiet(lp.Chain(lp.NoOpLayer(), lp.Dense(3, 2))))
    text = message(lp.LayerError, model, np.ones((1, 2), np.float32), *lp.setup(0, model))
    assert text == "Dense at layer_1.layer_2 expects (..., 3), got (1, 2)"


def test_errors_of_the_user_pass_unchanged():
    class Picky(lp.Layer):
        def __call__(self, x, ps, st):
            return {}["mine"], st

    with pytest.raises(KeyError, match="^'mine'") as caught:
        lp.Chain(Picky())(np.ones(2), {"layer_1": {}}, {"layer_1": {}})
    assert str(caught.value) == "'mine'"
    assert caught.value.__notes__ == ["raised in Picky at layer_1"]


def test_a_state_that_is_not_returned(backend, message):
    class Forgetful(lp.Layer):
        def __call__(self, x, ps, st):
            return x

    model = lp.Chain(lp.Dense(3, 3), Forgetful(), lp.Dense(3, 3))
    x, (ps, st) = lp.asarray(np.ones((2, 3), np.float32), backend=backend), lp.setup(0, model, backend=backend)
    assert message(lp.LayerTypeError, model, x, ps, st) == (
        "Forgetful at layer_2 is called as y, st = model(x, ps, st), and returned an array (2, 3): return y, st"
    )


def test_errors_are_value_and_type_errors():
    assert issubclass(lp.LayerError, ValueError)
    assert issubclass(lp.LayerTypeError, (lp.LayerError, TypeError))


@pytest.mark.parametrize("name", ["gather", "scatter"])
def test_arrays_of_any_number_come_by_position(name, backend, message):
    x, indices = lp.asarray(np.ones((3, 2), np.float32), backend=backend), lp.asarray(np.array([0, 2]), backend=backend)
    wanted = f"{name} expects indices by position, not by name: it takes (src, indices"
    assert message(lp.LayerTypeError, getattr(lp.ops, name), x, indices=indices).startswith(wanted)
    assert message(lp.LayerTypeError, getattr(lp.ops, name), src=x, indices=indices).startswith(wanted)


def test_an_array_is_expected_in_operations(message):
    assert message(TypeError, lp.relu, [1.0]) == "relu expects an array as x, got list: make one with luxport.asarray"
    assert message(TypeError, lp.relu, None) == "relu expects an array as x, got None: make one with luxport.asarray"


def fail_to_draw(rng, shape):
    raise AssertionError("a diagnosis draws nothing")


def test_a_diagnosis_draws_no_parameters(message):
    model = lp.Dense(3, 2, init_weight=fail_to_draw)
    for _ in range(3):
        model = lp.Chain(model)
    ps, st = lp.setup(0, lp.Chain(lp.Chain(lp.Chain(lp.Dense(3, 2)))))
    x = np.ones((5, 3), np.float32)
    assert model(x, ps, st)[0].shape == (5, 2)
    place = "Dense at layer_1.layer_1.layer_1"
    assert message(lp.LayerError, model, x[:, :2], ps, st) == f"{place} expects (..., 3), got (5, 2)"
    other = {"layer_1": {"layer_1": {"layer_1": lp.setup(0, lp.Dense(3, 7))[0]}}}
    text = message(lp.LayerError, model, x, other, st)
    assert text.startswith(f"{place} expects weight (3, 2), got (3, 7)")


class FailingLayer(lp.Layer):
    """A layer all of whose methods raise, each with an error of its own."""

    def initial_parameters(self, rng):
        raise AttributeError("of its own")

    def children(self):
        raise AttributeError("of its own")

    def __call__(self, x, ps, st):
        raise RuntimeError("the user's")


def test_a_diagnosis_never_replaces_the_users_error():
    class Holder(lp.ContainerLayer):
        inner: lp.Layer

        def __call__(self, x, ps, st):
            return self.inner(x, {}, {})

    with pytest.raises(RuntimeError, match="^the user's") as caught:
        lp.Chain(Holder(FailingLayer()))(np.ones(2), {"layer_1": {}}, {"layer_1": {}})
    assert type(caught.value) is RuntimeError
    error = KeyError("raised twice")

    class Raising(lp.Layer):
        def __call__(self, x, ps, st):
            raise error

    model = lp.Chain(first=lp.NoOpLayer(), second=lp.Chain(Raising()))
    with pytest.raises(KeyError) as caught:
        model(np.ones(2), *lp.setup(0, model))
    assert caught.value.__notes__ == ["raised in Raising at second.layer_1"]


class Unreadable(RuntimeError):
    """An error that cannot write its own message."""

    def __str__(self):
        raise KeyError("of its own")


class Hidden(RuntimeError):
    """An error whose arguments cannot be read."""

    args = property(lambda self: {}["of its own"], lambda self, value: None)  # type: ignore[assignment]


class Closed(RuntimeError):
    """An error that takes no notes."""

    def add_note(self, note):
        raise KeyError("of its own")


@pytest.mark.parametrize("kind", [Unreadable, Hidden, Closed])
def test_an_error_that_cannot_be_read_leaves_as_it_is(kind):
    class Raising(lp.Layer):
        def __call__(self, x, ps, st):
            raise kind("the user's")

    model = lp.Chain(lp.Chain(Raising()))
    with pytest.raises(kind) as caught:
        model(np.ones(2), *lp.setup(0, model))
    assert type(caught.value) is kind
    notes = [] if kind is Closed else ["raised in Raising at layer_1.layer_1"]
    assert getattr(caught.value, "__notes__", []) == notes


class Masked(lp.Layer):
    dims: int

    def initial_parameters(self, rng):
        return {"gain": np.ones(self.dims, np.float32)}

    def __call__(self, x, ps, st, mask=None, *, scale=1.0):
        return x * ps["gain"] * scale * (1.0 if mask is None else mask), st


class Masking(lp.ContainerLayer):
    inner: lp.Layer

    def __call__(self, x, ps, st, *, mask):
        y, inner = self.inner(x, ps["inner"], st["inner"], mask=mask)
        return y, {"inner": inner}


def test_layers_may_have_further_inputs(message):
    x, gain = np.ones(3, np.float32), {"gain": np.ones(3, np.float32)}
    assert Masked(3)(x, gain, {}, mask=2.0, scale=3.0)[0].tolist() == [6.0] * 3
    assert Masked(3)(x, gain, {}, 2.0)[0].tolist() == [2.0] * 3
    assert Masked(3)(x=x, ps=gain, st={})[0].tolist() == [1.0] * 3
    model = Masking(Masked(3))
    assert model(x, {"inner": gain}, {"inner": {}}, mask=2.0)[0].tolist() == [2.0] * 3
    text = message(lp.LayerTypeError, model, x, {"inner": gain}, {"inner": {}})
    assert text == f"Masking {CALL[:-5]}: it takes (x, ps, st, *, mask=), got no mask"
    text = message(lp.LayerError, model, x, {"inner": {"gain": x[:1]}}, {"inner": {}}, mask=2.0)
    assert text.startswith("Masked at inner expects gain (3,), got (1,)")


CALL = "is called as y, st = model(x, ps, st), got"
MAKES = "luxport.setup(0, model) makes ps and st, and each call returns the next st"


def test_a_call_without_parameters_or_states(message):
    model = lp.Chain(lp.Dense(3, 2))
    x, (ps, st) = np.ones((1, 3), np.float32), lp.setup(0, model)
    assert message(lp.LayerError, model) == f"Chain {CALL} model(): {MAKES}"
    assert message(lp.LayerError, model, x) == f"Chain {CALL} model(x): {MAKES}"
    assert message(lp.LayerError, model, x, ps) == f"Chain {CALL} model(x, ps): {MAKES}"
    assert message(lp.LayerError, model, x, st=st) == f"Chain {CALL} model(x, st): {MAKES}"
    swapped = "expects parameters {weight, bias}, got {}: call model(x, ps, st), parameters first"
    assert message(lp.LayerError, model, x, st, ps) == f"Dense at layer_1 {swapped}"


def test_parameters_of_another_layer(backend, message):
    x = lp.asarray(np.ones((4, 3)), dtype="float32", backend=backend)
    remedy = "parameters of another layer? make them with luxport.setup"
    ps, st = lp.setup(0, lp.Dense(3, 7), backend=backend)
    assert message(lp.LayerError, lp.Dense(3, 2), x, ps, st) == f"Dense expects weight (3, 2), got (3, 7): {remedy}"
    ps, st = lp.setup(0, lp.Dense(3, 2), backend=backend)
    one = {**ps, "bias": ps["bias"][:1]}
    assert message(lp.LayerError, lp.Dense(3, 2), x, one, st) == f"Dense expects bias (2,), got (1,): {remedy}"
    text = message(lp.LayerError, lp.Dense(3, 2, use_bias=False), x, ps, st)
    assert text == "Dense expects no parameters but {weight}, got {weight, bias}: leave the others out"
    ps, st = lp.setup(0, lp.LayerNorm(3), backend=backend)
    text = message(lp.LayerError, lp.LayerNorm(3), x, {"scale": ps["scale"]}, st)
    assert text == "LayerNorm expects parameters {scale, bias}, got {scale}: make them with luxport.setup"
    ps, st = lp.setup(0, lp.BatchNorm(3), backend=backend)
    text = message(lp.LayerError, lp.BatchNorm(3), x, ps, {**st, "running_mean": st["running_mean"][:1]})
    assert text == f"BatchNorm expects running_mean (3,), got (1,): {remedy.replace('parameters', 'states')}"
    ps, st = lp.setup(0, lp.Scale(3), backend=backend)
    other = "numpy" if backend != "numpy" else "torch"
    mixed = {**ps, "bias": lp.to(ps["bias"], backend=other)}
    assert message(lp.LayerTypeError, lp.Scale(3), x, mixed, st) == (
        f"Scale expects parameters and states of one backend, got weight of {backend} and bias of {other}: "
        f"move them with luxport.to(..., backend={backend!r})"
    )
