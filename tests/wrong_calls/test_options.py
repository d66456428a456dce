"""Options of every public class are checked when it is built: wrong kinds and ranges raise in one line."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from wrong_functions import SCHEDULES

import luxport
from luxport import distributed, losses, optimizers, schedules, training
from luxport_conformance.examples import EXAMPLES

WRONG: dict[str, Any] = {
    "a string": "0.5",
    "None": None,
    "an empty list": [],
    "a list": [0.5],
    "a dict": {},
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a negative int": -3,
    "a negative number": -0.5,
    "a complex number": 1j,
    "an object": object(),
    "an array": np.ones((2, 3)),
    "a layer's class": luxport.Dense,
}

ADAM = optimizers.Adam()
OTHERS: list[tuple[Any, dict[str, Any]]] = [
    (optimizers.AccumGrad, {"n": 2}),
    (optimizers.MixedPrecision, {"rule": ADAM, "dtype": "float32"}),
    (distributed.DistributedOptimizer, {"rule": ADAM}),
    (losses.GenericLossFunction, {"loss_fn": lambda y_hat, y: y_hat - y, "agg": "mean"}),
    (training.EarlyStopping, {"monitor": "loss", "patience": 2, "largest": False}),
    (training.BestCheckpoint, {"folder": "best", "monitor": "loss", "largest": False}),
    (training.CSVLog, {"path": "log.csv"}),
    (training.JSONLog, {"path": "log.json"}),
    (training.MovingAverage, {"decay": 0.9, "warm_up": True}),
    (training.DynamicLossScale, {"initial": 2.0, "growth": 2.0, "backoff": 0.5, "interval": 2, "least": 1.0}),
    (training.DataLoader, {"data": np.ones((4, 2)), "batch_size": 2, "shuffle": True, "partial": True, "seed": 0}),
    (schedules.Shortened, {"schedule": schedules.Exp(0.1, 0.9), "nsteps": 2}),
    (schedules.Shifted, {"schedule": schedules.Exp(0.1, 0.9), "offset": 2}),
    (schedules.Interpolator, {"schedule": schedules.Exp(0.1, 0.9), "rate": 2.0, "ceil": True}),
    (schedules.Inv, {"start": 0.1, "decay": 0.9, "degree": 2}),
    *[(kind, {"l0": 0.1, "l1": 1.0, "period": 4}) for kind in (schedules.Triangle, schedules.TriangleDecay2)],
    *[(kind, {"l0": 0.1, "l1": 1.0, "period": 4}) for kind in (schedules.Sin, schedules.SinDecay2)],
    *[(kind, {"l0": 0.1, "l1": 1.0, "period": 4, "decay": 0.9}) for kind in (schedules.TriangleExp, schedules.SinExp)],
]

NUMBERS = {"a negative int", "a negative number"}
AXES = {"None", "a negative int"}
NEGATIVE = {"axis", "decay", "degree", "end", "ignore_index", "index", "l0", "l1", "offset", "start", "value"}
"""Options that may be negative: axes and places from the end, labels, values of schedules."""

ALLOWED: dict[str, set[str]] = {
    **{name: NUMBERS for name in NEGATIVE},
    "ClipNorm.p": {*NUMBERS, "infinity"},
    "SinusoidalPositionalEmbedding.scale": NUMBERS,
    **{f"{name}.axes": {"an empty list", "a negative int"} for name in ("Dropout", "VariationalHiddenDropout")},
    "SpectralNorm.axes": {"a negative int"},
    "WeightNorm.axes": {"a negative int"},
    "FrozenLayer.which": {"an empty list", "a string"},
    "DebugLayer.location": {"an empty list"},
    "PReLU.shape": {"an empty list"},
    "Tied.groups": {"an empty list", "a dict"},
    "Sequence.schedules": {"an array"},
    "Sequence.step_sizes": {"an array"},
    "SparseCrossEntropyLoss.class_weights": {"an empty list", "a list"},
    "Step.step_sizes": {"an empty list", "a list", "a dict", "an array"},
    "DataLoader.data": {"an array"},
    **{f"{name}.path": {"a string"} for name in ("CSVLog", "JSONLog")},
    "BestCheckpoint.folder": {"a string"},
    "monitor": {"a string"},
    "agg": {"a layer's class"},
    "BidirectionalRNN.merge_mode": {"a layer's class"},
    "connection": {"a layer's class"},
    "loss_fn": {"a layer's class"},
    "schedule": {"a layer's class"},
}
"""Values that documentation allows for an option, of one class or of all; None is allowed by annotations."""

OWN_WORDS = ("layer", "paths", "path", "size", "axis", "names", "standard deviation", "out_dims", "arrays")
"""Words by which a message may describe an option instead of naming it."""


WITHOUT = {luxport.CompactLayer, luxport.BidirectionalRNN}
"""Classes whose fields differ from their arguments; containers with layers by position are left out, too."""


def _is_kept(option: str, layer: Any) -> bool:
    return option != "name" and option in vars(layer)


def list_classes() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield public classes with right options."""
    seen = set()
    for family in EXAMPLES.values():
        for example in (one for ones in (family.values() if isinstance(family, dict) else [family]) for one in ones):
            kind = type(example.layer)
            known = list(inspect.signature(kind.__init__).parameters.values())[1:]
            variadic = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in known)
            if kind not in seen and kind not in WITHOUT and not variadic and kind.__module__.startswith("luxport."):
                seen.add(kind)
                yield (
                    kind.__name__,
                    kind,
                    {p.name: getattr(example.layer, p.name) for p in known if _is_kept(p.name, example.layer)},
                )
    given: list[tuple[Any, dict[str, Any]]] = [*OTHERS, *SCHEDULES]
    yield from ((kind.__name__, kind, options) for kind, options in given if isinstance(kind, type))
    named = {kind for kind, _ in given}
    for room in (optimizers, losses):
        for name in room.__all__:
            kind: Any = getattr(room, name)
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in named and name not in APART:
                value = kind()
                yield name, kind, {f.name: getattr(value, f.name) for f in dataclasses.fields(kind) if f.init}


