"""Gradients at 0, at ties and at kinks, where libraries differ: every backend gives those of the definition.

Examples of every operation are tried with numbers that are all 0, all 1, or rounded, so that many are equal. The
expected gradients are PyTorch's of the definition in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from real_examples import is_real, list_real_examples, sum_weighted

import luxport
from luxport import tree
from luxport.backend import get_backend
from luxport.ops import definition_of
from luxport_conformance.arrays import move_to_backend
from luxport_conformance.compiling import prepare
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

SPECIAL: dict[str, Callable[[Any], Any]] = {
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "whole numbers": np.round,
    "halves": lambda array: np.round(2.0 * array) / 2.0,
}
# Every run tests one call of so many: TensorFlow runs loops step by step, and JAX compiles each program.
SHARES = {"torch": 11, "tf": 61, "jax": 199}


CALLS = [(name, position, kind) for name, position in list_real_examples() for kind in SPECIAL]


@pytest.mark.parametrize("backend", SHARES)
def test_gradients_where_libraries_differ(backend: str) -> None:
    compare_gradients(backend, CALLS[:: SHARES[backend]])


@pytest.mark.parametrize("backend", SHARES)
def test_every_gradient_where_libraries_differ(backend: str) -> None:
    compare_gradients(backend, CALLS)


def compare_gradients(backend: str, calls: list[tuple[str, int, str]]) -> None:
    for call in calls:
        name, position, kind = call
        got = compute_gradients(backend, every_operation()[name], *call, "float32")
        want = compute_gradients("torch", definition_of(every_operation()[name]), *call, "float64")
        for leaf, wanted in zip(got, want, strict=True):
            size = np.max(np.abs(wanted), where=np.isfinite(wanted), initial=1.0)
            message = f"{name} {position}, {kind}"
            np.testing.assert_allclose(leaf, wanted, rtol=2e-5, atol=2e-5 * size, err_msg=message)


def compute_gradients(backend: str, version: Any, name: str, position: int, kind: str, dtype: str) -> list[Any]:
    """Return a weighted sum of an operation's first output, and its gradients."""
    example, owner = OPERATIONS[name][position], get_backend(backend)
    arrays = [SPECIAL[kind](array) if is_real(array) else array for array in example.arrays]
    places = tuple([i for i, array in enumerate(arrays) if is_real(array)])

    def total(*arrays: Any) -> Any:
        return sum_weighted(version(*arrays, **example.options))

    program = prepare(owner, lambda *arrays: luxport.value_and_grad(total, places)(*arrays))
    found = program(*[move_to_backend(array, owner, dtype) for array in arrays])
    return [owner.to_numpy(leaf) for leaf in tree.leaves(found)]
