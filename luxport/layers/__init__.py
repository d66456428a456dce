"""The layers, one file per family; a family is imported when one of its names is first used.

Python takes a millisecond to create the dataclass of a layer: importing all would slow ``import luxport`` down.
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
