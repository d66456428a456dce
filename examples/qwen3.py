"""
Qwen3, a language model
=======================

Learned here: a current transformer, loading a published checkpoint by its own names, and a state as key-value cache.
``python examples/qwen3.py FOLDER 9707 11`` continues these tokens with a checkpoint in Hugging Face's format
(config.json and .safetensors). Without a folder, a small model is trained to count in steps.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 -- registers bfloat16 with NumPy
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

import luxport
from luxport import Dense, Embedding, Layer, RMSNorm, RotaryPositionalEmbedding, compact, losses, ops, swish, training

COMPILED = luxport.default_backend().name != "torch"  # its compiler takes longer than all of the training
SMALL: dict[str, Any] = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-6, "rope_theta": 1e6}
linear = partial(Dense, use_bias=False)


# %%
# The key-value cache. Its size is constant, so that one compiled program works for all steps.
class Cache(Layer):
    """Stores keys and values (N, T, heads, features) at their positions, and returns all; without a length, these."""

    length: int
    shape: tuple[int, int]

    def initial_states(self, rng: luxport.random.Rng) -> dict[str, Any]:
        """Return zeros for `length` tokens."""
        room = np.zeros((1, self.length, *self.shape), np.float32)
        return {"keys": room, "values": room} if self.length else {}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Return keys, values, and the mask of which keys each query attends to."""
        (keys, values, positions), xp = x, luxport.namespace(x[0])
        if not self.length:
            return (keys, values, positions[:, None] >= positions[None, :]), st
        places = xp.astype(xp.arange(self.length), positions.dtype)
        index = xp.clip(places - positions[0], 0, positions.shape[0] - 1)
        new = ((places >= positions[0]) & (places <= positions[-1]))[:, None, None]
        st = {k: xp.where(new, xp.take(y, index, axis=1), st[k]) for k, y in (("keys", keys), ("values", values))}
        return (st["keys"], st["values"], positions[:, None] >= places[None, :]), st


# %%
# Parts are named as in the checkpoint. Several query heads share a key head (GQA), and heads are normalized.
def qwen3(c: dict[str, Any], cache_length: int = 0) -> Layer:
    """Return the model: tokens (N, T) and their positions (T,), both int -> logits (N, T, vocabulary)."""
    dims, inner, heads, features = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"], c["head_dim"]
    kv, norm = c["num_key_value_heads"], partial(RMSNorm, epsilon=c["rms_norm_eps"])
    rotary, cache = RotaryPositionalEmbedding(features, base=c["rope_theta"]), Cache(cache_length, (kv, features))
    parts = {"q_proj": linear(dims, heads * features), "k_proj": linear(dims, kv * features), "k_norm": norm(features)}
    parts |= {"v_proj": linear(dims, kv * features), "o_proj": linear(heads * features, dims), "q_norm": norm(features)}

    @compact("Attention", **parts, rotary=rotary, cache=cache)
    def attention(x: Any, **part: Any) -> Any:
        (x, positions), reshape, split = x, luxport.namespace(x[0]).reshape, (*x[0].shape[:2], -1, features)
        query, key, value = (reshape(part[name](x), split) for name in ("q_proj", "k_proj", "v_proj"))
        query, key = (part["rotary"]((y, positions)) for y in (part["q_norm"](query), part["k_norm"](key)))
        key, value, mask = part["cache"]((key, value, positions))
        y = ops.scaled_dot_product_attention(query, key, value, mask=mask, return_scores=False)
        return part["o_proj"](reshape(y, (*x.shape[:2], heads * features)))

    @compact("MLP", gate_proj=linear(dims, inner, swish), up_proj=linear(dims, inner), down_proj=linear(inner, dims))
    def mlp(x: Any, *, gate_proj: Any, up_proj: Any, down_proj: Any) -> Any:
        return down_proj(gate_proj(x) * up_proj(x))

    @compact("Block", input_layernorm=norm(dims), self_attn=attention, post_attention_layernorm=norm(dims), mlp=mlp)
    def block(x: Any, *, input_layernorm: Any, self_attn: Any, post_attention_layernorm: Any, mlp: Any) -> Any:
        y = x[0] + self_attn((input_layernorm(x[0]), x[1]))
        return y + mlp(post_attention_layernorm(y))

    blocks, words = [block] * c["num_hidden_layers"], c["vocab_size"]

    @compact("Qwen3", embed_tokens=Embedding(words, dims), layers=blocks, norm=norm(dims), lm_head=linear(dims, words))
    def model(x: Any, *, embed_tokens: Any, layers: Any, norm: Any, lm_head: Any) -> Any:
        y = embed_tokens(x[0])
        for layer in layers:
            y = layer((y, x[1]))
        return lm_head(norm(y))

    return model


