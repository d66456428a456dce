"""torch.nn and Keras 3 as peers: what their own layers give on the same inputs and parameters, and their gradients.

A peer's deviation is information, not a failure: where it is large, the two mean different things. Options are the
same on both sides, defaults are not compared. What a peer cannot be asked is left out of its column, with the reason.
"""

from luxport_conformance.peers.checks import peer_checks
from luxport_conformance.peers.counterpart import Peer
from luxport_conformance.peers.keras_peer import KERAS
from luxport_conformance.peers.torch_peer import TORCH

__all__ = ["PEERS", "peer_checks"]

PEERS: dict[str, Peer] = {peer.name: peer for peer in (TORCH, KERAS)}
