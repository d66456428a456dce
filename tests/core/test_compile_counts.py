"""Changing sizes stay symbolic under `torch.compile`: a few layers here, all of them in ``make compile-counts``."""

from __future__ import annotations

import pytest
import torch
from compile_counts import MOST, count_compilations, grow_inputs, growing_axes, list_losses
from compile_counts_of_operations import list_growing_operations

import luxport as lp
from luxport_conformance.examples import EXAMPLES


# One layer for each mechanism: a product, windows, padding and a norm, attention, a recurrence.
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("Dense", "batch"),
        ("Conv", "image"),
        ("MaxPool", "image"),
        ("LayerNorm", "batch"),
        ("MultiHeadAttention", "time"),
        ("LSTM", "time"),
    ],
)
def test_a_layer_is_compiled_twice(name, sizes):
    example = EXAMPLES[name][0]
    kind, axes = list(growing_axes(name, example).items())[-1]
    assert kind == sizes
    assert 0 < count_compilations(example.layer, grow_inputs(example, axes)) <= MOST, kind


@pytest.mark.parametrize("wanted", ["sparse_logitcrossentropy", "ctc_loss"])
def test_a_loss_of_labels_is_compiled_twice(wanted):
    loss, calls = next((loss, calls) for name, loss, calls in list_losses() if name == wanted)
    assert 0 < count_compilations(loss, calls) <= MOST


def test_numbers_of_classes_and_bags_stay_symbolic():
    scores = ((torch.rand(4, n), torch.arange(4, dtype=torch.int32) % n) for n in range(2, 6))
    assert 0 < count_compilations(lp.training.confusion_matrix, scores) <= MOST
    bags = lp.EmbeddingBag(5, 3)
    ps, st = lp.setup(0, bags, backend="torch")
    indices = torch.arange(6, dtype=torch.int32) % 5
    calls = (((indices, torch.arange(n, dtype=torch.int32)), ps, st) for n in range(2, 6))
    assert 0 < count_compilations(bags, calls) <= MOST


def test_sizes_of_sampled_and_rotated_images_stay_symbolic():
    images = [(torch.rand(n, 1, 3 + n, 4 + n), torch.rand(n, 2, 2, 2)) for n in range(2, 6)]
    assert 0 < count_compilations(lp.ops.grid_sample, iter(images)) <= MOST
    assert 0 < count_compilations(lambda x, _: lp.ops.imrotate(x, angle=0.3), iter(images)) <= MOST


def test_an_operation_is_compiled_twice():
    growing = list(list_growing_operations("multigate"))
    assert all(0 < count_compilations(one, one.calls()) <= MOST for one in growing) and growing


def test_a_program_unrolled_for_each_size_is_counted():
    calls = ((torch.ones(n),) for n in range(2, 6))
    assert count_compilations(lambda x: sum(x.unbind(0)), calls) > MOST
