"""`DIFFERENCES`: each kind of difference between libraries, demonstrated by numbers, with a line that converts them."""

from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.functions import FUNCTIONS
from luxport_conformance.peers.differences.layers import LAYERS
from luxport_conformance.peers.differences.losses import LOSSES
from luxport_conformance.peers.differences.norms import NORMS
from luxport_conformance.peers.differences.optimizers import OPTIMIZERS
from luxport_conformance.peers.differences.recurrent import RECURRENT

__all__ = ["DIFFERENCES", "Difference", "Shown"]

DIFFERENCES: tuple[Difference, ...] = (*LAYERS, *NORMS, *RECURRENT, *FUNCTIONS, *LOSSES, *OPTIMIZERS)
