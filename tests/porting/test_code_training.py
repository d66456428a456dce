"""`luxport port`: Flux's training loops, which change the model, become luxport's; the numbers are computed by hand."""

from typing import Any

import numpy as np
import pytest

import luxport
from luxport.porting.translate import translate

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 2)).astype(np.float32), RNG.normal(size=(8, 1)).astype(np.float32)
LOOPS = {
    "withgradient with a do block": """
        for epoch in 1:epochs
            loss, grads = Flux.withgradient(model) do m
                ŷ = m(x)
                Flux.mse(ŷ, y)
            end
            Flux.update!(opt, model, grads[1])
        end""",
    "the loop's own data": """
        @showprogress for epoch in 1:epochs
            for (a, b) in Flux.DataLoader((x, y); batchsize = 8, shuffle = true)
                l, grads = Flux.withgradient(m -> Flux.mse(m(a), b), model)
                Flux.update!(opt, model, grads[1])
            end
        end""",
    "the gradient alone": """
        for epoch in 1:epochs
            grad = Flux.gradient(m -> Flux.mse(m(x), y), model)[1]
            Flux.update!(opt, model, grad)
        end""",
    "train! with a do block": """
        for epoch in 1:epochs
            Flux.train!(model, [(x, y)], opt) do model, a, b
                Flux.mse(model(a), b)
            end
        end""",
    "train! with a function of the file": """
        for epoch in 1:epochs
            Flux.train!(mean_square, model, [(x, y)], opt)
        end""",
}


def write_loop(statements: str, model: str = "model = Dense(2 => 1)") -> str:
    return f"""using Flux
    mean_square(m, x, y) = Flux.mse(m(x), y)
    function train(x, y; epochs = 3)
        {model}
        opt = Flux.setup(Descent(0.1), model)
        {statements}
        return model
    end
    """


def run_training(source: str) -> Any:
    translation = translate(source)
    assert translation.holes == (), translation.python
    names: dict[str, Any] = {"__name__": "ported"}
    exec(translation.python, names)
    with luxport.using("jax"):
        return names["train"](luxport.asarray(X), luxport.asarray(Y))


@pytest.mark.parametrize("form", LOOPS)
def test_every_form_of_the_loop_takes_the_same_steps(form: str):
    found = run_training(write_loop(LOOPS[form]))
    ps, _ = luxport.setup(0, luxport.Dense(2, 1))
    weight, bias = ps["weight"], ps["bias"]
    for _ in range(3):  # the mean squared error, differentiated by hand
        error = 2 * (X @ weight + bias - Y) / Y.size
        weight, bias = weight - 0.1 * X.T @ error, bias - 0.1 * error.sum(0)
    np.testing.assert_allclose(np.asarray(found.ps["weight"]), weight, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(found.ps["bias"]), bias, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(found(luxport.asarray(X, backend="jax"))), X @ weight + bias, rtol=1e-4)


def test_layers_states_are_kept_from_step_to_step():
    found = run_training(write_loop(LOOPS["the gradient alone"], "model = Chain(BatchNorm(2), Dense(2 => 1))"))
    kept = 0.9**3  # Flux's momentum is 0.1: three steps on the same data
    mean = np.asarray(found.st["layer_1"]["running_mean"])
    np.testing.assert_allclose(mean, (1 - kept) * X.mean(0), rtol=1e-4)


def test_a_trained_model_is_in_test_mode_outside_of_gradients():
    """Flux's layers do this by themselves: Dropout drops nothing, and BatchNorm uses its running statistics."""
    found = run_training(
        write_loop(LOOPS["the gradient alone"], "model = Chain(BatchNorm(2), Dropout(0.5), Dense(2 => 1))")
    )
    x = luxport.asarray(X, backend="jax")
    kept, ps = found.st["layer_1"], found.ps
    h = (X - np.asarray(kept["running_mean"])) / np.sqrt(np.asarray(kept["running_var"]) + 1e-5)
    h = h * np.asarray(ps["layer_1"]["scale"]) + np.asarray(ps["layer_1"]["bias"])
    wanted = h @ np.asarray(ps["layer_3"]["weight"]) + np.asarray(ps["layer_3"]["bias"])
    np.testing.assert_allclose(np.asarray(found(x)), wanted, rtol=1e-4, atol=1e-5)


def test_an_objective_is_defined_before_the_loop_unless_it_uses_its_data():
    def before(form: str) -> bool:
        python = translate(write_loop(LOOPS[form])).python
        return python.index("def objective") < python.index("for epoch")

    assert [before(form) for form in LOOPS] == [True, False, True, True, True]


@pytest.mark.parametrize(
    "source",
    [
        # A model given to the function: its caller would see the change.
        write_loop(LOOPS["the gradient alone"])
        .replace("model = Dense(2 => 1)\n", "\n")
        .replace("(x, y; ", "(model, x, y; "),
        write_loop("Flux.train!(mean_square, model, [(x, y)], opt, 3)"),
        write_loop("grads = Flux.gradient(m -> mean_square(m, x, y), other)"),
        write_loop("l, g = Flux.withgradient(m -> Flux.mse(m.weight, y), model)\nFlux.update!(opt, model, g[1])"),
        write_loop("l, g = Flux.withgradient(m -> Flux.mse(m(x), y), model)\nFlux.update!(opt, model, l)"),
        # The running statistics of another model's norms would change too.
        write_loop(
            "o2 = Flux.setup(Adam(), other)\ng = Flux.gradient(m -> Flux.mse(other(m(x)), y), model)[1]",
            "model = Dense(2 => 1)\nother = BatchNorm(1)",
        ),
        write_loop("if epochs > 2\n opt = Flux.setup(Adam(), model)\n end"),
    ],
)
def test_a_loop_that_would_train_something_else_is_marked(source: str):
    assert translate(source).holes
