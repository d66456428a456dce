"""Training by several processes: ranks, collective operations on trees, divided data, and averaged gradients."""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
