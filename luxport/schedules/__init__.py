"""Schedules: hyper-parameters as functions of the step's number, which counts from 1.

A schedule is immutable. For a number it returns a float; for an array, such as the count of steps in a compiled
program, it returns an array, computed by the array's framework. Iterating over it yields the values at 1, 2, 3, …
The schedules, their arguments and their values are those of ParameterSchedulers.jl.

>>> from luxport import optimizers, schedules
>>> eta = schedules.CosAnneal(l0=0.1, l1=0.0, period=100)
>>> eta(1), round(eta(51), 12)
(0.1, 0.05)
>>> rule = optimizers.Scheduler(optimizers.Adam(), eta=eta)  # which counts the steps
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
