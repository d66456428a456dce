"""Differentiation and compilation with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import tensorflow as tf
from tensorflow.python.eager.forwardprop_util import pack_tangents  # type: ignore[import-untyped]
from tensorflow.python.eager.record import could_possibly_record  # type: ignore[import-untyped]

from luxport import tree
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport.transforms.program_limit import make_room
from luxport.tree.static import Static
from luxport_tf.ops.layout import cancel_moves
from luxport_tf.shortcuts import gather_conditions, has_effects

__all__ = [
    "are_constants", "checkpoint", "custom_vjp", "jacobian", "jit", "jvp", "stop_gradient", "value_and_grad", "vjp",
]  # fmt: skip


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate with `tf.GradientTape`; tapes nest."""

    def transformed(*args: Any, **kwargs: Any) -> Any:
        positions = (argnums,) if isinstance(argnums, int) else argnums
        wrt = tuple(args[i] for i in positions)
        variables, fresh = _make_variables(wrt)
        replaced = list(args)
        for i, argument in zip(positions, fresh, strict=True):
            replaced[i] = argument
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            with cancel_moves(tape):
                result = f(*replaced, **kwargs)
        found = _take_gradient(tape, result[0] if has_aux else result, variables)
        gradients = tree.unflatten(tree.structure(wrt), iter(found))
        return result, gradients[0] if isinstance(argnums, int) else gradients

    return transformed


def _make_variables(values: Any) -> tuple[list[Any], Any]:
    """Return copies of the leaves, and a tree of them: if two leaves were one tensor, each needs its own gradient."""
    variables = [tf.identity(leaf) for leaf in tree.leaves(values)]
    return variables, tree.unflatten(tree.structure(values), iter(variables))


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate with a persistent tape, which the returned function keeps."""
    variables, fresh = _make_variables(primals)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(variables)
        y = f(*fresh)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        found = _take_gradient(tape, tree.leaves(y), variables, tree.leaves(cotangent))
        return tree.unflatten(tree.structure(primals), iter(found))

    return y, pull


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate with `tf.autodiff.ForwardAccumulator`; with tapes where calls nest or a tape already records.

    A gradient through nested accumulators is silently wrong, and one through an accumulator around a graph is 0.
    """
    direction = _direction.get()
    if direction == "backward" or (not direction and could_possibly_record()):
        return _compute_jvp_by_tapes(f, primals, tangents)
    if direction == "forward":
        raise _NestedJvpError
    token = _direction.set("forward")
    try:
        variables, fresh = _make_variables(primals)
        with tf.autodiff.ForwardAccumulator(variables, tree.leaves(tangents)) as accumulator:
            y = f(*fresh)
        return y, tree.map(lambda leaf: accumulator.jvp(leaf, tf.UnconnectedGradients.ZERO), y)
    except _NestedJvpError:
        _direction.set("backward")
        return _compute_jvp_by_tapes(f, primals, tangents)
    finally:
        _direction.reset(token)


_direction: ContextVar[str] = ContextVar("luxport_tf_direction", default="")


class _NestedJvpError(Exception):
    """Raised inside a `jvp` by another `jvp` or a custom gradient; the outermost `jvp` then starts again with tapes."""


