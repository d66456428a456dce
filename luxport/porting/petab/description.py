"""YAML as plain values: no tags that make objects, no dates, no growth by names for nodes."""

from __future__ import annotations

from typing import Any

from luxport.porting.errors import FileFormatError

__all__ = ["parse_yaml"]

_LONGEST_FILE = 1 << 20
_DEEPEST = 40
_MOST_NODES = 100_000
_LONGEST_NUMBER = 100


def parse_yaml(yaml: Any, data: bytes) -> Any:
    """Return what a text of YAML holds; `yaml` is PyYAML.

    A node that stands in several places by its anchor counts in each.

    Raises: FileFormatError if it is longer, deeper or larger than any description of a network; PyYAML's errors
    """
    if len(data) > _LONGEST_FILE:
        raise FileFormatError(f"{len(data)} bytes, and a description of a network has {_LONGEST_FILE} at most")
    loader = yaml.SafeLoader(data.decode("utf-8"))
    # Dates are text here, and one mapping is not merged into another.
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":merge"))]
        for first, found in loader.yaml_implicit_resolvers.items()
    }
    compose, depth = loader.compose_node, 0

    def bounded(parent: Any, index: Any) -> Any:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise FileFormatError(f"values are nested more than {_DEEPEST} deep")
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = bounded
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Sizes(yaml).of(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Sizes:
    """Counts nodes, those again that stand in several places, without walking these twice."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._known: dict[int, int] = {}

    def of(self, node: Any) -> int:
        if isinstance(node, self._yaml.ScalarNode):
            if node.tag.endswith((":int", ":float")) and len(node.value) > _LONGEST_NUMBER:
                raise FileFormatError(f"a number of {len(node.value)} digits")
            return 1
        if id(node) in self._known:
            size = self._known[id(node)]
            if not size:
                raise FileFormatError("a node contains itself")
            return size
        self._known[id(node)] = 0
        pairs = isinstance(node, self._yaml.MappingNode)
        inner = [part for pair in node.value for part in pair] if pairs else node.value
        size = 1 + sum(map(self.of, inner))
        if size > _MOST_NODES:
            raise FileFormatError(f"more than {_MOST_NODES} values, some over and over by their anchors")
        self._known[id(node)] = size
        return size
