"""`setup`: draw a model's parameters and make its states, as arrays of a backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import (
    Array,
    Backend,
    backend_of,
    can,
    check_dtype_name,
    default_backend,
    get_backend,
    load_present_backends,
)
from luxport.backend._precision import choose_dtype_at
from luxport.backend.memory import explain_memory
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer, is_array
from luxport.random import Rng, read_key_words
from luxport.tree.ordered_keys import add_places

__all__ = ["setup"]


@explain_call_errors
def setup(
    rng: int | Rng | Array,
    model: Layer,
    *,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the parameters and make the states of a model: ``ps, st``, in training mode.

    Both are plain dicts in the order of the model. `luxport.flatten` uses the same order even after JAX has sorted the
    keys, as the keys store their positions.

    The values are drawn in float32 on the host and are the same on every backend. Running statistics have at least
    float32, whatever the `dtype`.

    A key of JAX is read as the seed with the same bits (0 for ``jax.random.key(0)``), and the arrays are JAX's then.
    Inside `jax.vmap` and `jax.jit` the bits are not known yet, and the program calls the host when it runs:
    ``jax.vmap(lambda key: luxport.setup(key, model)[0])(keys)`` draws one model for each key.

    Args:
        rng: a seed, an `luxport.rng`, or a key of JAX
        model: a layer
        backend: where the arrays are; the default backend if None
        device: on which of its devices
        dtype: the floating dtype of parameters and states, float32 if None

    Raises: TypeError if rng is neither a seed, an `Rng` nor one key; ValueError if `dtype` is not floating or the
            backend cannot hold it

    >>> import luxport
    >>> ps, st = setup(0, luxport.Dense(2, 1), dtype="float64")
    >>> ps["weight"].shape, str(ps["weight"].dtype)
    ((2, 1), 'float64')
    """
    check_layer("setup", model)
    key = rng
    words = None if isinstance(key, (int, np.integer, Rng)) else read_key_words(key)
    if words is None or isinstance(words, tuple):
        rng = Rng.of(rng if words is None else Rng.of_words(words))
    check_dtype_name(dtype, floating=True)
    load_present_backends()
    if backend is not None:
        owner = get_backend(backend)
    else:
        owner = default_backend() if words is None else backend_of(key)

    def draw(rng: Rng) -> tuple[Any, Any]:
        return initial_parameters(rng, model), initial_states(rng, model)

    def convert(path: tuple[str, ...], value: Any) -> Array:
        name = getattr(getattr(value, "dtype", None), "name", None) or type(value).__name__
        if isinstance(value, (float, int)) and not isinstance(value, bool):
            value, name = np.asarray(value), f"{type(value).__name__}64"
        elif not is_array(value) and not isinstance(value, (np.generic, bool)):
            raise TypeError(f"setup expects arrays as initial values, got {name} at {'.'.join(path)}")
        wanted = choose_dtype_at(path, dtype) if "float" in name or "complex" in name else None
        try:
            # Double precision, NumPy's default in a user's layer, becomes single precision, as everywhere else.
            return owner.asarray(value, dtype=wanted or _SINGLE.get(name), device=device)
        except Exception as error:
            explained = explain_memory(error)
            if explained is None:
                raise
            raise explained from error

    if isinstance(rng, Rng):
        ps, st = draw(rng)
    else:
        like = draw(Rng(0))
        later: Any = backend_of(key)
        arrays = later.draw_later(
            lambda words: _cast_to_single(draw(Rng.of_words(words))), words, _cast_to_single(like)
        )
        ps, st = tree.unflatten(tree.structure(like), iter(arrays))
    known = can(owner, "sorted keys")
    return add_places(tree.map_with_path(convert, ps), known=known), add_places(
        tree.map_with_path(convert, st), known=known
    )


_SINGLE = {"float64": "float32", "complex128": "complex64"}


def _cast_to_single(values: Any) -> list[Any]:
    arrays = [np.asarray(leaf) for leaf in tree.leaves(values)]
    return [array.astype(_SINGLE.get(array.dtype.name, array.dtype)) for array in arrays]
