"""The layers, one file a family."""

from luxport.layers.containers import Chain
from luxport.layers.dense import Dense, Diagonal, Scale
from luxport.layers.dropout import Dropout
from luxport.layers.normalise import BatchNorm
from luxport.layers.reshape import FlattenLayer, ReshapeLayer, SelectDim
from luxport.layers.wrapped import NoOpLayer, WrappedFunction

__all__ = [
    "BatchNorm",
    "Chain",
    "Dense",
    "Diagonal",
    "Dropout",
    "FlattenLayer",
    "NoOpLayer",
    "ReshapeLayer",
    "Scale",
    "SelectDim",
    "WrappedFunction",
]
