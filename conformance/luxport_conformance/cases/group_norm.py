"""Cases of group normalization, also with one channel in each group and with all channels in one group."""

from __future__ import annotations

import numpy as np

from luxport import BatchNorm, GroupNorm, InstanceNorm, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, check_output, cite
from luxport_conformance.cases.sample_norms import FILE, FIVE, check_same, make_reshaped, make_trained, set_up
from luxport_conformance.compare import Tolerance

UPSTREAM = Tolerance(reduction=6, rounding=1e-5, reason="upstream asks for atol=1e-5")
QUARTERS = np.arange(1.0, 25.0).reshape(2, 4, 3)
# Each row is one channel of one of two samples; it is a column in upstream's test.
GROUPS = [
    [[-1.4638476, -0.87830865, -0.29276967], [0.29276943, 0.87830853, 1.4638474]] * 2,
    [[-1.4638476, -0.8783083, -0.29276943], [0.29276943, 0.8783083, 1.4638472]] * 2,
]
GROUPS_SIGMOID = [
    [[0.18787955, 0.2935284, 0.42732593], [0.57267404, 0.70647156, 0.81212044]] * 2,
    [[0.18787955, 0.29352847, 0.42732602], [0.57267404, 0.70647156, 0.8121204]] * 2,
]
CASES: list[Case] = [
    check_fact("group_norm.parameters", cite(FILE, 400), lambda: list(set_up(GroupNorm(4, 2))[0]) == ["bias", "scale"]),
    check_fact("group_norm.bias", cite(FILE, 402), lambda: set_up(GroupNorm(4, 2))[0]["bias"].tolist() == [0] * 4),
    check_fact("group_norm.scale", cite(FILE, 403), lambda: set_up(GroupNorm(4, 2))[0]["scale"].tolist() == [1] * 4),
    check_fact("group_norm.no_statistics", cite(FILE, 407, 408), lambda: set_up(GroupNorm(4, 2))[1] == {}),
    check_output("group_norm.values", cite(FILE, 412), GroupNorm(4, 2), QUARTERS, y=GROUPS, tolerance=UPSTREAM),
    check_output(
        "group_norm.sigmoid", cite(FILE, 432), GroupNorm(4, 2, sigmoid), QUARTERS, y=GROUPS_SIGMOID, tolerance=UPSTREAM
    ),
    check_same(
        "group_norm.positions_in_one_axis",
        cite(FILE, 439),
        "GroupNorm",
        make_trained(GroupNorm(2, 2)),
        make_reshaped(GroupNorm(2, 2), (3, 2, 8)),
        FIVE,
        8,
    ),
    check_same(
        "group_norm.is_instance_norm",
        cite(FILE, 445),
        "GroupNorm",
        make_trained(GroupNorm(4, 4)),
        make_trained(InstanceNorm(4, affine=True)),
        np.arange(1.0, 241.0).reshape(5, 4, 3, 2, 2),
        12,
    ),
    check_same(
        "group_norm.is_batch_norm",
        cite(FILE, 451),
        "GroupNorm",
        make_trained(GroupNorm(4, 4)),
        make_trained(BatchNorm(4)),
        np.arange(1.0, 49.0).reshape(1, 4, 3, 2, 2),
        12,
    ),
]
