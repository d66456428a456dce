"""Models as ONNX graphs: their operators, and onnxruntime's results compared with NumPy's."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import pytest

import luxport
from luxport import ops, tree


def set_up(model: luxport.Layer, dtype: str = "float32") -> tuple[Any, Any]:
    """Set up a model in test mode, with parameters and statistics that differ from their initial values."""
    draw = np.random.Generator(np.random.Philox(3))
    ps, st = luxport.setup(0, model, backend="numpy")

    def shift(leaf: Any) -> Any:
        return (leaf + draw.uniform(0.05, 0.4, leaf.shape)).astype(dtype) if leaf.dtype.kind == "f" else leaf

    return tree.map(shift, ps), luxport.test_mode(tree.map(shift, st))


def run(model: Any, *inputs: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {one.name: x for one, x in zip(session.get_inputs(), inputs, strict=True)}))


def list_operators(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def draw_normal(*shape: int, dtype: str = "float32") -> Any:
    return np.random.Generator(np.random.Philox(5)).normal(size=shape).astype(dtype)


def export_and_compare(model: luxport.Layer, shape: tuple[Any, ...], *batches: int, opset: int | None = None) -> Any:
    """Export with a free batch size, and compare the graph with NumPy for each size."""
    ps, st = set_up(model)
    graph = luxport.to_onnx(None, model, ps, st, ("N", *shape), opset=opset)
    for n in batches:
        x = draw_normal(n, *shape)
        y, _ = model(x, ps, st)
        (found,) = run(graph, x)
        assert found.dtype == y.dtype
        np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-5 * np.abs(y).max())
    return graph


QUICK_START = luxport.Chain(luxport.Dense(4, 8, luxport.relu), luxport.BatchNorm(8), luxport.Dense(8, 3), ops.softmax)


def test_a_perceptron_has_named_parameters() -> None:
    graph = export_and_compare(QUICK_START, (4,), 1, 3)
    assert list_operators(graph) == ["Gemm", "Relu", "BatchNormalization", "Gemm", "Softmax"]
    names = [constant.name for constant in graph.graph.initializer]
    assert names[:4] == ["layer_1.weight", "layer_1.bias", "layer_2.scale", "layer_2.bias"]
    assert names[4:6] == ["layer_2.running_mean", "layer_2.running_var"]
    sizes = [d.dim_param or d.dim_value for d in graph.graph.output[0].type.tensor_type.shape.dim]
    assert ([one.name for one in graph.graph.input], sizes) == (["x"], ["N", 3])


def test_lenet_has_twelve_nodes() -> None:
    lenet = luxport.Chain(
        luxport.Conv((5, 5), 1, 6, luxport.relu),
        luxport.MaxPool((2, 2)),
        luxport.Conv((5, 5), 6, 16, luxport.relu),
        luxport.MaxPool((2, 2)),
        luxport.FlattenLayer(),
        luxport.Dense(256, 120, luxport.relu),
        luxport.Dense(120, 84, luxport.relu),
        luxport.Dense(84, 10),
    )
    graph = export_and_compare(lenet, (1, 28, 28), 1, 2)
    assert len(graph.graph.node) == 12
    flipped = onnx.numpy_helper.to_array(graph.graph.initializer[0])
    np.testing.assert_array_equal(flipped, set_up(lenet)[0]["layer_1"]["weight"][:, :, ::-1, ::-1])


def test_an_lstm_is_one_operator_for_any_length() -> None:
    model = luxport.Recurrence(luxport.LSTMCell(3, 5), return_sequence=True)
    ps, st = set_up(model)
    graph = luxport.to_onnx(None, model, ps, st, ("N", "T", 3))
    assert list_operators(graph).count("LSTM") == 1
    assert len(graph.graph.node) <= 6
    for n, t in ((1, 4), (3, 7)):
        x = draw_normal(n, t, 3)
        np.testing.assert_allclose(run(graph, x)[0], model(x, ps, st)[0], rtol=1e-5, atol=1e-6)


def test_the_same_arguments_make_the_same_bytes(tmp_path: Any) -> None:
    ps, st = set_up(QUICK_START)
    for name in ("a.onnx", "b.onnx"):
        luxport.to_onnx(
            tmp_path / name, QUICK_START, ps, st, ("N", 4), input_names="features", output_names=["classes"]
        )
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert ([one.name for one in graph.input], [one.name for one in graph.output]) == (["features"], ["classes"])


def test_parameters_may_be_in_a_separate_file(tmp_path: Any) -> None:
    model = luxport.Chain(luxport.Dense(40, 30), luxport.Dense(30, 50))  # neither fills a page of memory
    ps, st = set_up(model)
    luxport.to_onnx(tmp_path / "m.onnx", model, ps, st, ("N", 40), external_data=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (
        (tmp_path / "m.onnx").stat().st_size
        < 4 * 30 * 40
        <= 4 * 30 * (40 + 50)
        <= (tmp_path / "m.onnx.data").stat().st_size
    )
    session: Any = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    x = draw_normal(2, 40)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model(x, ps, st)[0], rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="expects a path"):
        luxport.to_onnx(None, model, ps, st, ("N", 40), external_data=True)
    luxport.to_onnx(tmp_path / "m.onnx", model, ps, st, ("N", 40))
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


def test_programs_without_a_graph_are_one_line_errors() -> None:
    dropout = luxport.Chain(luxport.Dense(4, 4), luxport.Dropout(0.5))
    ps, st = luxport.setup(0, dropout, backend="numpy")
    assert list_operators(luxport.to_onnx(None, dropout, ps, st, ("N", 4))) == ["Gemm"]
    with pytest.raises(
        luxport.LayerTypeError, match=r"Dropout at layer_2 draws random numbers, which a model for ONNX"
    ):
        luxport.to_onnx(None, dropout, ps, st, ("N", 4), training=True)
    looking = luxport.Chain(luxport.Dense(4, 4), lambda x: x if float(x[0, 0]) > 0 else -x)
    ps, st = luxport.setup(0, looking, backend="numpy")
    with pytest.raises(TypeError, match="does not look at numbers of its inputs"):
        luxport.to_onnx(None, looking, ps, st, ("N", 4))
    with pytest.raises(luxport.LayerError, match=r"Dense at layer_1 expects \(\.\.\., 4\), got \(\?, 5\)"):
        luxport.to_onnx(None, looking, ps, st, ("N", 5))
    with pytest.raises(TypeError, match="onnx differentiates nothing"):
        luxport.grad(lambda x: x.sum())(luxport.asarray([1.0], backend="onnx"))
    with pytest.raises(TypeError, match=r"to_onnx\(path, model, ps, st, inputs\), got a tuple of 2 and dict as"):
        luxport.to_onnx(None, dropout, cast("Any", ("N", 4)), ps, st)
    with pytest.raises(ValueError, match="expects an opset from 18"):
        luxport.to_onnx(None, dropout, ps, st, ("N", 4), opset=9)


def write_in_place(x: Any) -> Any:
    x[0, 0] = 1.0
    return x


MISTAKES: dict[str, tuple[Any, str]] = {
    "a number of an input": (lambda x: x * float(x[0, 0]), "onnx expects a program that does not look at numbers"),
    "a branch on one": (lambda x: x if x[0, 0] > 0 else -x, "onnx expects a program that does not look at numbers"),
    "as many steps as one says": (lambda x: [x] * int(x[0, 0]), "onnx expects a program that does not look"),
    "a function of math": (lambda x: x * math.exp(x[0, 0]), "onnx expects a program that does not look at numbers"),
    "entries by flags": (lambda x: x[x > 0], "onnx takes no entries by flags"),
    "a size made of numbers": (lambda x: luxport.namespace(x).nonzero(x)[0], "onnx has no nonzero"),
    "a loop over a free size": (lambda x: [row for row in x], "onnx knows a free size only when the graph runs"),
    "a range of a free size": (lambda x: [x[i] for i in range(x.shape[0])], "TypeError: 'NoneType' object cannot"),
    "a product of a free size": (lambda x: ops.softmax(x) / x.shape[0], r"TypeError: unsupported operand type\(s\)"),
    "a change in place": (write_in_place, "onnx changes no array"),
    "NumPy's function": (np.tanh, "TypeError: operand 'Array' does not support ufuncs"),
    "NumPy's noise": (lambda x: x + np.random.default_rng(0).normal(size=x.shape), "TypeError: 'NoneType' object"),
    "a method that it has not": (lambda x: x.tolist(), "AttributeError: 'Array' object has no attribute 'tolist'"),
    "a complex number": (lambda x: x + 1j, r"TypeError: unsupported operand type\(s\) for \+"),
    "a gradient": (luxport.grad(lambda x: luxport.namespace(x).sum(x)), "onnx differentiates nothing"),
    "text of a number": (lambda x: (f"{x[0, 0]:.2f}", x)[1], "TypeError: unsupported format string"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_functions_that_cannot_be_recorded_are_located_errors(mistake: str) -> None:
    f, told = MISTAKES[mistake]
    model = luxport.Chain(luxport.Dense(4, 4), f)
    ps, st = luxport.setup(0, model, backend="numpy")
    with pytest.raises(
        luxport.LayerTypeError, match="^WrappedFunction at layer_2 cannot be recorded[,:] " + told
    ) as why:
        luxport.to_onnx(None, model, ps, st, ("N", 4))
    assert str(why.value).isprintable() and len(str(why.value)) < 400


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"opset": "18"}, TypeError, "to_onnx expects an int as opset, got '18'"),
        ({"opset": 99}, ValueError, "to_onnx expects an opset from 18 to"),
        ({"path": 3}, TypeError, "to_onnx expects a path, or None, got int"),
        ({"input_names": 3}, TypeError, "to_onnx expects input_names as a name or a list of them, got int"),
        ({"input_names": ["a", "b"]}, ValueError, "to_onnx expects 1 input_names, got 2: a, b"),
        ({"input_names": "y", "output_names": "y"}, ValueError, "to_onnx expects output_names that are .* different"),
        ({"training": "no"}, TypeError, "to_onnx expects True or False as training"),
        ({"inputs": ("batch size", 4)}, TypeError, "to_onnx expects sizes as ints of at least 0 or names"),
        ({"inputs": luxport.InputSpec(("N", 4), "bfloat16")}, TypeError, "to_onnx has no inputs of bfloat16"),
        ({"model": lambda x: None}, TypeError, "to_onnx expects a model whose output is an array, got NoneType"),
    ],
)
def test_wrong_arguments_are_errors(options: dict[str, Any], kind: type[Exception], told: str) -> None:
    model = options.get("model", luxport.Dense(4, 4))
    model = model if isinstance(model, luxport.Layer) else luxport.WrappedFunction(model)
    given: dict[str, Any] = {"path": None, "inputs": ("N", 4), **options, "model": model}
    ps, st = luxport.setup(0, model, backend="numpy")
    with pytest.raises(kind, match=told):
        luxport.to_onnx(ps=ps, st=st, **given)


def test_batch_norms_of_resnet_20_are_folded() -> None:
    def block(channels: int, out: int, stride: int) -> luxport.Layer:
        body = luxport.Chain(
            luxport.Conv((3, 3), channels, out, stride=stride, padding=1, use_bias=False),
            luxport.BatchNorm(out, luxport.relu),
            luxport.Conv((3, 3), out, out, padding=1, use_bias=False),
            luxport.BatchNorm(out),
        )
        if stride == 1:
            return luxport.Chain(luxport.SkipConnection(body, add), luxport.relu)
        shortcut = luxport.Chain(
            luxport.Conv((1, 1), channels, out, stride=stride, use_bias=False), luxport.BatchNorm(out)
        )
        return luxport.Chain(luxport.Parallel(add, body, shortcut), luxport.relu)

    blocks = [
        block(a, b, s)
        for a, b, s in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        for a, b, s in ((a, b, s), (b, b, 1), (b, b, 1))
    ]
    stem = [luxport.Conv((3, 3), 3, 16, padding=1, use_bias=False), luxport.BatchNorm(16, luxport.relu)]
    model = luxport.Chain(*stem, *blocks, luxport.GlobalMeanPool(), luxport.FlattenLayer(), luxport.Dense(64, 10))
    graph = export_and_compare(model, (3, 8, 8), 1, 2)
    found = list_operators(graph)
    # 19 convolutions and 2 in shortcuts, with all norms folded; 9 sums; a pool, a reshape and a product.
    counts = {name: found.count(name) for name in set(found)}
    assert counts == {"Conv": 21, "Relu": 19, "Add": 9, "GlobalAveragePool": 1, "Reshape": 1, "Gemm": 1}


def add(x: Any, y: Any) -> Any:
    return x + y


def test_a_transformer_block_has_fused_operators() -> None:
    attention = luxport.Chain(luxport.LayerNorm((16,)), luxport.MultiHeadAttention(16, nheads=2), lambda pair: pair[0])
    network = luxport.Chain(luxport.LayerNorm((16,)), luxport.Dense(16, 32, luxport.gelu), luxport.Dense(32, 16))
    model = luxport.Chain(luxport.SkipConnection(attention, add), luxport.SkipConnection(network, add))
    graph = export_and_compare(model, (6, 16), 1, 3)
    found = list_operators(graph)
    assert (found.count("LayerNormalization"), found.count("Softmax"), found.count("MatMul")) == (2, 1, 8)
    assert len(found) <= 28
    newer = list_operators(export_and_compare(model, (6, 16), 1, 3, opset=23))
    assert (newer.count("Attention"), newer.count("Softmax"), newer.count("MatMul")) == (1, 0, 6)


SEEN = np.tril(np.ones((5, 5), bool))
ATTENTION: dict[str, Any] = {
    "plain": {},
    "causal": {"is_causal": True},
    "masked": {"mask": True},
    "heads first": {"token_axis": -2, "scale": 2.0},
    "result alone": {"return_scores": False},
}


@pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
def test_attention_is_one_operator_from_version_23_on(options: dict[str, Any]) -> None:
    heads_first = "token_axis" in options

    def attend(x: Any) -> Any:
        fewer = x[:, :2] if heads_first else x[:, :, :2]  # each head of keys and values serves two heads of queries
        mask = luxport.namespace(x).asarray(SEEN) if options.get("mask") else None
        return ops.scaled_dot_product_attention(x, fewer, fewer * 2.0, **{**options, "mask": mask})

    shape = (4, 5, 8) if heads_first else (5, 4, 8)
    model = luxport.WrappedFunction(attend)
    for dtype in ("float32", "float16"):
        x = draw_normal(3, *shape, dtype=dtype)
        inputs = luxport.InputSpec(("N", *shape), dtype)
        graph = luxport.to_onnx(None, model, {}, {}, inputs, opset=23)
        assert list_operators(graph).count("Attention") == 1 and "Softmax" not in list_operators(graph)
        for found, wanted in zip(run(graph, x), tree.leaves(attend(x)), strict=True):
            atol = 4 * np.finfo(dtype).eps * np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


def test_attention_is_the_formula_where_a_mask_may_hide_all_keys() -> None:
    """ONNX's operator does not give zeros for queries without keys."""
    hidden = SEEN.copy()
    hidden[2] = False

    def attend(x: Any) -> Any:
        return ops.scaled_dot_product_attention(x, x, x, mask=luxport.namespace(x).asarray(hidden))[0]

    model = luxport.WrappedFunction(attend)
    x = draw_normal(1, 5, 2, 4)
    graph = luxport.to_onnx(None, model, {}, {}, x, opset=23)
    assert "Attention" not in list_operators(graph)
    np.testing.assert_allclose(run(graph, x)[0], model(x, {}, {})[0], rtol=0, atol=1e-6)


