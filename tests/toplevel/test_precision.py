"""`f16` … `f64`, `match_eltype` and `AlternatePrecision`: conversions of dtypes."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport.backend import dtype_name
from luxport.core.match_eltype import match_eltype


class TestConversions:
    def test_only_floating_arrays_are_converted(self, backend):
        values = {name: lp.asarray(np.ones(2), backend=backend, dtype=name) for name in ("float32", "int32", "bool")}
        half = lp.f16({"inner": values, "training": lp.Static(True), "none": None})
        assert [dtype_name(leaf) for leaf in half["inner"].values()] == ["float16", "int32", "bool"]
        assert (half["training"], half["none"]) == (lp.Static(True), None)
        assert half["inner"]["int32"] is values["int32"]

    def test_an_array_of_the_dtype_is_returned_itself(self, backend):
        x = lp.asarray([1.0], backend=backend)
        assert lp.f32(x) is x
        assert lp.f32({"x": x})["x"] is x

    def test_short_numbers_survive_both_conversions(self, backend):
        x = lp.asarray([1.0, 1.5, -2.25, 96.0], backend=backend)
        for convert, name in ((lp.f16, "float16"), (lp.bf16, "bfloat16")):
            assert dtype_name(convert(x)) == name
            assert backend.to_numpy(lp.f32(convert(x))).tolist() == [1.0, 1.5, -2.25, 96.0]

    def test_running_statistics_stay_single(self, backend, tmp_path):
        model = lp.BatchNorm(2)
        ps, st = lp.setup(0, model, backend=backend)
        lp.save(tmp_path / "norm.safetensors", ps, st)
        made = {
            "setup": lp.setup(0, model, backend=backend, dtype="bfloat16"),
            "to": lp.to((ps, st), dtype="bfloat16"),
            "bf16": lp.bf16((ps, st)),
            "load": lp.load(tmp_path / "norm.safetensors", backend=backend, dtype="bfloat16"),
        }
        for name, (ps, st) in made.items():
            assert dtype_name(ps["scale"]) == "bfloat16", name
            assert [dtype_name(st[key]) for key in ("running_mean", "running_var")] == ["float32"] * 2, name

    @pytest.mark.parametrize("name", ["numpy", "torch", "tf"])
    def test_f64_converts_to_double(self, name):
        ps, _ = lp.setup(0, lp.Dense(2, 3), backend=name)
        assert {dtype_name(leaf) for leaf in lp.f64(ps).values()} == {"float64"}

    def test_complex_numbers_are_converted(self):
        single, double = np.ones(2, np.complex64), np.ones(2, np.complex128)
        assert lp.f32(single) is single
        assert lp.f32(double).dtype == np.complex64
        assert {leaf.dtype for leaf in lp.f64({"a": double, "b": single}).values()} == {np.dtype(np.complex128)}
        assert lp.f16(single) is single


class TestMatchEltype:
    MODEL = lp.Dense(2, 1)

    def test_each_policy_is_followed(self, backend, monkeypatch):
        ps, st = lp.setup(0, self.MODEL, backend=backend, dtype="float16")
        wide = {"x": lp.asarray(np.ones((1, 2)), backend=backend, dtype="float32")}
        assert match_eltype(self.MODEL, ps, st, wide) is wide
        assert dtype_name(match_eltype(self.MODEL, ps, st, wide, policy="convert")["x"]) == "float16"
        with pytest.warns(UserWarning, match="^Dense has float16 parameters, and was given float32$"):
            assert match_eltype(self.MODEL, ps, st, wide, policy="warn")["x"] is wide["x"]
        with pytest.raises(lp.LayerTypeError, match="^Dense expects float16 as its parameters, got float32$"):
            match_eltype(self.MODEL, ps, st, wide, policy="error")
        monkeypatch.setenv("LUXPORT_ELTYPE_MISMATCH", "convert")
        assert dtype_name(match_eltype(self.MODEL, ps, st, wide)["x"]) == "float16"
        monkeypatch.setenv("LUXPORT_ELTYPE_MISMATCH", "always")
        with pytest.raises(ValueError, match="'convert' or 'error' as policy, got 'always'"):
            match_eltype(self.MODEL, ps, st, wide)

    @pytest.mark.parametrize(
        ("parameters", "given", "converted"),
        [  # the table in lux:src/helpers/match_eltype.jl
            ("float64", "int32", "float64"),
            ("float32", "float64", "float32"),
            ("float32", "int64", "float32"),
            ("float16", "float64", "float16"),
            ("float16", "float32", "float16"),
            ("float16", "int32", "float16"),
            ("float64", "float32", "float32"),
            ("float32", "float16", "float16"),
            ("float32", "bool", "bool"),
        ],
    )
    def test_conversions_follow_luxs_table(self, parameters, given, converted):
        ps, st = lp.setup(0, self.MODEL, backend="numpy", dtype=parameters)
        x = np.ones((1, 2), given)
        assert match_eltype(self.MODEL, ps, st, x, policy="convert").dtype.name == converted

    def test_a_layer_without_parameters_accepts_any_dtype(self):
        x = np.ones(2)
        assert match_eltype(lp.NoOpLayer(), {}, {}, x, policy="error") is x


class TestAlternatePrecision:
    @pytest.mark.parametrize("half", ["float16", "bfloat16"])
    def test_a_layer_computes_in_half_precision(self, backend, draw, half):
        seen = []

        def note(x):
            seen.append(dtype_name(x))
            return x

        model = lp.AlternatePrecision(lp.Chain(lp.Dense(3, 2), note, lp.BatchNorm(2)), half)
        ps, st = lp.setup(0, model, backend=backend)
        y, new = model(draw(backend, 5, 3), ps, st)
        assert seen == [half]
        assert dtype_name(y) == "float32"
        assert {dtype_name(new["layer_3"][name]) for name in ("running_mean", "running_var")} == {"float32"}
        want, _ = model.layer(*lp.to((draw(backend, 5, 3), ps, st), dtype=half))
        np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(lp.f32(want)))
        none, _ = model(draw(backend, 5, 3)[:0], ps, lp.test_mode(st))
        assert (dtype_name(none), tuple(none.shape)) == ("float32", (0, 2))

    def test_gradients_have_the_parameters_dtype(self, differentiating, draw):
        model = lp.AlternatePrecision(lp.Dense(3, 2, lp.tanh), "bfloat16")
        ps, st = lp.setup(0, model, backend=differentiating)
        xp = differentiating.xp
        x = draw(differentiating, 5, 3)
        gradient = lp.grad(lambda ps: xp.sum(model(x, ps, st)[0]))(ps)
        want = lp.grad(lambda ps: xp.sum(model.layer(x, ps, st)[0]))(ps)
        assert dtype_name(gradient["weight"]) == "float32"
        # Five terms of size 1, each with four roundings to 8 bits: of x, the weight, the slope and the sum.
        atol = 5 * 4 * 2.0**-8
        np.testing.assert_allclose(*[differentiating.to_numpy(g["weight"]) for g in (gradient, want)], atol=atol)

    def test_unused_states_keep_their_bits(self, backend, draw):
        inner, ps, st = lp.freeze(lp.Dense(3, 2), *lp.setup(0, lp.Dense(3, 2), backend=backend))
        model, x = lp.AlternatePrecision(inner, "float16"), draw(backend, 5, 3)
        for call in (model, lp.checkpoint(model)):
            y, new = call(x, ps, st)
            assert dtype_name(y) == "float32"
            for name, kept in st["frozen_params"].items():
                np.testing.assert_array_equal(*map(backend.to_numpy, (new["frozen_params"][name], kept)))

    def test_a_wrong_dtype_is_an_error(self):
        with pytest.raises(ValueError, match="the name of a real floating dtype, got 'int32'"):
            lp.AlternatePrecision(lp.Dense(1, 1), "int32")
        assert repr(lp.AlternatePrecision(lp.Dense(1, 1), "float16")) == "AlternatePrecision(Dense(1, 1), 'float16')"

    def test_a_dtype_that_the_backend_lacks_is_an_error(self):
        model = lp.Chain(lp.AlternatePrecision(lp.Dense(2, 1), "float64"))
        ps, st = lp.setup(0, model, backend="jax")
        x = lp.asarray(np.ones((1, 2)), backend="jax", dtype="float32")
        with pytest.raises(lp.LayerError, match="AlternatePrecision at layer_1 computes in float64: jax holds float64"):
            model(x, ps, st)
