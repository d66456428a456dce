"""`luxport convert` to ONNX: onnxruntime runs every real file with a whole model as our own forward pass does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import real_files

import luxport
from luxport.cli import main
from luxport.porting import load_model

FLUX = real_files.folder("flux")
WHOLE = {
    "boston_dense.bson": ("N", 13),
    "cartpole_policy_tracker.bson": ("N", 4),
    "course_mnist_flux011.bson": ("N", 1, 28, 28),
}


def test_the_list_has_every_file_of_a_whole_model() -> None:
    assert {file.name for file in FLUX.glob("*.bson")} == set(WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_onnxruntime_computes_a_whole_model(name: str, tmp_path: Any) -> None:
    sizes = WHOLE[name]
    output = tmp_path / "model.onnx"
    assert main(["convert", str(FLUX / name), str(output), "--input", ",".join(map(str, sizes))]) == 0
    session: Any = onnxruntime.InferenceSession(str(output))
    model, ps, st = load_model(FLUX / name, backend="numpy")
    draw = np.random.Generator(np.random.Philox(1))
    for batch in (1, 5):
        x = draw.normal(size=(batch, *sizes[1:])).astype(np.float32)
        y, _ = model(x, ps, luxport.test_mode(st))
        np.testing.assert_allclose(session.run(None, {"x": x})[0], y, rtol=1e-5, atol=1e-5 * np.abs(y).max())


def test_a_graph_needs_the_sizes_of_its_input(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(FLUX / "boston_dense.bson")
    for more, said in (
        ([], "luxport convert: --input and an .onnx output need each other"),
        (["--input", "N,-1"], "luxport convert: --input expects sizes, or names of free sizes"),
        (["--input", "0,13"], "luxport convert: --input expects sizes of at least 1, as in N,1,28,28, got '0,13'"),
        (["--input", "N,12"], "luxport convert: Dense expects (..., 13), got (?, 12)"),
        (["--input", "int33:N,13"], "luxport convert: a dtype expected, got 'int33'"),
    ):
        assert main(["convert", source, str(tmp_path / "model.onnx"), *more]) == 2
        assert capsys.readouterr().err.startswith(said)
