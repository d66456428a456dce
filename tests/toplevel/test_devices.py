"""Devices as functions that move trees, on a machine without accelerators."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport.backend import get_backend


class TwoAccelerators:
    """The NumPy backend with two pretended accelerators."""

    name = "pretended"

    def __getattr__(self, name):
        return getattr(get_backend("numpy"), name)

    def devices(self):
        return ["cpu", "gpu:0", "gpu:1"]


def test_a_device_moves_parameters_and_states(backend, draw):
    model = lp.Chain(lp.Dense(3, 2), lp.Dropout(0.5))
    ps, st = lp.setup(0, model, backend=backend)
    moved, states = lp.devices.cpu_device()((ps, st))
    assert lp.devices.get_device((moved, states)) == lp.devices.cpu_device(backend)
    assert lp.backend_of(moved["layer_1"]["weight"]) is backend
    assert states["layer_2"]["training"] == lp.Static(True)
    np.testing.assert_array_equal(*[backend.to_numpy(tree["layer_1"]["weight"]) for tree in (ps, moved)])
    y, _ = model(draw(backend, 4, 3), moved, states)
    assert tuple(y.shape) == (4, 2)


def test_a_device_moves_arrays_to_its_backend(backend):
    dev = lp.devices.cpu_device(backend)
    assert repr(dev) == f"Device('cpu', backend={backend.name!r})"
    x = dev({"x": np.ones(2, np.float32), "n": np.arange(2)}, dtype="float16")
    assert lp.devices.get_device(x) == dev
    assert [leaf.tolist() for leaf in map(backend.to_numpy, x.values())] == [[1.0, 1.0], [0, 1]]
    assert [int(backend.to_numpy(b).sum()) for b in dev.each(np.full(2, i, np.float32) for i in range(3))] == [0, 2, 4]


def test_devices_are_listed_with_the_cpu_first(backend):
    assert lp.devices.list_devices(backend)[0] == lp.devices.cpu_device(backend)


def test_without_an_accelerator_the_cpu_is_used_with_a_warning(backend):
    if len(backend.devices()) > 1:
        return  # this machine has one
    with pytest.warns(UserWarning, match=f"{backend.name} has the device cpu, and no accelerator: using the CPU"):
        assert lp.devices.gpu_device(backend) == lp.devices.cpu_device(backend)
    with pytest.raises(ValueError, match=f"^{backend.name} has the device cpu, and no accelerator$"):
        lp.devices.gpu_device(backend, force=True)
    with pytest.raises(ValueError, match="'?cpu'?, got 'gpu:1'"):
        lp.devices.Device("gpu:1", backend.name)(np.ones(2, np.float32))


def test_an_accelerator_is_chosen_by_index():
    pretended = TwoAccelerators()
    assert lp.devices.gpu_device(pretended).name == "gpu:0"
    assert lp.devices.gpu_device(pretended, index=1).name == "gpu:1"
    with pytest.raises(ValueError, match="pretended has the devices cpu, gpu:0, gpu:1, and no accelerator 2"):
        lp.devices.gpu_device(pretended, index=2)


def test_a_layer_instead_of_arrays_is_an_error():
    with pytest.raises(TypeError, match=r"a device expects arrays, got the layer Dense\(1, 1\): move its parameters"):
        lp.devices.cpu_device()(lp.Dense(1, 1))


def test_arrays_on_several_devices_are_an_error():
    mixed = {"a": np.ones(1), "b": lp.asarray([1.0], backend="torch")}
    with pytest.raises(ValueError, match="numpy on cpu at a, torch on cpu at b: move them with a device or luxport.to"):
        lp.devices.get_device(mixed)
    assert lp.devices.get_device({"training": lp.Static(True), "carry": None}) is None


def test_logical_devices_of_tensorflow_are_listed_before_it_starts(monkeypatch):
    monkeypatch.setattr("tensorflow.config.get_logical_device_configuration", lambda device: [None, None])
    assert [device.name for device in lp.devices.list_devices("tf")][:2] == ["cpu", "cpu:1"]
