"""Training: steps, the loop `fit`, data loaders, one-hot labels, metrics, checkpoints and stopping criteria."""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
