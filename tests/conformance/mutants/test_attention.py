"""Planted faults in attention, softmax, gathering, scattering and embedding."""

from __future__ import annotations

import luxport
from luxport import ops
from luxport.ops._gather import _OPERATORS

from .planting import Mutants, case, catch_each, fault

MAXIMUM = _OPERATORS["max"]

MUTANTS: Mutants = {
    "attention unscaled": fault(
        ops.dot_product_attention_scores, "query * (1.0 / divisor)", "query", "dot_product_attention.numbers"
    ),
    "attention scaled by the width": fault(
        ops.dot_product_attention_scores, "math.sqrt(features)", "float(features)", "dot_product_attention.numbers"
    ),
    "attention's mask hides what it should show": fault(
        ops.dot_product_attention_scores,
        "softmax(xp.where(mask, logits, hidden)) * _",
        "softmax(xp.where(mask, hidden, logits)) * _",
        "dot_product_attention_scores.mask",
    ),
    "causal mask without the query's own place": fault(
        ops.make_causal_mask, "_1[:, None] >= _2", "_1[:, None] > _2", "make_causal_mask.values"
    ),
    "causal mask aligned at the end": fault(
        ops.make_causal_mask,
        "_1[:, None] >= _2",
        "_1[:, None] + (key.shape[axis] - query.shape[axis]) >= _2",
        "scaled_dot_product_attention.causal_3_5",
    ),
    "softmax over the queries": fault(
        ops.dot_product_attention_scores,
        "return softmax(logits)",
        "return softmax(logits, axis=-2)",
        "dot_product_attention_scores.heads_apart",
    ),
    "a blind query sees everything": fault(
        ops.dot_product_attention_scores,
        "_ * xp.astype(sighted, logits.dtype)",
        "_",
        "scaled_dot_product_attention.blind",
    ),
    "heads share keys in turn": fault(
        ops.scaled_dot_product_attention,
        "xp.reshape(x, (*leading, fewer, heads // fewer * n, k))",
        "xp.reshape(xp.flip(x, axis=-3), (*leading, fewer, heads // fewer * n, k))",
        "scaled_dot_product_attention.groups",
    ),
    "bias scaled with the products": fault(
        ops.dot_product_attention_scores,
        "logits = logits + bias",
        "logits = logits + bias / divisor",
        "dot_product_attention.bias",
    ),
    "heads across the features": fault(
        ops.dot_product_attention,
        "return xp.reshape(x, (*leading, nheads, features // nheads))",
        "return xp.matrix_transpose(xp.reshape(x, (*leading, features // nheads, nheads)))",
        "dot_product_attention.numbers",
    ),
    "rotation the other way": fault(
        ops.apply_rotary_embedding,
        "[first * cos - second * sin, second * cos + first * sin]",
        "[first * cos + second * sin, second * cos - first * sin]",
        "apply_rotary_embedding.positions",
    ),
    "softmax of infinities is NaN": fault(
        ops.softmax, "infinite = top == math.inf", "infinite = top != top", "softmax.inf_first_axis"
    ),
    "softmax overflows": fault(ops.softmax, "x - origin", "x", "softmax.far"),
    "softmax over another axis": fault(
        ops.softmax,
        "powers / xp.sum(powers, axis=axis, keepdims=True)",
        "powers / xp.sum(powers, axis=0, keepdims=True)",
        "softmax.every_axis",
    ),
    "logsoftmax as the logarithm of softmax": fault(
        ops.logsoftmax,
        "lowered - xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True))",
        "xp.log(xp.exp(lowered) / xp.sum(xp.exp(lowered), axis=axis, keepdims=True))",
        "logsoftmax.apart",
    ),
    "logsumexp of infinities is NaN": fault(
        ops.logsumexp, "finite = xp.isfinite(top)", "finite = top == top", "logsumexp.infinities"
    ),
    "gather swaps its axes": fault(ops.gather, "flat * size + safe", "safe * size + flat", "gather.pairs"),
    "scatter's mean counts empty places": fault(
        ops.scatter,
        'count = _(ones, segments, op="sum", size=size)',
        'count = _(ones, segments, op="sum", size=size) + 1.0',
        "scatter.mean",
    ),
    "scatter subtracts from nothing": fault(ops.scatter, "init - total", "init + total", "scatter.minus"),
    "scatter's maximum forgets where it starts": (
        lambda patch: patch.setitem(_OPERATORS, "max", lambda *arguments: MAXIMUM(*arguments[:-1], None)),
        case("scatter.max"),
    ),
    "scatter divides the other way": fault(
        ops.scatter, "(1.0 if init is None else init) / _", "(1.0 if init is None else init) * _", "scatter.over"
    ),
    "scatter keeps the last alone": fault(
        ops.scatter,
        'total = _(src, segments, op="sum", size=size)',
        'total = _(src, segments, op="max", size=size)',
        "scatter.sum_of_integers",
    ),
    "padding_idx shown": fault(
        luxport.Embedding, "if padding_idx is None: return rows", "if True: return rows", "embedding.padded_vector"
    ),
    "padding_idx starts as others": fault(
        luxport.Embedding, "if self.padding_idx is None: ...", "if True: ...", "embedding.padding_starts_as_zeros"
    ),
    "padding_idx has a gradient": fault(
        luxport.Embedding,
        "xp.where(_, xp.zeros_like(rows), rows)",
        "xp.where(_, rows - ops.stop_gradient(rows), rows)",
        case("embedding.gradient_masked", "torch"),
        backend="torch",
    ),
    "a one-hot padding is looked up": fault(luxport.Embedding, "xp.zeros_like(at)", "at", "embedding.padded_one_hot"),
    "a bag without its first": fault(luxport.EmbeddingBag, 'side="right"', 'side="left"', "embedding_bag.sum_offsets"),
    "a mean bag is a sum": fault(
        luxport.EmbeddingBag, 'if reduction == "sum": ...', "if True: ...", "embedding_bag.mean_uneven_offsets"
    ),
    "indices out of range pass": fault(
        luxport.Embedding,
        "if seen is not None: ...",
        "if seen is not None and seen[0] > 10**6: ...",
        "embedding.negative",
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
