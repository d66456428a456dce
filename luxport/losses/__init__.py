"""Losses: functions ``loss(y_hat, y)`` as in Flux, and objects with options as in Lux, ``MSELoss(agg="sum")``.

All take ``agg``: "mean", "sum", a function of the array of losses, or None to return that array. Targets have the
shape of the prediction (or are a number) and its dtype, or are bools or integers; the axis of the classes is the last
unless another is given. Like layers, a family is imported when one of its names is first used.

>>> import numpy as np
>>> from luxport import losses
>>> losses.mse(np.array([1.0, 3.0]), np.array([1, 1]), agg=None)
array([0., 4.])
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
