"""Second gradients of every operation on every backend.

Expected values are finite differences of PyTorch's first gradients of the definition, in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from real_examples import is_real, list_real_examples, sum_weighted

import luxport
from luxport.backend import get_backend
from luxport.ops import definition_of
from luxport_conformance.arrays import move_to_backend
from luxport_conformance.backends import hold_dtype
from luxport_conformance.compiling import prepare
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

# Examples with infinities, ties or logarithms of 0, which have no finite differences, and one that treats an argument
# as a constant.
WITHOUT = {
    *(("crossentropy_of_logits", 3), ("take_largest", 1), ("squared_error", 3), ("squared_error", 4)),
    *(("squared_error", 5), ("xlogx", 0), ("xlogy", 0), ("spectral_norm", 0)),
}
SHARES = {"torch": 11, "tf": 31, "jax": 97}


CALLS = [
    (name, position)
    for name, position in list_real_examples()
    if (name, position) not in WITHOUT
    if not any([array is not None and array.dtype.kind == "c" for array in OPERATIONS[name][position].arrays])
]


@pytest.mark.parametrize("backend", SHARES)
def test_second_gradients_equal_finite_differences(backend: str) -> None:
    compare_second_gradients(backend, CALLS[:: SHARES[backend]])


@pytest.mark.parametrize("backend", SHARES)
def test_every_second_gradient(backend: str) -> None:
    compare_second_gradients(backend, CALLS)


def compare_second_gradients(backend: str, calls: list[tuple[str, int]]) -> None:
    for name, position in calls:
        operation, arrays = every_operation()[name], OPERATIONS[name][position].arrays
        options = OPERATIONS[name][position].options
        moves = [
            None if array is None else np.cos(np.arange(float(array.size))).reshape(array.shape) for array in arrays
        ]
        places = tuple([i for i, array in enumerate(arrays) if is_real(array)])

        def compute_slopes(version: Any, *arrays: Any, options: Any = options, places: Any = places) -> Any:
            return luxport.grad(lambda *xs: sum_weighted(version(*xs, **options)), places)(*arrays)

        def compute_second_gradients(
            *arrays: Any, operation: Any = operation, places: Any = places, compute_slopes: Any = compute_slopes
        ) -> Any:
            return luxport.grad(
                lambda *xs: sum([sum_weighted(slope) for slope in compute_slopes(operation, *xs)]), places
            )(*arrays)

        def shift(step: float, arrays: Any = arrays, moves: Any = moves) -> list[Any]:
            return [a + step * move if is_real(a) else a for a, move in zip(arrays, moves, strict=True)]

        def compute_first_gradients(
            step: float, operation: Any = operation, shift: Any = shift, compute_slopes: Any = compute_slopes
        ) -> list[Any]:
            torch = get_backend("torch")
            given = [move_to_backend(array, torch, "float64") for array in shift(step)]
            return [torch.to_numpy(leaf) for leaf in compute_slopes(definition_of(operation), *given)]

        owner, h = get_backend(backend), 1e-4
        with hold_dtype(owner, "float64"):
            found = prepare(owner, compute_second_gradients)(
                *[move_to_backend(array, owner, "float64") for array in arrays]
            )
            got = [owner.to_numpy(leaf) for leaf in found]
        for leaf, *near in zip(
            got,
            compute_first_gradients(h),
            compute_first_gradients(-h),
            compute_first_gradients(2 * h),
            compute_first_gradients(-2 * h),
            strict=True,
        ):
            want = (8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * h)
            size = max(1.0, np.max(np.abs(want), initial=0.0))
            np.testing.assert_allclose(leaf, want, rtol=1e-5, atol=1e-5 * size, err_msg=f"{name} {position}")
