"""Optimizers: rules that turn gradients into steps, applied to trees of parameters by pure functions.

A rule is a value; a family of rules is imported when one of its names is first used, as layers are.

>>> import luxport
>>> from luxport import optimizers
>>> ps = {"weight": luxport.asarray([1.0, 2.0], backend="numpy")}
>>> state = optimizers.setup(optimizers.Descent(0.5), ps)
>>> state, ps = optimizers.update(state, ps, {"weight": luxport.asarray([2.0, 2.0], backend="numpy")})
>>> ps
{'weight': array([0., 1.], dtype=float32)}
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
