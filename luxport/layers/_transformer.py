"""The layers of transformers: `TransformerEncoderLayer` and `TransformerDecoderLayer`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Any

from luxport.core.containers import ContainerLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.layers._attention import MultiHeadAttention
from luxport.layers._dense import Dense
from luxport.layers._dropout import Dropout
from luxport.layers._normalize import LayerNorm
from luxport.ops import Activation, relu

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]


class _Transformer(ContainerLayer):
    """A layer of residual blocks: attention, once or twice, then a feed-forward network."""

    dims: int
    hidden_dims: int
    activation: Activation = relu
    _: KW_ONLY
    nheads: int = 1
    dropout_probability: float = 0.0
    norm_first: bool = False
    is_causal: bool = False
    use_bias: bool = True
    epsilon: float = 1e-5

    def _make_attention(self, *, is_causal: bool = False) -> Layer:
        return MultiHeadAttention(
            self.dims,
            nheads=self.nheads,
            attention_dropout_probability=self.dropout_probability,
            is_causal=is_causal,
            return_scores=False,
            use_bias=self.use_bias,
        )

    def _set_parts(self, attentions: dict[str, Layer]) -> None:
        parts: dict[str, Layer] = dict(attentions)
        parts["dense_1"] = Dense(self.dims, self.hidden_dims, self.activation, use_bias=self.use_bias)
        parts["dense_2"] = Dense(self.hidden_dims, self.dims, use_bias=self.use_bias)
        count = len(attentions) + 1
        parts |= {f"norm_{i}": self._make_norm() for i in range(1, count + 1)}
        parts |= {f"dropout_{i}": Dropout(self.dropout_probability) for i in range(1, count + 2)}
        for name, layer in parts.items():
            object.__setattr__(self, name, layer)
        super().__post_init__()

    def _make_norm(self) -> Layer:
        return LayerNorm(self.dims, use_bias=self.use_bias, epsilon=self.epsilon)

    def _call(self, name: str, x: Any, ps: Parameters, st: dict[str, Any]) -> Any:
        """Call a part, and store its new state."""
        y, st[name] = getattr(self, name)(x, ps[name], st[name])
        return y

    def _attend(self, i: int, name: str, x: Any, others: Any, ps: Parameters, st: dict[str, Any]) -> Any:
        """Apply residual block i, an attention: of x to itself, or to the first of `others`, with masks and biases."""
        query = self._call(f"norm_{i}", x, ps, st) if self.norm_first else x
        keys = (query, query) if others[0] is None else (others[0], others[0])
        y = self._call(name, (query, *keys, *others[1:]), ps, st)
        y = x + self._call(f"dropout_{i}", y, ps, st)
        return y if self.norm_first else self._call(f"norm_{i}", y, ps, st)

    def _feed_forward(self, i: int, x: Any, ps: Parameters, st: dict[str, Any]) -> Any:
        """Apply residual block i, the feed-forward network."""
        y = self._call(f"norm_{i}", x, ps, st) if self.norm_first else x
        for name in ("dense_1", f"dropout_{i + 1}", "dense_2", f"dropout_{i}"):
            y = self._call(name, y, ps, st)
        return x + y if self.norm_first else self._call(f"norm_{i}", x + y, ps, st)


class TransformerEncoderLayer(_Transformer):
    """Self-attention, then a feed-forward network of two `Dense`, each as a residual block.

    ``x = norm(x + attention(x)); y = norm(x + dense_2(activation(dense_1(x))))``, or with `norm_first`
    ``x = x + attention(norm(x)); y = x + dense_2(activation(dense_1(norm(x))))``. In training there is dropout on the
    scores, after the activation, and on the output of each block before it is added.

    Args:
        dims: the size of the last axis
        hidden_dims: the size between the two `Dense`
        activation: the function between them
        nheads: how many heads the attention has
        dropout_probability: the probability of each of the dropouts
        norm_first: whether each block normalizes its input instead of its output
        is_causal: whether a position sees only those that come no later
        use_bias: whether `Dense` and `LayerNorm` add biases
        epsilon: a small number added to the variance

    Shapes: x (..., length, dims), or (x, mask) or (x, mask, bias) as `MultiHeadAttention` has them -> y like x
    Params: attention, dense_1, dense_2, norm_1, norm_2, and the dropouts, which have none
    State:  likewise
    Raises: as `MultiHeadAttention`; LayerError for a longer tuple
    Source: A. Vaswani et al. (2017); PyTorch ``TransformerEncoderLayer``

    >>> import luxport
    >>> luxport.output_shape(TransformerEncoderLayer(8, 32, nheads=2), (4, 10, 8))
    (4, 10, 8)
    """

    attention: Layer = field(init=False)
    dense_1: Layer = field(init=False)
    dense_2: Layer = field(init=False)
    norm_1: Layer = field(init=False)
    norm_2: Layer = field(init=False)
    dropout_1: Layer = field(init=False)
    dropout_2: Layer = field(init=False)
    dropout_3: Layer = field(init=False)

    def __post_init__(self) -> None:
        self._set_parts({"attention": self._make_attention(is_causal=self.is_causal)})

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Attend and feed forward."""
        x, *masks = x if isinstance(x, (tuple, list)) else (x,)
        if len(masks) > 2:
            raise LayerError(f"expects x, (x, mask) or (x, mask, bias), got {len(masks) + 1} arrays")
        new = dict(st)
        x = self._attend(1, "attention", x, (None, *masks), ps, new)
        return self._feed_forward(2, x, ps, new), new