def _compute_jvp_by_tapes(
    f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Compute a jvp by reverse mode twice: the vjp is linear in its cotangent, and its transpose is the jvp."""
    variables, fresh = _make_variables(primals)
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(variables)
            y = f(*fresh)
        leaves = tree.leaves(y)
        cotangents = [tf.zeros_like(leaf) for leaf in leaves]
        outer.watch(cotangents)
        pulled = _take_gradient(inner, leaves, variables, cotangents)
    pushed = _take_gradient(outer, pulled, cotangents, tree.leaves(tangents))
    return y, tree.unflatten(tree.structure(y), iter(pushed))


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate with `tf.GradientTape.jacobian`."""

    def transformed(*args: Any) -> Any:
        variables = [tf.identity(leaf) for leaf in tree.leaves(args[argnums])]
        shape = tree.structure(args[argnums])
        replaced = list(args)
        replaced[argnums] = tree.unflatten(shape, iter(variables))
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(variables)
            y = f(*replaced)

        def rows(leaf: Any) -> Any:
            found = tape.jacobian(leaf, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return tree.unflatten(shape, iter(found))

        return tree.map(rows, y)

    return transformed


def stop_gradient(array: Any) -> Any:
    """Return the array, through which no gradient flows."""
    return tf.stop_gradient(array)


def are_constants(arrays: Sequence[Any]) -> bool:
    """Return whether arrays are constants: no tape or accumulator records, and no graph is being traced."""
    return tf.executing_eagerly() and not could_possibly_record()


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Call a function whose gradient is given by a rule, with `tf.custom_gradient`."""
    call = CustomCall(rule, args)
    if _direction.get() == "forward":  # TensorFlow would silently ignore the rule
        raise _NestedJvpError

    @tf.custom_gradient
    def program(*arrays: Any) -> Any:
        values, kept = call.value_and_kept(*arrays)
        return values, lambda *cotangents: call.pull(kept, cotangents)

    return call.result(program(*call.arrays))


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f, recomputed in the backward pass with `tf.recompute_grad`."""
    return tf.recompute_grad(f)


def jit(f: Callable[..., Any], agree: Callable[[list[Any]], Any] | None = None) -> Callable[..., Any]:
    """Compile f with `tf.function`: one graph for each structure, shapes and dtypes of the arguments.

    A graph is called with a flat list of tensors, because `tf.function` itself takes tens of microseconds for every
    leaf of a nested dict.

    Args:
        f: the function to compile
        agree: takes a graph's conditions (see `shortcuts`); returns a tensor: whether all hold in all processes that
            call f. If not, all processes run the graph without shortcuts, and send their messages again
    """
    graphs: dict[Any, Callable[..., Any]] = {}

    def program(*args: Any, **kwargs: Any) -> Any:
        if not tf.executing_eagerly():  # f becomes part of the graph that is being traced
            return f(*args, **kwargs)
        arguments = (args, kwargs)
        leaves = tree.leaves(arguments)
        tensors = [_make_tensor(leaf) for leaf in leaves if _is_tensor(leaf)]
        # An accumulator's derivative through TensorFlow's fused kernels in a graph would be 0, so none are used then.
        forward = bool(pack_tangents(tensors).tangents)
        signature = (tree.structure(arguments), tuple([_tell_kind(leaf) for leaf in leaves]), forward)
        graph = graphs.get(signature)
        if graph is None:
            make_room(graphs)
            graph = graphs[signature] = _trace(f, signature[0], leaves, agree, shortcuts=not forward)
        try:
            return graph(tensors)
        except _ShortcutError:
            graph = graphs[signature] = _trace(f, signature[0], leaves, agree, shortcuts=False)
            return graph(tensors)

    return program


class _ShortcutError(Exception):
    """Raised if a condition of a graph's shortcuts does not hold."""


def _trace(
    f: Callable[..., Any],
    structure: Any,
    leaves: list[Any],
    agree: Callable[[list[Any]], Any] | None,
    *,
    shortcuts: bool,
) -> Callable[..., Any]:
    """Trace f for leaves of these shapes; return the graph as a function from its tensors to f's result."""
    result_structure: Any = None
    result_leaves: list[Any] = []
    conditions: list[Any] = []

    def flat(*tensors: Any) -> list[Any]:
        nonlocal result_structure, result_leaves
        conditions.clear()
        arrays = iter(tensors)
        args, kwargs = tree.unflatten(structure, iter([next(arrays) if _is_tensor(leaf) else leaf for leaf in leaves]))
        with gather_conditions(conditions if shortcuts else None):
            result = f(*args, **kwargs)
        result_structure, result_leaves = tree.structure(result), tree.leaves(result)
        results = [leaf for leaf in result_leaves if _is_tensor(leaf)]
        if not conditions:
            return results
        return [*results, tf.reduce_all(conditions) if agree is None else agree(conditions)]

    specs = [tf.TensorSpec.from_tensor(leaf) for leaf in leaves if _is_tensor(leaf)]
    # On an accelerator the call would wait for the computation, to read the condition.
    shortcuts = shortcuts and not tf.config.list_logical_devices("GPU")
    graph = tf.function(flat, autograph=False).get_concrete_function(*specs)
    if conditions and has_effects(graph.graph, may_send=agree is not None):
        return _trace(f, structure, leaves, agree, shortcuts=False)
    # Results that are not tensors are constants of the graph. Its symbolic tensors are dropped, to free the memory.
    result_leaves = [None if _is_tensor(leaf) else leaf for leaf in result_leaves]
    conditional = bool(conditions)
    conditions.clear()

    def call(tensors: list[Any]) -> Any:
        # Calling `graph` itself binds and checks each argument by name, which takes 20 microseconds each.
        found = graph._call_flat(tensors, graph.captured_inputs)
        if conditional and not bool(found[-1]):
            raise _ShortcutError
        results = iter(found)
        return tree.unflatten(
            result_structure, iter([next(results) if leaf is None else leaf for leaf in result_leaves])
        )

    return call


def _tell_kind(leaf: Any) -> Any:
    return (leaf.dtype, tuple(leaf.shape.as_list())) if _is_tensor(leaf) else Static(leaf)


def _make_tensor(leaf: Any) -> Any:
    return tf.convert_to_tensor(leaf) if isinstance(leaf, tf.Variable) else leaf


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (tf.Tensor, tf.Variable))


def _take_gradient(tape: Any, target: Any, variables: list[Any], cotangents: Any = None) -> list[Any]:
    found = tape.gradient(target, variables, cotangents, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The gradient of a gather is an `IndexedSlices`, which is made a tensor.
    return [tf.convert_to_tensor(gradient) for gradient in found]
