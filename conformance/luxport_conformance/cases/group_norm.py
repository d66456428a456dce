"""Cases of group normalization, and what it is with one channel or all of them in a group."""

from __future__ import annotations

import numpy as np

from luxport import BatchNorm, GroupNorm, InstanceNorm, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, fact, forward
from luxport_conformance.cases.sample_norms import FILE, FIVE, initial, reshaped, same, trained
from luxport_conformance.compare import Tolerance

UPSTREAM = Tolerance(reduction=6, rounding=1e-5, reason="upstream asks for atol=1e-5")
QUARTERS = np.arange(1.0, 25.0).reshape(2, 4, 3)
# Rows are upstream's columns: a channel each, of two samples.
GROUPS = [
    [[-1.4638476, -0.87830865, -0.29276967], [0.29276943, 0.87830853, 1.4638474]] * 2,
    [[-1.4638476, -0.8783083, -0.29276943], [0.29276943, 0.8783083, 1.4638472]] * 2,
]
GROUPS_SIGMOID = [
    [[0.18787955, 0.2935284, 0.42732593], [0.57267404, 0.70647156, 0.81212044]] * 2,
    [[0.18787955, 0.29352847, 0.42732602], [0.57267404, 0.70647156, 0.8121204]] * 2,
]
CASES: list[Case] = [
    fact(
        "group_norm.parameters",
        at(FILE, 400),
        "GroupNorm",
        lambda: list(initial(GroupNorm(4, 2))[0]) == ["bias", "scale"],
    ),
    fact(
        "group_norm.bias", at(FILE, 402), "GroupNorm", lambda: initial(GroupNorm(4, 2))[0]["bias"].tolist() == [0] * 4
    ),
    fact(
        "group_norm.scale",
        at(FILE, 403),
        "GroupNorm",
        lambda: initial(GroupNorm(4, 2))[0]["scale"].tolist() == [1] * 4,
    ),
    fact("group_norm.no_statistics", at(FILE, 407, 408), "GroupNorm", lambda: initial(GroupNorm(4, 2))[1] == {}),
    forward("group_norm.values", at(FILE, 412), GroupNorm(4, 2), QUARTERS, y=GROUPS, tolerance=UPSTREAM),
    forward(
        "group_norm.sigmoid", at(FILE, 432), GroupNorm(4, 2, sigmoid), QUARTERS, y=GROUPS_SIGMOID, tolerance=UPSTREAM
    ),
    same(
        "group_norm.positions_in_one_axis",
        at(FILE, 439),
        "GroupNorm",
        trained(GroupNorm(2, 2)),
        reshaped(GroupNorm(2, 2), (3, 2, 8)),
        FIVE,
        8,
    ),
    same(
        "group_norm.is_instance_norm",
        at(FILE, 445),
        "GroupNorm",
        trained(GroupNorm(4, 4)),
        trained(InstanceNorm(4, affine=True)),
        np.arange(1.0, 241.0).reshape(5, 4, 3, 2, 2),
        12,
    ),
    same(
        "group_norm.is_batch_norm",
        at(FILE, 451),
        "GroupNorm",
        trained(GroupNorm(4, 4)),
        trained(BatchNorm(4)),
        np.arange(1.0, 49.0).reshape(1, 4, 3, 2, 2),
        12,
    ),
]
