"""Examples of the gallery at a reduced size: they give the recorded numbers, and have the gallery's form."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

import luxport
from luxport import distributed

FOLDER = Path(__file__).parents[2] / "examples"
OTHERS = {"digits", "quick_start", "toy_backend"}
# Examples with tests of their own below.
WITHOUT_NUMBER = {"distributed", "imagenet", "networks_of_papers"}
RECORDED: dict[str, tuple[dict[str, Any], float]] = {
    "basics": ({"steps": 40}, 0.0127705),
    "bayesian_network": ({"draws": 20, "steps": 10}, -51.23),
    "convolutional_vae": ({"epochs": 1, "count": 512}, 43.8703),
    "deep_equilibrium": ({"epochs": 1, "count": 500}, 1.98408),
    "diffusion": ({"epochs": 1, "count": 512}, 1.36330),
    "graph_network": ({"steps": 40}, 0.236179),
    "gravitational_waveform": ({"steps": 5, "length": 60}, 0.000865),
    "hypernetwork": ({"steps": 40}, 0.0857896),
    "image_recipes": ({"epochs": 1, "count": 256}, 2.20146),
    "lstm_encoder_decoder": ({"epochs": 2, "count": 256}, 0.306695),
    "neural_ode": ({"steps": 20, "length": 20}, 0.0701554),
    "neural_ode_digits": ({"epochs": 1, "count": 320}, 1.90592),
    "optimization_libraries": ({"steps": 30}, 1.87653),
    "physics_informed": ({"steps": 30, "count": 64}, 25.3072),
    "polynomial_fitting": ({"steps": 60}, 0.110663),
    "qwen3": ({"steps": 10}, 2.17517),
    "real_nvp": ({"steps": 30, "count": 128}, 1.91413),
    "simple_rnn": ({"epochs": 2, "count": 256}, 0.677787),
}
"""Arguments of `train`, and the first number that it returns, equal to six digits on PyTorch, JAX and TensorFlow."""


@pytest.mark.parametrize("name", RECORDED)
def test_example_gives_the_recorded_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)  # two of them import from a third
    arguments, recorded = RECORDED[name]
    with luxport.using("torch"):
        found = runpy.run_path(str(FOLDER / f"{name}.py"))["train"](**arguments)
    number = found[0] if isinstance(found, tuple) else found
    # Steps of optimizers amplify differences in the rounding of frameworks and processors.
    assert number == pytest.approx(recorded, rel=0.02)


def test_every_example_is_recorded_and_has_the_form_of_the_gallery() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")} - OTHERS
    assert names == set(RECORDED) | WITHOUT_NUMBER
    for name in names:
        text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 150, name
        assert "Learned here:" in (ast.get_docstring(ast.parse(text)) or ""), name
        assert "# What changes between backends: nothing." in text, name


def test_one_process_of_many_gives_the_recorded_number() -> None:
    distributed.initialize("local")
    try:
        with luxport.using("torch"):
            last, losses, _, _ = runpy.run_path(str(FOLDER / "distributed.py"))["train"](epochs=1)
    finally:
        distributed.shutdown()
    assert len(losses) == 46
    assert last == pytest.approx(0.378357, rel=0.02)


# From torchvision 0.26's documentation of its models.
COUNTS = {"resnet18": 11_689_512, "resnet50": 25_557_032, "vgg16": 138_357_544, "mobilenet_v2": 3_504_872}


def test_networks_have_the_published_numbers_of_parameters() -> None:
    models = runpy.run_path(str(FOLDER / "networks_of_papers.py"))["MODELS"]
    assert {name: luxport.parameter_length(models[name](1000)) for name in COUNTS} == COUNTS


def test_training_from_a_folder_of_images_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    with luxport.using("torch"):
        example = runpy.run_path(str(FOLDER / "imagenet.py"))
        example["train"].__globals__["COMPILED"] = False
        example["write_stripes"](tmp_path, 16)
        _, _, state = example["train"](tmp_path, epochs=1, checkpoint=tmp_path / "kept")
        assert int(state.step) == 2
        loss, right, state = example["train"](tmp_path, epochs=8, checkpoint=tmp_path / "kept")
        assert int(state.step) == 16
        # An untrained network has a loss of .693 and an accuracy of a half.
        assert loss < 0.6 and right > 0.7
        images = example["Images"](tmp_path / "val", 32, train=False)
        ours = [luxport.tree.map(luxport.to_numpy, tuple(batch)) for batch in example["make_batches"](images, 20)]
    with luxport.using("tf"):
        theirs = [luxport.tree.map(luxport.to_numpy, tuple(batch)) for batch in example["make_batches"](images, 20)]
    for (x, labels), (other, others) in zip(ours, theirs, strict=True):
        assert (x == other).all() and (labels == others).all()
