"""The ONNX graph of every public layer compared with NumPy; `make onnx` runs `luxport_conformance.onnx_exports`."""

from pathlib import Path

import pytest

from luxport.backend import get_backend
from luxport_conformance.cases import CASES
from luxport_conformance.check_list import list_checks
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.gaps import list_gaps
from luxport_conformance.onnx_exports import REFUSED, check_export, main


def test_every_layer_is_exported_or_refused_with_a_reason() -> None:
    assert set(REFUSED) <= set(EXAMPLES)
    for name, examples in EXAMPLES.items():
        for example in examples:
            check_export(name, example, "float32")


def test_checks_that_read_values_are_left_out_by_name() -> None:
    (told,) = [line for line in list_gaps(get_backend("onnx"), CASES) if "numbers" in line]
    assert told.startswith("onnx has no numbers at hand: checks of "), told
    left = {check.name for check in list_checks(["numpy"])} - {check.name for check in list_checks(["onnx"])}
    assert {"out_of_range.onehotbatch9", "embedding.negative", "index_dtypes.scatter"} <= left
    asked = {check.subject for check in list_checks(["onnx"], pattern="override_is_definition")}
    assert "running_sizes" in asked and not asked & {"may_look", "value_range"}


def test_layers_are_exported_in_half_precision() -> None:
    for name in ("Conv", "BatchNorm", "LayerNorm", "MultiHeadAttention", "LSTM", "MaxPool", "Upsample"):
        if name in EXAMPLES:
            check_export(name, EXAMPLES[name][0], "float16")


def test_a_folder_without_networks_is_a_one_line_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"no solutions.yaml in {tmp_path}: a folder of the PEtab SciML test suite expected\n"
