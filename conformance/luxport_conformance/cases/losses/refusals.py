"""Cases of arguments that losses refuse."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import losses
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, cite
from luxport_conformance.cases.losses.common import FILE


def _check_refusals() -> list[Case]:
    def check_refusal(
        id: str, source: int | str, subject: str, program: Any, message: str, raises: type[Exception] = ValueError
    ) -> Case:
        sources = cite(FILE, source) if isinstance(source, int) else (source,)
        return check_error(f"losses.{id}", sources, program, subject=subject, raises=raises, message=message)

    two, three = np.ones(2), np.ones(3)
    siamese = losses.siamese_contrastive_loss
    return [
        *(
            check_refusal(
                f"label_smoothing_{alpha}",
                line,
                "label_smoothing",
                lambda alpha=alpha: losses.label_smoothing(np.asarray([0.0, 0.0, 1.0, 0.0]), alpha),
                f"label_smoothing expects alpha as a number between 0 and 1, got {alpha}",
            )
            for line, alpha in ((105, 1.2), (106, 0.0))
        ),
        *(
            check_refusal(
                f"siamese_{line}",
                line,
                "siamese_contrastive_loss",
                lambda margin=margin: siamese(two, two, margin=margin),
                f"siamese_contrastive_loss expects margin as a finite number of at least 0, got {margin}",
            )
            for line, margin in ((230, -0.5), (231, -1))
        ),
        check_refusal(
            "shapes",
            "lux: sizes must match",
            "mse",
            lambda: losses.mse(two, three),
            r"^mse expects y_hat and y of one shape, got \(2,\) and \(3,\)$",
        ),
        check_refusal(
            "other_dtypes",
            "luxport",
            "mae",
            lambda: losses.mae(two, two.astype("f4")),
            "^mae expects y in float64 as y_hat, got float32",
            TypeError,
        ),
        check_refusal(
            "integers",
            "luxport",
            "mse",
            lambda: losses.mse(np.ones(2, int), two),
            "^mse expects a floating y_hat, got int64",
            TypeError,
        ),
        check_refusal(
            "aggregation",
            "luxport",
            "mse",
            lambda: losses.mse(two, two, agg="median"),
            '^mse expects agg as "mean", "sum", a function or None, got .median.$',
        ),
        check_refusal(
            "class",
            "luxport",
            "nll_loss",
            lambda: losses.nll_loss(np.ones((1, 2)), np.asarray([2])),
            "^nll_loss expects classes of at least 0 and below 2, got 2",
        ),
        check_refusal(
            "arguments",
            "luxport",
            "MSELoss",
            lambda: losses.MSELoss()(two),  # type: ignore[call-overload]
            r"^MSELoss expects \(y_hat, y\) or \(model",
            TypeError,
        ),
        check_refusal(
            "smoothing",
            "lux: label_smoothing in [0, 1]",
            "CrossEntropyLoss",
            lambda: losses.CrossEntropyLoss(label_smoothing=1.5),
            r"^CrossEntropyLoss expects label_smoothing as a number in \[0, 1\], or None, got 1.5",
        ),
    ]


CASES: list[Case] = _check_refusals()
