"""The laws of `train_step`, checkpoints and `fit` on every framework with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
import torch
import torch._dynamo.utils
import torch.utils.data
from small_training import ALL, LOSS, PLAIN, RULE, X, Y, assert_close, create_state, list_bytes, list_entries, make_data

import luxport as lp
from luxport import losses, optimizers, training
from luxport.training import DataLoader, TrainState, restore, save_checkpoint, train_step
from luxport.training._step_programs import MOST_PLANS


def test_options_select_the_program_of_an_objective():
    batch, state = make_data("torch"), create_state("torch", PLAIN)
    parts: Any
    for parts in (1, 2, 1):
        _, _, state = train_step(LOSS, batch, state, jit=False, accumulate=parts)
    for parts in (True, 1.0):  # values that Python calls equal to 1
        with pytest.raises(ValueError, match="a positive int as accumulate"):
            train_step(LOSS, batch, state, jit=False, accumulate=parts)
    before = train_step(LOSS, batch, state, jit=False, donate=False)[0]
    assert float(train_step(losses.MAELoss(), batch, state, jit=False, donate=False)[0]) != float(before)
    assert float(train_step(LOSS, batch, state, jit=False, donate=False)[0]) == float(before)


def test_a_step_is_gradient_and_update(differentiating):
    batch = make_data(differentiating)
    state = create_state(differentiating)
    grads, loss, _, after = training.compute_gradients(LOSS, batch, state)
    after = training.apply_gradients(after, grads)
    ways: Any = ({"donate": False}, {"jit": False, "donate": False}, {"jit": False})
    for options in ways:
        value, stats, new = train_step(LOSS, batch, state, **options)
        assert_close((value, list_entries(new)), (loss, list_entries(after)))
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
        one, other = [train_step(LOSS, make_data("torch"), state, jit=False)[2] for state in (one, other)]
    assert list_bytes(list_entries(one)) == list_bytes(list_entries(other))
    assert not any([leaf.requires_grad for leaf in lp.tree.leaves((other.ps, other.opt_state))])
    assert all([leaf.requires_grad and leaf.grad is None for leaf in lp.tree.leaves(leaves)])


def test_a_changed_objective_is_another_program(differentiating):
    """Its hash depends on its fields, so the compiled step uses the new number."""

    @dataclass(unsafe_hash=True)
    class Scaled:
        factor: float

        def __call__(self, model, ps, st, batch):
            loss, st, stats = LOSS(model, ps, st, batch)
            return loss * self.factor, st, stats

    objective, batch, values = Scaled(1.0), make_data(differentiating), []
    for factor in (1.0, 3.0):
        objective.factor = factor
        jit = differentiating.name != "torch"  # PyTorch's compiler would only take longer
        values.append(train_step(objective, batch, create_state(differentiating, PLAIN), jit=jit)[0])
    np.testing.assert_allclose(*[lp.to_numpy(value) for value in (values[1], 3 * values[0])], rtol=1e-6)
    for i in range(MOST_PLANS):  # the table of programs drops it, although its hash has changed
        train_step(Scaled(i + 10.0), batch, create_state(differentiating, PLAIN), jit=False)


def test_compiled_accumulation_takes_batches_of_several_sizes():
    """After a second size PyTorch's compiler keeps sizes open; eager steps are the reference."""
    eager, compiled = (create_state("torch", PLAIN) for _ in range(2))
    for size in (4, 6, 7):
        batch = lp.asarray(X[:size], backend="torch"), lp.asarray(Y[:size], backend="torch")
        _, _, eager = train_step(LOSS, batch, eager, jit=False, accumulate=2)
        _, _, compiled = train_step(LOSS, batch, compiled, accumulate=2)
    for mine, want in zip(lp.tree.leaves(compiled.ps), lp.tree.leaves(eager.ps), strict=True):
        np.testing.assert_allclose(lp.to_numpy(mine), lp.to_numpy(want), rtol=1e-5, atol=1e-7)


def test_accumulated_parts_and_several_steps_equal_single_steps(differentiating):
    batch = make_data(differentiating)
    whole, parts = [
        train_step(LOSS, batch, create_state(differentiating, PLAIN), jit=False, accumulate=count) for count in (1, 2)
    ]
    assert_close((whole[0], whole[2].ps), (parts[0], parts[2].ps))
    one, three = create_state(differentiating), create_state(differentiating)
    values = []
    for _ in range(3):
        value, _, one = train_step(LOSS, batch, one, jit=False)
        values.append(value)
    together, stats, three = train_step(LOSS, [batch] * 3, three, jit=False, steps_per_call=3)
    assert list_bytes(together) == list_bytes(lp.namespace(values[0]).stack(values)) and list_bytes(
        list_entries(one)
    ) == list_bytes(list_entries(three))
    assert stats == [{}] * 3


