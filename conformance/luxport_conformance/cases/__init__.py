"""The cases, one file a family."""

from luxport_conformance.case import Case
from luxport_conformance.cases import (
    activations,
    alpha_dropout,
    attention,
    batched,
    containers,
    conv,
    dense,
    dropout,
    embedding,
    flat,
    initializers,
    losses,
    normalise,
    optimisers,
    output_shape,
    parallel,
    pooling,
    positional,
    recurrent,
    reparameterise,
    reshape,
    sample_norms,
    softmax,
)

__all__ = ["BY_ID", "CASES"]

CASES: tuple[Case, ...] = (
    *dense.CASES,
    *containers.CASES,
    *parallel.CASES,
    *embedding.CASES,
    *losses.CASES,
    *conv.CASES,
    *pooling.CASES,
    *normalise.CASES,
    *dropout.CASES,
    *sample_norms.CASES,
    *reparameterise.CASES,
    *initializers.CASES,
    *alpha_dropout.CASES,
    *recurrent.CASES,
    *reshape.CASES,
    *activations.CASES,
    *output_shape.CASES,
    *softmax.CASES,
    *batched.CASES,
    *attention.CASES,
    *optimisers.CASES,
    *flat.CASES,
    *positional.CASES,
)

BY_ID = {case.id: case for case in CASES}
