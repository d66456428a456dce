"""Norms of Flux in the forms of several versions, and their outputs for images."""

# torch and NumPy are the second implementations.
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import bson_writer as bw
import numpy as np
from flux_files import IDENTITY, draw, flux

IMAGES = draw(2, 4, 3, 5)
COLON = bw.struct_of(bw.datatype("Base.Colon"))
SCALE, SHIFT, MEAN, MOVING = draw(4), draw(4), draw(4), np.abs(draw(4)) + 0.5
NORM = [bw.array(a) for a in (SHIFT, SCALE, MEAN, MOVING)]
UNSURE = flux("BatchNorm", IDENTITY, *[bw.array(draw(3)) for _ in range(4)], 1e-3, 0.1, True)


def normalize(mean, root, x=IMAGES):
    def along(v):
        return v.reshape(-1, 1, 1)

    return (x - along(mean)) / along(root) * along(SCALE) + along(SHIFT)


def old_chain(*layers):
    """Flux 0.6's Chain has a Vector{Any} and no type parameters."""
    return flux("Chain", list(layers))


def new_chain(*layers):
    return flux("Chain", bw.tuple_of(*layers), params=[bw.datatype("Core.Tuple")])


def float32(value):
    return bw.bits_of("Core.Float32", np.float32(value).tobytes())
