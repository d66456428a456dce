"""Cases of integers and booleans in place of floating numbers, and of masks of a wrong dtype or shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import LayerError, losses, ops, optimizers
from luxport.errors import LayerTypeError
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, check_refusal, draw

SOURCE = ("the rule: what integers would round away is refused, as a result of integers would be another number",)

# Functions that need floating numbers, called with an image (2, 4, 6, 6).
NEEDS_FLOATING: dict[str, Callable[[Any], Any]] = {
    "normalize": lambda x: ops.normalize(x),
    "layer_norm": lambda x: ops.layer_norm(x, epsilon=0.1),
    "rms_norm": lambda x: ops.rms_norm(x, epsilon=0.1),
    "group_norm": lambda x: ops.group_norm(x, groups=2, epsilon=0.1),
    "instance_norm": lambda x: ops.instance_norm(x, training=True, epsilon=0.1),
    "batch_norm": lambda x: ops.batch_norm(x, training=True, epsilon=0.1),
    "mean_pool": lambda x: ops.mean_pool(x, window=2),
    "lp_pool": lambda x: ops.lp_pool(x, window=2),
    "global_mean_pool": lambda x: ops.global_mean_pool(x),
    "global_lp_pool": lambda x: ops.global_lp_pool(x),
    "adaptive_mean_pool": lambda x: ops.adaptive_mean_pool(x, output_size=(4, 4)),
    "adaptive_lp_pool": lambda x: ops.adaptive_lp_pool(x, output_size=(4, 4)),
    "weight_norm": lambda x: ops.weight_norm(x, x),
    "scaled_dot_product_attention": lambda x: ops.scaled_dot_product_attention(x, x, x),
}
KINDS = ("int32", "uint8", "bool")

FLAGS = np.eye(3)[[0, 2, 1, 1]]
# Losses whose target is labels, and functions without a target.
OTHERS = ("ctc_loss", "label_smoothing", "nll_loss", "sparse_crossentropy", "sparse_logitcrossentropy")
LOSSES = {
    name: loss
    for name in losses.__all__
    if callable(loss := getattr(losses, name)) and not isinstance(loss, type) and name not in OTHERS
}
# The last two entries are dtypes that some frameworks lack.
TARGET_KINDS = {"": KINDS, "_int64": ("int64",), "_uint16": ("uint16",)}


def _list_integers(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([kind for kind in kinds if kind != "bool"])


def _compute_loss(name: str, y_hat: Any, y: Any) -> Any:
    """Compute a loss; a loss of three arrays gets the target as the third array, too."""
    return LOSSES[name](y_hat, y, *[y] * (name in ("gaussian_nll", "triplet_margin_loss")))


def _compute_differences(name: str, y_hat: Any, y: Any, *integers: Any) -> Any:
    """Return, for each target of integers or booleans, its loss minus the loss of the same target as floats."""
    return tuple([_compute_loss(name, y_hat, target) - _compute_loss(name, y_hat, y) for target in integers])


# A rule of each kind: element by element, with a count of its steps, and by a norm of the gradient.
RULES = {"Descent": optimizers.Descent(0.1), "Adam": optimizers.Adam(0.1), "ClipNorm": optimizers.ClipNorm(1.0)}


def _take_steps(rule: Any, x: Any, *gradients: Any) -> Any:
    """Return the parameter x after a first step by each of the gradients."""
    state = optimizers.setup(rule, {"w": x})
    return tuple([optimizers.update(state, {"w": x}, {"w": dx})[1]["w"] for dx in gradients])


def _take_step_of_another_kind(rule: Any, seen: Any, x: Any) -> Any:
    return optimizers.update(optimizers.setup(rule, {"w": seen}), {"w": x}, {"w": x})


def _take_step_of_integers(rule: Any, x: Any, integers: Any) -> Any:
    return optimizers.update(optimizers.setup(rule, {"w": x}), {"w": integers}, {"w": integers})


QUERY, KEY = draw(2, 1, 2, 4), draw(2, 5, 2, 4)
# Masks of a wrong dtype, and masks that would broadcast the scores (2, 2, 1, 5) to another shape.
MASKS: dict[str, tuple[Any, type[Exception], str]] = {
    "numbers": (np.ones((1, 5), np.float32), LayerTypeError, "expects a mask of booleans"),
    "integers": (np.ones((1, 5), np.int32), LayerTypeError, "expects a mask of booleans"),
    "more_queries": (np.ones((3, 5), bool), LayerError, r"broadcasts to the scores \(2, 2, 1, 5\), got \(3, 5\)"),
    "more_axes": (np.ones((1, 2, 2, 1, 5), bool), LayerError, r"broadcasts to the scores \(2, 2, 1, 5\)"),
    "other_keys": (np.ones((1, 4), bool), LayerError, r"broadcasts to the scores \(2, 2, 1, 5\), got \(1, 4\)"),
}


CASES: list[Case] = [
    *(
        check_refusal(
            f"not_floating.{name}_{kind}",
            SOURCE,
            f,
            {"x": np.ones((2, 4, 6, 6), kind)},
            raises=LayerTypeError,
            message=f"expects .*floating.*got {kind}",
            subject=name,
        )
        for name, f in NEEDS_FLOATING.items()
        for kind in KINDS
    ),
    *(
        check_refusal(
            f"not_floating.{name}_{kind}",
            SOURCE,
            lambda y_hat, y, name=name: _compute_loss(name, y_hat, y),
            {"y_hat": FLAGS.astype(kind), "y": FLAGS},
            raises=TypeError,
            message=f"expects a floating y_hat, got {kind}",
            subject=name,
        )
        for name in LOSSES
        for kind in KINDS
    ),
    *(
        check_program(
            f"not_floating.{name}_targets{which}",
            ("a target of integers or booleans is the same as that of floating numbers",),
            lambda y_hat, y, *integers, name=name: _compute_differences(name, y_hat, y, *integers),
            {"y_hat": np.abs(draw(4, 3)) / 4.0 + 0.1, "y": FLAGS, **{kind: FLAGS.astype(kind) for kind in kinds}},
            subject=name,
            expected=(np.array(0.0),) * len(kinds),
            dtypes=("float32",),
            traces=False,
            integers=_list_integers(kinds),
        )
        for name in LOSSES
        for which, kinds in TARGET_KINDS.items()
    ),
    *(
        check_refusal(
            f"not_floating.{name}_steps_{kind}",
            SOURCE,
            lambda x, integers, rule=rule: _take_step_of_integers(rule, x, integers),
            {"x": FLAGS, "integers": FLAGS.astype(kind)},
            raises=ValueError,
            message=f"update expects floating numbers as a parameter at w, as setup saw, got {kind}",
            subject=name,
        )
        for name, rule in RULES.items()
        for kind in KINDS
    ),
    *(
        check_refusal(
            f"not_floating.{name}_steps_{got}_for_{seen}",
            SOURCE,
            lambda real, complex, rule=rule, seen=seen: _take_step_of_another_kind(
                rule, *((real, complex) if seen == "real" else (complex, real))
            ),
            {"real": draw(4, 3), "complex": draw(4, 3) + 1j},
            raises=ValueError,
            message=f"update expects {seen} parameters, as setup saw, got {got}",
            subject=name,
        )
        for name, rule in RULES.items()
        if name in ("Adam", "Momentum")
        for seen, got in (("real", "complex64"), ("complex", "float32"))
    ),
    *(
        check_program(
            f"not_floating.{name}_gradients{which}",
            ("a gradient of integers or booleans is the same as that of floating numbers",),
            lambda x, dx, *integers, rule=rule: tuple(
                [y - _take_steps(rule, x, dx)[0] for y in _take_steps(rule, x, *integers)]
            ),
            {"x": draw(4, 3), "dx": FLAGS, **{kind: FLAGS.astype(kind) for kind in kinds}},
            subject=name,
            expected=(np.zeros((4, 3)),) * len(kinds),
            dtypes=("float32",),
            traces=False,
            integers=_list_integers(kinds),
        )
        for name, rule in RULES.items()
        for which, kinds in TARGET_KINDS.items()
    ),
    *(
        check_refusal(
            f"masks.{name}_{'alone' if alone else 'with_scores'}",
            SOURCE,
            lambda q, k, mask, alone=alone: ops.scaled_dot_product_attention(
                q, k, k, None, mask, return_scores=not alone
            ),
            {"query": QUERY, "key": KEY, "mask": mask},
            raises=error,
            message=message,
            subject="scaled_dot_product_attention",
        )
        for name, (mask, error, message) in MASKS.items()
        for alone in (False, True)
    ),
]