def test_a_convolution_with_other_readers_is_not_folded() -> None:
    conv = luxport.Conv((3, 3), 2, 3)
    model = luxport.Chain(conv, luxport.SkipConnection(luxport.BatchNorm(3), add))
    assert list_operators(export_and_compare(model, (2, 5, 5), 2)) == ["Conv", "BatchNormalization", "Add"]


def test_a_loop_is_one_operator_for_any_length() -> None:
    model = luxport.Recurrence(luxport.RNNCell(3, 4, luxport.ops.swish), return_sequence=True, reverse=True)
    ps, st = set_up(model)
    graph = luxport.to_onnx(None, model, ps, st, ("N", "T", 3))
    assert list_operators(graph).count("Scan") == 1
    for n, t in ((1, 1), (2, 9)):
        x = draw_normal(n, t, 3)
        np.testing.assert_allclose(run(graph, x)[0], model(x, ps, st)[0], rtol=1e-5, atol=1e-6)


def test_networks_of_the_benchmark_have_as_many_nodes_as_pytorchs() -> None:
    from benchmarks.onnx_inference import make_networks

    found = {}
    for name, (model, shape) in make_networks().items():
        found[name] = len(export_and_compare(model, shape[1:], 1).graph.node)
    assert found == {"LeNet": 12, "Conv + BatchNorm": 7, "MLP": 4}
