"""What `import luxport` takes and brings in, and what is said where a framework is missing."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

import luxport as lp

FRAMEWORKS = ("jax", "jaxlib", "torch", "tensorflow", "keras", "array_api_strict", "scipy", "ml_dtypes")


def run(code, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "LUXPORT_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_brings_in_no_framework():
    code = "import sys, luxport; print([name for name in {} if name in sys.modules])"
    assert run(code.format(FRAMEWORKS)) == "[]"


def test_numpy_work_brings_in_no_framework():
    code = """
import sys, numpy as np, luxport as lp
model = lp.Chain(lp.Dense(2, 3, lp.tanh), lp.BatchNorm(3), lp.Dropout(0.5))
ps, st = lp.setup(0, model)
model(np.ones((4, 2), np.float32), ps, st)
lp.jit(model)(np.ones((4, 2), np.float32), ps, st)
lp.available_backends(), str(model), lp.output_shape(model, (4, 2))
print([name for name in {} if name in sys.modules])
"""
    assert run(code.format(FRAMEWORKS)) == "[]"


def test_one_framework_does_not_bring_in_another():
    code = """
import sys, luxport as lp
lp.setup(0, lp.Dense(2, 3), backend="torch")
print([name for name in ("jax", "tensorflow") if name in sys.modules])
"""
    assert run(code) == "[]"


def test_import_takes_at_most_150_ms_beyond_numpy(tmp_path, monkeypatch):
    code = """
import numpy, time
started = time.process_time()
import luxport
print(time.process_time() - started)
"""
    # With the bytecode that an installation has: the first run writes it. Processor time, the smallest of several.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    run(code)
    assert min(float(run(code)) for _ in range(5)) <= 0.15


@pytest.mark.parametrize(("name", "root"), [("jax", "jax"), ("torch", "torch"), ("tf", "tensorflow")])
def test_a_missing_framework_says_what_to_install(name, root):
    code = f"""
import sys
from importlib import import_module
sys.modules[{root!r}] = None
import luxport as lp
for ask in (lambda: lp.get_backend({name!r}), lambda: lp.setup(0, lp.Dense(1, 1), backend={name!r}),
            lambda: lp.asarray([1.0])):
    try:
        ask()
    except lp.BackendNotFoundError as error:
        print(error)
lp.setup(0, lp.Dense(1, 1), backend="numpy")
"""
    text = f"backend {name!r} needs {root}, which is not installed: pip install 'luxport-nn[{name}]'"
    assert run(code, LUXPORT_BACKEND=name).splitlines() == [text] * 3


def test_a_missing_framework_is_not_available():
    code = """
import importlib.util, luxport.backend as b
find = importlib.util.find_spec
b.find_spec = lambda name: None if name == "torch" else find(name)
print(b.available_backends())
"""
    assert "torch" not in run(code)
    assert "jax" in run(code)


def test_states_made_on_numpy_go_straight_into_jax_jit():
    code = """
import numpy as np, jax, luxport as lp
model = lp.Dropout(0.5)
ps, st = lp.setup(0, model)
print(jax.jit(model)(np.ones((2, 2), np.float32), ps, st)[1]["training"])
"""
    assert run(code) == "Static(True)"


@pytest.mark.parametrize("family", lp.layers.FAMILIES)
def test_a_family_is_listed_as_it_is(family):
    module = import_module(f"luxport.layers.{family}")
    listed = set(lp.layers.FAMILIES[family])
    assert listed <= set(module.__all__)
    layers = {
        name
        for name in module.__all__
        if isinstance(value := getattr(module, name), type) and issubclass(value, lp.Layer)
    }
    assert layers <= listed <= set(lp.__all__)


def test_layers_wait_until_they_are_used():
    code = "import sys, luxport; print('luxport.layers.conv' in sys.modules, luxport.Conv is luxport.layers.conv.Conv)"
    assert run(code) == "False True"
    assert run("import luxport; print('Conv' in dir(luxport), 'Conv' in dir(luxport.layers))") == "True True"
    assert run("from luxport import *; print(Conv((3,), 1, 1))") == str(lp.Conv((3,), 1, 1))
    with pytest.raises(AttributeError, match="'luxport' has no attribute 'Konv'"):
        lp.Konv  # noqa: B018
