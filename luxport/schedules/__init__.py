"""Schedules: hyper-parameters as functions of the step's number, which counts from 1.

A schedule is an immutable value. Called with a number it gives a float; called with an array (the count of steps in
a compiled program) it gives an array, computed by the array's framework. Iterated over, it yields its values at
1, 2, 3, … The schedules, their arguments and their values are those of ParameterSchedulers.jl.

>>> from luxport import optimisers, schedules
>>> eta = schedules.CosAnneal(l0=0.1, l1=0.0, period=100)
>>> eta(1), round(eta(51), 12)
(0.1, 0.05)
>>> rule = optimisers.Scheduler(optimisers.Adam(), eta=eta)  # it counts its steps itself
"""

from luxport.schedules.combinators import (
    ComposedSchedule,
    Constant,
    Interpolator,
    Loop,
    OneCycle,
    Sequence,
    Shifted,
    Shortened,
)
from luxport.schedules.decay import Exp, Inv, Poly, Step
from luxport.schedules.schedule import Schedule
from luxport.schedules.stateful import Stateful
from luxport.schedules.waves import CosAnneal, Sin, SinDecay2, SinExp, Triangle, TriangleDecay2, TriangleExp

__all__ = [
    "ComposedSchedule",
    "Constant",
    "CosAnneal",
    "Exp",
    "Interpolator",
    "Inv",
    "Loop",
    "OneCycle",
    "Poly",
    "Schedule",
    "Sequence",
    "Shifted",
    "Shortened",
    "Sin",
    "SinDecay2",
    "SinExp",
    "Stateful",
    "Step",
    "Triangle",
    "TriangleDecay2",
    "TriangleExp",
]
