"""Activation functions by PyTorch."""

import torch

__all__ = ["relu", "sigmoid", "tanh"]

relu = torch.relu
sigmoid = torch.sigmoid
tanh = torch.tanh
