"""Planted faults that the laws catch: in states, gradients, dtypes, purity, and in backends' own operations."""

from __future__ import annotations

from typing import Any

import pytest

import luxport
from luxport import ops
from luxport.backend import get_backend, namespace
from luxport.core.flat_layout import split_vector
from luxport.ops import definition_of, operation, shapes
from luxport.optimizers._adam import adam_step

from .planting import Check, Mutants, Plant, case, catch_each, held, law, override, overrides, replace_call

# The functions as they are before any fault is planted.
BATCH_NORM_OP, CONV = definition_of(ops.batch_norm), definition_of(ops.conv_nd)
BATCH_NORM, SCALE, DENSE = luxport.BatchNorm.__call__, luxport.Scale.__call__, luxport.Dense.__call__
ADAM, SPLIT = definition_of(adam_step), definition_of(split_vector)
CALLS: list[None] = []


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


def learns_in_testing(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y, _ = BATCH_NORM(layer, x, ps, st)
    return y, {**BATCH_NORM(layer, x, ps, luxport.train_mode(st))[1], "training": st["training"]}


def writes_into_its_input(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = SCALE(layer, x, ps, st)[0]
    x += 1.0
    return y, st


def writes_into_its_parameters(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = SCALE(layer, x, ps, st)[0]
    ps["weight"][...] = 0.0
    return y, st


def counts_its_calls(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    CALLS.append(None)
    return SCALE(layer, x, ps, st)[0] + 1e-3 * len(CALLS), st


def supplies_a_new_operation(patch: pytest.MonkeyPatch) -> None:
    def doubled(x: Any) -> Any:
        return x + x

    patch.setattr(shapes, "doubled", operation(doubled), raising=False)
    override("doubled", doubled)(patch)


def meets_its_neighbors(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = DENSE(layer, x, ps, st)[0]
    return y - 1e-3 * namespace(y).mean(y), st


def single_precision(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    xp = namespace(x)
    y = SCALE(layer, x, ps, st)[0]
    return xp.astype(xp.astype(y, xp.float32), y.dtype), st


def always_double(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    y = SCALE(layer, x, ps, st)[0]
    return namespace(x).astype(y, namespace(x).float64), st


def loses_its_batch(layer: Any, x: Any, ps: Any, st: Any) -> Any:
    return DENSE(layer, x, ps, st)[0][0, ...], st


def changed_gradient(factor: float) -> Plant:
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


def slope(layer: str, example: int = 1) -> Check:
    return law("gradient_is_slope", layer, example, "torch", "float64")


def ignores_dilation(*arrays: Any, dilation: Any, **options: Any) -> Any:
    y = CONV(*arrays, dilation=dilation, **options)
    undilated = CONV(*arrays, dilation=(1,) * len(dilation), **options)
    return undilated[tuple(slice(0, n) for n in y.shape)]


MUTANTS: Mutants = {
    "no gradient through the batch's mean": (blocked_statistics, slope("BatchNorm")),
    "gradient scaled by 1.001, by slope": (changed_gradient(1.001), slope("Dense", 2)),
    "gradient scaled by 1.001, by NNlib": (changed_gradient(1.001), case("conv.counting_gradients_1d", "torch")),
    "gradient of the other sign": (changed_gradient(-1.0), slope("Scale")),
    "gradient of nothing": (changed_gradient(0.0), case("max_pool.counting_gradients_1d", "torch")),
    "counter stands still": (replace_call(luxport.Dropout, counter_stands_still), law("modes", "Dropout")),
    "counter stands still, by case": (replace_call(luxport.Dropout, counter_stands_still), case("dropout.counter")),
    "state loses an entry": (replace_call(luxport.BatchNorm, loses_its_mode), law("state_kept", "BatchNorm")),
    "state changes its dtype": (replace_call(luxport.BatchNorm, widens_its_state), law("state_kept", "BatchNorm")),
    "statistics move in testing": (replace_call(luxport.BatchNorm, learns_in_testing), law("modes", "BatchNorm")),
    "input written into": (replace_call(luxport.Scale, writes_into_its_input), law("inputs_untouched", "Scale")),
    "parameters written into": (
        replace_call(luxport.Scale, writes_into_its_parameters),
        law("inputs_untouched", "Scale"),
    ),
    "another result each time": (replace_call(luxport.Scale, counts_its_calls), law("repeats", "Scale")),
    "samples that meet": (replace_call(luxport.Dense, meets_its_neighbors), law("samples_apart", "Dense")),
    "a batch that is lost": (replace_call(luxport.Dense, loses_its_batch), case("dense.batch")),
    "float32 inside float64": (replace_call(luxport.Scale, single_precision), case("scale.tanh", dtype="float64")),
    "float64 out of float32": (replace_call(luxport.Scale, always_double), law("values", "Scale")),
    "an override in another dtype": (override("relu", lambda x: x.clamp(min=0).double()), overrides("relu")),
    "an override with another gradient": (override("relu", lambda x: x.detach().clamp(min=0)), overrides("relu")),
    "an override with another value": (override("relu", lambda x: x.abs()), overrides("relu")),
    "an override in place": (override("relu", lambda x: (x.clamp(min=0), x.data.zero_())[0]), overrides("relu")),
    "an override of another signature": (override("softmax", lambda x, *, axis=0: x), held),
    "an override that no example holds": (supplies_a_new_operation, held),
    "an override that nothing calls": (override("conv", get_backend("torch").ops.conv_nd), held),
    "an override of a step that differs": (
        override("adam_step", lambda *arrays, **options: ADAM(*arrays, **{**options, "epsilon": 1e-3})),
        overrides("adam_step"),
    ),
    "an override of pieces in another order": (
        override("split_vector", lambda vector, *, sizes: SPLIT(vector.flip(0), sizes=sizes)),
        overrides("split_vector"),
    ),
    "an override that answers otherwise": (override("value_range", lambda x: (0, 9)), overrides("value_range")),
    "an override that ignores dilation": (override("conv_nd", ignores_dilation), overrides("conv_nd", 7)),
    "an override that ignores groups' order": (
        override("conv_nd", lambda x, *rest, **options: CONV(x[:, [0, 2, 1, 3], ...], *rest, **options)),
        overrides("conv_nd", 5),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
