"""Peers: other libraries, whose own layers are compared with luxport's definitions on the examples of the suite.

A peer's deviation is information, not a failure: a large one shows that the libraries define a layer differently.
Both get the same options; defaults are not compared. A layer that a peer lacks is left out of the peer's column, with
the reason. Each peer is a `Peer`, a set of tables, in its own file; a user's peer is given by ``module:object``.

In these files ``build_…`` makes the counterpart of a layer, ``make_…_builder`` returns such a function for one of the
library's names, and ``convert_…`` converts luxport's parameters to those of the library.
"""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.named_objects import find_object
from luxport_conformance.peers.counterpart import Counterpart, NoCounterpartError, Peer
from luxport_conformance.peers.names import check_names

__all__ = ["PEERS", "Counterpart", "NoCounterpartError", "Peer", "find_peer"]

PEERS: Mapping[str, str] = {
    "torch.nn": "luxport_conformance.peers.torch_peer:TORCH",
    "keras@jax": "luxport_conformance.peers.keras_peer:ON_JAX",
    "keras@torch": "luxport_conformance.peers.keras_peer:ON_TORCH",
    "keras@tf": "luxport_conformance.peers.keras_peer:ON_TF",
    "flax.nnx": "luxport_conformance.peers.flax_peer:NNX",
    "flax.linen": "luxport_conformance.peers.flax_peer:LINEN",
    "equinox": "luxport_conformance.peers.equinox_peer:EQUINOX",
    "haiku": "luxport_conformance.peers.haiku_peer:HAIKU",
    "optax": "luxport_conformance.peers.optax_peer:OPTAX",
    "jax.nn": "luxport_conformance.peers.jax_nn:JAX_NN",
    "tf.nn": "luxport_conformance.peers.tf_nn:TF_NN",
    "mlx.nn": "luxport_conformance.peers.mlx_nn:MLX_NN",
    "onnxruntime": "luxport_conformance.peers.onnxruntime_peer:ONNXRUNTIME",
}
"""The ``module:object`` of each peer that comes with luxport; its library is imported only when its checks run."""


def find_peer(name: str) -> Peer:
    """Return one of luxport's peers by its name, or a user's peer by ``module:object``.

    Raises: ValueError if there is no such peer, or its tables have an unknown name; ImportingError if its module fails
    """
    if name not in PEERS and ":" not in name:
        raise ValueError(f"unknown peer {name}: expected all, one of {', '.join(PEERS)}, or module:object")
    found = find_object("peer", PEERS.get(name, name))
    if not isinstance(found, Peer):
        raise ValueError(f"no peer at {name!r}: a luxport_conformance.peers.Peer expected, got {type(found).__name__}")
    if ":" in name:
        check_names(found)
    return found
