"""Keras 3: a model's layers as luxport's with their weights, and luxport's as a layer of Keras."""
