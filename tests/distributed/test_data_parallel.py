"""`data_parallel`: exact sums of integers, BatchNorm found inside other layers, statistics of complex numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import distributed
from luxport.core.surgery import replace_layers
from luxport.distributed._batch_norm import synchronize_layer
from luxport.distributed._workers import average_together
from luxport.optimizers import Descent
from luxport.training import TrainState, fit

KINDS = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")


def _sum_by_average(backend: str, numbers: Any, kind: str, size: int) -> list[int]:
    """Return the sums that `average_together` computes for workers with equal integers."""
    x = luxport.asarray(np.asarray(numbers, kind), backend=backend, dtype=kind)

    def mean(arrays: list[Any]) -> list[Any]:
        shares = [array / size for array in arrays]
        return [sum([share] * (size - 1), share) for share in shares]

    found = average_together(mean, size, (), luxport.asarray(np.float32(1), backend=backend), {"n": x}, ())[2]["n"]
    assert luxport.backend.dtype_name(found) == kind and found.shape == x.shape
    return luxport.to_numpy(found).astype(object).tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_sums_of_integers_are_exact(backend: str, kind: str) -> None:
    """Float32 would hold them only up to 16 million; overflow wraps around as in NumPy."""
    if backend == "jax" and "64" in kind:  # only available with JAX_ENABLE_X64
        return
    info = np.iinfo(kind)
    numbers = np.array([info.min, info.min // 3, -1 if info.min else 1, 0, 7, info.max // 3, info.max - 1], kind)
    for size in (1, 2, 3, 999):
        with np.errstate(over="ignore"):
            wanted = (numbers * np.asarray(size).astype(kind)).astype(kind).astype(object).tolist()
        assert _sum_by_average(backend, numbers, kind, size) == wanted


HOLDERS = {
    "frozen": luxport.FrozenLayer(luxport.BatchNorm(3)),
    "within": luxport.Chain(luxport.Dense(3, 3), luxport.FrozenLayer(luxport.Chain(luxport.BatchNorm(3)))),
    "tied": luxport.Tied(
        luxport.Chain(luxport.BatchNorm(3), luxport.BatchNorm(3)), ((("layer_1", "scale"), ("layer_2", "scale")),)
    ),
    "beside": luxport.Parallel(None, luxport.BatchNorm(3), luxport.BatchNorm(3)),
    "compact": luxport.compact(norm=luxport.BatchNorm(3), list=[luxport.BatchNorm(3)])(
        lambda x, *, norm, list: list[0](norm(x))
    ),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_every_batch_norm_is_synchronized(name: str) -> None:
    model = replace_layers(synchronize_layer, HOLDERS[name])
    assert repr(model) == repr(HOLDERS[name]).replace("BatchNorm(", "SyncBatchNorm(") != repr(HOLDERS[name])
    trees = [luxport.tree.structure(luxport.setup(0, one)) for one in (model, HOLDERS[name])]
    assert trees[0] == trees[1] and type(model) is type(HOLDERS[name])


def test_the_last_call_decides_whether_batch_norms_are_synchronized() -> None:
    distributed.initialize("local")
    try:
        state = TrainState.create(HOLDERS["within"], Descent(0.1))
        synchronized = distributed.data_parallel(state, sync_batch_norm=True)
        assert distributed.data_parallel(synchronized, sync_batch_norm=True).model == synchronized.model != state.model
        assert distributed.data_parallel(synchronized).model == state.model
    finally:
        distributed.shutdown()
    # In test mode the model can be used without the other processes.
    y, _ = synchronized.model(np.ones((2, 3), np.float32), synchronized.ps, luxport.test_mode(synchronized.st))
    assert y.shape == (2, 3)


def test_a_function_as_model_cannot_be_synchronized() -> None:
    distributed.initialize("local")
    try:
        ps = {"weight": luxport.asarray([1.0], backend="torch", dtype="float32")}
        state = TrainState.create(lambda x, ps, st: (x * ps["weight"], st), Descent(0.1), ps=ps, st={})
        with pytest.raises(TypeError, match="^data_parallel with sync_batch_norm expects a layer as model, got"):
            distributed.data_parallel(state, sync_batch_norm=True)
    finally:
        distributed.shutdown()


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_complex_statistics_are_left_out_of_the_logs(backend: str) -> None:
    """Logs hold real numbers: JAX would refuse complex ones, and PyTorch drop the imaginary part."""

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        y, st = model(data, ps, st)
        xp = luxport.namespace(y)
        loss = xp.mean(y * y)
        return loss, st, {"turn": xp.astype(loss, xp.complex64), "twice": 2 * loss, "count": 3, "nothing": None}

    state = TrainState.create(luxport.Dense(1, 1), Descent(0.1), backend=backend)
    x = np.ones((2, 1), np.float32)
    logs = fit(objective, state, [x], validation=[x], jit=False, show=None)[1][0]
    assert {"loss", "twice", "count", "val_twice"} <= logs.keys() and not {"turn", "val_turn", "nothing"} & logs.keys()
    assert math.isclose(logs["twice"], 2 * logs["loss"], rel_tol=1e-6)
