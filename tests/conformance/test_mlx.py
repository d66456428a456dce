"""Test MLX by a sample of the suite, which `make mlx` runs as a whole, and test features that only MLX has."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from optional_packages import require

import luxport
from luxport_conformance.check_list import list_checks
from luxport_conformance.runner import Check
from luxport_conformance.selection import Selection

mx = require("mlx.core", "pip install 'luxport-nn[mlx]'")

LAYERS = "Chain|Dense|Conv|ConvTranspose|BatchNorm|LayerNorm|Dropout|Embedding|LSTM|MaxPool|MultiHeadAttention"
SAMPLE = f"^(values|jit_is_eager|gradients_agree)-({LAYERS})_1-|^override_is_definition|^(random_bits|out_of_range)"

KERNELS = r"^override_is_definition-(conv_nd|layer_norm|rms_norm|scaled_dot_product_attention)_|^values-Conv_\d-"


@pytest.mark.parametrize("check", [*list_checks(["mlx"], pattern=SAMPLE)], ids=lambda check: check.id)
def test_sample(check: Check) -> None:
    assert check.run() < float("inf")


@pytest.mark.parametrize("check", [*list_checks(["mlx"], pattern=KERNELS)], ids=lambda check: check.id)
def test_kernels_for_gpus(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that are enabled only on GPUs, as they are slower than the definitions on CPUs, give the same results."""
    for family in ("attention", "conv", "normalization"):
        monkeypatch.setattr(import_module(f"luxport_mlx.ops.{family}"), "have_kernels", lambda: True)
    assert check.run() < float("inf")


def test_random_bits_are_those_of_numpy() -> None:
    drawn = []
    for backend in ("numpy", "mlx"):
        key = luxport.asarray(np.array([123, -7], np.int32), backend=backend)
        counter = luxport.asarray(np.array(5, np.int32), backend=backend)
        drawn.append(luxport.to_numpy(luxport.ops.random_bits(key, counter, shape=(3, 5))))
    np.testing.assert_array_equal(*drawn)


def test_a_gradient_of_ones_own_is_kept_under_vmap() -> None:
    product = luxport.custom_vjp(
        lambda x, w: x * w,
        forward=lambda x, w: (x * w, (x, w)),
        backward=lambda kept, ct: (10.0 * ct * kept[1], 100.0 * ct * kept[0]),
    )
    x, w = mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array(3.0)

    def once(x, w):
        return mx.vmap(product, in_axes=(0, None))(x, w)

    def loss(x, w):
        return mx.vmap(once, in_axes=(1, None))(x, w).sum()

    of_x, of_w = mx.grad(loss, argnums=(0, 1))(x, w)
    assert of_x.tolist() == [[30.0, 30.0], [30.0, 30.0]]
    assert of_w.item() == 1000.0
    # A second derivative runs through the custom forward and backward: 100 w * 10 of x.
    second = luxport.grad(lambda w: luxport.grad(lambda x: (product(x, w) ** 2).sum())(mx.array(2.0)))(w)
    assert second.item() != 0.0


def test_derivatives_of_trees() -> None:
    a, b = mx.array([1.0, 2.0]), mx.array([3.0, 4.0])
    jacobian = luxport.jacobian(lambda ps: {"y": ps["a"] * ps["b"], "z": ps["a"].sum()})({"a": a, "b": b})
    assert jacobian["y"]["a"].tolist() == [[3.0, 0.0], [0.0, 4.0]]
    assert jacobian["z"]["b"].tolist() == [0.0, 0.0]
    assert luxport.hessian(lambda x: (x**3).sum())(a).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert luxport.jvp(lambda x: x * x, (a,), (b,))[1].tolist() == [6.0, 16.0]


def test_programs_know_constants() -> None:
    traced = []

    def program(x, st, factor):
        traced.append(factor)
        return {"y": x * factor if st["training"] else x, "kept": st}

    compiled = luxport.jit(program)
    x, st = mx.array([1.0]), {"training": luxport.Static(True)}
    for factor in (2.0, 2.0, -0.0, 0.0):
        result = compiled(x, st, factor)
        assert result["kept"] == st
        assert result["y"].item() == factor
    assert [str(factor) for factor in traced] == ["2.0", "-0.0", "0.0"]


def test_what_mlx_does_not_hold_is_said() -> None:
    for dtype, instead in (("float64", "float32"), ("complex128", "complex64")):
        with pytest.raises(ValueError, match=f"mlx has no dtype '{dtype}': ask for '{instead}'"):
            luxport.asarray([1.0], backend="mlx", dtype=dtype)
        with pytest.raises(ValueError, match=f"mlx has no dtype '{dtype}'"):
            luxport.to(np.ones(2, dtype), backend="mlx")
    with pytest.raises(ValueError, match="mlx has the devices cpu.*, got 'tpu'"):
        luxport.asarray([1.0], backend="mlx", device="tpu")


def test_half_types_come_and_go() -> None:
    require("ml_dtypes", "pip install ml-dtypes")
    for dtype in ("float16", "bfloat16"):
        x = luxport.asarray([0.5, -2.0], backend="mlx", dtype=dtype)
        host = luxport.to_numpy(x)
        assert host.dtype.name == dtype
        assert luxport.to(host, backend="mlx").tolist() == [0.5, -2.0]


def test_the_suite_says_what_is_left_out() -> None:
    from luxport_conformance.cases import CASES
    from luxport_conformance.gaps import list_gaps, list_lacking_names

    (line,) = list_gaps(luxport.get_backend("mlx"), CASES)
    assert line.startswith("mlx has no float64: checks of ")
    assert Selection(("mlx",)).load().backends == ("mlx",)
    whole = luxport.get_backend("mlx").xp
    lacking = {name: value for name, value in vars(whole).items() if name != "cumulative_sum"}
    found = list_lacking_names(type("Lacking", (), lacking))
    assert list(found) == ["cumulative_sum"]
    assert found["cumulative_sum"]


def test_a_compiled_program_begins_to_run_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a training loop that reads no number would keep the graphs of all its steps."""
    begun: list[Any] = []
    start = mx.async_eval

    def watch(arrays: Any) -> None:
        start(arrays)
        begun.append(len(arrays))

    monkeypatch.setattr(mx, "async_eval", watch)
    step = luxport.jit(lambda x: (x * 0.5, x.sum()))
    x = mx.ones(3)
    for _ in range(4):
        x, _ = step(x)
    assert begun == [2] * 4
    assert mx.grad(lambda x: step(x)[0].sum())(x).tolist() == [0.5] * 3  # inside another program nothing is started
    assert begun == [2] * 4
