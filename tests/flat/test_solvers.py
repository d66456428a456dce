"""Solvers that expect one vector train models: SciPy's L-BFGS, Diffrax on JAX, and torchdiffeq."""

# Diffrax and torchdiffeq leave much of their interfaces unannotated:
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalSubscript=false, reportOperatorIssue=false
from __future__ import annotations

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
import torch
import torchdiffeq

import luxport
from luxport import FlatParameters, flatten, optimizers
from luxport.backend import get_backend

FIT = luxport.Chain(luxport.Dense(1, 6, luxport.tanh), luxport.Dense(6, 1))
FIELD = luxport.Chain(luxport.Dense(2, 8, luxport.tanh), luxport.Dense(8, 2))
INPUTS = np.linspace(-1.0, 1.0, 12, dtype=np.float32)[:, None]


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_scipys_lbfgs_fits_a_sine(backend):
    """SciPy computes in double precision; the model and its gradients stay in single precision."""
    asarray, to_numpy = get_backend(backend).asarray, get_backend(backend).to_numpy
    ps, st = luxport.setup(0, FIT, backend=backend)
    x, y = asarray(INPUTS), asarray(np.sin(3 * INPUTS))
    vector, unflatten = flatten(ps)

    def loss(vector):
        distance = FIT(x, FlatParameters(vector, unflatten), st)[0] - y
        return luxport.namespace(distance).mean(distance * distance)

    value_and_grad = luxport.value_and_grad(loss)
    if backend != "torch":
        value_and_grad = luxport.jit(value_and_grad)

    def evaluate(doubles):
        value, slope = value_and_grad(asarray(doubles.astype(np.float32)))
        return float(value), np.asarray(to_numpy(slope), np.float64)

    first = np.asarray(to_numpy(vector), np.float64)
    found = scipy.optimize.minimize(evaluate, first, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    assert evaluate(first)[0] > 0.1 and found.fun < 0.002
    # The result can be used as parameters of the model.
    trained = unflatten(asarray(found.x.astype(np.float32)))
    assert float(luxport.namespace(x).max(abs(FIT(x, trained, st)[0] - y))) < 0.2


# The end points are a quarter turn of the starts in unit time, so the field to be learned is linear.
STARTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]], np.float32)
ENDS = (STARTS @ np.array([[0.0, 1.0], [-1.0, 0.0]])).astype(np.float32)


def test_diffrax_trains_a_neural_ode():
    ps, st = luxport.setup(0, FIELD, backend="jax")
    vector, unflatten = flatten(ps)

    def field(t, u, vector):
        return FIELD(u, FlatParameters(vector, unflatten), st)[0]

    def loss(vector):
        solution = diffrax.diffeqsolve(
            *(diffrax.ODETerm(field), diffrax.Heun(), 0.0, 1.0, 0.25, jnp.asarray(STARTS), vector), max_steps=8
        )
        return jnp.mean((solution.ys[-1] - ENDS) ** 2)

    @jax.jit
    def step(state, vector):
        value, slope = jax.value_and_grad(loss)(vector)
        return *optimizers.update(state, vector, slope), value

    state, values = optimizers.setup(optimizers.Adam(0.05), vector), []
    for _ in range(80):
        state, vector, value = step(state, vector)
        values.append(float(value))
    assert values[0] > 0.3 and values[-1] < 0.01


@pytest.mark.parametrize("adjoint", [False, True], ids=["through the solver", "adjoint"])
def test_torchdiffeq_trains_a_neural_ode(adjoint):
    """The adjoint method expects parameters as tensors: here one vector holds them all."""
    ps, st = luxport.setup(0, FIELD, backend="torch")
    vector, unflatten = flatten(ps)
    times, starts, ends = torch.tensor([0.0, 1.0]), torch.from_numpy(STARTS), torch.from_numpy(ENDS)

    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vector = torch.nn.Parameter(vector.clone())

        def forward(self, t, u):
            return FIELD(u, FlatParameters(self.vector, unflatten), st)[0]

    module = Field()
    solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
    optimizer, values = torch.optim.Adam(module.parameters(), lr=0.05), []
    for _ in range(60):
        optimizer.zero_grad()
        end = solve(module, starts, times, method="midpoint", options={"step_size": 0.25})[-1]
        value = torch.mean((end - ends) ** 2)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[0] > 0.3 and values[-1] < 0.02


def test_a_tf_variable_may_hold_the_vector():
    """The usual way in TensorFlow: one tf.Variable, updated inside a tf.function."""
    ps, st = luxport.setup(0, FIT, backend="tf")
    vector, unflatten = flatten(ps)
    variable = tf.Variable(vector)
    x, y = tf.constant(INPUTS), tf.constant(np.sin(3 * INPUTS))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            distance = FIT(x, unflatten(tf.convert_to_tensor(variable)), st)[0] - y
            value = tf.reduce_mean(distance * distance)
        variable.assign_sub(0.3 * tape.gradient(value, variable))
        return value

    values = [float(step()) for _ in range(50)]
    assert values[-1] < values[0] / 2
