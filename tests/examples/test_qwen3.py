"""The gallery's language model gives the numbers of the `transformers` package for the same checkpoint."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import luxport

EXAMPLE = Path(__file__).parents[2] / "examples" / "qwen3.py"
CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": 20,
    "hidden_size": 12,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 6,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "tie_word_embeddings": False,
}
TOKENS = [3, 1, 4, 1, 5, 9, 2, 6]
# From transformers 5.24, Qwen3ForCausalLM.from_pretrained(folder, dtype=float32): four logits at the first and the last
# token, and generate(do_sample=False).
LOGITS = [[-0.022735, 0.460621, 0.312254, 0.300027], [-0.522213, -0.529535, 0.701164, -0.662260]]
GENERATED = [3, 1, 4, 1, 5, 9, 2, 6, 19, 1, 10, 2, 16, 2, 16, 19]


def write_checkpoint(folder: Path) -> None:
    """Write a checkpoint in Hugging Face's format and with its names, with random weights."""
    dims, inner, features = CONFIG["hidden_size"], CONFIG["intermediate_size"], CONFIG["head_dim"]
    heads, kv = CONFIG["num_attention_heads"] * features, CONFIG["num_key_value_heads"] * features
    shapes: dict[str, tuple[int, ...]] = {"lm_head.weight": (20, dims), "model.embed_tokens.weight": (20, dims)}
    for index in range(CONFIG["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        shapes |= {f"{layer}.{name}_layernorm.weight": (dims,) for name in ("input", "post_attention")}
        shapes |= {f"{layer}.self_attn.{name}_norm.weight": (features,) for name in "qk"}
        outputs = {"q": heads, "k": kv, "v": kv}
        shapes |= {f"{layer}.self_attn.{name}_proj.weight": (out, dims) for name, out in outputs.items()}
        shapes |= {f"{layer}.self_attn.o_proj.weight": (dims, heads), f"{layer}.mlp.down_proj.weight": (dims, inner)}
        shapes |= {f"{layer}.mlp.{name}_proj.weight": (inner, dims) for name in ("gate", "up")}
    shapes["model.norm.weight"] = (dims,)
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(0, 0.5, shapes[name]).astype(np.float32) for name in sorted(shapes)}
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_logits_and_generated_tokens_equal_those_of_transformers(backend: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    with luxport.using(backend):
        example = runpy.run_path(str(EXAMPLE))
        # JAX compiles each single operation, which takes longer than two whole programs.
        example["generate"].__globals__["COMPILED"] = backend == "jax"
        model, ps, st = example["load"](str(tmp_path), 24)
        x = luxport.asarray(np.array([TOKENS], np.int32)), luxport.asarray(np.arange(8, dtype=np.int32))
        logits, _ = (luxport.jit(model) if backend == "jax" else model)(x, ps, st)
        np.testing.assert_allclose(luxport.to_numpy(logits)[0, ::7, :4], LOGITS, rtol=1e-5, atol=1e-5)
        assert example["generate"](model, ps, st, TOKENS, 8) == GENERATED
