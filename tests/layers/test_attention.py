"""`MultiHeadAttention` and operations of attention compared with PyTorch's and JAX's own."""

# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport as lp
from luxport import ops


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_the_layer_equals_pytorchs():
    theirs = torch.nn.MultiheadAttention(6, 3, kdim=4, vdim=5, bias=True, batch_first=True, dtype=torch.float64)
    ours = lp.MultiHeadAttention((6, 4, 5), 6, 6, nheads=3, use_bias=True)
    ps, st = lp.setup(0, ours, backend="torch", dtype="float64")
    names = ("q_proj", "k_proj", "v_proj")
    with torch.no_grad():
        for name, weight in zip(names, (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight), strict=True):
            weight.copy_(ps[name]["weight"].T)
            ps[name]["bias"] = torch.linspace(-1, 1, 6, dtype=torch.float64)
        theirs.in_proj_bias.copy_(torch.cat([ps[name]["bias"] for name in names]))
        theirs.out_proj.weight.copy_(ps["out_proj"]["weight"].T)
    q, k, v = (torch.tensor(draw(2, n, m, seed=m)) for n, m in ((3, 6), (7, 4), (7, 5)))
    hidden = torch.tensor(draw(3, 7)) > 0.7  # there True hides a key
    want, want_scores = theirs(q, k, v, attn_mask=hidden, average_attn_weights=False)
    (y, scores), _ = ours((q, k, v, ~hidden), ps, st)
    torch.testing.assert_close(y, want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(scores, want_scores, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 2.5}])
def test_the_operation_equals_pytorchs_and_jaxs(options):
    q, k, v = draw(2, 3, 4, 6), draw(2, 7, 2, 6, seed=1), draw(2, 7, 2, 6, seed=2)
    y, _ = ops.scaled_dot_product_attention(q, k, v, **options)
    factor = {"scale": 1 / options["scale"]} if "scale" in options else {}
    causal = {"is_causal": options.get("is_causal", False)}
    heads_first = [torch.tensor(x).transpose(1, 2) for x in (q, k, v)]
    want = torch.nn.functional.scaled_dot_product_attention(*heads_first, enable_gqa=True, **factor, **causal)
    np.testing.assert_allclose(y, want.transpose(1, 2).numpy(), rtol=1e-12, atol=1e-12)
    want = jax.nn.dot_product_attention(*(np.float32(x) for x in (q, k, v)), **factor, **causal)
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)


def test_the_fused_kernel_is_used_only_without_scores(monkeypatch):
    calls = []
    native = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *args, **options: calls.append(1) or native(*args, **options),
    )
    x = torch.tensor(draw(1, 3, 2, 4), requires_grad=True)
    assert len(ops.scaled_dot_product_attention(x, x, x)) == 2
    assert calls == []
    alone = ops.scaled_dot_product_attention(x, x, x, return_scores=False)
    assert calls == [1]
    torch.testing.assert_close(alone, ops.scaled_dot_product_attention(x, x, x)[0])

    def total(x):
        return torch.sum(ops.scaled_dot_product_attention(x, x, x, return_scores=False) ** 2)

    # Nested transforms and forward mode also work, although the kernel lacks them.
    hessian = torch.func.hessian(total)(x.detach())
    assert hessian.shape == (1, 3, 2, 4, 1, 3, 2, 4)
    assert calls == [1]


def test_dropout_of_scores_advances_its_counter(backend):
    model = lp.MultiHeadAttention(4, nheads=2, attention_dropout_probability=0.5)
    ps, st = lp.setup(0, model, backend=backend)
    x = backend.asarray(draw(2, 6, 4), dtype="float32")
    (_, scores), new = model(x, ps, st)
    share = np.mean(backend.to_numpy(scores) == 0)
    assert 0.25 < share < 0.75
    assert int(new["attention_dropout"]["rng"]["counter"]) == 1
    (_, scores), same = model(x, ps, lp.test_mode(st))
    assert np.all(backend.to_numpy(scores) > 0)
    assert int(same["attention_dropout"]["rng"]["counter"]) == 0


def test_sizes_and_counts_are_exact():
    assert lp.parameter_length(lp.MultiHeadAttention(8, nheads=2)) == 4 * 64
    assert lp.output_shape(
        lp.MultiHeadAttention((3, 4, 5), (6, 2), 7, nheads=2), ((9, 2, 3), (9, 4, 4), (9, 4, 5))
    ) == (
        (9, 2, 7),
        (9, 2, 2, 4),
    )
    with pytest.raises(ValueError, match="expects qkv_dims and out_dims with in_dims"):
        lp.MultiHeadAttention((3, 4, 5))
    with pytest.raises(ValueError, match="expects an int or 2 ints as qkv_dims"):
        lp.MultiHeadAttention(4, (2, 2, 2), 4)
    with pytest.raises(lp.LayerError, match=r"k_proj expects \(\.\.\., 4\), got \(2, 5, 3\)"):
        model = lp.MultiHeadAttention(4)
        ps, st = lp.setup(0, model)
        model((np.zeros((2, 5, 4), np.float32), np.zeros((2, 5, 3), np.float32)), ps, st)


def test_batch_and_length_may_be_unknown_in_a_tensorflow_graph():
    model = lp.MultiHeadAttention(8, nheads=2, is_causal=True)
    ps, st = lp.setup(0, model, backend="tf")
    sequences = tf.TensorSpec((None, None, 8), tf.float32)
    layer = tf.function(lambda x: model(x, ps, st)[0], input_signature=[sequences], autograph=False)
    for batch, length in ((2, 3), (0, 4)):
        x = tf.constant(draw(batch, length, 8), tf.float32)
        for got, want in zip(layer(x), model(x, ps, st)[0], strict=True):
            # In single precision, sums of 8 terms may be added in another order.
            np.testing.assert_allclose(got, want, rtol=8 * 2.0**-23, atol=8 * 2.0**-23)


def test_lengths_of_shared_heads_may_be_unknown_in_a_tensorflow_graph():
    specs = [tf.TensorSpec((None, None, heads, 8), tf.float32) for heads in (4, 2, 2)]
    attend = functools.partial(ops.scaled_dot_product_attention, is_causal=True, return_scores=False)
    arrays = [tf.constant(draw(2, n, heads, 8), tf.float32) for n, heads in ((3, 4), (5, 2), (5, 2))]
    got = tf.function(attend, input_signature=specs, autograph=False)(*arrays)
    np.testing.assert_allclose(got, attend(*arrays), rtol=8 * 2.0**-23, atol=8 * 2.0**-23)
