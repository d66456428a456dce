"""Cases of the dtypes in which optimizers compute, and of `MixedPrecision`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import optimizers, tree
from luxport.backend import dtype_name, namespace
from luxport.optimizers import Adam, Descent, MixedPrecision, OptimizerChain, Rprop
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_fact, check_program, cite
from luxport_conformance.cases.optimizer_parts import ALL_RULES, MAIN, RULES, TIED, check_step


def _is(dtype: str) -> Property:
    return Property(f"an array of {dtype}", lambda value: value.dtype.name == dtype)


def _make_steps(rules: Any) -> Callable[..., Any]:
    def program(x: Any) -> Any:
        ps = (namespace(x).astype(x, namespace(x).float32), x)
        results = []
        for rule in rules:
            state, new = optimizers.update(optimizers.setup(rule, ps), ps, (x, x))
            arrays = [tuple([a for a in tree.leaves(one.state) if "int" not in dtype_name(a)]) for one in state.leaves]
            results.append({"ps": new, "state": arrays})
        return tuple(results)

    return program


def _descend(x: Any, a: Any) -> Any:
    """Minimize ``a x² / 2`` by thirty steps of every rule; the squares of a small a underflow in float16."""
    results = []
    for rule in ALL_RULES:
        # MixedPrecision computes in its own dtype, float64 here, which not every backend has.
        if isinstance(rule, MixedPrecision):
            continue
        state, y = optimizers.setup(rule, x), x
        for _ in range(30):
            state, y = optimizers.update(state, y, a * y)
        results.append(y)
    return tuple(results)


EVERY_DTYPE = tuple([{"ps": (_is("float32"), _is("float64"))} for _ in ALL_RULES])


def _make_mixed_step(rule: Any) -> Callable[..., Any]:
    def program(x: Any, dx: Any) -> Any:
        first = optimizers.setup(rule, x)
        state, new = optimizers.update(first, x, dx)
        copy = namespace(x).astype(state.leaves.state[0], x.dtype)
        return {"state": (*first.leaves.state, first.groups[0].clock), "new": new, "off": new - copy}

    return program


def _start_in_double(x: Any) -> Any:
    single = namespace(x).astype(x, namespace(x).float32)
    state = optimizers.setup(MixedPrecision(Adam(1e-3), "float64"), single)
    return state.leaves.state, state.groups[0].clock


CASES: list[Case] = [
    check_program(
        "optimizers.dtypes_of_descent",
        cite(MAIN, 197, 198, 203, 204),
        _make_steps((Descent(0.1),)),
        {"x": TIED},
        subject="Descent",
        expected=({"ps": (_is("float32"), _is("float64"))},),
        dtypes=("float64",),
    ),
    check_program(
        "optimizers.dtypes_of_rprop",
        cite(MAIN, 210, 211, 212, 213, 214, 215),
        _make_steps((Rprop(0.1),)),
        {"x": TIED},
        subject="Rprop",
        expected=(
            {
                "ps": (_is("float32"), _is("float64")),
                "state": ((_is("float32"), _is("float32")), (_is("float64"), _is("float64"))),
            },
        ),
        dtypes=("float64",),
    ),
    check_program(
        "optimizers.dtypes",
        cite(RULES, 120, 125),
        _make_steps(ALL_RULES),
        {"x": TIED},
        subject="update",
        expected=EVERY_DTYPE,
        dtypes=("float64",),
        compiles=False,  # other cases compile every rule
    ),
    # Upstream's test expects 1.835 and -0.886, which come from squares that underflow in float16.
    check_step(
        "float16_epsilon",
        ("D. P. Kingma, J. Ba (2015): the first step is eta / (1 + epsilon / |dx|) toward the sign of the gradient",),
        Adam(1e-2),
        np.array([0.579, -0.729, 0.5493]),
        np.array([-0.001497, 0.0001875, -0.013176]),
        expected={"ps": np.array([0.589, -0.739, 0.5593])},
        dtypes=("float16", "bfloat16"),
    ),
    check_program(
        "optimizers.half_follows_double",
        ("the same rules in double precision",),
        _descend,
        {"x": np.array([1.0, -2.0, 0.5, 1.5]), "a": np.array([1.0, 3.0, 0.5, 2.0**-10])},
        subject="update",
        expected=lambda x, a: _descend(np.asarray(x, np.float64), np.asarray(a, np.float64)),
        dtypes=("float16", "bfloat16"),
        compiles=False,  # thirty steps of every rule compile slowly; other cases compile every rule
        traces=False,
    ),
    check_program(
        "optimizers.mixed_precision",
        cite(RULES, 270, 271, 274, 275),
        _make_mixed_step(MixedPrecision(Adam(1e-3))),
        {"x": np.array([0.25, 0.75]), "dx": np.array([0.5, 0.125])},
        subject="MixedPrecision",
        expected={
            "state": (_is("float32"), (_is("float32"), _is("float32")), (_is("float32"), _is("float32"))),
            "off": np.zeros(2),
            "new": np.array([0.249, 0.749]),
        },
        dtypes=("float16",),
    ),
    check_program(
        "optimizers.mixed_precision_double",
        cite(RULES, 279, 280),
        _start_in_double,
        {"x": np.array([0.25, 0.75])},
        subject="MixedPrecision",
        expected=((_is("float64"), (_is("float64"), _is("float64"))), (_is("float64"), _is("float64"))),
        dtypes=("float64",),
    ),
    check_fact(
        "optimizers.mixed_precision_adjusted",
        cite(RULES, 284, 285),
        lambda: (
            optimizers.current_rule(
                optimizers.adjust(optimizers.setup(MixedPrecision(Adam(1e-3), "float64"), TIED), 2e-3)
            )
            == MixedPrecision(Adam(2e-3), "float64")
        ),
        subject="MixedPrecision",
    ),
    check_error(
        "optimizers.mixed_precision_in_chain",
        cite(RULES, 287),
        lambda: OptimizerChain(MixedPrecision(Adam())),
        message="OptimizerChain expects MixedPrecision around it, not in it",
        raises=ValueError,
        subject="OptimizerChain",
    ),
]
