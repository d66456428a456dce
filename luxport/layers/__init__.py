"""The layers, one file a family; a family is imported when one of its names is first used.

Each layer is a dataclass, which takes Python a millisecond to make: all of them would slow ``import luxport`` down.
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
