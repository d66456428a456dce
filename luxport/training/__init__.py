"""Training: steps and loops of them, data, labels, metrics, and when to stop."""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
