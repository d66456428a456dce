"""Every public layer's graph, held against NumPy; `make onnx` runs all of `luxport_conformance.exported`."""

from luxport_conformance.examples import EXAMPLES
from luxport_conformance.exported import REFUSED, check_export


def test_every_layer_is_exported_or_refused_with_a_reason() -> None:
    assert set(REFUSED) <= set(EXAMPLES)
    for name, examples in EXAMPLES.items():
        for example in examples:
            check_export(name, example, "float32")


def test_half_types_too() -> None:
    for name in ("Conv", "BatchNorm", "LayerNorm", "MultiHeadAttention", "LSTM", "MaxPool", "Upsample"):
        if name in EXAMPLES:
            check_export(name, EXAMPLES[name][0], "float16")
