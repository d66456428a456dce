"""Where the names of other libraries are described: pages link to them, and building needs no network.

What Sphinx's own extension for this would fetch from each library is, for the few names that the pages mention, this
table; TensorFlow and Keras have nothing that it could fetch.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes

_NUMPY = "https://numpy.org/doc/stable/reference/"
_JAX = "https://docs.jax.dev/en/latest/"
_TORCH = "https://docs.pytorch.org/docs/stable/"
_TF = "https://www.tensorflow.org/api_docs/python/tf/"
_KERAS = "https://keras.io/api/layers/"

ADDRESSES = {
    "numpy.ndarray": f"{_NUMPY}generated/numpy.ndarray.html",
    "np.ndarray": f"{_NUMPY}generated/numpy.ndarray.html",
    **{f"jax.{name}": f"{_JAX}_autosummary/jax.{name}.html" for name in ("jit", "grad", "vmap", "device_put", "Array")},
    "jax.value_and_grad": f"{_JAX}_autosummary/jax.value_and_grad.html",
    "jax.nn": f"{_JAX}jax.nn.html",
    "jax.export": f"{_JAX}jax.export.html",
    **{name: f"{_TORCH}generated/{name}.html" for name in ("torch.compile", "torch.func.grad", "torch.nn.Module")},
    "torch.Tensor": f"{_TORCH}tensors.html",
    "torch.autograd": f"{_TORCH}autograd.html",
    "torch.func": f"{_TORCH}func.html",
    "torch.nn": f"{_TORCH}nn.html",
    "tensorflow.Tensor": f"{_TF}Tensor",
    **{f"tf.{name}": f"{_TF}{name}" for name in ("Tensor", "GradientTape", "function")},
    "keras.Layer": f"{_KERAS}base_layer/",
    "keras.layers.Layer": f"{_KERAS}base_layer/",
}
"""The page of each name, as the pages write it."""


def link_names_of_others(app: Any, document: nodes.document) -> None:
    """Make links of the words in code type that are names of other libraries, but in headings and in links."""
    for word in list(document.findall(nodes.literal)):
        address = ADDRESSES.get(word.astext())
        if address and isinstance(word.parent, nodes.paragraph):
            word.replace_self(nodes.reference("", "", word.deepcopy(), refuri=address, internal=False))
