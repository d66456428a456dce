"""The cases, one file a family."""

from luxport_conformance.case import Case
from luxport_conformance.cases import (
    activations,
    batched,
    containers,
    conv,
    dense,
    dropout,
    normalise,
    output_shape,
    parallel,
    pooling,
    reshape,
    softmax,
)

__all__ = ["BY_ID", "CASES"]

CASES: tuple[Case, ...] = (
    *dense.CASES,
    *containers.CASES,
    *parallel.CASES,
    *conv.CASES,
    *pooling.CASES,
    *normalise.CASES,
    *dropout.CASES,
    *reshape.CASES,
    *activations.CASES,
    *output_shape.CASES,
    *softmax.CASES,
    *batched.CASES,
)

BY_ID = {case.id: case for case in CASES}