@pytest.mark.parametrize("count", [3, 5, 9])
@pytest.mark.parametrize("size", [8, 1])
def test_parts_may_have_two_sizes(differentiating, count, size):
    """The gradient and the statistics are those of the whole batch, for any number of samples."""
    x, y = (values[:size, ...] for values in make_data(differentiating))

    def objective(model, ps, st, batch):
        loss, st, _ = LOSS(model, ps, st, batch)
        return loss, st, {"twice": loss * 2, "count": batch[0].shape[0]}

    whole, stats, one = train_step(objective, (x, y), create_state(differentiating, PLAIN), jit=False)
    loss, added, state = train_step(
        objective, (x, y), create_state(differentiating, PLAIN), jit=False, accumulate=count
    )
    assert_close((whole, stats["twice"], one.ps), (loss, added["twice"], state.ps))
    assert added["count"] == stats["count"] == size


def test_steps_that_are_not_finite_are_skipped_or_raise(differentiating):
    x, y = make_data(differentiating)
    state = create_state(differentiating)
    before = list_bytes(list_entries(state))
    for jit in (False, True):
        loss, _, state = train_step(LOSS, (x * float("inf"), y), state, nonfinite="skip", jit=jit)
        assert not np.isfinite(float(loss)) and list_bytes(list_entries(state)) == before
    assert int(state.skipped) == 2
    with pytest.raises(training.NonFiniteError, match="^train_step expects a finite loss and gradient") as caught:
        train_step(LOSS, (x * float("nan"), y), state, nonfinite="raise", jit=False)
    assert list_bytes(list_entries(caught.value.state)) == before
    plain = create_state(differentiating, rule=optimizers.Adam())
    assert not np.isfinite(float(train_step(LOSS, (x * float("nan"), y), plain, jit=False)[0]))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_around_single_parameters(differentiating, precision):
    batch = make_data(differentiating)
    half = create_state(differentiating, PLAIN, precision=precision)
    single = create_state(differentiating, PLAIN)
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


def _objective_with_slope(model, ps, st, make_data):
    """Add the squared slope of the output: a gradient inside the gradient."""
    x, y = make_data
    slope = lp.grad(lambda x: model(x, ps, st)[0].sum())(x)
    loss, st, _ = LOSS(model, ps, st, make_data)
    return loss + (slope**2).mean(), st, {"bias": ps["layer_1"]["bias"]}


def _fail(model, ps, st, make_data):
    raise ValueError("no loss")


def test_pytorch_differentiates_at_the_parameters_themselves():
    batch = make_data("torch")
    state, other = [create_state("torch", PLAIN, optimizers.Adam()) for _ in range(2)]
    leaves = lp.tree.leaves(state.ps)
    with pytest.raises(ValueError, match="no loss"):
        train_step(_fail, batch, state, jit=False)
    assert not any([leaf.requires_grad for leaf in leaves])
    for _ in range(3):
        loss, stats, state = train_step(_objective_with_slope, batch, state, jit=False)
        expected, _, other = train_step(_objective_with_slope, batch, other, jit=False, donate=False)
        assert_close((loss, list_entries(state)), (expected, list_entries(other)), 1e-6)
        assert not any([leaf.requires_grad for leaf in (loss, stats["bias"], *leaves)])
    assert all([new is old for new, old in zip(lp.tree.leaves(state.ps), leaves, strict=True)])


@pytest.mark.parametrize("rule", [optimizers.Adam(), optimizers.AdamW(), optimizers.Momentum()], ids=repr)
def test_a_step_reads_no_values_from_an_accelerator_of_pytorch(monkeypatch, rule):
    """Tensors of the CPU pretend to be elsewhere, and raise when a value is read."""
    model = lp.Chain(
        *(lp.Conv((3, 3), 1, 2, lp.gelu), lp.BatchNorm(2, lp.relu), lp.MaxPool((2, 2)), lp.FlattenLayer()),
        *(lp.Dense(2, 4, lp.swish), lp.LayerNorm(4), lp.Dense(4, 3)),
    )
    state = create_state("torch", model, rule)
    batch = torch.ones((2, 1, 4, 4)), torch.tensor([0, 2])

    def refuse(tensor, *_):
        raise AssertionError("a number was waited for")

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False))
        for name in ("item", "cpu", "numpy", "tolist", "__bool__", "__float__", "__int__", "__index__"):
            patch.setattr(torch.Tensor, name, refuse)
        loss, _, state = train_step(losses.SparseCrossEntropyLoss(logits=True), batch, state, jit=False)
    assert float(loss) > 0 and int(state.step) == 1


