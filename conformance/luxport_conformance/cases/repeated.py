"""Cases of `RepeatedLayer` and `ReverseSequence`."""

from __future__ import annotations

import numpy as np

from luxport import Dropout, RepeatedLayer, ReverseSequence
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_output
from luxport_conformance.cases.functions import double

BASIC = "flux:layers/basic.jl"

CASES: list[Case] = [
    check_output(
        "repeated.feeds_back",
        ("lux: documentation of RepeatedLayer, res = model(res) repeats times",),
        RepeatedLayer(double, repeats=3),
        [1.0, -2.0],
        y=[8.0, -16.0],
    ),
    check_output(
        "repeated.injection",
        ("lux: documentation of RepeatedLayer, res = model((res, x)) repeats times",),
        RepeatedLayer(lambda pair: 2.0 * pair[0] + pair[1], repeats=3, input_injection=True),
        [1.0, -2.0],
        y=[15.0, -30.0],
    ),
    check_output(
        "repeated.state_goes_on",
        ("lux: the state of a call is the next call's",),
        RepeatedLayer(Dropout(0.5), repeats=3),
        np.ones(4),
        training=True,
        state={"rng": {"counter": np.asarray(3)}},
    ),
    check_output(
        "reverse.time",
        ("lux: ReverseSequence reverses the last axis but one of (features, time, batch)",),
        ReverseSequence(),
        np.arange(24.0).reshape(2, 3, 4),
        y=np.arange(24.0).reshape(2, 3, 4)[:, ::-1],
    ),
    check_output(
        "reverse.vector", ("lux: ReverseSequence of a vector",), ReverseSequence(), [1.0, 2.0, 3.0], y=[3.0, 2, 1]
    ),
    check_output(
        "reverse.first",
        ("lux: ReverseSequence(dim) of the last Julia axis",),
        ReverseSequence(0),
        [[1.0, 2.0], [3.0, 4.0]],
        y=[[3.0, 4.0], [1.0, 2.0]],
    ),
    check_error(
        "reverse.no_such_axis",
        ("luxport",),
        ReverseSequence(2),
        np.ones((2, 3)),
        message=r"ReverseSequence expects an axis 2, got \(2, 3\)",
    ),
]
