"""The laws of `train_step`, checkpoints and `fit`, on every framework that differentiates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
import torch
import torch._dynamo.utils
import torch.utils.data
from small_training import ALL, LOSS, PLAIN, RULE, X, Y, bits, data, entries, near, start

import luxport as lp
from luxport import losses, optimizers, training
from luxport.training import DataLoader, TrainState, restore, save_checkpoint, train_step
from luxport.training._step_programs import MOST_PLANS


def test_the_last_program_of_an_objective_is_that_of_the_same_options():
    batch, state = data("torch"), start("torch", PLAIN)
    parts: Any
    for parts in (1, 2, 1):
        _, _, state = train_step(LOSS, batch, state, jit=False, accumulate=parts)
    for parts in (True, 1.0):  # which Python calls equal to 1
        with pytest.raises(ValueError, match="a positive int as accumulate"):
            train_step(LOSS, batch, state, jit=False, accumulate=parts)
    before = train_step(LOSS, batch, state, jit=False, donate=False)[0]
    assert float(train_step(losses.MAELoss(), batch, state, jit=False, donate=False)[0]) != float(before)
    assert float(train_step(LOSS, batch, state, jit=False, donate=False)[0]) == float(before)


def test_a_step_is_gradient_and_update(differentiating):
    batch = data(differentiating)
    state = start(differentiating)
    grads, loss, _, after = training.compute_gradients(LOSS, batch, state)
    after = training.apply_gradients(after, grads)
    ways: Any = ({"donate": False}, {"jit": False, "donate": False}, {"jit": False})
    for options in ways:
        value, stats, new = train_step(LOSS, batch, state, **options)
        near((value, entries(new)), (loss, entries(after)))
        assert stats == {} and int(new.step) == 1
        if differentiating.name == "jax" and options == ways[0]:
            with jax.transfer_guard("disallow"):
                train_step(LOSS, batch, state, **options)
    with pytest.raises(training.StateTakenError, match="^this TrainState was taken over by train_step, .*donate=False"):
        train_step(LOSS, batch, state)
    with pytest.raises(training.StateTakenError, match="taken over"):
        _ = state.ps


def test_parameters_that_require_a_gradient_keep_no_graph():
    ps, st = lp.setup(0, PLAIN, backend="torch")
    leaves = lp.tree.map(lambda leaf: leaf.clone().requires_grad_(), ps)
    one, other = [TrainState.create(PLAIN, RULE, ps=given, st=st) for given in (ps, leaves)]
    for _ in range(2):
        one, other = [train_step(LOSS, data("torch"), state, jit=False)[2] for state in (one, other)]
    assert bits(entries(one)) == bits(entries(other))
    assert not any([leaf.requires_grad for leaf in lp.tree.leaves((other.ps, other.opt_state))])
    assert all([leaf.requires_grad and leaf.grad is None for leaf in lp.tree.leaves(leaves)])


def test_an_objective_that_is_changed_is_another_program(differentiating):
    """By a hash of its fields, it is not the one it was: the compiled step computes with the new number."""

    @dataclass(unsafe_hash=True)
    class Scaled:
        factor: float

        def __call__(self, model, ps, st, batch):
            loss, st, stats = LOSS(model, ps, st, batch)
            return loss * self.factor, st, stats

    objective, batch, values = Scaled(1.0), data(differentiating), []
    for factor in (1.0, 3.0):
        objective.factor = factor
        jit = differentiating.name != "torch"  # whose compiler would take long to say the same
        values.append(train_step(objective, batch, start(differentiating, PLAIN), jit=jit)[0])
    np.testing.assert_allclose(*[lp.to_numpy(value) for value in (values[1], 3 * values[0])], rtol=1e-6)
    for i in range(MOST_PLANS):  # the table of programs lets it go, although its hash is another one now
        train_step(Scaled(i + 10.0), batch, start(differentiating, PLAIN), jit=False)


def test_parts_and_several_steps_of_a_call(differentiating):
    batch = data(differentiating)
    whole, parts = [
        train_step(LOSS, batch, start(differentiating, PLAIN), jit=False, accumulate=count) for count in (1, 2)
    ]
    near((whole[0], whole[2].ps), (parts[0], parts[2].ps))
    one, three = start(differentiating), start(differentiating)
    values = []
    for _ in range(3):
        value, _, one = train_step(LOSS, batch, one, jit=False)
        values.append(value)
    together, stats, three = train_step(LOSS, [batch] * 3, three, jit=False, steps_per_call=3)
    assert bits(together) == bits(lp.namespace(values[0]).stack(values)) and bits(entries(one)) == bits(entries(three))
    assert stats == [{}] * 3


@pytest.mark.parametrize("count", [3, 5, 9])
@pytest.mark.parametrize("size", [8, 1])
def test_parts_of_two_sizes(differentiating, count, size):
    """The gradient and the statistics of the whole, whatever the number of samples is."""
    x, y = (values[:size, ...] for values in data(differentiating))

    def objective(model, ps, st, batch):
        loss, st, _ = LOSS(model, ps, st, batch)
        return loss, st, {"twice": loss * 2, "count": batch[0].shape[0]}

    whole, stats, one = train_step(objective, (x, y), start(differentiating, PLAIN), jit=False)
    loss, added, state = train_step(objective, (x, y), start(differentiating, PLAIN), jit=False, accumulate=count)
    near((whole, stats["twice"], one.ps), (loss, added["twice"], state.ps))
    assert added["count"] == stats["count"] == size


def test_what_is_not_finite(differentiating):
    x, y = data(differentiating)
    state = start(differentiating)
    before = bits(entries(state))
    for jit in (False, True):
        loss, _, state = train_step(LOSS, (x * float("inf"), y), state, nonfinite="skip", jit=jit)
        assert not np.isfinite(float(loss)) and bits(entries(state)) == before
    assert int(state.skipped) == 2
    with pytest.raises(training.NonFiniteError, match="^train_step expects a finite loss and gradient") as caught:
        train_step(LOSS, (x * float("nan"), y), state, nonfinite="raise", jit=False)
    assert bits(entries(caught.value.state)) == before
    plain = start(differentiating, rule=optimizers.Adam())
    assert not np.isfinite(float(train_step(LOSS, (x * float("nan"), y), plain, jit=False)[0]))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_around_single_parameters(differentiating, precision):
    batch = data(differentiating)
    half = start(differentiating, PLAIN, precision=precision)
    single = start(differentiating, PLAIN)
    for _ in range(8):
        jit = differentiating.name == "jax"
        _, _, half = train_step(LOSS, batch, half, jit=jit)
        if int(half.step):
            _, _, single = train_step(LOSS, batch, single, jit=jit)
    assert {str(np.asarray(leaf).dtype) for leaf in lp.tree.leaves(lp.to_numpy(half.ps))} == {"float32"}
    assert int(half.step) >= 4 and (half.scale is None) == (precision == "bfloat16")
    narrow = lp.bf16 if precision == "bfloat16" else lp.f16
    by_hand, _ = PLAIN(narrow(batch[0]), narrow(half.ps), half.st)
    found = training.evaluate(LOSS, half, batch, batch_size=8, jit=False)
    np.testing.assert_allclose(found["loss"], float(LOSS(lp.f32(by_hand), batch[1])), rtol=1e-6)


def _steeply(model, ps, st, data):
    """Ask for the slope of the output too: a gradient inside the one that is taken."""
    x, y = data
    slope = lp.grad(lambda x: model(x, ps, st)[0].sum())(x)
    loss, st, _ = LOSS(model, ps, st, data)
    return loss + (slope**2).mean(), st, {"bias": ps["layer_1"]["bias"]}


def _failing(model, ps, st, data):
    raise ValueError("no loss")


def test_pytorch_differentiates_at_the_parameters_themselves():
    batch = data("torch")
    state, other = [start("torch", PLAIN, optimizers.Adam()) for _ in range(2)]
    leaves = lp.tree.leaves(state.ps)
    with pytest.raises(ValueError, match="no loss"):
        train_step(_failing, batch, state, jit=False)
    assert not any([leaf.requires_grad for leaf in leaves])
    for _ in range(3):
        loss, stats, state = train_step(_steeply, batch, state, jit=False)
        expected, _, other = train_step(_steeply, batch, other, jit=False, donate=False)
        near((loss, entries(state)), (expected, entries(other)), 1e-6)
        assert not any([leaf.requires_grad for leaf in (loss, stats["bias"], *leaves)])
    assert all([new is old for new, old in zip(lp.tree.leaves(state.ps), leaves, strict=True)])


@pytest.mark.parametrize("rule", [optimizers.Adam(), optimizers.AdamW(), optimizers.Momentum()], ids=repr)
def test_nothing_in_a_step_waits_for_an_accelerator_of_pytorch(monkeypatch, rule):
    """Tensors of the CPU say that they are elsewhere, and refuse to tell their numbers."""
    model = lp.Chain(
        *(lp.Conv((3, 3), 1, 2, lp.gelu), lp.BatchNorm(2, lp.relu), lp.MaxPool((2, 2)), lp.FlattenLayer()),
        *(lp.Dense(2, 4, lp.swish), lp.LayerNorm(4), lp.Dense(4, 3)),
    )
    state = start("torch", model, rule)
    batch = torch.ones((2, 1, 4, 4)), torch.tensor([0, 2])

    def told(tensor, *_):
        raise AssertionError("a number was waited for")

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False))
        for name in ("item", "cpu", "numpy", "tolist", "__bool__", "__float__", "__int__", "__index__"):
            patch.setattr(torch.Tensor, name, told)
        loss, _, state = train_step(losses.SparseCrossEntropyLoss(logits=True), batch, state, jit=False)
    assert float(loss) > 0 and int(state.step) == 1


def test_parameters_that_are_tied_or_unused_on_pytorch():
    layer = lp.Dense(3, 3)
    ps, st = lp.setup(0, lp.Chain(layer, layer, lp.Dense(3, 1), lp.Dense(1, 1)), backend="torch")
    ps["layer_2"] = ps["layer_1"]
    model = lp.Chain(layer, layer, lp.Dense(3, 1), lp.Dense(1, 1))

    def objective(model, ps, st, data):
        return LOSS(model[:3], {k: ps[k] for k in ("layer_1", "layer_2", "layer_3")}, st, data)

    state, other = [TrainState.create(model, optimizers.Adam(), ps=ps, st=st) for _ in range(2)]
    for _ in range(3):
        loss, _, state = train_step(objective, data("torch"), state, jit=False)
        expected, _, other = train_step(objective, data("torch"), other, jit=False, donate=False)
        near((loss, entries(state)), (expected, entries(other)), 1e-6)


def test_checkpoints_go_on_to_the_bit(differentiating, tmp_path):
    whole = np.concatenate([ALL, -ALL[:4]])
    loader, again = [DataLoader((whole, whole[:, :1]), 8, shuffle=True, seed=1) for _ in range(2)]
    state = start(differentiating)

    def steps(loader, state, count):
        done = 0
        while True:
            for batch in loader:
                batch = lp.tree.map(lambda leaf: lp.asarray(leaf, backend=differentiating), batch)
                # Operation by operation is what takes JAX long, and the other two are compiled above.
                _, _, state = train_step(LOSS, batch, state, jit=differentiating.name == "jax")
                done += 1
                if done == count:
                    return state

    for _ in range(2):
        state = steps(loader, state, 2)
        save_checkpoint(tmp_path, state, keep=1, loader=loader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000004.json", "step_00000004.safetensors"]
    resumed = restore(tmp_path, start(differentiating), loader=again)
    assert bits(entries(resumed)) == bits(entries(state)) and again.position() == loader.position()
    (tmp_path / "step_00000009.safetensors").write_bytes(b"torn")
    (tmp_path / "step_00000009.json").write_bytes(b'{"step": 9, "saved": 9, "loader": null}')
    assert int(restore(tmp_path, start("numpy")).step) == 4
    other = "torch" if differentiating.name == "jax" else "jax"
    near(entries(restore(tmp_path, start(other))), entries(state), 0)
    state, resumed = [steps(*pair, 3) for pair in ((iter_rest(loader), state), (again, resumed))]
    assert bits(entries(resumed)) == bits(entries(state))
    with pytest.raises(ValueError, match=r"ps.layer_1.weight: float32 \(2, 4\) wanted, got float32 \(3, 4\)"):
        restore(tmp_path, start("numpy", lp.Chain(lp.Dense(2, 4), lp.Dropout(0.25), lp.Dense(4, 1))))
    with pytest.raises(ValueError, match="opt_state: Adam.* wanted, got OptimizerChain"):
        restore(tmp_path, start("numpy", rule=optimizers.Adam()))
    with pytest.raises(FileNotFoundError, match="expects a checkpoint"):
        restore(tmp_path / "none", start("numpy"))


def iter_rest(loader):
    """The loader itself, in the middle of its pass, as an iterable that goes on from there."""
    loader.go_to(loader.position())
    return loader


_ANYTHING: Any = ({}, "mse")


def test_wrong_calls_are_one_line():
    state, none, text = start("numpy"), *_ANYTHING
    for call, message in (
        (lambda: train_step(LOSS, (X, Y), none), r"train_step\(objective, data, state\) expects a TrainState as state"),
        (lambda: train_step(LOSS, (X, Y), state, nonfinite="stop"), '"ignore", "skip" or "raise" as nonfinite'),
        (lambda: train_step(LOSS, (X, Y), state, accumulate=0), "a positive int as accumulate, got 0"),
        (lambda: train_step(LOSS, (X, Y[:7]), state, accumulate=3), "arrays with one first size, got 8 at 0, 7 at 1"),
        (lambda: train_step(LOSS, (X, Y), state, steps_per_call=2), "a list of 2 batches"),
        (lambda: train_step(text, (X, Y), state), "an objective, a function of"),
        (lambda: start("numpy", precision="float8"), "bfloat16, float16 or None"),
        (lambda: save_checkpoint("x", state, keep=0), "at least 1, got 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