APART = ("OptimizerChain", "Scheduler")
"""Their options are any number of rules or schedules."""

CLASSES = {name: (kind, options) for name, kind, options in list_classes()}


def is_allowed(kind: Any, option: str, label: str) -> bool:
    """Return whether the documentation allows a value."""
    named = f"{kind.__name__}.{option}"
    annotations = {f.name: str(f.type) for f in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    nullable = "None" in annotations.get(option, "") or annotations.get(option, "") in NULLABLE
    if label == "an array" and issubclass(kind, schedules.Schedule) and annotations.get(option) in ("int", "float"):
        return True
    allowed = ALLOWED.get(named, ALLOWED.get(option, set()))
    return label in allowed or (label == "None" and (nullable or option == "seed"))


NULLABLE = ("Aggregation", "GateInitializer")


@pytest.mark.parametrize("name", CLASSES)
def test_options_are_checked_when_a_class_is_called(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind, options = CLASSES[name]
    kind(**options)
    taken, unclear = [], []
    for option in options:
        for label, wrong in WRONG.items():
            try:
                kind(**{**options, option: wrong})
            except (TypeError, ValueError) as error:
                told = str(error)
                named = option in told or any(word in told for word in OWN_WORDS)
                if not told.startswith(f"{kind.__name__} ") or "got " not in told or "\n" in told or not named:
                    unclear.append((option, label, told))
            else:
                taken.append((option, label))
    assert not unclear
    assert [one for one in taken if not is_allowed(kind, *one)] == []


def test_a_rule_accepts_only_arrays_without_axes():
    assert optimizers.Adam(np.asarray(0.1)).beta == (0.9, 0.999)
    with pytest.raises(luxport.LayerTypeError, match=r"Adam expects eta as a learning rate .*, got an array \(2,\)"):
        optimizers.Adam(np.ones(2))


def test_all_public_classes_are_found():
    assert len(CLASSES) > 110
