"""A backend reports arrays as constants only if nobody can be differentiating by them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport.backend import can, get_backend, namespace
from luxport.distributed._gradients import combine_with_gradient

BACKENDS = ("jax", "tf")

Function = Callable[[Any], Any]


def _push_forward(f: Function, x: Any) -> Any:
    return luxport.jvp(f, (x,), (x,))


def _pull_back(f: Function, x: Any) -> Any:
    y, pull = luxport.vjp(f, x)
    return pull(y)


TRANSFORMS: dict[str, Callable[[Function, Any], Any]] = {
    "grad": lambda f, x: luxport.grad(f)(x),
    "value_and_grad": lambda f, x: luxport.value_and_grad(f)(x),
    "vjp": _pull_back,
    "jvp": _push_forward,
    "jacobian": lambda f, x: luxport.jacobian(f)(x),
    "a program": lambda f, x: luxport.jit(f)(x),
    "the gradient of a program": lambda f, x: luxport.grad(luxport.jit(f))(x),
    "a gradient of a gradient": lambda f, x: luxport.grad(lambda x: luxport.grad(f)(x)[0])(x),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("how", TRANSFORMS)
def test_an_array_under_differentiation_is_not_a_constant(backend: str, how: str) -> None:
    owner: Any = get_backend(backend)
    assert can(owner, "constants")
    x = luxport.asarray(np.array([1.0, 2.0]), backend=backend, dtype="float32")
    seen: list[bool] = []

    def look(x: Any) -> Any:
        seen.append(owner.are_constants([x]))
        return namespace(x).sum(x**3)

    look(x)
    TRANSFORMS[how](look, x)
    assert seen[0] and len(seen) > 1 and not any(seen[1:])


def test_a_tape_and_an_accumulator_of_the_users_own() -> None:
    import tensorflow as tf

    owner: Any = get_backend("tf")
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        assert not owner.are_constants([x])
    with tf.autodiff.ForwardAccumulator(x, x):
        assert not owner.are_constants([x])
    assert owner.are_constants([x])


@pytest.mark.parametrize("backend", BACKENDS)
def test_constants_are_sent_without_preparing_a_gradient(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing a gradient takes some 20 microseconds for each array."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a gradient was prepared")

    owner: Any = get_backend(backend)
    monkeypatch.setattr(owner, "custom_vjp", refuse)
    x = luxport.asarray(np.array([1.0, 2.0]), backend=backend, dtype="float32")
    assert combine_with_gradient("allreduce", list, list, [x])[0] is x
    with pytest.raises(AssertionError, match="a gradient was prepared"):
        luxport.grad(lambda x: namespace(x).sum(combine_with_gradient("allreduce", list, list, [x])[0]))(x)
