"""Errors in `fit`: the state is kept when data, a callback or the objective fail, and wrong data is explained."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import numpy as np
import pytest

import luxport
from luxport import optimizers, training

X = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
MSE = luxport.losses.MSELoss()


def create_state(backend):
    return training.TrainState.create(luxport.Dense(1, 1), optimizers.Adam(0.1), backend=backend)


def make_failing_batches():
    for _ in range(4):
        yield X, 2 * X
    raise OSError("the disk is gone")


class FailingData:
    def __iter__(self):
        return make_failing_batches()


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_an_error_of_data_has_the_state_after_the_last_step(backend, jit):
    wanted = create_state(backend)
    for _ in range(3):  # one batch is moved ahead: the fourth was waiting when the fifth failed
        _, _, wanted = training.train_step(
            MSE, (luxport.asarray(X, backend=backend), luxport.asarray(2 * X, backend=backend)), wanted, jit=jit
        )
    with pytest.raises(OSError, match="the disk is gone") as caught:
        training.fit(MSE, create_state(backend), FailingData(), show=None, jit=jit)
    state = caught.value.state
    assert int(state.step) == 3
    np.testing.assert_array_equal(luxport.to_numpy(state.ps["weight"]), luxport.to_numpy(wanted.ps["weight"]))
    training.fit(MSE, state, (X, 2 * X), show=None, jit=jit)  # training can continue from it


def test_an_error_of_a_callback_has_the_state_and_the_logs():
    def fail(progress):
        raise RuntimeError("no plot")

    with pytest.raises(RuntimeError, match="no plot") as caught:
        training.fit(MSE, create_state("torch"), (X, X), batch_size=4, callbacks=[fail], show=None, jit=False)
    assert int(caught.value.state.step) == 2 and len(caught.value.history) == 1
    assert "error.state" in caught.value.__notes__[-1]


def test_a_loss_that_is_not_finite_keeps_the_state_before():
    with pytest.raises(training.NonFiniteError) as caught:
        training.fit(MSE, create_state("torch"), (X * np.nan, X), show=None, jit=False)
    assert int(caught.value.state.step) == 0


def test_samples_instead_of_batches_are_an_error():
    import torch

    class Samples(torch.utils.data.Dataset):
        def __getitem__(self, i):
            return torch.ones(1), torch.ones(1)

    with pytest.raises(TypeError, match=r"as batches, got samples.*DataLoader"):
        training.fit(MSE, create_state("torch"), Samples(), show=None)


@pytest.mark.parametrize("data", [(X.tolist(), X.tolist()), {"x": X.tolist(), "y": [1.0, 2.0]}])
def test_lists_of_numbers_instead_of_arrays_are_an_error(data):
    with pytest.raises(TypeError, match="expect whole data as arrays, got lists of numbers: numpy.asarray"):
        training.fit(MSE, create_state("torch"), data, show=None)
    pairs = [[X, X], [X, X]]  # batches that are lists of arrays are accepted
    state, _ = training.fit(MSE, create_state("torch"), pairs, show=None, jit=False)
    assert int(state.step) == 2


def test_missing_gradients_are_an_error():
    ps, _ = luxport.setup(0, luxport.Dense(1, 1), backend="numpy")
    with pytest.raises(TypeError, match="expects gradients like ps, got None"):
        optimizers.update(optimizers.setup(optimizers.Adam(), ps), ps, None)
