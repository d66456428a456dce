"""Optimisers: rules that turn gradients into steps, applied to trees of parameters by pure functions.

>>> import luxport
>>> from luxport import optimisers
>>> ps = {"weight": luxport.asarray([1.0, 2.0], backend="numpy")}
>>> state = optimisers.setup(optimisers.Descent(0.5), ps)
>>> state, ps = optimisers.update(state, ps, {"weight": luxport.asarray([2.0, 2.0], backend="numpy")})
>>> ps
{'weight': array([0., 1.], dtype=float32)}
"""

from luxport.optimisers.adam import Adam, AdamW
from luxport.optimisers.descent import Descent, Momentum
from luxport.optimisers.rule import Rule, in_dtype_of
from luxport.optimisers.update import setup, update

__all__ = ["Adam", "AdamW", "Descent", "Momentum", "Rule", "in_dtype_of", "setup", "update"]
