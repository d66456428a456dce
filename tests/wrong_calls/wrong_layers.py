"""Wrong calls of every layer, of the contract's functions, and of the optimizers."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from judging import WRONG_ARGUMENTS, Call, label

import luxport
from luxport import tree
from luxport_conformance.examples import EXAMPLES

__all__ = ["list_calls", "list_construction_calls", "list_layer_calls"]


def list_calls(backend: str) -> Iterator[Call]:
    """Yield every wrong call with a line that identifies it."""
    for family in EXAMPLES.values():
        for name, examples in family.items() if isinstance(family, dict) else [("", family)]:
            yield from _list_calls_of(name, examples, backend)
    yield from list_contract_calls(backend)


def _list_calls_of(name: str, examples: Any, backend: str) -> Iterator[Call]:
    kind = type(examples[0].layer)
    yield from list_construction_calls(kind, examples[0], backend)
    if kind in (luxport.WrappedFunction, luxport.CompactLayer):
        return  # errors of their functions are the user's
    for example in examples[:2]:
        yield from list_layer_calls(example, backend)


def list_construction_calls(kind: Any, example: Any, backend: str) -> Iterator[Call]:
    """Yield calls that build a layer with one wrong argument, set it up and call it."""
    try:
        signature = inspect.signature(kind.__init__)
    except (TypeError, ValueError):
        return
    right = {
        p.name: getattr(example.layer, p.name)
        for p in list(signature.parameters.values())[1:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name in vars(example.layer)
    }

    def build(args: tuple[Any, ...], options: dict[str, Any]) -> Callable[[], Any]:
        def run() -> None:
            layer = kind(*args, **options)
            x = luxport.to(example.draw_values()[0], backend=backend)
            layer(x, *luxport.setup(0, layer, backend=backend))

        return run

    yield f"{kind.__name__}()", build((), {})
    yield f"{kind.__name__}(misspelled=1)", build((), {**right, "misspelled": 1})
    yield f"{kind.__name__}(*8)", build(tuple(range(1, 9)), {})
    for option in right:
        for value in WRONG_ARGUMENTS:
            yield f"{kind.__name__}({option}={label(value)})", build((), {**right, option: value})
    variadic = [p for p in signature.parameters.values() if p.kind == p.VAR_POSITIONAL]
    if variadic:
        for value in WRONG_ARGUMENTS:
            yield f"{kind.__name__}({label(value)})", build((value,), {})
            yield f"{kind.__name__}({label(value)}, Dense)", build((value, luxport.Dense(2, 2)), {})


def list_layer_calls(example: Any, backend: str) -> Iterator[Call]:
    """Yield calls of a layer with wrong inputs, parameters and states."""
    layer = example.layer
    host_x, host_ps, host_st = example.draw_values()
    x, ps, st = (luxport.to(part, backend=backend) for part in (host_x, host_ps, host_st))
    title = repr(layer)[:60]

    def run(*inputs: Any) -> Callable[[], Any]:
        return lambda: layer(*inputs)

    yield f"{title}()", run()
    yield f"{title}(x)", run(x)
    yield f"{title}(x, ps)", run(x, ps)
    for name, wrong in list_wrong_inputs(x, backend):
        yield f"{title}: x {name}", run(wrong, ps, st)
    for what, entries in (("ps", ps), ("st", st)):
        if not tree.leaves(entries):
            continue
        for name, wrong in list_wrong_entries(entries, backend):
            yield f"{title}: {what} {name}", run(x, *((wrong, st) if what == "ps" else (ps, wrong)))
    if tree.leaves(ps):
        yield f"{title}: swapped", run(x, st, ps)
        for other in (luxport.Dense(7, 9), luxport.BatchNorm(5), luxport.Chain(luxport.Dense(7, 9))):
            yield f"{title}: of {other!r}", run(x, *luxport.setup(0, other, backend=backend))


def list_wrong_inputs(x: Any, backend: str) -> Iterator[tuple[str, Any]]:
    """Yield values that are no input of a layer that takes x, though some layers accept some of them."""
    other = "torch" if backend == "numpy" else "numpy"
    first = tree.leaves(x)[0]
    make = lambda shape, dtype="float32": luxport.asarray(np.ones(shape), backend=backend, dtype=dtype)  # noqa: E731
    yield from (
        ("None", None),
        ("a string", "x"),
        ("a number", 3.5),
        ("a dict", {"x": first}),
        ("a list of lists", [[1.0, 2.0]]),
        ("an empty tuple", ()),
        ("an empty list", []),
        ("a tuple of None", (None, None)),
        ("output and state", (first, {})),
        ("a layer", luxport.Dense(2, 2)),
        ("six arrays", (first,) * 6),
        ("a pair with a string", (first, "x")),
        ("without axes", make(())),
        ("one axis", make((7,))),
        ("two axes", make((7, 13))),
        ("three axes", make((2, 7, 13))),
        ("four axes", make((2, 7, 11, 13))),
        ("six axes", make((2, 7, 1, 1, 3, 2))),
        ("empty", make((0,))),
        ("no samples", make((0, 3))),
        ("no features", make((3, 0))),
        ("empty images", make((2, 3, 0, 4))),
        ("of bools", tree.map(lambda leaf: make(tuple(leaf.shape), "bool"), x)),
        ("of ints", tree.map(lambda leaf: make(tuple(leaf.shape), "int32"), x)),
        ("complex", tree.map(lambda leaf: make(tuple(leaf.shape), "complex64"), x)),
        ("of float64", tree.map(lambda leaf: make(tuple(leaf.shape), "float16"), x)),
        ("of another backend", luxport.to(x, backend=other)),
        ("of Python", tree.map(lambda leaf: np.asarray(luxport.to(leaf, backend="numpy")).tolist(), x)),
        ("of strings", np.array([["a", "b"]])),
    )


def list_wrong_entries(entries: Any, backend: str) -> Iterator[tuple[str, Any]]:
    """Yield values that are no parameters or states of a layer with these entries."""
    yield from (("None", None), ("{}", {}), ("a string", "x"), ("a list", [1.0]), ("a number", 1.0))
    yield "an array", tree.leaves(entries)[0]
    other = "torch" if backend == "numpy" else "numpy"
    paths = [path for path, _ in tree.leaves_with_path(entries)]
    for path in paths[:4] + paths[-1:]:
        where = ".".join(path)
        yield f"without {where}", _replace_entry(entries, path, _MISSING)
        leaf = dict(tree.leaves_with_path(entries))[path]
        for name, value in (
            ("None", None),
            ("a string", "x"),
            ("a number", 2.0),
            ("a list", [1.0]),
            ("without axes", luxport.asarray(np.ones(()), backend=backend, dtype="float32")),
            ("empty", luxport.asarray(np.ones((0,)), backend=backend, dtype="float32")),
            ("larger", luxport.asarray(np.ones((*leaf.shape, 2)), backend=backend, dtype="float32")),
            ("of another backend", luxport.to(leaf, backend=other)),
            ("of ints", luxport.asarray(np.ones(tuple(leaf.shape)), backend=backend, dtype="int32")),
            ("complex", luxport.asarray(np.ones(tuple(leaf.shape)), backend=backend, dtype="complex64")),
        ):
            yield f"{where} {name}", _replace_entry(entries, path, value)
        if len(path) > 1:
            yield f"{path[0]} None", {**entries, path[0]: None}
            yield f"{path[0]} a string", {**entries, path[0]: "x"}


_MISSING = object()


def _replace_entry(entries: Any, path: tuple[str, ...], value: Any) -> Any:
    first, *rest = path
    if isinstance(entries, (tuple, list)):
        return tuple([_replace_entry(e, tuple(rest), value) if str(i) == first and rest else
                      value if str(i) == first else e for i, e in enumerate(entries)])  # fmt: skip
    changed = {k: _replace_entry(v, tuple(rest), value) if str(k) == first and rest else v for k, v in entries.items()}
    if not rest:
        changed[first] = value
        if value is _MISSING:
            del changed[first]
    return changed


def list_contract_calls(backend: str) -> Iterator[Call]:
    """Yield wrong calls of setup and related functions, of transforms, and of the optimizers' functions."""
    model = luxport.Chain(luxport.Dense(3, 2), luxport.Dropout(0.5))
    ps, st = luxport.setup(0, model, backend=backend)
    x = luxport.asarray(np.ones((4, 3)), backend=backend, dtype="float32")
    rule = luxport.optimizers.Adam()
    opt = luxport.optimizers.setup(rule, ps)
    wrong = (
        None,
        "x",
        3.5,
        -1,
        [],
        {},
        (),
        object(),
        x,
        model,
        ps,
        opt,
        np.zeros(2),
        lambda z: z,
        [model],
        rule,
        b"y",
        True,
    )
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "setup": (luxport.setup, (0, model)),
        "train_mode": (luxport.train_mode, (st,)),
        "test_mode": (luxport.test_mode, (st,)),
        "update_state": (luxport.update_state, (st, "training", True)),
        "output_shape": (luxport.output_shape, (model, (4, 3))),
        "parameter_length": (luxport.parameter_length, (model,)),
        "state_length": (luxport.state_length, (model,)),
        "apply": (luxport.apply, (model, x, ps, st)),
        "stateless_apply": (luxport.stateless_apply, (model, x, ps)),
        "to": (luxport.to, (ps,)),
        "flatten": (luxport.flatten, (ps,)),
        "jit": (luxport.jit, (model,)),
        "optimizers.setup": (luxport.optimizers.setup, (rule, ps)),
        "optimizers.update": (luxport.optimizers.update, (opt, ps, ps)),
        "optimizers.adjust": (luxport.optimizers.adjust, (opt, 0.1)),
        "optimizers.freeze": (luxport.optimizers.freeze, (opt,)),
        "freeze": (luxport.freeze, (model, ps, st)),
    }
    if backend != "numpy":
        loss = lambda ps: luxport.namespace(x).sum(model(x, ps, st)[0])  # noqa: E731
        functions["grad"] = (lambda f, p: luxport.grad(f)(p), (loss, ps))
        functions["value_and_grad"] = (lambda f, p: luxport.value_and_grad(f)(p), (loss, ps))
    for name, (function, right) in functions.items():
        yield f"{name}()", lambda function=function: function()
        for i in range(len(right)):
            for value in wrong:
                args = (*right[:i], value, *right[i + 1 :])
                yield f"{name}(... {label(value)} as argument {i})", lambda f=function, args=args: f(*args)
    for keyword in ("backend", "device", "dtype"):
        for value in (3, "nope", (), 1.5, b"x", model):
            for name in ("setup", "to"):
                function, right = functions[name]
                yield (
                    f"{name}({keyword}={label(value)})",
                    lambda f=function, r=right, k=keyword, v=value: f(*r, **{k: v}),
                )
    for name in luxport.optimizers.__all__:
        kind = getattr(luxport.optimizers, name)
        if not isinstance(kind, type) or name in ("Rule", "HigherOrder", "Compound", "StepIf", "Replacement"):
            continue

        def train(kind: Any = kind, args: tuple[Any, ...] = (), options: Any = None) -> None:
            state = luxport.optimizers.setup(kind(*args, **(options or {})), ps)
            luxport.optimizers.update(state, ps, ps)

        yield f"{name}(misspelled=1)", lambda t=train: t(options={"misspelled": 1})
        for value in (
            *WRONG_ARGUMENTS,
            luxport.schedules.Constant(0.1) if hasattr(luxport.schedules, "Constant") else 1j,
        ):
            for option in list(inspect.signature(kind).parameters)[:4]:
                yield f"{name}({option}={label(value)})", lambda t=train, o=option, v=value: t(options={o: v})
