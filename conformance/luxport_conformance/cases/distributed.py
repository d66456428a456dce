"""Cases of `luxport.distributed`: Flux's tests, for any number of processes.

The suite runs them in one process with the engine "local"; tests/distributed runs them in 2 and 4 with every engine.
Arrays are 1 on rank 0 and 0 elsewhere, or rank + 1, as upstream's are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

import luxport
from luxport import distributed, optimizers, tree
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.compare import Tolerance

COMMON, DATA = "flux:ext_distributed/common.jl", "flux:ext_distributed/data.jl"
OPTIMIZER, SYNCHRONIZED = "flux:ext_distributed/optimizer.jl", "flux:ext_distributed/synchronized.jl"
LONG, SMALL, SAMPLES = np.ones(512), np.ones((2, 3)), draw(10)


def _place() -> tuple[int, int]:
    """Return the rank of this process and the number of processes; (0, 1) if no engine is initialized."""
    return (distributed.rank(), distributed.total_workers()) if distributed.initialized() else (0, 1)


def _run_by_an_engine(program: Callable[..., Any]) -> Callable[..., Any]:
    """Run the program with the engine that is initialized, or else initialize the engine "local" for it."""

    @wraps(program)
    def run(*arrays: Any) -> Any:
        if distributed.initialized():
            return program(*arrays)
        distributed.initialize("local")
        try:
            return program(*arrays)
        finally:
            distributed.shutdown()

    return run


def _keep_on_rank_0(x: Any) -> Any:
    return x * float(distributed.rank() == 0)


def _multiply_by_rank(x: Any) -> Any:
    return x * float(distributed.rank() + 1)


def _find_place(x: Any) -> Any:
    return {"there": distributed.initialized(), "in range": distributed.rank() < distributed.total_workers()}


def _combine(combine: Callable[..., Any], op: str) -> Callable[[Any], Any]:
    return lambda x: combine(_multiply_by_rank(x), op)


def _expect_total(op: str) -> float:
    size = _place()[1]
    return size * (size + 1) / 2 / (size if op == "mean" else 1)


def _expect_of_root(op: str) -> Callable[[Any], Any]:
    return lambda x: x * (_expect_total(op) if _place()[0] == 0 else _place()[0] + 1)


def _synchronize_named(x: Any) -> Any:
    own = _keep_on_rank_0(x)
    return distributed.synchronize({"a": {"b": own, "c": own}, "d": own})


def _synchronize_moments(x: Any) -> Any:
    adam = optimizers.setup(optimizers.Adam(0.001), {"a": {"b": x, "c": 2 * x}, "d": 3 * x})
    adam = adam._replace(leaves=tree.map(lambda leaf: leaf + float(distributed.rank() == 0), adam.leaves))
    found = distributed.synchronize(adam).leaves
    return {"/".join(path): leaf for path, leaf in tree.leaves_with_path(found) if tuple(leaf.shape) == (2, 3)}


def _synchronize_without_moments(x: Any) -> Any:
    state = optimizers.setup(optimizers.Descent(0.001), {"a": x})
    return tree.structure(distributed.synchronize(state)) == tree.structure(state)


def _synchronize_tuples(x: Any) -> Any:
    own = _keep_on_rank_0(x)
    return distributed.synchronize(((own, own), own))


def _synchronize_no_arrays(x: Any) -> Any:
    word = "x" if distributed.rank() == 0 else "y"
    return {
        "nothing": distributed.synchronize(None) is None,
        "word": distributed.synchronize(word) == word,
        "number": distributed.synchronize(distributed.rank()),
    }


def _take_share(x: Any) -> Any:
    share = distributed.DistributedDataContainer(x)
    total = share[0]
    for i in range(1, len(share)):
        total = total + share[i]
    return {"length": len(share), "sum": distributed.allreduce(total, "sum")}


def _expect_share(x: Any) -> Any:
    rank, size = _place()
    each = -(-len(x) // size)
    return {"length": each if rank < size - 1 else len(x) - (size - 1) * each, "sum": np.sum(x)}


def _take_step(rule: optimizers.Rule, x: Any) -> Any:
    ps = {"a": 0 * x, "b": 0 * x}
    state = distributed.synchronize(optimizers.setup(rule, ps))
    return optimizers.update(state, ps, {"a": x, "b": x})[1]


def _has_same_states(x: Any) -> Any:
    rule = optimizers.Adam(0.001)
    of_one, of_all = [
        [luxport.to_numpy(leaf) for leaf in tree.leaves(optimizers.setup(one, x).leaves)]
        for one in (rule, distributed.DistributedOptimizer(rule))
    ]
    return all([np.array_equal(*pair) for pair in zip(of_one, of_all, strict=True)])


def _check_distributed(name: str, source: tuple[str, ...], program: Any, x: Any, expected: Any, **options: Any) -> Case:
    return check_program(
        f"distributed.{name}",
        source,
        _run_by_an_engine(program),
        {"x": x},
        expected=expected,
        dtypes=("float32",),
        traces=False,
        **options,
    )


CASES = (
    _check_distributed("place", cite(COMMON, 10, 15), _find_place, SMALL, {"there": True, "in range": True}),
    _check_distributed("bcast", cite(COMMON, 25, 30), lambda x: distributed.bcast(_keep_on_rank_0(x)), LONG, LONG),
    *[
        _check_distributed(f"reduce_{op}", source, _combine(distributed.reduce, op), LONG, _expect_of_root(op))
        for op, source in (
            ("sum", (*cite(COMMON, 40, 52), *cite("flux:ext_distributed/reduce_distributedtest.jl", 24))),
            ("mean", cite(COMMON, 46, 58)),
        )
    ],
    *[
        _check_distributed(f"allreduce_{op}", cite(COMMON, *lines), _combine(distributed.allreduce, op), LONG, wanted)
        for op, lines, wanted in (
            ("sum", (68, 80), lambda x: x * _expect_total("sum")),
            ("mean", (74, 86), lambda x: x * _expect_total("mean")),
        )
    ],
    _check_distributed(
        "synchronize_names",
        cite(SYNCHRONIZED, 23, 24, 25, 62, 63, 64),
        _synchronize_named,
        SMALL,
        {"a": {"b": SMALL, "c": SMALL}, "d": SMALL},
    ),
    _check_distributed(
        "synchronize_moments",
        cite(SYNCHRONIZED, 42, 43, 44, 45, 46, 47),
        _synchronize_moments,
        SMALL,
        lambda x: {f"{path}/{i}": x for path in ("a/b", "a/c", "d") for i in ("0/0", "0/1")},
    ),
    _check_distributed(
        "synchronize_without_moments", cite(SYNCHRONIZED, 53), _synchronize_without_moments, SMALL, True
    ),
    _check_distributed(
        "synchronize_tuples", cite(SYNCHRONIZED, 74, 75, 76), _synchronize_tuples, SMALL, ((SMALL, SMALL), SMALL)
    ),
    _check_distributed(
        "synchronize_what_is_no_array",
        cite(SYNCHRONIZED, 81, 86, 89),
        _synchronize_no_arrays,
        SMALL,
        {"nothing": True, "word": True, "number": 0},
    ),
    _check_distributed(
        "shares",
        cite(DATA, 17, 19, 24),
        _take_share,
        SAMPLES,
        _expect_share,
        tolerance=Tolerance(reduction=10, magnitude=10.0),
    ),
    _check_distributed("optimizer_states", cite(OPTIMIZER, 15, 16), _has_same_states, np.zeros(4), True),
    _check_distributed(
        "optimizer",
        cite(OPTIMIZER, 18, 25, 26),
        lambda x: _take_step(distributed.DistributedOptimizer(optimizers.Adam(0.001)), x),
        np.ones(4),
        # The first step of Adam is the learning rate times the negative sign of the gradient.
        lambda x: {"a": -0.001 * x, "b": -0.001 * x},
        tolerance=Tolerance(rounding=1e-5, reason="upstream's own"),
    ),
)
