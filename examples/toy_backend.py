"""A backend for a toy framework: its arrays wrap NumPy's, and it overrides `tanh`."""

import re
from types import ModuleType, SimpleNamespace

import array_api_compat.numpy as xp
import numpy as np

from luxport import tree


class ToyArray:
    """A wrapper of a NumPy array."""

    __array_ufunc__ = None  # so that operators of NumPy scalars and boxes call the box's methods

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype, self.device = values.shape, values.dtype, "cpu"


def unbox(values):
    """Return a nested structure with boxes replaced by their NumPy arrays."""
    return tree.map(lambda leaf: leaf.values if isinstance(leaf, ToyArray) else leaf, values)


def box(values):
    """Return a nested structure with NumPy arrays wrapped in boxes."""
    arrays = (np.ndarray, np.generic)
    return tree.map(lambda leaf: ToyArray(np.asarray(leaf)) if isinstance(leaf, arrays) else leaf, values)


def forward(target):
    """Wrap a function, or all functions of a module, to take and return boxes."""
    if isinstance(target, ModuleType):
        return type("Namespace", (), {"__getattr__": lambda self, name: forward(getattr(target, name))})()
    is_function = callable(target) and not isinstance(target, type)
    return (lambda *args, **options: box(target(*unbox(args), **unbox(options)))) if is_function else target


BINARY = re.findall(r"\w+", "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift")
OTHERS = re.findall(r"\w+", "lt le gt ge eq ne getitem neg pos abs invert float int bool index len")
for name in (*BINARY, *["r" + name for name in BINARY], *OTHERS):
    setattr(ToyArray, f"__{name}__", forward(lambda x, *rest, f=f"__{name}__": getattr(x, f)(*rest)))

toy = SimpleNamespace(
    name="toy",
    capabilities=frozenset(),
    xp=forward(xp),
    ops=SimpleNamespace(tanh=lambda x: ToyArray(1 - 2 / (np.exp(2 * x.values) + 1))),
    owns_type=lambda array_type: array_type is ToyArray,
    asarray=lambda values, dtype=None, device=None: ToyArray(np.array(unbox(values), dtype=dtype)),
    to_numpy=lambda array: np.array(array.values),
    from_dlpack=lambda array, share: ToyArray(np.from_dlpack(array)),
    devices=lambda: ["cpu"],
    device_of=lambda array: "cpu",
)