def test_parameters_may_be_tied_or_unused_on_pytorch():
    layer = lp.Dense(3, 3)
    ps, st = lp.setup(0, lp.Chain(layer, layer, lp.Dense(3, 1), lp.Dense(1, 1)), backend="torch")
    ps["layer_2"] = ps["layer_1"]
    model = lp.Chain(layer, layer, lp.Dense(3, 1), lp.Dense(1, 1))

    def objective(model, ps, st, make_data):
        return LOSS(model[:3], {k: ps[k] for k in ("layer_1", "layer_2", "layer_3")}, st, make_data)

    state, other = [TrainState.create(model, optimizers.Adam(), ps=ps, st=st) for _ in range(2)]
    for _ in range(3):
        loss, _, state = train_step(objective, make_data("torch"), state, jit=False)
        expected, _, other = train_step(objective, make_data("torch"), other, jit=False, donate=False)
        assert_close((loss, list_entries(state)), (expected, list_entries(other)), 1e-6)


def test_training_resumes_from_checkpoints_to_the_bit(differentiating, tmp_path):
    whole = np.concatenate([ALL, -ALL[:4]])
    loader, again = [DataLoader((whole, whole[:, :1]), 8, shuffle=True, seed=1) for _ in range(2)]
    state = create_state(differentiating)

    def steps(loader, state, count):
        done = 0
        while True:
            for batch in loader:
                batch = lp.tree.map(lambda leaf: lp.asarray(leaf, backend=differentiating), batch)
                # JAX is slow operation by operation, and steps of the other two are compiled in tests above.
                _, _, state = train_step(LOSS, batch, state, jit=differentiating.name == "jax")
                done += 1
                if done == count:
                    return state

    for _ in range(2):
        state = steps(loader, state, 2)
        save_checkpoint(tmp_path, state, keep=1, loader=loader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000004.json", "step_00000004.safetensors"]
    resumed = restore(tmp_path, create_state(differentiating), loader=again)
    assert (
        list_bytes(list_entries(resumed)) == list_bytes(list_entries(state)) and again.position() == loader.position()
    )
    (tmp_path / "step_00000009.safetensors").write_bytes(b"torn")
    (tmp_path / "step_00000009.json").write_bytes(b'{"step": 9, "saved": 9, "loader": null}')
    assert int(restore(tmp_path, create_state("numpy")).step) == 4
    other = "torch" if differentiating.name == "jax" else "jax"
    assert_close(list_entries(restore(tmp_path, create_state(other))), list_entries(state), 0)
    state, resumed = [steps(*pair, 3) for pair in ((continue_pass(loader), state), (again, resumed))]
    assert list_bytes(list_entries(resumed)) == list_bytes(list_entries(state))
    with pytest.raises(ValueError, match=r"ps.layer_1.weight: float32 \(2, 4\) wanted, got float32 \(3, 4\)"):
        restore(tmp_path, create_state("numpy", lp.Chain(lp.Dense(2, 4), lp.Dropout(0.25), lp.Dense(4, 1))))
    with pytest.raises(ValueError, match="opt_state: Adam.* wanted, got OptimizerChain"):
        restore(tmp_path, create_state("numpy", rule=optimizers.Adam()))
    with pytest.raises(FileNotFoundError, match="expects a checkpoint"):
        restore(tmp_path / "none", create_state("numpy"))


def continue_pass(loader):
    """Return the loader, which continues from its current position when it is iterated."""
    loader.go_to(loader.position())
    return loader


_ANYTHING: Any = ({}, "mse")


def test_wrong_calls_are_one_line_errors():
    state, none, text = create_state("numpy"), *_ANYTHING
    for call, message in (
        (lambda: train_step(LOSS, (X, Y), none), r"train_step\(objective, data, state\) expects a TrainState as state"),
        (lambda: train_step(LOSS, (X, Y), state, nonfinite="stop"), '"ignore", "skip" or "raise" as nonfinite'),
        (lambda: train_step(LOSS, (X, Y), state, accumulate=0), "a positive int as accumulate, got 0"),
        (lambda: train_step(LOSS, (X, Y[:7]), state, accumulate=3), "arrays with one first size, got 8 at 0, 7 at 1"),
        (lambda: train_step(LOSS, (X, Y), state, steps_per_call=2), "a list of 2 batches"),
        (lambda: train_step(text, (X, Y), state), "an objective, a function of"),
        (lambda: create_state("numpy", precision="float8"), "bfloat16, float16 or None"),
        (lambda: save_checkpoint("x", state, keep=0), "at least 1, got 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
