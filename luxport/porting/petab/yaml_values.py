"""`parse_yaml`: parse YAML from untrusted files as plain values, with limits on its size and depth."""

from __future__ import annotations

from typing import Any

from luxport.porting.errors import FileFormatError

__all__ = ["parse_yaml"]

_LONGEST_FILE = 1 << 20
_DEEPEST = 40
_MOST_NODES = 100_000
_LONGEST_NUMBER = 100


def parse_yaml(yaml: Any, data: bytes) -> Any:
    """Return the values of a YAML document, without tags that create objects; `yaml` is the module PyYAML.

    The number of nodes is limited, and a node that is in several places by an anchor counts in each: nested anchors can
    make a short text stand for billions of nodes.

    Raises: FileFormatError if it is longer, deeper or larger than any description of a network; PyYAML's errors
    """
    if len(data) > _LONGEST_FILE:
        raise FileFormatError(f"it has {len(data)} bytes, but a description of a network at most {_LONGEST_FILE}")
    loader = yaml.SafeLoader(data.decode("utf-8"))
    # Dates remain text, and the merge key `<<`, which copies entries of another mapping, has no effect.
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":merge"))]
        for first, found in loader.yaml_implicit_resolvers.items()
    }
    compose, depth = loader.compose_node, 0

    def compose_bounded(parent: Any, index: Any) -> Any:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise FileFormatError(f"values are nested more than {_DEEPEST} deep")
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = compose_bounded
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _NodeCounter(yaml).count(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _NodeCounter:
    """Counts the nodes of a tree; a node in several places is counted in each, but visited once."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._known: dict[int, int] = {}

    def count(self, node: Any) -> int:
        if isinstance(node, self._yaml.ScalarNode):
            if node.tag.endswith((":int", ":float")) and len(node.value) > _LONGEST_NUMBER:
                raise FileFormatError(f"a number has {len(node.value)} digits, more than {_LONGEST_NUMBER}")
            return 1
        if id(node) in self._known:
            size = self._known[id(node)]
            if not size:
                raise FileFormatError("a node contains itself")
            return size
        self._known[id(node)] = 0
        pairs = isinstance(node, self._yaml.MappingNode)
        inner = [part for pair in node.value for part in pair] if pairs else node.value
        size = 1 + sum(map(self.count, inner))
        if size > _MOST_NODES:
            raise FileFormatError(f"it has more than {_MOST_NODES} values, counting those repeated by anchors")
        self._known[id(node)] = size
        return size
