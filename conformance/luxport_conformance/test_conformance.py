"""Tests that every public layer and operation has an example, that abilities are correct, and that programs compile."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import luxport
from luxport.backend import can, get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities, hold_dtype
from luxport_conformance.compare import Tolerance, compare_trees
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation


def test_every_public_layer_has_an_example() -> None:
    layers = {name for name in luxport.layers.__all__ if isinstance(getattr(luxport, name), type)}
    layers = {name for name in layers if issubclass(getattr(luxport, name), luxport.Layer)}
    layers = {name for name in layers if not inspect.isabstract(getattr(luxport, name))}
    assert layers <= EXAMPLES.keys(), f"layers without an example: {sorted(layers - EXAMPLES.keys())}"
    assert EXAMPLES.keys() <= layers, f"examples of no public layer: {sorted(EXAMPLES.keys() - layers)}"
    for name, examples in EXAMPLES.items():
        assert examples
        assert all(type(example.layer) is getattr(luxport, name) for example in examples)


def test_every_operation_has_an_example() -> None:
    names = set(every_operation())
    assert names <= OPERATIONS.keys(), f"operations without an example: {sorted(names - OPERATIONS.keys())}"
    assert all(OPERATIONS.values())


def test_a_backends_operations_are_functions(backend_name: str) -> None:
    """A backend's module with the name of an operation would be taken for an override of the operation."""
    own = {name: getattr(get_backend(backend_name).ops, name, None) for name in every_operation()}
    assert [name for name, value in own.items() if value is not None and not callable(value)] == []


def test_abilities(backend_name: str) -> None:
    backend, able = get_backend(backend_name), find_abilities(backend_name)

    def program(x: object) -> object:
        return x

    assert able.compiles == can(backend, "compiler")
    x = backend.asarray([1.0, 2.0], dtype="float32")
    if able.gradients:
        gradient = luxport.grad(lambda x: luxport.namespace(x).sum(x * x))(x)
        assert backend.to_numpy(gradient).tolist() == [2.0, 4.0]
    else:
        with pytest.raises(TypeError, match="differentiates nothing"):
            luxport.grad(lambda x: luxport.namespace(x).sum(x * x))(x)
    held = {name for name in ("float16", "bfloat16", "float32", "float64") if _holds(backend_name, name)}
    assert held == set(able.dtypes)


def _holds(backend_name: str, dtype: str) -> bool:
    backend = get_backend(backend_name)
    with hold_dtype(backend, dtype):
        return getattr(backend.xp, dtype, None) is not None


def test_models_of_several_sizes_compile(backend_name: str) -> None:
    """Compile several models in one process: the state that a compiler keeps from one must not break the next."""
    backend = get_backend(backend_name)
    for size in (3, 4, 7):
        model = luxport.Chain(luxport.Dense(size, size + 1), luxport.BatchNorm(size + 1))
        ps, st = luxport.setup(0, model, backend=backend)
        y, _ = luxport.jit(model)(backend.asarray(np.ones((2, size)), dtype="float32"), ps, st)
        assert tuple(y.shape) == (2, size + 1)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_default_compiler(name: str, backend_names: list[str]) -> None:
    """Compile an example of each layer, all in one program, by the default compiler; other tests use a faster one."""
    if name not in backend_names:
        pytest.skip(f"left out by name: {name}")
    backend = get_backend(name)
    left_out = _OF_OTHER_LAYERS if name == "torch" else ()
    examples = [group[0] for layer, group in EXAMPLES.items() if layer not in left_out]
    inputs = [move_to_backend(example.draw_values(), backend, "float32") for example in examples]

    def program(inputs: list[tuple[object, object, object]]) -> list[object]:
        pairs = zip(examples, inputs, strict=True)
        return [example.layer(x, ps, st) for example, (x, ps, st) in pairs]  # type: ignore[arg-type]

    strict = get_backend("strict")
    # conftest.py turns XLA's optimizer off, so it is turned on here.
    options = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True} if name == "jax" else {}
    compiled = backend.jit(program, compiler_options=options) if options else luxport.jit(program)  # type: ignore[call-arg]
    got = move_to_host(compiled(inputs), backend)
    want = move_to_host(program(move_to_backend(move_to_host(inputs, backend), strict, "float64")), strict)
    for example, mine, exact in zip(examples, got, want, strict=True):
        compare_trees(mine, exact, "float32", example.tolerance)


def test_default_compiler_of_ctc(backend_names: list[str]) -> None:
    """Inductor's backward pass used other positions than eager PyTorch when they were computed in int32."""
    if "torch" not in backend_names:
        pytest.skip("left out by name: torch")
    backend = get_backend("torch")
    x = backend.asarray(np.random.default_rng(0).normal(size=(4, 6, 5)), dtype="float32")
    y = backend.asarray(np.array([[1, 2], [3, 1], [2, 0], [1, 1]]), dtype="int32")

    def loss(x: object) -> object:
        return luxport.losses.ctc_loss(x, y)

    # As in users' code, the loss is compiled and the compiled function is differentiated.
    got = move_to_host(luxport.grad(luxport.jit(loss))(x), backend)
    np.testing.assert_allclose(got, move_to_host(luxport.grad(loss)(x), backend), rtol=1e-5, atol=1e-7)


# Layers that are left out on PyTorch, because Inductor takes several seconds for each. They are made of other layers
# of the same program, or are one of several similar cells; the other tests compile them without Inductor.
_OF_OTHER_LAYERS = {
    *("BidirectionalRNN", "BranchLayer", "Chain", "CompactLayer", "CrossCor", "DebugLayer", "DepthwiseConv"),
    *("FrozenLayer", "GRU", "GRUCell", "GRUv3", "LSTMCell", "Maxout", "NoOpLayer", "PairwiseFold", "PairwiseFusion"),
    *("Parallel", "RNN", "RNNCell", "Recurrence", "RepeatedLayer", "SkipConnection", "StatefulRecurrentCell", "Tied"),
}


def test_tolerances_have_reasons() -> None:
    with pytest.raises(ValueError, match="a reason"):
        Tolerance(factor=10.0)
