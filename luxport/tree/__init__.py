"""Functions on trees of arrays: nested dicts (any mapping), tuples and lists, whose order is kept."""

from typing import TYPE_CHECKING

from luxport.lazy import explain_absent_names

from ._nested import Tree as Tree
from ._nested import VectorTree as VectorTree
from ._nested import leaves as leaves
from ._nested import leaves_with_path as leaves_with_path
from ._nested import like_sequence as like_sequence
from ._nested import map as map
from ._nested import map_with_path as map_with_path
from ._nested import structure as structure
from ._nested import unflatten as unflatten

if not TYPE_CHECKING:
    __getattr__ = explain_absent_names(__name__)