# %%
# A checkpoint's weights are (out, in) and ours (in, out). If it has no lm_head, the embedding is used for it.
def load(folder: str, cache_length: int = 64) -> tuple[Layer, Any, Any]:
    """Return the model of a checkpoint, its parameters and its state."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    arrays = {name: part for path in Path(folder).glob("*.safetensors") for name, part in load_file(path).items()}
    arrays.setdefault("lm_head.weight", arrays["model.embed_tokens.weight"])
    model = qwen3({**config.get("rope_parameters", {}), **config}, cache_length)

    def read_weight(path: tuple[str, ...], initial: Any) -> Any:
        parts = [str(int(part[6:]) - 1) if part.startswith("layer_") else part for part in path[:-1]]
        array = arrays[".".join([*([] if path[0] == "lm_head" else ["model"]), *parts, "weight"])].astype(np.float32)
        return luxport.asarray(array.T if array.ndim == 2 and path[0] != "embed_tokens" else array)

    ps, st = luxport.setup(0, model)
    return model, luxport.tree.map_with_path(read_weight, ps), st


def generate(model: Layer, ps: Any, st: Any, tokens: list[int], count: int) -> list[int]:
    """Return `tokens` and the `count` likeliest tokens after them, one at a time, with the cache in the state."""
    step, new, found = luxport.jit(model) if COMPILED else model, tokens, tokens
    for _ in range(count):
        places = np.arange(len(found) - len(new), len(found), dtype=np.int32)
        logits, st = step((luxport.asarray(np.array([new], np.int32)), luxport.asarray(places)), ps, st)
        new = [int(luxport.to_numpy(logits)[0, -1].argmax())]
        found = found + new
    return found


def train(steps: int = 150) -> tuple[float, Any]:
    """Teach a small model to count in steps of 1 to 5; return the last loss and the trained state."""
    state, rng = training.TrainState.create(qwen3(SMALL), luxport.optimizers.Adam(0.005)), np.random.default_rng(0)
    for _ in tqdm(range(steps), disable=None):
        rows = ((rng.integers(0, 32, (64, 1)) + rng.integers(1, 6, (64, 1)) * np.arange(17)) % 32).astype(np.int32)
        data = luxport.tree.map(luxport.asarray, ((rows[:, :-1], np.arange(16, dtype=np.int32)), rows[:, 1:]))
        loss, _, state = training.train_step(losses.SparseCrossEntropyLoss(logits=True), data, state, jit=COMPILED)
    return float(loss), state


def main() -> None:
    """Train, and plot how the model continues a few numbers."""
    import matplotlib.pyplot as plt

    (loss, state), cached = train(), qwen3(SMALL, cache_length=32)
    found = generate(cached, state.ps, luxport.setup(0, cached)[1], [2, 5, 8], 8)
    print(f"loss {loss:.3f}; after 2, 5, 8 come {found[3:]}")
    plt.plot(found, marker=".")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__" and len(sys.argv) > 2:
    print(generate(*load(sys.argv[1]), [int(token) for token in sys.argv[2:]], 16))
elif __name__ == "__main__":
    main()
