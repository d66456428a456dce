"""Planted faults in attention, softmax, gathering, scattering and embedding."""

from __future__ import annotations

import luxport
from luxport import ops
from luxport.ops._gather import _OPERATORS

from .planting import Mutants, case, catch_each, edited

MAXIMUM = _OPERATORS["max"]

MUTANTS: Mutants = {
    "attention unscaled": (
        edited(ops.dot_product_attention_scores, "query * (1.0 / divisor)", "query"),
        case("dot_product_attention.numbers"),
    ),
    "attention scaled by the width": (
        edited(ops.dot_product_attention_scores, "math.sqrt(features)", "float(features)"),
        case("dot_product_attention.numbers"),
    ),
    "attention's mask hides what it should show": (
        edited(
            ops.dot_product_attention_scores,
            "softmax(xp.where(mask, logits, hidden)) * _",
            "softmax(xp.where(mask, hidden, logits)) * _",
        ),
        case("dot_product_attention_scores.mask"),
    ),
    "causal mask without the query's own place": (
        edited(ops.make_causal_mask, "_1[:, None] >= _2", "_1[:, None] > _2"),
        case("make_causal_mask.values"),
    ),
    "causal mask aligned at the end": (
        edited(ops.make_causal_mask, "_1[:, None] >= _2", "_1[:, None] + (key.shape[axis] - query.shape[axis]) >= _2"),
        case("scaled_dot_product_attention.causal_3_5"),
    ),
    "softmax over the queries": (
        edited(
            ops.dot_product_attention_scores,
            "return softmax(logits)",
            "return softmax(logits, axis=-2)",
        ),
        case("dot_product_attention_scores.heads_apart"),
    ),
    "a blind query sees everything": (
        edited(ops.dot_product_attention_scores, "_ * xp.astype(sighted, logits.dtype)", "_"),
        case("scaled_dot_product_attention.blind"),
    ),
    "heads share keys in turn": (
        edited(
            ops.scaled_dot_product_attention,
            "xp.reshape(x, (*leading, fewer, heads // fewer * n, k))",
            "xp.reshape(xp.flip(x, axis=-3), (*leading, fewer, heads // fewer * n, k))",
        ),
        case("scaled_dot_product_attention.groups"),
    ),
    "bias scaled with the products": (
        edited(ops.dot_product_attention_scores, "logits = logits + bias", "logits = logits + bias / divisor"),
        case("dot_product_attention.bias"),
    ),
    "heads across the features": (
        edited(
            ops.dot_product_attention,
            "return xp.reshape(x, (*leading, nheads, features // nheads))",
            "return xp.matrix_transpose(xp.reshape(x, (*leading, features // nheads, nheads)))",
        ),
        case("dot_product_attention.numbers"),
    ),
    "rotation the other way": (
        edited(
            ops.apply_rotary_embedding,
            "[first * cos - second * sin, second * cos + first * sin]",
            "[first * cos + second * sin, second * cos - first * sin]",
        ),
        case("apply_rotary_embedding.positions"),
    ),
    "softmax of infinities is NaN": (
        edited(ops.softmax, "infinite = top == math.inf", "infinite = top != top"),
        case("softmax.inf_first_axis"),
    ),
    "softmax overflows": (edited(ops.softmax, "x - origin", "x"), case("softmax.far")),
    "softmax over another axis": (
        edited(
            ops.softmax,
            "powers / xp.sum(powers, axis=axis, keepdims=True)",
            "powers / xp.sum(powers, axis=0, keepdims=True)",
        ),
        case("softmax.every_axis"),
    ),
    "logsoftmax as the logarithm of softmax": (
        edited(
            ops.logsoftmax,
            "lowered - xp.log(xp.sum(xp.exp(lowered), axis=axis, keepdims=True))",
            "xp.log(xp.exp(lowered) / xp.sum(xp.exp(lowered), axis=axis, keepdims=True))",
        ),
        case("logsoftmax.apart"),
    ),
    "logsumexp of infinities is NaN": (
        edited(ops.logsumexp, "finite = xp.isfinite(top)", "finite = top == top"),
        case("logsumexp.infinities"),
    ),
    "gather swaps its axes": (
        edited(ops.gather, "flat * size + held", "held * size + flat"),
        case("gather.pairs"),
    ),
    "scatter's mean counts empty places": (
        edited(
            ops.scatter,
            'count = _(ones, segments, op="sum", size=size)',
            'count = _(ones, segments, op="sum", size=size) + 1.0',
        ),
        case("scatter.mean"),
    ),
    "scatter subtracts from nothing": (
        edited(ops.scatter, "init - total", "init + total"),
        case("scatter.minus"),
    ),
    "scatter's maximum forgets where it starts": (
        lambda patch: patch.setitem(_OPERATORS, "max", lambda *arguments: MAXIMUM(*arguments[:-1], None)),
        case("scatter.max"),
    ),
    "scatter divides the other way": (
        edited(ops.scatter, "(1.0 if init is None else init) / _", "(1.0 if init is None else init) * _"),
        case("scatter.over"),
    ),
    "scatter keeps the last alone": (
        edited(
            ops.scatter,
            'total = _(src, segments, op="sum", size=size)',
            'total = _(src, segments, op="max", size=size)',
        ),
        case("scatter.sum_of_integers"),
    ),
    "padding_idx shown": (
        edited(
            luxport.Embedding,
            "if padding_idx is None: return rows",
            "if True: return rows",
        ),
        case("embedding.padded_vector"),
    ),
    "padding_idx starts as others": (
        edited(luxport.Embedding, "if self.padding_idx is None: ...", "if True: ..."),
        case("embedding.padding_starts_as_zeros"),
    ),
    "padding_idx has a gradient": (
        edited(
            luxport.Embedding,
            "xp.where(_, xp.zeros_like(rows), rows)",
            "xp.where(_, rows - ops.stop_gradient(rows), rows)",
            backend="torch",
        ),
        case("embedding.gradient_masked", "torch"),
    ),
    "a one-hot padding is looked up": (
        edited(luxport.Embedding, "xp.zeros_like(at)", "at"),
        case("embedding.padded_one_hot"),
    ),
    "a bag without its first": (
        edited(luxport.EmbeddingBag, 'side="right"', 'side="left"'),
        case("embedding_bag.sum_offsets"),
    ),
    "a mean bag is a sum": (
        edited(luxport.EmbeddingBag, 'if reduction == "mean": ...', "if False: ..."),
        case("embedding_bag.mean_uneven_offsets"),
    ),
    "indices out of range pass": (
        edited(luxport.Embedding, "if seen is not None: ...", "if seen is not None and seen[0] > 10**6: ..."),
        case("embedding.negative"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
