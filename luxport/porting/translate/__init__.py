"""Port Julia code: `translate` turns a definition of a Flux or Lux model into Python that builds luxport's.

It wants the packages of ``luxport-nn[code]``, which hold Julia's grammar.
"""

from luxport.porting.translate.module import Hole, Translation, translate

__all__ = ["Hole", "Translation", "translate"]
