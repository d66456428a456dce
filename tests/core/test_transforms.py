"""Differentiation: the same calls, values and errors on every backend with gradients."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest

import luxport as lp


def total(x):
    return lp.namespace(x).sum(x)


def squared_norm(gradient):
    return sum(total(leaf * leaf) for leaf in lp.tree.leaves(gradient))


@pytest.fixture
def x(ad_backend, array):
    return array([1.0, 2.0], ad_backend)


@pytest.fixture
def same(same):
    return functools.partial(same, rtol=1e-5)


class TestGrad:
    def test_trees_may_have_unused_leaves_and_statics(self, x, same):
        ps = {"a": x, "b": (x, [x]), "s": lp.Static(3), "n": None}
        gradient = lp.grad(lambda ps: total(ps["a"] ** 3))(ps)
        assert same(
            gradient, {"a": np.array([3.0, 12.0]), "b": (np.zeros(2), [np.zeros(2)]), "s": lp.Static(3), "n": None}
        )
        assert gradient["s"] == lp.Static(3)

    def test_a_loss_that_depends_on_nothing(self, x, same, array, ad_backend):
        assert same(lp.grad(lambda p: total(array([1.0], ad_backend)))(x), np.zeros(2))

    def test_no_parameters_at_all(self, x, same):
        value, gradient = lp.value_and_grad(lambda ps, x: total(x))({}, x)
        assert gradient == {}
        assert float(value) == 3.0

    def test_argnums_and_keywords(self, x, same):
        def f(p, q, k=1.0):
            return total(p * q) * k

        assert same(lp.grad(f)(x, x * 3), np.array([3.0, 6.0]))
        assert same(lp.grad(f, 1)(x, x * 3, k=2.0), np.array([2.0, 4.0]))
        assert same(lp.grad(f, -1)(x, x * 3), np.array([1.0, 2.0]))
        assert same(lp.grad(f, (0, 1))(x, x * 3), (np.array([3.0, 6.0]), np.array([1.0, 2.0])))
        assert same(lp.grad(f, (1,))(x, x * 3), (np.array([1.0, 2.0]),))

    def test_the_same_tensor_twice(self, x, same):
        assert same(lp.grad(lambda p, q: total(p * q))(x, x), np.array([1.0, 2.0]))

    def test_auxiliary_values_are_returned(self, x, same):
        def f(p):
            return total(p * p), {"y": p + 1.0, "st": {"training": lp.Static(True)}, "note": "text", "n": 3}

        (value, aux), gradient = lp.value_and_grad(f, has_aux=True)(x)
        assert same((value, gradient, aux["y"]), (5.0, np.array([2.0, 4.0]), np.array([2.0, 3.0])))
        assert (aux["st"], aux["note"], aux["n"]) == ({"training": lp.Static(True)}, "text", 3)
        gradient, again = lp.grad(f, has_aux=True)(x)
        assert same((gradient, again["y"]), (np.array([2.0, 4.0]), np.array([2.0, 3.0])))

    def test_complex_parameters_of_a_real_loss(self, ad_backend, array):
        # JAX's own gradient is the conjugate of PyTorch's and TensorFlow's, which point downhill.
        z = array([1 + 2j], ad_backend, "complex64")
        gradient = lp.grad(lambda z: total(lp.namespace(z).abs(z) ** 2))(z)
        assert abs(complex(np.asarray(gradient)[0])) == pytest.approx(2 * 5**0.5, rel=1e-5)

    def test_stop_gradient(self, x, same):
        assert same(lp.grad(lambda p: total(p * lp.stop_gradient(p)))(x), np.array([1.0, 2.0]))
        tree = {"a": x, "s": lp.Static(1)}
        assert same(lp.grad(lambda p: total(p["a"]) + total(lp.stop_gradient(p)["a"]))(tree)["a"], np.ones(2))


class TestNesting:
    # f = sum q³ has the gradient 3 q², whose squared norm is 9 sum q⁴; its gradient is 36 q³, and the gradient of the
    # sum of that is 108 q².
    def differentiate_norm(self, p):
        return squared_norm(lp.grad(lambda q: total(q**3))(p))

    def test_gradient_of_a_gradients_norm(self, x, same):
        assert same(lp.grad(self.differentiate_norm)(x), np.array([36.0, 288.0]))

    def test_three_levels(self, x, same):
        assert same(lp.grad(lambda p: total(lp.grad(self.differentiate_norm)(p)))(x), np.array([108.0, 432.0]))

    @pytest.mark.parametrize("compiled", [False, True])
    def test_gradient_of_a_gradients_norm_of_a_model(self, ad_backend, array, host, compiled):
        model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4))
        ps, st = lp.setup(0, model, backend=ad_backend)
        data = array(np.random.default_rng(0).normal(size=(5, 3)), ad_backend)

        def loss(ps, st, x):
            y, st = model(x, ps, st)
            return lp.namespace(y).mean(y * y), st

        def penalized(ps, st, x):
            gradient, new = lp.grad(loss, has_aux=True)(ps, st, x)
            return squared_norm(gradient), new

        step = lp.value_and_grad(penalized, has_aux=True)
        (_, new), gradient = (lp.jit(step) if compiled else step)(ps, st, data)
        assert new["layer_2"]["training"] == lp.Static(True)
        # Central differences along the gradient itself, in float32.
        length = float(squared_norm(gradient)) ** 0.5
        eps = 1e-2

        def value_along(sign):
            return float(penalized(lp.tree.map(lambda p, g: p + sign * eps / length * g, ps, gradient), st, data)[0])

        assert (value_along(1) - value_along(-1)) / (2 * eps) == pytest.approx(length, rel=2e-2)

    def test_an_inner_gradient_may_close_over_outer_arguments(self, x, same):
        outer = lp.grad(lambda w: total(lp.grad(lambda p: total(p * p * w))(x)))
        assert same(outer(x), np.array([2.0, 4.0]))

    def test_forward_and_reverse_modes_nest(self, x, same):
        cube = lambda q: q**3  # noqa: E731
        assert same(lp.grad(lambda p: total(lp.vjp(cube, p)[1](p)[0]))(x), np.array([9.0, 36.0]))
        assert same(lp.grad(lambda p: total(lp.jvp(cube, (p,), (p,))[1]))(x), np.array([9.0, 36.0]))
        assert same(lp.jvp(lp.grad(lambda p: total(p**3)), (x,), (x,)), (np.array([3.0, 12.0]), np.array([6.0, 24.0])))

    def test_a_gradient_through_nested_jvps(self, x, same):
        def slope(f):
            return lambda p: lp.jvp(f, (p,), (lp.stop_gradient(p) * 0.0 + 1.0,))[1]

        twice = slope(slope(lambda p: total(p**4)))
        assert same(lp.grad(twice)(x), 24.0 * np.array([1.0, 2.0]))
        assert same(slope(twice)(x), np.array(24.0 * 3.0))
        assert same(lp.jacobian(lp.grad(lambda p: total(p**3)))(x), np.diag([6.0, 12.0]))

    def test_anything_may_come_with_an_inner_value(self, x, same):
        def inner(p):
            return total(p**2), {"twice": 2 * p, "none": None, "name": "a", "mode": lp.Static(1)}

        def outer(p):
            _, aux = lp.grad(inner, has_aux=True)(p)
            return total(aux["twice"] * p), aux

        slope, aux = lp.grad(outer, has_aux=True)(x)
        assert same((slope, aux["twice"]), (np.array([4.0, 8.0]), np.array([2.0, 4.0])))
        assert (aux["none"], aux["name"], aux["mode"]) == (None, "a", lp.Static(1))
        compiled = lp.jit(lp.grad(lambda p: (total(p**2), {"none": None, "mode": lp.Static(1)}), has_aux=True))
        assert same(compiled(x)[0], np.array([2.0, 4.0]))
        assert compiled(x)[1] == {"none": None, "mode": lp.Static(1)}

    def test_programs_inside_of_transforms(self, x, same):
        """Expected values are derivatives of x^4 along ones, by hand."""
        program = lp.jit(lambda p: total(p**4))

        def slope(f):
            return lambda p: lp.jvp(f, (p,), (lp.stop_gradient(p) * 0.0 + 1.0,))[1]

        by_each = 12.0 * np.array([1.0, 4.0])
        assert same(lp.grad(slope(program))(x), by_each)
        assert same(slope(slope(program))(x), np.array(12.0 * 5.0))
        assert same(lp.grad(slope(slope(program)))(x), 24.0 * np.array([1.0, 2.0]))
        assert same(slope(lp.jit(lp.grad(lambda p: total(p**4))))(x), by_each)
        assert same(lp.grad(lp.jit(slope(program)))(x), by_each)

    def test_compiled_inside_and_outside(self, x, same):
        assert same(lp.grad(lambda p: total(lp.jit(lambda q: q * q)(p)))(x), np.array([2.0, 4.0]))
        assert same(lp.grad(lambda p: total(lp.jit(lp.grad(lambda q: total(q**3)))(p)))(x), np.array([6.0, 12.0]))


class TestProducts:
    def test_vjp(self, x, same):
        y, pull = lp.vjp(lambda p, q: {"b": p["x"] * q, "a": p["x"], "s": lp.Static(1)}, {"x": x}, x * 3)
        assert same((y["a"], y["b"]), (np.array([1.0, 2.0]), np.array([3.0, 12.0])))
        # The cotangent's keys are in another order than the value's.
        for _ in range(2):
            assert same(pull({"a": x, "s": lp.Static(1), "b": x * 0}), ({"x": np.array([1.0, 2.0])}, np.zeros(2)))

    def test_jvp(self, x, same):
        primals, tangents = ({"x": x, "z": x * 2}, x), ({"z": x * 0, "x": x}, x * 0)
        y, dy = lp.jvp(lambda p, q: {"a": p["x"] * p["z"], "unused": q}, primals, tangents)
        assert same((y["a"], dy["a"], dy["unused"]), (np.array([2.0, 8.0]), np.array([2.0, 8.0]), np.zeros(2)))

    def test_jacobian(self, x, same):
        got = lp.jacobian(lambda p: {"o": p["x"] * p["x"]})({"x": x, "u": x})
        assert same(got["o"], {"x": np.diag([2.0, 4.0]), "u": np.zeros((2, 2))})
        assert same(lp.jacobian(lambda p, q: p * q, 1)(x, x), np.diag([1.0, 2.0]))
        assert same(lp.jit(lp.jacobian(lambda p: p * p))(x), np.diag([2.0, 4.0]))


class TestCheckpoint:
    def test_results_and_gradients_are_those_of_the_function(self, ad_backend, array, host):
        model = lp.Chain(lp.Dense(2, 3, lp.tanh), lp.Dropout(0.5), lp.Dense(3, 1))
        ps, st = lp.setup(0, model, backend=ad_backend)
        x = array(np.random.default_rng(0).standard_normal((4, 2)), ad_backend)

        def loss(f, ps):
            y, new = f(x, ps, st)
            return total(y * y), (new, "a note")

        want = lp.value_and_grad(lambda ps: loss(model, ps), has_aux=True)(ps)
        got = lp.value_and_grad(lambda ps: loss(lp.checkpoint(model), ps), has_aux=True)(ps)
        assert got[0][1][1] == "a note" and got[0][1][0]["layer_2"]["training"] == lp.Static(True)
        compiled = lp.jit(lp.grad(lambda ps: loss(lp.checkpoint(model), ps)[0]))(ps)
        numbers = host((want[0][0], want[0][1][0], want[1], want[1]))
        # Sums of about ten terms in single precision, which a compiler may reorder.
        lp.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=10 * 2.0**-23, atol=10 * 2.0**-23 * np.abs(b).max()),
            host((got[0][0], got[0][1][0], got[1], compiled)), numbers,
        )  # fmt: skip

    def test_the_function_runs_again_for_its_gradient(self, ad_backend, x):
        runs = []

        def f(p):
            runs.append(1)
            return total(lp.tanh(p) ** 2)

        gradient = lp.grad(lp.checkpoint(f))
        if ad_backend == "jax":  # JAX runs the traced program, not f
            import jax

            assert str(jax.make_jaxpr(gradient)(x)).count(" tanh") == 2 * str(jax.make_jaxpr(f)(x)).count(" tanh")
        else:
            gradient(x)
            assert len(runs) == 2

    def test_numpy_runs_the_function(self):
        assert lp.checkpoint(lambda x, n: (x * n, "a note"))(np.ones(1), 3) == (3.0, "a note")


class TestErrors:
    @pytest.mark.parametrize(
        ("loss", "got"),
        [
            (lambda p: p * 2, "float32 (2,)"),
            (lambda p: p[:1], "float32 (1,)"),
            (lambda p: 3.0, "float"),
            (lambda p: None, "NoneType"),
            (lambda p: (total(p), 1), "tuple"),
            (lambda p: total(lp.namespace(p).astype(p, lp.namespace(p).complex64)), "complex64 ()"),
            (lambda p: lp.namespace(p).argmax(p), "int"),
        ],
    )
    def test_losses_that_are_no_real_scalars(self, x, message, loss, got):
        for compiled in (False, True):
            gradient = lp.grad(loss)
            text = message(TypeError, lp.jit(gradient) if compiled else gradient, x)
            assert text.startswith(f"a gradient expects a real scalar from its function, got {got}")

    def test_aux_that_is_no_pair(self, x, message):
        text = message(TypeError, lp.grad(total, has_aux=True), x)
        assert text == "a gradient with has_aux expects a pair (value, aux) from its function, got float32 ()"

    def test_leaves_that_are_no_floating_arrays(self, x, message, array, ad_backend):
        whole = array([1], ad_backend, "int32")
        tail = "leave it out of the argument"
        want = f"a gradient expects floating arrays, got int32 (1,) at a.0: {tail}"
        assert message(TypeError, lp.grad(lambda p: total(p["b"])), {"a": [whole], "b": x}) == want
        want = f"a gradient expects floating arrays, got float at a: {tail}"
        assert message(TypeError, lp.grad(lambda p: total(p["b"])), {"a": 1.0, "b": x}) == want
        want = f"a gradient expects floating arrays, got int32 (1,) at 0: {tail}"
        assert message(TypeError, lp.vjp, lambda p: p, whole) == want
        assert message(TypeError, lp.jvp, lambda p: p, (whole,), (whole,)) == want

    def test_arguments_that_are_not_there(self, x, message):
        assert message(TypeError, lp.grad(total, 3), x) == "a gradient expects argument 3, got 1 by position"

    def test_tangents_unlike_their_primals(self, x, message):
        pull = lp.vjp(lambda p: {"a": p}, x)[1]
        assert message(ValueError, pull, x) == "trees of one structure expected, got {'a': *} and *"
        assert message(ValueError, pull, {"a": x[:1]}) == "a cotangent expects float32 (2,), got float32 (1,)"
        text = message(ValueError, lp.jvp, total, (x,), (x[:1],))
        assert text == "a tangent expects float32 (2,), got float32 (1,)"
        assert (
            message(ValueError, lp.jvp, total, (x,), (x, x)) == "trees of one structure expected, got (*,) and (*, *)"
        )

    def test_mixed_backends(self, message, array):
        text = message(TypeError, lp.grad(lambda p, q: total(p)), array([1.0], "jax"), array([1.0], "torch"))
        assert text.startswith("luxport expects arrays of one backend, got jax and torch together")

    def test_numpy_raises_the_same_error_for_every_transform(self, message):
        x = np.ones(2)
        want = (
            "numpy differentiates nothing: use arrays of jax, torch or tf, "
            "for instance luxport.setup(..., backend='torch')"
        )
        assert message(TypeError, lp.grad(total), x) == want
        assert message(TypeError, lp.value_and_grad(total), {"a": x}) == want
        assert message(TypeError, lp.vjp, total, x) == want
        assert message(TypeError, lp.jvp, total, (x,), (x,)) == want
        assert message(TypeError, lp.jacobian(total), x) == want


class TestPyTorchsOwnGraph:
    def model(self):
        model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4))
        ps, st = lp.setup(0, model, backend="torch")
        return model, ps, st, lp.asarray(np.random.default_rng(0).normal(size=(5, 3)), dtype="float32", backend="torch")

    def test_what_comes_back_carries_no_graph(self):
        model, ps, st, x = self.model()

        def loss(ps, st, x):
            y, st = model(x, ps, st)
            return (y * y).sum(), (y, st)

        graphs = []
        for _ in range(3):
            (value, (y, st)), gradient = lp.value_and_grad(loss, has_aux=True)(ps, st, x)
            assert not any(leaf.requires_grad for leaf in lp.tree.leaves((value, y, st, gradient, ps)))
            graphs.append(weakref.ref(y))
        del y
        gc.collect()
        assert [graph() for graph in graphs] == [None] * 3

    def test_gradients_work_inside_the_users_autograd(self):
        # The value is sum x³ w, and its gradient 3 x² w; the sum of that has the derivatives 6 x w by x and 3 x² by w.
        x = lp.asarray([1.0, 2.0], backend="torch").requires_grad_()
        w = lp.asarray([1.0, 3.0], backend="torch").requires_grad_()
        for call in (lambda f: f(x, w), lambda f: f(x, w=w)):
            x.grad = w.grad = None
            value, gradient = call(lp.value_and_grad(lambda x, w: (x**3 * w).sum()))
            gradient.sum().backward(retain_graph=True)
            np.testing.assert_allclose(x.grad, [6.0, 36.0])
            np.testing.assert_allclose(w.grad, [3.0, 12.0])
            assert value.requires_grad

    def test_tensors_closed_over_are_constants_to_it(self):
        x = lp.asarray([1.0, 2.0], backend="torch")
        w = lp.asarray([1.0, 3.0], backend="torch").requires_grad_()
        value, gradient = lp.value_and_grad(lambda x: (x**3 * w).sum())(x)
        assert not value.requires_grad
        assert not gradient.requires_grad
        np.testing.assert_allclose(gradient, [3.0, 36.0])

    def test_gradients_work_under_no_grad(self):
        import torch

        x = lp.asarray([1.0, 2.0], backend="torch").requires_grad_()
        with torch.no_grad():
            gradient = lp.grad(lambda x: (x**2).sum())(x)
        np.testing.assert_allclose(gradient, [2.0, 4.0])
        assert not gradient.requires_grad

    def test_gradients_work_inside_torch_func(self):
        import torch

        x = lp.asarray([1.0, 2.0], backend="torch")
        got = torch.func.grad(lambda p: lp.grad(lambda q: (q**3).sum())(p).sum())(x)
        np.testing.assert_allclose(got, [6.0, 12.0])
        got = torch.func.vmap(lp.grad(lambda q: (q**3).sum()))(torch.stack([x, x + 1.0]))
        np.testing.assert_allclose(got, [[3.0, 12.0], [12.0, 27.0]])
