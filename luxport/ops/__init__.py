"""Functions on arrays that layers are made of: written once in Array API terms, faster where a backend can."""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__, at_once=(".",))
