"""Keras's MultiHeadAttention."""

from __future__ import annotations

from typing import Any

import luxport
from luxport.backend import array_device, namespace
from luxport.core.anatomy import Parameters, States
from luxport.core.containers import WrapperLayer
from luxport.porting.keras.conventions import attention_bias, attention_out_weight, attention_weight
from luxport.porting.keras.steps import Step, arrays
from luxport.tree.static import Static

__all__ = ["attention"]


class KerasAttention(WrapperLayer):
    """A `MultiHeadAttention` called as Keras's: ``(query, value, key, attention_mask, use_causal_mask)``.

    Shapes: query (N, q, E), value and key (N, k, E), the key being the value if it is None -> (N, q, out)
    """

    layer: Any

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Put the arguments in luxport's order."""
        given: tuple[Any, ...] = x if isinstance(x, tuple) else (x, x)
        missing: tuple[Any, ...] = (None, None, False)
        query, value, key, mask, causal = (*given, *missing[len(given) - 2 :])
        key = value if key is None else key
        if mask is not None:
            xp = namespace(mask)
            mask = xp.astype(mask, xp.bool)
            mask = mask[:, None, ...] if len(mask.shape) == 3 else mask
        if causal:
            xp = namespace(query)
            rows, columns = (
                xp.arange(part.shape[1], dtype=xp.int32, device=array_device(query)) for part in (query, key)
            )
            seen = rows[:, None] >= columns[None, :]
            mask = seen if mask is None else namespace(mask).logical_and(mask, seen)
        return self.layer((query, key, value, mask), ps, st)


def attention(layer: Any) -> Step:
    """Return a MultiHeadAttention of one axis."""
    if layer._attention_axes not in (None, (1,), [1]):
        raise ValueError(f"attention_axes={layer._attention_axes}")
    parts = {
        "q_proj": layer._query_dense,
        "k_proj": layer._key_dense,
        "v_proj": layer._value_dense,
        "out_proj": layer._output_dense,
    }
    ps: dict[str, Any] = {}
    for name, dense in parts.items():
        found = arrays(dense, weight="kernel", bias="bias")
        turn = attention_out_weight if name == "out_proj" else attention_weight
        ps[name] = {"weight": turn(found["weight"])}
        if "bias" in found:
            ps[name]["bias"] = found["bias"] if name == "out_proj" else attention_bias(found["bias"])
    shapes = {name: part["weight"].shape for name, part in ps.items()}
    whole = luxport.MultiHeadAttention(
        (shapes["q_proj"][0], shapes["k_proj"][0], shapes["v_proj"][0]),
        (shapes["q_proj"][1], shapes["v_proj"][1]),
        shapes["out_proj"][1],
        nheads=layer.num_heads,
        attention_dropout_probability=float(layer.dropout),
        return_scores=False,
        use_bias="bias" in ps["q_proj"],
    )
    st = {"attention_dropout": {"training": Static(False)}} if layer.dropout else {}
    return Step(KerasAttention(whole), ps, st, needs="keras")
