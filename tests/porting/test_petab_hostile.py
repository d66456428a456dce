"""Hostile files of PEtab SciML: no other file is read, memory does not grow, and the documented error says why."""

import hdf5_forms
import numpy as np
import pytest

import luxport
from luxport.core.layer_base import NamedLayers
from luxport.porting import FileFormatError, petab
from luxport.porting.network import Call, Network, Result

MODEL = Network(NamedLayers({"m": luxport.Dense(3, 2)}), ("x",), (Call("y", "m", (Result("x"),)),), Result("y"))


@pytest.mark.parametrize("form", hdf5_forms.SOUND)
def test_every_plain_form_gives_h5pys_numbers(form, tmp_path):
    path = hdf5_forms.save(tmp_path, hdf5_forms.SOUND[form])
    ps, _ = petab.load_parameters(path, MODEL)
    np.testing.assert_array_equal(ps["m"]["weight"], hdf5_forms.WEIGHT.T)
    np.testing.assert_array_equal(ps["m"]["bias"], hdf5_forms.BIAS)
    found = petab.load_array(path)
    assert found.dtype == np.float64 and found.dtype.isnative
    np.testing.assert_array_equal(found, hdf5_forms.WEIGHT)


@pytest.mark.parametrize("form", hdf5_forms.HOSTILE)
def test_forms_that_point_elsewhere_or_are_empty_are_refused(form, tmp_path):
    with pytest.raises(FileFormatError, match=r"ps\.hdf5"):
        petab.load_parameters(hdf5_forms.save(tmp_path, hdf5_forms.HOSTILE[form]), MODEL)


def nest(first, form, count):
    """Return nodes that each contain the one before three times, by its anchor."""
    return "\n".join([f"n0: &n0 {first}", *(f"n{i + 1}: &n{i + 1} {form % ((f'*n{i}',) * 3)}" for i in range(count))])


@pytest.mark.parametrize(
    "text",
    [
        nest("[1, 1]", "[%s, %s, %s]", 14),
        nest("{x: 1}", "{<<: [%s, %s, %s]}", 14),
        "a: &a [*a]",
        "[" * 5000,
        "{a: " * 5000,
        "a: 2001-99-99",
        "a: !!timestamp nothing",
        "a: !!python/object/apply:os.system [echo]",
        "a: !!int x",
        "a: " + "9" * 5000,
        "a: " + ":".join(["1"] * 5000),
        "\x00",
        "\ud800".encode("utf-8", "surrogatepass"),
        "layers: [{layer_id: [1], layer_type: Linear}]\nforward: []",
        "layers: [{layer_id: 'a\\u001b[2J', layer_type: Linear}]\nforward: []",
        "layers: [{layer_id: a, layer_type: Linear, args: {in_features: .inf, out_features: x}}]\nforward: []",
        "layers: []\nforward: [{name: x, op: output, target: x, args: [{a: 1}]}]",
        "",
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileFormatError, match=r"net\.yaml") as caught:
        petab.load_model(path)
    assert str(caught.value).isprintable()
