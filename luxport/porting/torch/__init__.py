"""PyTorch: a module as luxport's layers with its tensors, and luxport's layers as a module."""
