"""Translate Julia code: `translate` turns the definition of a Flux or Lux model into Python that builds luxport's.

It needs Julia's grammar, which ``pip install 'luxport-nn[code]'`` installs.
"""

from luxport.porting.translate.module import Hole, Translation, translate

__all__ = ["Hole", "Translation", "translate"]
