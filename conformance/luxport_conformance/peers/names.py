"""`check_names`: find misspelled names in a peer's tables, which would silently have no checks."""

from __future__ import annotations

from difflib import get_close_matches

from luxport.backend import list_known_backends
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.peers.counterpart import Peer
from luxport_conformance.peers.edges import INITIALIZERS, LOSSES, RULES

__all__ = ["check_names"]

_ASKED = {
    "layers": EXAMPLES,
    "none": EXAMPLES,
    "operations": OPERATIONS,
    "losses": LOSSES,
    "optimizers": RULES,
    "initializers": INITIALIZERS,
}


def check_names(peer: Peer) -> None:
    """Check that every name in a peer's tables has an example, and that the peer's backend is known.

    Raises: ValueError if a name has no example, or the backend is unknown
    """
    if peer.backend not in list_known_backends():
        known = ", ".join(list_known_backends())
        raise ValueError(f"peer {peer.name}: unknown backend {peer.backend!r}: expected one of {known}")
    for table, asked in _ASKED.items():
        for name in getattr(peer, table):
            if name not in asked:
                near = get_close_matches(name, asked, n=1)
                hint = f"do you mean {near[0]}?" if near else f"expected some of {', '.join(sorted(asked))}"
                raise ValueError(f"peer {peer.name}: {table} names {name!r}, of which nothing is asked: {hint}")