class TransformerDecoderLayer(_Transformer):
    """Self-attention, attention to another sequence (the memory), then two `Dense`, each as a residual block.

    ``x = norm(x + attention(x)); x = norm(x + attention(x, memory)); y = norm(x + dense_2(activation(dense_1(x))))``,
    or with `norm_first` with the norms before each block, as in `TransformerEncoderLayer`.

    Args:
        dims: the size of the last axis, also of the memory
        hidden_dims: the size between the two `Dense`
        activation: the function between them
        nheads: how many heads both attentions have
        dropout_probability: the probability of each of the dropouts, as in `TransformerEncoderLayer`
        norm_first: whether each block normalizes its input instead of its output
        is_causal: whether a position sees only those of its own sequence that come no later
        use_bias: whether `Dense` and `LayerNorm` add biases
        epsilon: a small number added to the variance

    Shapes: (x, memory), (x, memory, mask), (x, memory, mask, memory_mask), then a bias for each: x (..., length,
            dims), memory (..., other, dims), the others as `MultiHeadAttention` has them, or None -> y like x
    Params: attention, memory_attention, dense_1, dense_2, norm_1 to norm_3, and the dropouts, which have none
    State:  likewise
    Raises: as `MultiHeadAttention`; LayerError for anything but two to six arrays
    Source: A. Vaswani et al. (2017); PyTorch ``TransformerDecoderLayer``

    >>> import luxport
    >>> luxport.output_shape(TransformerDecoderLayer(8, 32, nheads=2), ((4, 10, 8), (4, 7, 8)))
    (4, 10, 8)
    """

    attention: Layer = field(init=False)
    memory_attention: Layer = field(init=False)
    dense_1: Layer = field(init=False)
    dense_2: Layer = field(init=False)
    norm_1: Layer = field(init=False)
    norm_2: Layer = field(init=False)
    norm_3: Layer = field(init=False)
    dropout_1: Layer = field(init=False)
    dropout_2: Layer = field(init=False)
    dropout_3: Layer = field(init=False)
    dropout_4: Layer = field(init=False)

    def __post_init__(self) -> None:
        own = self._make_attention(is_causal=self.is_causal)
        self._set_parts({"attention": own, "memory_attention": self._make_attention()})

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Attend twice and feed forward."""
        if not isinstance(x, (tuple, list)) or not 2 <= len(x) <= 6:
            got = f"{len(x)} arrays" if isinstance(x, (tuple, list)) else "one array"
            raise LayerError(f"expects (x, memory), and masks and biases of both if there are any, got {got}")
        x, memory, mask, memory_mask, bias, memory_bias = (*x, None, None, None, None)[:6]
        new = dict(st)
        x = self._attend(1, "attention", x, (None, mask, bias), ps, new)
        x = self._attend(2, "memory_attention", x, (memory, memory_mask, memory_bias), ps, new)
        return self._feed_forward(3, x, ps, new), new
