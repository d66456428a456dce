"""Losses: functions ``loss(y_hat, y)`` as Flux has them, and Lux's values with options, ``MSELoss(agg="sum")``.

All take ``agg``: "mean", "sum", a function of the array of losses, or None to return that array. Targets have the
shape of the prediction (or are a number), and its dtype, or are bools or integers; the classes are along the last
axis unless another is given. A family is imported when one of its names is first used, as layers are.

>>> import numpy as np
>>> from luxport import losses
>>> losses.mse(np.array([1.0, 3.0]), np.array([1, 1]), agg=None)
array([0., 4.])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.lazy import lazy_names

if TYPE_CHECKING:
    from luxport.losses.classification import *
    from luxport.losses.common import Aggregation as Aggregation
    from luxport.losses.common import label_smoothing as label_smoothing
    from luxport.losses.distance import *
    from luxport.losses.objects import *
    from luxport.losses.overlap import *
    from luxport.losses.regression import *
    from luxport.losses.sequence import *
    from luxport.losses.sparse import *

OBJECTS = (
    *("BinaryCrossEntropyLoss", "BinaryFocalLoss", "CrossEntropyLoss", "DiceCoeffLoss", "FocalLoss"),
    *("GenericLossFunction", "HingeLoss", "HuberLoss", "KLDivergenceLoss", "L1Loss", "L2Loss", "Loss", "MAELoss"),
    *("MSELoss", "MSLELoss", "PoissonLoss", "SiameseContrastiveLoss", "SparseCrossEntropyLoss", "SquaredHingeLoss"),
)
"""Lux's names, which are public names of luxport itself as well."""

FAMILIES = {
    "classification": (
        *("binary_focal_loss", "binarycrossentropy", "crossentropy", "focal_loss", "hinge_loss", "kldivergence"),
        *("logitbinarycrossentropy", "logitcrossentropy", "squared_hinge_loss"),
    ),
    "common": ("Aggregation", "label_smoothing"),
    "distance": ("cosine_similarity_loss", "siamese_contrastive_loss", "triplet_margin_loss"),
    "objects": OBJECTS,
    "overlap": ("dice_coeff_loss", "tversky_loss"),
    "regression": ("gaussian_nll", "huber_loss", "mae", "mse", "msle", "poisson_loss"),
    "sequence": ("ctc_loss",),
    "sparse": ("nll_loss", "sparse_crossentropy", "sparse_logitcrossentropy"),
}
"""The public names of each family's file, known before it is imported."""

_names, __getattr__, __dir__ = lazy_names(__name__, FAMILIES)

if not TYPE_CHECKING:
    __all__ = _names
