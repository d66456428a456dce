"""Examples of every public operation, on which a backend's own version is held against the definition."""

from collections.abc import Mapping

from luxport_conformance.operation_examples import (
    activations,
    affine,
    attention,
    batched,
    conv,
    dropout,
    embedding,
    normalise,
    padding,
    pooling,
    random_bits,
    recurrent,
    softmax,
)
from luxport_conformance.operation_examples.example import OverrideExample

__all__ = ["OPERATIONS", "OverrideExample"]

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    **activations.OPERATIONS,
    **affine.OPERATIONS,
    **attention.OPERATIONS,
    **batched.OPERATIONS,
    **conv.OPERATIONS,
    **dropout.OPERATIONS,
    **embedding.OPERATIONS,
    **normalise.OPERATIONS,
    **padding.OPERATIONS,
    **pooling.OPERATIONS,
    **random_bits.OPERATIONS,
    **recurrent.OPERATIONS,
    **softmax.OPERATIONS,
}
