"""Differentiation and compilation by TensorFlow."""

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
    """Differentiate by `tf.GradientTape`; tapes nest."""

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
    """Return new tensors to differentiate by, and a tree of them; two leaves of the given tree may be one tensor."""
    variables = [tf.identity(leaf) for leaf in tree.leaves(values)]
    return variables, tree.unflatten(tree.structure(values), iter(variables))


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate by a tape that lives as long as the returned function."""
    variables, fresh = _make_variables(primals)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(variables)
        y = f(*fresh)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        found = _take_gradient(tape, tree.leaves(y), variables, tree.leaves(cotangent))
        return tree.unflatten(tree.structure(primals), iter(found))

    return y, pull


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate by `tf.autodiff.ForwardAccumulator`; where such calls nest, or a tape records, by tapes alone.

    A gradient through nested accumulators is silently wrong, and through one around a `tf.function` it is 0.
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
    """Raised to the outermost `jvp` where there is another one, or a custom gradient, inside it."""


def _compute_jvp_by_tapes(
    f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Pull a cotangent back, which is linear in it, and differentiate that: the product with the Jacobian itself."""
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
    """Differentiate by `tf.GradientTape.jacobian`."""

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
    """Cut the gradient."""
    return tf.stop_gradient(array)


def are_constants(arrays: Sequence[Any]) -> bool:
    """Tell whether nothing records: no tape, no accumulator, and no graph that one of them may record."""
    return tf.executing_eagerly() and not could_possibly_record()


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Differentiate by `tf.custom_gradient`."""
    call = CustomCall(rule, args)
    if _direction.get() == "forward":  # where TensorFlow would silently differentiate f itself
        raise _NestedJvpError

    @tf.custom_gradient
    def program(*arrays: Any) -> Any:
        values, kept = call.value_and_kept(*arrays)
        return values, lambda *cotangents: call.pull(kept, cotangents)

    return call.result(program(*call.arrays))


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Recompute by `tf.recompute_grad`."""
    return tf.recompute_grad(f)


def jit(f: Callable[..., Any], agree: Callable[[list[Any]], Any] | None = None) -> Callable[..., Any]:
    """Compile by `tf.function`: one graph per structure, shapes and dtypes of the arguments.

    A graph is called with a flat list of tensors: `tf.function` itself takes tens of microseconds for every
    leaf of a nested dict.

    Args:
        f: what is compiled
        agree: called inside a graph with its conditions, returns one that holds if all do in every process that calls
            f; if not, every process runs the other program, and sends its messages again
    """
    graphs: dict[Any, Callable[..., Any]] = {}

    def program(*args: Any, **kwargs: Any) -> Any:
        if not tf.executing_eagerly():  # inside a larger graph there is nothing to compile apart
            return f(*args, **kwargs)
        arguments = (args, kwargs)
        leaves = tree.leaves(arguments)
        tensors = [_make_tensor(leaf) for leaf in leaves if _is_tensor(leaf)]
        # A program has no forward derivative through the library's fused kernels: it would be 0.
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
    """Raised where a condition of a program's shortcuts does not hold."""


def _trace(
    f: Callable[..., Any],
    structure: Any,
    leaves: list[Any],
    agree: Callable[[list[Any]], Any] | None,
    *,
    shortcuts: bool,
) -> Callable[..., Any]:
    """Make the graph of f for leaves like these, as a function from the tensors among them to f's result."""
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
    # Reading a condition would make an accelerator wait.
    shortcuts = shortcuts and not tf.config.list_logical_devices("GPU")
    graph = tf.function(flat, autograph=False).get_concrete_function(*specs)
    if conditions and has_effects(graph.graph, may_send=agree is not None):
        return _trace(f, structure, leaves, agree, shortcuts=False)
    # Results other than tensors are constants of the program; the graph's own tensors are not kept.
    result_leaves = [None if _is_tensor(leaf) else leaf for leaf in result_leaves]
    conditional = bool(conditions)
    conditions.clear()

    def call(tensors: list[Any]) -> Any:
        # The public call binds and checks each argument by name, which takes 20 microseconds each.
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
    # A gather's gradient arrives as slices of the whole.
    return [tf.convert_to_tensor(gradient) for gradient in found]
