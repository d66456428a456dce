"""What `fit` was given is not lost where data, a callback or the objective end it; what is no data is told."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import numpy as np
import pytest

import luxport
from luxport import optimizers, training

X = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
MSE = luxport.losses.MSELoss()


def start(backend):
    return training.TrainState.create(luxport.Dense(1, 1), optimizers.Adam(0.1), backend=backend)


def batches_that_end():
    for _ in range(4):
        yield X, 2 * X
    raise OSError("the disk is gone")


class TwoThenGone:
    def __iter__(self):
        return batches_that_end()


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_an_error_of_data_has_the_state_after_the_last_step(backend, jit):
    wanted = start(backend)
    for _ in range(3):  # a batch is moved ahead: the fourth was waiting when the fifth failed
        _, _, wanted = training.train_step(
            MSE, (luxport.asarray(X, backend=backend), luxport.asarray(2 * X, backend=backend)), wanted, jit=jit
        )
    with pytest.raises(OSError, match="the disk is gone") as caught:
        training.fit(MSE, start(backend), TwoThenGone(), show=None, jit=jit)
    state = caught.value.state
    assert int(state.step) == 3
    np.testing.assert_array_equal(luxport.to_numpy(state.ps["weight"]), luxport.to_numpy(wanted.ps["weight"]))
    training.fit(MSE, state, (X, 2 * X), show=None, jit=jit)  # and it goes on


def test_an_error_of_a_callback_has_the_state_and_the_logs():
    def fail(progress):
        raise RuntimeError("no plot")

    with pytest.raises(RuntimeError, match="no plot") as caught:
        training.fit(MSE, start("torch"), (X, X), batch_size=4, callbacks=[fail], show=None, jit=False)
    assert int(caught.value.state.step) == 2 and len(caught.value.history) == 1
    assert "error.state" in caught.value.__notes__[-1]


def test_a_loss_that_is_not_finite_has_its_own_state():
    with pytest.raises(training.NonFiniteError) as caught:
        training.fit(MSE, start("torch"), (X * np.nan, X), show=None, jit=False)
    assert int(caught.value.state.step) == 0


def test_samples_are_told_from_batches():
    import torch

    class Samples(torch.utils.data.Dataset):
        def __getitem__(self, i):
            return torch.ones(1), torch.ones(1)

    with pytest.raises(TypeError, match=r"as batches, got samples.*DataLoader"):
        training.fit(MSE, start("torch"), Samples(), show=None)


@pytest.mark.parametrize("data", [(X.tolist(), X.tolist()), {"x": X.tolist(), "y": [1.0, 2.0]}])
def test_lists_of_numbers_are_told_from_arrays(data):
    with pytest.raises(TypeError, match="expect whole data as arrays, got lists of numbers: numpy.asarray"):
        training.fit(MSE, start("torch"), data, show=None)
    pairs = [[X, X], [X, X]]  # batches, which are lists of arrays
    state, _ = training.fit(MSE, start("torch"), pairs, show=None, jit=False)
    assert int(state.step) == 2


def test_no_gradients_are_told():
    ps, _ = luxport.setup(0, luxport.Dense(1, 1), backend="numpy")
    with pytest.raises(TypeError, match="expects gradients like ps, got None"):
        optimizers.update(optimizers.setup(optimizers.Adam(), ps), ps, None)
