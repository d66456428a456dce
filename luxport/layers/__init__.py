"""The layers, one file a family."""

from luxport.layers.containers import Chain
from luxport.layers.conv import Conv, CrossCor
from luxport.layers.dense import Dense, Diagonal, Scale
from luxport.layers.dropout import Dropout
from luxport.layers.normalise import BatchNorm
from luxport.layers.padding import SamePad
from luxport.layers.pooling import MaxPool, MeanPool
from luxport.layers.reshape import FlattenLayer, ReshapeLayer, SelectDim
from luxport.layers.wrapped import NoOpLayer, WrappedFunction

__all__ = [
    "BatchNorm",
    "Chain",
    "Conv",
    "CrossCor",
    "Dense",
    "Diagonal",
    "Dropout",
    "FlattenLayer",
    "MaxPool",
    "MeanPool",
    "NoOpLayer",
    "ReshapeLayer",
    "SamePad",
    "Scale",
    "SelectDim",
    "WrappedFunction",
]
