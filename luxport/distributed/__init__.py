"""Training by several processes: who is who, sums over all of them, shares of the data, averaged gradients."""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
