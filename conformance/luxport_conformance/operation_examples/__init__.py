"""Examples of every operation, on which a backend's own version is held against the definition."""

from collections.abc import Mapping

from luxport_conformance.operation_examples import (
    activations,
    affine,
    attention,
    batched,
    conv,
    ctc,
    dropout,
    embedding,
    gather,
    internal,
    normalize,
    observe,
    padding,
    pooling,
    random_bits,
    recurrent,
    reparameterize,
    rotary,
    sampling,
    softmax,
    spectral,
    upsample,
    xlogy,
)
from luxport_conformance.operation_examples.example import OverrideExample

__all__ = ["OPERATIONS", "OverrideExample"]

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    **activations.OPERATIONS,
    **affine.OPERATIONS,
    **attention.OPERATIONS,
    **batched.OPERATIONS,
    **conv.OPERATIONS,
    **ctc.OPERATIONS,
    **dropout.OPERATIONS,
    **embedding.OPERATIONS,
    **gather.OPERATIONS,
    **internal.OPERATIONS,
    **normalize.OPERATIONS,
    **observe.OPERATIONS,
    **padding.OPERATIONS,
    **pooling.OPERATIONS,
    **random_bits.OPERATIONS,
    **rotary.OPERATIONS,
    **spectral.OPERATIONS,
    **xlogy.OPERATIONS,
    **recurrent.OPERATIONS,
    **reparameterize.OPERATIONS,
    **softmax.OPERATIONS,
    **sampling.OPERATIONS,
    **upsample.OPERATIONS,
}
