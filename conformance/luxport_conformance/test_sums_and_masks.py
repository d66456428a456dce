"""Tests of a sample of the checks of sums in half types, masks, empty batches and integers.

``make halves`` and ``make integers`` run all of them; ``luxport conformance --full`` runs all sums in half types.
"""

from __future__ import annotations

import pytest

from luxport.backend import get_backend
from luxport_conformance.backends import find_abilities
from luxport_conformance.empty_batches import (
    LOSSES,
    PER_SAMPLE,
    check_layer_without_samples,
    check_loss_without_samples,
)
from luxport_conformance.half_layers import list_spreads
from luxport_conformance.half_sums import HALVES, measure_half_sums
from luxport_conformance.half_sums_left_out import list_useless, list_without_sum
from luxport_conformance.hidden_values import MASKED, check_hidden
from luxport_conformance.integers import CALLS, KINDS, KINDS_OF_JAX, call_with_integers

# Every n-th check is run, so that each backend takes about a second: TensorFlow runs loops step by step, and JAX
# compiles each program.
_SHARES = {"numpy": 5, "torch": 5, "tf": 17, "jax": 59, "strict": 5, "strict32": 5}
_SHARES_OF_SUMS = {"numpy": 29, "torch": 29, "tf": 61, "jax": 177}  # odd, because every other example is near 500


def test_half_types_sum_as_float32(backend_name: str) -> None:
    dtypes = [dtype for dtype in HALVES if dtype in find_abilities(backend_name).dtypes]
    if not dtypes:
        pytest.skip(f"{backend_name} has no half types")
    for number, spread in enumerate(list_spreads()[:: _SHARES_OF_SUMS[backend_name]]):
        measure_half_sums(spread, get_backend(backend_name), dtypes[number // 2 % len(dtypes)])


def test_what_is_hidden_may_be_anything(backend_name: str) -> None:
    for masked in MASKED[:: min(_SHARES[backend_name], 17)]:
        check_hidden(masked, get_backend(backend_name))


def test_no_samples(backend_name: str) -> None:
    for name, example in PER_SAMPLE[:: 3 * _SHARES[backend_name]]:
        check_layer_without_samples(name, example, get_backend(backend_name))
    for name in LOSSES[:: min(_SHARES[backend_name], 7)]:
        check_loss_without_samples(name, get_backend(backend_name))


def test_integers(backend_name: str) -> None:
    backend = get_backend(backend_name)
    share = {"numpy": 7, "torch": 7, "tf": 23, "jax": 149}.get(backend_name)
    if share is None:
        pytest.skip(f"{backend_name}'s namespace has NumPy's arithmetic")
    kinds = KINDS_OF_JAX if backend_name == "jax" else KINDS
    for number, call in enumerate(CALLS[::share]):
        call_with_integers(call, kinds[number % len(kinds)], backend)


def test_every_sum_is_listed() -> None:
    assert not list(list_without_sum()), "add it to half_sums.py, or with a reason to half_sums_left_out.py"
    assert not list(list_useless())
