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

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luxport.optimisers.adam import *
    from luxport.optimisers.adam_variants import *
    from luxport.optimisers.adaptive import *
    from luxport.optimisers.adjustments import *
    from luxport.optimisers.chain import *
    from luxport.optimisers.clip import *
    from luxport.optimisers.decay import *
    from luxport.optimisers.descent import *
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
    "rule": ("HigherOrder", "Replacement", "Rule", "StepIf", "in_dtype_of"),
    "scheduler": ("Scheduler",),
    "signs": ("Lion", "Rprop"),
    "updates": ("setup", "update"),
}
"""The public names of each family's file, known before it is imported."""

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}

if not TYPE_CHECKING:
    __all__ = sorted(_FAMILY_OF)


def __getattr__(name: str) -> Any:
    if name not in _FAMILY_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_FAMILY_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FAMILY_OF})
