"""Optimisers: rules that turn gradients into steps, applied to trees of parameters by pure functions.

A rule is a value; a family of rules is imported when one of its names is first used, as layers are.

>>> import luxport
>>> from luxport import optimisers
>>> ps = {"weight": luxport.asarray([1.0, 2.0], backend="numpy")}
>>> state = optimisers.setup(optimisers.Descent(0.5), ps)
>>> state, ps = optimisers.update(state, ps, {"weight": luxport.asarray([2.0, 2.0], backend="numpy")})
>>> ps
{'weight': array([0., 1.], dtype=float32)}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.lazy import lazy_names

if TYPE_CHECKING:
    from luxport.optimisers.adam import *
    from luxport.optimisers.adam_variants import *
    from luxport.optimisers.adaptive import *
    from luxport.optimisers.adjustments import *
    from luxport.optimisers.chain import *
    from luxport.optimisers.clip import *
    from luxport.optimisers.decay import *
    from luxport.optimisers.descent import *
    from luxport.optimisers.norms import *
    from luxport.optimisers.rule import *
    from luxport.optimisers.scheduler import *
    from luxport.optimisers.signs import *
    from luxport.optimisers.updates import *

FAMILIES = {
    "adam": ("Adam", "AdamW"),
    "adam_variants": ("AMSGrad", "AdaBelief", "AdaMax", "NAdam", "OAdam", "RAdam"),
    "adaptive": ("AdaDelta", "AdaGrad", "RMSProp"),
    "adjustments": ("adjust", "freeze", "thaw"),
    "chain": ("AccumGrad", "MixedPrecision", "OptimiserChain"),
    "clip": ("ClipGrad", "ClipNorm"),
    "decay": ("SignDecay", "WeightDecay"),
    "descent": ("Descent", "Momentum", "Nesterov"),
    "norms": ("clip_by_global_norm", "global_norm"),
    "rule": ("HigherOrder", "Replacement", "Rule", "StepIf", "in_dtype_of"),
    "scheduler": ("Scheduler",),
    "signs": ("Lion", "Rprop"),
    "updates": ("setup", "update"),
}
"""The public names of each family's file, known before it is imported."""

_names, __getattr__, __dir__ = lazy_names(__name__, FAMILIES)

if not TYPE_CHECKING:
    __all__ = _names
