"""Cases of `luxport.training.DataLoader`: Flux's tests, with the samples along the first axis."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport.optimizers import Descent
from luxport.training import DataLoader
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_fact, check_function, check_program, cite
from luxport_conformance.cases.training_parts import Of, prefers_jit, start_training
from luxport_conformance.compare import Tolerance

FILE = "flux:data.jl"
X = np.arange(1, 11).reshape(5, 2)
Y = np.arange(1, 6)
PAIRS = ((X[:2], Y[:2]), (X[2:4], Y[2:4]), (X[4:], Y[4:]))
PASSES = 10
INTEGERS = ("float32",)  # the arrays are integers, so other floating dtypes would test the same


class Named(NamedTuple):
    """A sample and its label."""

    x: Any
    y: Any


def _make_batches(**options: Any) -> Any:
    return lambda x: tuple(DataLoader(x, 2, **options))


def _load_on_a_device(x: Any) -> Any:
    loader = DataLoader(x, 2)
    moved = tuple(luxport.devices.list_devices(luxport.backend_of(x).name)[0].each(loader))
    return {"first": moved[0], "count": len(moved), "told": len(loader)}


def _load_named(x: Any, y: Any) -> Any:
    found = tuple(DataLoader(Named(x, y), 2))
    of_dicts = tuple(DataLoader({"x": x, "y": y}, 2))
    return {
        "kinds": all(type(batch) is Named for batch in found),
        "by position": tuple([(batch[0], batch[1]) for batch in found]),
        "by name": tuple([(batch.x, batch.y) for batch in found]),
        "dicts": tuple([(batch["x"], batch["y"]) for batch in of_dicts]),
    }


def _run_two_passes_at_once() -> dict[str, bool]:
    loader = DataLoader(np.arange(1, 11), shuffle=True, seed=0)
    passes = [[int(batch[0]) for batch in batches] for batches in zip(*zip(loader, loader, strict=True), strict=True)]
    return {
        "differ": passes[0][1:] != passes[1][1:],
        "complete": [sorted(one) for one in passes] == [[*range(1, 11)]] * 2,
    }


def _load_shuffled(x: Any, y: Any) -> Any:
    """Load one shuffled pass, compare its rows with its labels, and compare a second pass with the same seed."""
    xp = luxport.namespace(x)
    (xs, ys), (again, _) = [
        [xp.concat(parts, axis=0) for parts in zip(*DataLoader((x, y), 2, shuffle=True, seed=5), strict=True)]
        for _ in range(2)
    ]
    return {"order": ys, "rows": xs - xp.take(x, ys - 1, axis=0), "again": again - xs}


def _make_training(loss: Any, rate: float) -> Any:
    def program(theta: Any, *data: Any) -> Any:
        loader = DataLoader(data)
        state, objective = start_training(Descent(rate), theta), Of(loss)
        for batch in itertools.chain(*[loader] * PASSES):
            _, _, state = luxport.training.train_step(objective, batch, state, jit=prefers_jit(theta))
        return state.ps

    return program


def _measure_distance(theta: Any, x: Any) -> Any:
    xp = luxport.namespace(x)
    return xp.sum((x - theta) ** 2)


def _measure_misfit(theta: Any, x: Any, y: Any) -> Any:
    xp = luxport.namespace(x)
    return xp.sum((y - xp.matmul(x, theta)) ** 2)


CASES: list[Case] = [
    check_function(
        "data_loader.batches",
        cite(FILE, 10, 11, 12, 13, 14),
        _make_batches(),
        X,
        subject="DataLoader",
        expected=(X[:2], X[2:4], X[4:]),
        dtypes=INTEGERS,
    ),
    check_function(
        "data_loader.on_a_device",
        cite(FILE, 17, 18),
        _load_on_a_device,
        X,
        subject="DataLoader",
        expected={"first": X[:2], "count": 3, "told": 3},
        dtypes=INTEGERS,
        traces=False,  # arrays cannot change their device inside a compiled program
    ),
    *[
        check_function(id, cite(FILE, *lines), f, X, subject="DataLoader", expected=expected, dtypes=INTEGERS)
        for id, lines, f, expected in (
            ("data_loader.whole_batches_only", (24, 25, 26, 27), _make_batches(partial=False), (X[:2], X[2:4])),
            (
                "data_loader.tuple_of_one",
                (33, 34, 35, 36),
                lambda x: tuple(DataLoader((x,), 2, partial=False)),
                ((X[:2],), (X[2:4],)),
            ),
        )
    ],
    *[
        check_function(id, source, f, *(X, Y), subject="DataLoader", expected=expected, dtypes=INTEGERS)
        for id, source, f, expected in (
            ("data_loader.pairs", cite(FILE, *range(42, 53)), lambda x, y: tuple(DataLoader((x, y), 2)), PAIRS),
            (
                "data_loader.names",
                cite(FILE, *range(59, 70)),
                _load_named,
                {"kinds": True, "by position": PAIRS, "by name": PAIRS, "dicts": PAIRS},
            ),
        )
    ],
    check_fact(
        "data_loader.two_passes_at_once",
        cite(FILE, 75),
        lambda: repr(_run_two_passes_at_once()),
        repr({"differ": True, "complete": True}),
        subject="DataLoader",
    ),
    check_function(
        "data_loader.shuffled",
        ("flux: data.jl:97 shuffles by a seed, and looks at nothing",),
        _load_shuffled,
        *(X, Y),
        subject="DataLoader",
        expected={
            "order": Property("each label once, in another order", lambda y: sorted(y) == [*Y] and [*y] != [*Y]),
            "rows": np.zeros_like(X),
            "again": np.zeros_like(X),
        },
        dtypes=INTEGERS,
        traces=False,
    ),
    check_program(
        "data_loader.training",
        cite(FILE, 84),
        _make_training(_measure_distance, 0.1),
        {"theta": np.ones(2), "x": np.zeros((10, 2))},
        # Each step multiplies theta by 0.8, so the result is far below upstream's bound of 1e-4.
        subject="DataLoader",
        expected=np.full(2, 0.8 ** (10 * PASSES)),
        differentiates=True,
        tolerance=Tolerance(magnitude=1.0),
        dtypes=("float32",),
        traces=False,  # a hundred steps are a long program
    ),
    check_program(
        "data_loader.training_on_pairs",
        cite(FILE, 94),
        _make_training(_measure_misfit, 0.1),
        {"theta": np.zeros(2), "x": np.ones((10, 2)), "y": np.full(10, 2.0)},
        subject="DataLoader",
        expected=np.ones(2),
        differentiates=True,
        dtypes=("float64",),  # upstream's tolerance is 1e-10
        traces=False,
    ),
]
