"""The conformance suite is tested by planted faults: each must be caught by the case or law named beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport.backend import get_backend, namespace
from luxport.ops import definition_of
from luxport_conformance.cases import BY_ID
from luxport_conformance.compare import Violation
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.laws import LAWS
from luxport_conformance.runner import run_case, run_law, run_override

# Taken before any fault is planted.
CONV, BATCH_NORM_OP, DENSE_OP = definition_of(ops.conv), definition_of(ops.batch_norm), definition_of(ops.dense)
DROPOUT, MEAN_POOL = definition_of(ops.dropout), definition_of(ops.mean_pool)

Plant = Callable[[pytest.MonkeyPatch], None]


def replace_operation(name: str, faulty: Callable[..., Any]) -> Plant:
    """Layers look operations up in `luxport.ops`: the fault is there on every backend."""
    return lambda patch: patch.setattr(ops, name, faulty)


def replace_call(layer: type, faulty: Callable[..., Any]) -> Plant:
    return lambda patch: patch.setattr(layer, "__call__", faulty)


def unflipped(*arrays: Any, flip: bool, **options: Any) -> Any:
    return CONV(*arrays, flip=not flip, **options)


def ignores_dilation(*arrays: Any, dilation: Any, **options: Any) -> Any:
    return CONV(*arrays, dilation=(1,) * len(dilation), **options)


def same_pad_high(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    pairs = tuple((high, low) for low, high in layer._windows.padding)
    windows = layer._windows
    y = ops.conv(
        *(x, ps["weight"], ps.get("bias")),
        stride=windows.stride,
        padding=pairs,
        dilation=windows.dilation,
        groups=layer.groups,
        flip=not layer.cross_correlation,
    )
    return layer.activation(y), st


def biased_running_var(x: Any, scale: Any, bias: Any, mean: Any, var: Any, *, training: bool, **options: Any) -> Any:
    y, new_mean, new_var = BATCH_NORM_OP(x, scale, bias, mean, var, training=training, **options)
    if training and var is not None:
        n = int(np.prod(x.shape)) // x.shape[1]
        kept = (1.0 - options["momentum"]) * var
        new_var = kept + (new_var - kept) * ((n - 1) / n)
    return y, new_mean, new_var


def epsilon_outside_the_root(x: Any, scale: Any, bias: Any, mean: Any, var: Any, **options: Any) -> Any:
    epsilon = options["epsilon"]
    y, new_mean, new_var = BATCH_NORM_OP(x, None, None, mean, var, **{**options, "epsilon": 0.0})
    xp, wide = namespace(x), (1, -1) + (1,) * (len(x.shape) - 2)
    axes = tuple(i for i in range(len(x.shape)) if i != 1)
    batch = options["training"] or var is None
    deviation = xp.sqrt(xp.var(x, axis=axes) if batch else var)
    y = y * xp.reshape(deviation / (deviation + epsilon), wide)
    y = y if scale is None else y * xp.reshape(scale, wide)
    return y if bias is None else y + xp.reshape(bias, wide), new_mean, new_var


def without_bias(x: Any, weight: Any, bias: Any) -> Any:
    return DENSE_OP(x, weight, None)


def mask_over_the_other_axes(x: Any, key: Any, counter: Any, *, p: float, axes: Any = None) -> Any:
    if axes is not None:
        axes = tuple(i for i in range(len(x.shape)) if i not in axes)
    return DROPOUT(x, key, counter, p=p, axes=axes)


def unscaled_dropout(x: Any, key: Any, counter: Any, *, p: float, axes: Any = None) -> Any:
    return DROPOUT(x, key, counter, p=p, axes=axes) * (1.0 - p)


def counter_stands_still(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    key, counter = st["rng"]["key"], st["rng"]["counter"]
    return (ops.dropout(x, key, counter, p=layer.p, axes=layer.axes) if st["training"] else x), st


def loses_its_mode(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y, state = BATCH_NORM(layer, x, ps, st)
    return y, {name: value for name, value in state.items() if name != "training"}


def widens_its_state(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y, state = BATCH_NORM(layer, x, ps, st)
    xp = namespace(x)
    return y, {n: v if n == "training" else xp.astype(v, xp.float64) for n, v in state.items()}


def writes_into_its_input(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = SCALE(layer, x, ps, st)[0]
    x += 1.0
    return y, st


def counts_its_calls(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    CALLS.append(None)
    return SCALE(layer, x, ps, st)[0] + 1e-3 * len(CALLS), st


def meets_its_neighbours(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = DENSE(layer, x, ps, st)[0]
    return y - 1e-3 * namespace(y).mean(y), st


def single_precision(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    xp = namespace(x)
    y = SCALE(layer, x, ps, st)[0]
    return xp.astype(xp.astype(y, xp.float32), y.dtype), st


def mean_over_what_is_there(*arrays: Any, count_include_pad: bool = True, **options: Any) -> Any:
    return MEAN_POOL(*arrays, count_include_pad=False, **options)


BATCH_NORM, SCALE, DENSE = luxport.BatchNorm.__call__, luxport.Scale.__call__, luxport.Dense.__call__
CALLS: list[None] = []


def scaled_gradient(factor: float) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        torch: Any = get_backend("torch")
        honest = torch.value_and_grad

        def value_and_grad(*args: Any) -> Any:
            def transformed(*inputs: Any) -> Any:
                value, gradient = honest(*args)(*inputs)
                return value, luxport.tree.map(lambda leaf: leaf * factor, gradient)

            return transformed

        patch.setattr(torch, "value_and_grad", value_and_grad)

    return plant


def blocked_statistics(patch: pytest.MonkeyPatch) -> None:
    def batch_norm(x: Any, *rest: Any, **options: Any) -> Any:
        xp = namespace(x)
        mean = luxport.stop_gradient(xp.mean(x, axis=0))
        y, *statistics = BATCH_NORM_OP(x, *rest, **options)
        return (y + (mean - xp.mean(x, axis=0)), *statistics)

    patch.setattr(ops, "batch_norm", batch_norm)


def override(name: str, faulty: Callable[..., Any]) -> Plant:
    return lambda patch: patch.setattr(get_backend("torch").ops, name, faulty)


def case(name: str, backend: str = "numpy") -> Callable[[], float]:
    return lambda: run_case(BY_ID[name], backend)


def law(name: str, layer: str, example: int = 1, backend: str = "numpy", dtype: str = "float32") -> Callable[[], float]:
    return lambda: run_law(LAWS[name], EXAMPLES[layer][example - 1], backend, dtype)


def overrides(name: str) -> Callable[[], float]:
    return lambda: run_override(name, 0, "torch", "float32")


MUTANTS: dict[str, tuple[Plant, Callable[[], float]]] = {
    "conv without its flip": (replace_operation("conv", unflipped), case("conv.impulse_3_3")),
    "conv without its flip, by NNlib": (replace_operation("conv", unflipped), case("conv.counting_2d")),
    "conv ignores dilation": (replace_operation("conv", ignores_dilation), case("conv.counting_1d")),
    "SamePad's odd one high": (replace_call(luxport.Conv, same_pad_high), case("conv.same_pad_low")),
    "mean pool leaves padding out": (
        replace_operation("mean_pool", mean_over_what_is_there),
        case("mean_pool.counts_padding"),
    ),
    "biased running variance": (
        replace_operation("batch_norm", biased_running_var),
        case("batch_norm.running_var"),
    ),
    "epsilon outside the root": (
        replace_operation("batch_norm", epsilon_outside_the_root),
        case("batch_norm.epsilon_in_the_root"),
    ),
    "no gradient through the batch's mean": (
        blocked_statistics,
        law("gradient_is_slope", "BatchNorm", 1, "torch", "float64"),
    ),
    "dropped bias": (replace_operation("dense", without_bias), case("dense.bias_and_activation")),
    "gradient scaled by 1.001, by slope": (
        scaled_gradient(1.001),
        law("gradient_is_slope", "Dense", 2, "torch", "float64"),
    ),
    "gradient scaled by 1.001, by NNlib": (scaled_gradient(1.001), case("conv.counting_gradients_1d", "torch")),
    "mask over the wrong axis": (
        replace_operation("dropout", mask_over_the_other_axes),
        case("dropout.mask_along_batch"),
    ),
    "dropout unscaled": (replace_operation("dropout", unscaled_dropout), case("dropout.op_scale")),
    "counter stands still": (replace_call(luxport.Dropout, counter_stands_still), law("modes", "Dropout")),
    "counter stands still, by case": (replace_call(luxport.Dropout, counter_stands_still), case("dropout.counter")),
    "state loses an entry": (replace_call(luxport.BatchNorm, loses_its_mode), law("state_kept", "BatchNorm")),
    "state changes its dtype": (replace_call(luxport.BatchNorm, widens_its_state), law("state_kept", "BatchNorm")),
    "input written into": (replace_call(luxport.Scale, writes_into_its_input), law("inputs_untouched", "Scale")),
    "another result each time": (replace_call(luxport.Scale, counts_its_calls), law("repeats", "Scale")),
    "samples that meet": (replace_call(luxport.Dense, meets_its_neighbours), law("samples_apart", "Dense")),
    "float32 inside float64": (
        replace_call(luxport.Scale, single_precision),
        lambda: run_case(BY_ID["scale.tanh"], "numpy", "eager", "float64"),
    ),
    "an override in another dtype": (override("relu", lambda x: x.clamp(min=0).double()), overrides("relu")),
    "an override with another gradient": (override("relu", lambda x: x.detach().clamp(min=0)), overrides("relu")),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, check = MUTANTS[mutant]
    assert check() < float("inf")
    plant(monkeypatch)
    with pytest.raises(Violation):
        check()
