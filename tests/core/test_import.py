"""`import luxport`: which modules it loads, lazy families, and the error if a framework is missing."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import luxport as lp
from luxport.backend import _registry
from luxport.when_imported import when_imported

FRAMEWORKS = ("jax", "jaxlib", "torch", "tensorflow", "mlx", "cupy", "keras", "array_api_strict", "scipy", "ml_dtypes")


def run(code, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "LUXPORT_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_framework():
    code = "import sys, luxport; print([name for name in {} if name in sys.modules])"
    assert run(code.format(FRAMEWORKS)) == "[]"


def test_work_on_numpy_loads_no_framework():
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


def test_one_framework_does_not_load_another():
    code = """
import sys, luxport as lp
lp.setup(0, lp.Dense(2, 3), backend="torch")
print([name for name in ("jax", "tensorflow", "mlx") if name in sys.modules])
"""
    assert run(code) == "[]"


def test_import_loads_few_modules_beyond_numpy():
    """Modules are counted instead of timed: beyond NumPy, the import takes some 60 ms of the allowed 150."""
    code = """
import sys, numpy
before = set(sys.modules)
import luxport
print(*sorted(set(sys.modules) - before))
"""
    brought = run(code).split()
    ours = [name for name in brought if name.partition(".")[0] == "luxport"]
    assert set(brought) - set(ours) <= {"__future__", "copy", "dataclasses", "importlib._abc", "importlib.util"} | {
        "inspect", "ast", "dis", "opcode", "_opcode", "pkgutil", "threading",
    }  # fmt: skip
    assert {name.split(".")[1] for name in ours if "." in name} == {
        *("backend", "call_arguments", "core", "errors", "initializers", "lazy", "ops", "random", "text"),
        *("transforms", "tree", "version", "when_imported"),
    }
    assert len(ours) <= 96


@pytest.mark.parametrize(
    ("name", "root"), [(n, {"tf": "tensorflow"}.get(n, n)) for n in ("jax", "torch", "tf", "mlx", "onnx")]
)
def test_a_missing_framework_names_what_to_install(name, root):
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
import importlib.util, luxport.backend._registry as b
find = importlib.util.find_spec
b.find_spec = lambda name: None if name == "torch" else find(name)
print(b.available_backends())
"""
    assert "torch" not in run(code)
    assert "jax" in run(code)


def test_states_made_on_numpy_go_straight_into_jax_jit():
    code = """
import numpy as np, luxport as lp
model = lp.Dropout(0.5)
ps, st = lp.setup(0, model)
import jax
print(jax.jit(model)(np.ones((2, 2), np.float32), ps, st)[1]["training"])
"""
    assert run(code) == "Static(True)"


def test_a_first_call_may_be_compiled():
    """luxport is imported first: PyTorch's compiler can then read neither a backend's loading nor an initializer."""
    code = """
import sys, luxport as lp
import torch
print("luxport_torch" in sys.modules, "torch._dynamo" in sys.modules, type(torch.__loader__).__name__)
double = lp.custom_vjp(lambda x: x * 2.0, forward=lambda x: (x * 2.0, ()), backward=lambda kept, ct: (ct * 5.0,))
ps = {"weight": torch.ones(2, 3), "bias": torch.zeros(3)}
def program(x, st):
    y, _ = lp.Dense(2, 3, lp.relu, init_weight=lp.initializers.normal)(double(x), ps, {})
    return y, lp.losses.mse(y, y + 1.0), st
x = torch.ones(1, 2, requires_grad=True)
y, loss, st = torch.compile(program, fullgraph=True, backend="aot_eager")(x, {"training": lp.Static(True)})
print(y.tolist(), loss.item(), st, torch.autograd.grad(y.sum(), x)[0].tolist())
"""
    assert run(code).splitlines() == [
        "True False SourceFileLoader",
        "[[4.0, 4.0, 4.0]] 1.0 {'training': Static(True)} [[15.0, 15.0]]",
    ]


def test_backends_are_loaded_when_their_frameworks_are_imported():
    others = {"numpy", "jaxlib", "array_api_strict", "mlx", "cupy"}  # their compilers, if any, do not read Python code
    others |= {"onnx"}  # its arrays are luxport's own, which exist only after the backend is loaded
    assert _registry.KNOWN.array_roots.keys() - others == set(_registry.FRAMEWORKS)


class TestWhenImported:
    @pytest.fixture
    def module(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "arriving.py").write_text("import sys\nhere = __spec__.loader is __loader__\n")
        yield "arriving"
        sys.modules.pop("arriving", None)

    def test_calls_run_at_the_import_or_at_once(self, module):
        seen = []
        for number in (1, 2):
            when_imported(module, lambda number=number: seen.append(number))
        assert seen == []
        found = import_module(module)
        assert seen == [1, 2]
        assert found.here
        assert type(found.__loader__).__name__ == "SourceFileLoader"
        when_imported(module, lambda: seen.append(3))
        assert seen == [1, 2, 3]

    def test_an_import_that_fails_may_be_tried_again(self, module, tmp_path):
        seen = []
        when_imported(module, lambda: seen.append(1))
        (tmp_path / "arriving.py").write_text("1 / 0")
        with pytest.raises(ZeroDivisionError):
            import_module(module)
        assert (seen, module in sys.modules) == ([], False)
        (tmp_path / "arriving.py").write_text("a_longer_text = 1")
        import_module(module)
        assert seen == [1]


ROOT = Path(lp.__file__).parent


def read_exports(package: str) -> dict[str, set[str]]:
    """Return the public names of a package's `__init__.pyi` by the modules that define them."""
    found: dict[str, set[str]] = {}
    for place, name in re.findall(
        r"^from \.([^.\s]\S*) import (\w+) as \2$", (ROOT / package / "__init__.pyi").read_text(), re.M
    ):
        found.setdefault(f"luxport.{package}.{place}", set()).add(name)
    return found


@pytest.mark.parametrize("package", ["layers", "losses", "optimizers", "schedules", "training"])
def test_a_family_exports_all_its_layers(package):
    for name, names in read_exports(package).items():
        module = import_module(name)
        assert names <= set(module.__all__)
        values = {name: getattr(module, name) for name in module.__all__}
        assert {
            name for name, value in values.items() if isinstance(value, type) and issubclass(value, lp.Layer)
        } <= names


def test_every_layer_is_at_the_top_level_and_no_loss():
    assert set(lp.layers.__all__) <= set(lp.__all__)
    assert not {name for name in lp.losses.__all__ if name[0].isupper()} & set(lp.__all__)


def test_layers_are_imported_when_used():
    code = (
        "import sys, luxport; print('luxport.layers._conv' in sys.modules, luxport.Conv is luxport.layers._conv.Conv)"
    )
    assert run(code) == "False True"
    assert run("import luxport; print('Conv' in dir(luxport), 'Conv' in dir(luxport.layers))") == "True True"
    others = "[name for name in dir(luxport) if name not in luxport.__all__ and not name.startswith('__')]"
    assert run(f"import luxport, luxport.core.flat; print({others})") == "[]"
    assert run("from luxport import *; print(Conv((3,), 1, 1))") == str(lp.Conv((3,), 1, 1))
    with pytest.raises(AttributeError, match="'luxport' has no attribute 'Konv'"):
        lp.Konv  # noqa: B018
