"""Checks of empty batches: called with no samples, a layer or loss gives the same result or error as on NumPy.

In test mode the output of a layer is empty, and the gradients of its parameters are 0.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import losses, tree
from luxport.backend import Backend, dtype_name, get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.examples import EXAMPLES, Example

__all__ = ["LOSSES", "PER_SAMPLE", "check_layer_without_samples", "check_loss_without_samples"]

PER_SAMPLE: tuple[tuple[str, Example], ...] = tuple(
    [
        (f"{name} {number}", example)
        for name, examples in EXAMPLES.items()
        for number, example in enumerate(examples, 1)
        if example.per_sample
    ]
)
LOSSES = tuple(
    [name for name in losses.__all__ if name.islower() and name != "label_smoothing"]  # it returns an array, not a loss
)


def check_layer_without_samples(name: str, example: Example, backend: Backend) -> float:
    """Compare a layer called with no samples with NumPy, in training and in test mode; return 0.

    Raises: Violation if they differ, the output in test mode is not empty, or a gradient is not 0
    """
    host = example.draw_values()
    for mode in (luxport.train_mode, luxport.test_mode):
        found: list[Any] = []
        for one in (get_backend("numpy"), backend):
            x, ps, st = move_to_backend((tree.map(lambda leaf: leaf[:0], host[0]), *host[1:]), one, "float32")
            found.append(_record_outcome(partial(_call_layer, example, x, ps, mode(st)), one))
        if found[0] != found[1]:
            raise Violation(f"{name} of no samples: as on NumPy {found[0]} expected, got {found[1]}")
    if isinstance(found[1], str) or any([shape[0] != 0 for shape, *_ in found[1]]):
        raise Violation(f"{name} of no samples: nothing expected in testing, got {found[1]}")
    if find_abilities(backend.name).gradients and tree.leaves(ps):

        def sum_up(ps: Any) -> Any:
            parts = tree.leaves(example.layer(x, ps, luxport.test_mode(st))[0])
            return sum([luxport.namespace(part).sum(part) for part in parts])

        for path, slope in tree.leaves_with_path(move_to_host(luxport.grad(sum_up)(ps), backend)):
            if np.any(slope != 0):
                raise Violation(f"{name} of no samples: gradients of 0 expected, got {slope} at {'.'.join(path)}")
    return 0.0


def _call_layer(example: Example, x: Any, ps: Any, st: Any) -> Any:
    return example.layer(x, ps, st)[0]


def check_loss_without_samples(name: str, backend: Backend) -> float:
    """Compare a loss called with no samples with NumPy, for each value of `agg`; return 0.

    Raises: Violation if they differ
    """
    rows, labels = np.zeros((0, 3)), np.zeros(0, np.int32)
    arrays: tuple[Any, ...] = (rows, rows)
    options: tuple[dict[str, Any], ...] = ({"agg": "mean"}, {"agg": "sum"}, {"agg": None})
    if name == "ctc_loss":
        arrays, options = (np.zeros((0, 5, 4)), np.zeros((0, 2), np.int32)), ({},)
    elif name.startswith("sparse") or name == "nll_loss":
        arrays = rows, labels
    elif name in ("gaussian_nll", "triplet_margin_loss"):
        arrays = rows, rows, rows
    for more in options:
        found = []
        for one in (get_backend("numpy"), backend):
            given = move_to_backend(arrays, one, "float32")
            found.append(_record_outcome(lambda given=given, more=more: getattr(losses, name)(*given, **more), one))
        if found[0] != found[1]:
            raise Violation(f"{name} {more} of no samples: as on NumPy {found[0]} expected, got {found[1]}")
    return 0.0


def _record_outcome(f: Any, backend: Backend) -> Any:
    """Return the shapes, dtypes and values of the arrays that f returns, or the message of luxport's error."""
    try:
        with np.errstate(all="ignore"):
            leaves = tree.leaves(f())
    except (luxport.LayerError, luxport.LayerTypeError) as error:
        return str(error)
    return [(tuple(leaf.shape), dtype_name(leaf), str(move_to_host(leaf, backend).tolist())) for leaf in leaves]
