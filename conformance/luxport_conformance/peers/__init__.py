"""Peers: libraries whose own layers are asked the same questions as luxport's backends.

A peer's deviation is information, not a failure: where it is large, the two mean different things. Options are the
same on both sides, defaults are not compared. What a peer cannot be asked is left out of its column, with the reason.
Each is a table, a `Peer`, in a file of its own; anyone's is asked as well, by ``module:object``.

In the tables' files ``build_…`` makes the counterpart of a layer, ``make_…_builder`` returns such a function for one of
the library's names, and ``convert_…`` turns luxport's parameters into the library's.
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
"""Where the table of each peer stands that comes with luxport; none imports its library before it is asked."""


def find_peer(name: str) -> Peer:
    """Return a peer of ours by its name, or anyone's by ``module:object``.

    Raises: ValueError if there is none, or if its tables name what is not asked; ImportingError if its module fails
    """
    if name not in PEERS and ":" not in name:
        raise ValueError(f"unknown peer {name}: expected all, one of {', '.join(PEERS)}, or module:object")
    found = find_object("peer", PEERS.get(name, name))
    if not isinstance(found, Peer):
        raise ValueError(f"no peer at {name!r}: a luxport_conformance.peers.Peer expected, got {type(found).__name__}")
    if ":" in name:
        check_names(found)
    return found
