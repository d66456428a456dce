"""Models of luxport become modules of PyTorch; PyTorch's own forward gives the expected outputs."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch_models import draw_input

import luxport
from luxport.tree import leaves, structure

torch.manual_seed(0)


def make_model():
    return luxport.Chain(
        luxport.Dense(3, 4, luxport.relu), luxport.BatchNorm(4), luxport.Dropout(0.5), luxport.Dense(4, 2)
    )


def make_module():
    return luxport.to_torch(make_model(), *luxport.setup(0, make_model()))


class TestToTorch:
    def test_outputs_and_states_equal_the_models(self):
        ps, st = luxport.setup(0, make_model(), backend="torch")
        converted = make_module()
        for _ in range(3):
            y, st = make_model()(draw_input(5, 3), ps, st)
            assert torch.equal(converted(draw_input(5, 3)), y)
        assert all(torch.equal(*pair) for pair in zip(leaves(converted.st.tree()), leaves(st), strict=True))
        assert structure(converted.st.tree()) == structure(st)
        y, _ = make_model()(draw_input(5, 3), ps, luxport.test_mode(st))
        assert torch.equal(converted.eval()(draw_input(5, 3)), y)
        assert not torch.equal(converted.train()(draw_input(5, 3)), y)

    def test_names_equal_those_of_saved_files(self, tmp_path):
        luxport.save(tmp_path / "file", *luxport.setup(0, make_model()))
        from safetensors.numpy import load_file

        assert set(make_module().state_dict()) == set(load_file(tmp_path / "file"))
        assert [name for name, _ in make_module().named_parameters()] == [
            *("ps.layer_1.weight", "ps.layer_1.bias", "ps.layer_2.bias", "ps.layer_2.scale"),
            *("ps.layer_4.weight", "ps.layer_4.bias"),
        ]

    def test_a_state_dict_reads_back(self):
        one, other = make_module(), luxport.to_torch(make_model(), *luxport.setup(1, make_model()))
        one(draw_input(5, 3))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(draw_input(5, 3)), other(draw_input(5, 3)))

    def test_the_module_learns(self):
        converted, target = make_module().eval(), draw_input(5, 2)
        optimizer = torch.optim.Adam(converted.parameters(), 0.05)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = ((converted(draw_input(5, 3)) - target) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0] / 3

    def test_copies_and_pickles_are_independent(self):
        one = make_module()
        one(draw_input(5, 3)).sum().backward()
        copies = copy.deepcopy(one), pickle.loads(pickle.dumps(one))
        y = one(draw_input(5, 3))
        for other in copies:
            assert torch.equal(other(draw_input(5, 3)), y)
        assert int(one.state_dict()["st.layer_3.rng.counter"]) == 2

    def test_the_module_compiles_whole_and_once_for_each_mode(self):
        from torch._dynamo.testing import CompileCounter

        one, counter = make_module(), CompileCounter()
        other = copy.deepcopy(one)
        compiled = torch.compile(one, backend=counter, fullgraph=True)
        for training in (True, True, False, False, True):
            one.train(training)
            other.train(training)
            # Compiled norms follow the definition, which rounds differently from PyTorch's kernel.
            torch.testing.assert_close(compiled(draw_input(5, 3)), other(draw_input(5, 3)), rtol=1e-5, atol=1e-6)
        assert counter.frame_count == 2
        assert int(one.state_dict()["st.layer_3.rng.counter"]) == 3

    def test_distributed_data_parallel_trains_the_module(self, tmp_path):
        store = f"file://{tmp_path / 'store'}"
        torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
        try:
            one = make_module()
            other, parallel = copy.deepcopy(one), nn.parallel.DistributedDataParallel(one)
            for _ in range(2):
                parallel(draw_input(5, 3)).sum().backward()
                other(draw_input(5, 3)).sum().backward()
            for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
                torch.testing.assert_close(mine.grad, theirs.grad)
            assert torch.equal(one.state_dict()["st.layer_2.running_var"], other.state_dict()["st.layer_2.running_var"])
        finally:
            torch.distributed.destroy_process_group()

    def test_new_states_and_names_of_methods_are_accepted(self):
        cell = luxport.StatefulRecurrentCell(luxport.RNNCell(3, 2))
        converted = luxport.to_torch(cell, *luxport.setup(0, cell))
        ps, st = luxport.setup(0, cell, backend="torch")
        for _ in range(3):
            y, st = cell(draw_input(4, 3), ps, st)
            mine = converted(draw_input(4, 3))
            assert torch.equal(mine, y)
            mine.sum().backward()
        assert "st.carry.0" in converted.state_dict() and not converted.state_dict()["st.carry.0"].requires_grad
        named = luxport.Chain(forward=luxport.Dense(3, 2), type=luxport.Dense(2, 1), parameters=luxport.Dense(1, 1))
        converted = luxport.to_torch(named, *luxport.setup(0, named, backend="torch"))
        y, _ = named(draw_input(4, 3), *luxport.setup(0, named, backend="torch"))
        assert torch.equal(converted(draw_input(4, 3)), y) and "ps.type.weight" in converted.state_dict()

    @pytest.mark.parametrize("half", ["float16", "bfloat16"])
    def test_half_parameters_stay_half(self, half, tmp_path):
        """Expect the value and gradient of the same numbers in float32."""
        make_model = luxport.Chain(luxport.Dense(3, 8, luxport.tanh), luxport.BatchNorm(8), luxport.Dense(8, 2))
        ps, st = luxport.setup(0, make_model, backend="torch", dtype=half)
        net = luxport.to_torch(make_model, ps, st)
        data = draw_input(6, 3).to(getattr(torch, half))
        y = net(data)
        (y.float() ** 2).mean().backward()
        wide = luxport.f32(ps)

        def loss(ps):
            y, _ = make_model(data.float(), ps, st)
            return (y**2).mean(), y

        slopes, want = luxport.grad(loss, has_aux=True)(wide)
        # bfloat16 has 8 bits: about six roundings of 2^-8 for numbers near 1, in three layers and their gradients.
        torch.testing.assert_close(y.float(), want, atol=0.05, rtol=0.05)
        for weight, slope in zip(net.parameters(), leaves(slopes), strict=True):
            assert weight.grad is not None and weight.grad.dtype == weight.dtype == data.dtype
            torch.testing.assert_close(weight.grad.float(), slope, atol=0.05, rtol=0.05)
        before = [weight.detach().clone() for weight in net.parameters()]
        torch.optim.SGD(net.parameters(), 0.5).step()
        assert any([not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True)])
        torch.save(net.state_dict(), tmp_path / "net.pt")
        other = luxport.to_torch(make_model, *luxport.setup(1, make_model, backend="torch", dtype=half))
        other.load_state_dict(torch.load(tmp_path / "net.pt"))
        assert torch.equal(other.eval()(data), net.eval()(data))
        assert {name: entry.dtype for name, entry in other.state_dict().items() if "running" in name} == {
            f"st.layer_2.running_{name}": torch.float32 for name in ("mean", "var")
        }

    def test_several_inputs_dtypes_and_modes_are_accepted(self):
        layer = luxport.Bilinear((3, 4), 2)
        ps, st = luxport.setup(0, layer)
        converted = luxport.to_torch(layer, ps, st, dtype="float64")
        assert converted(draw_input(5, 3).double(), draw_input(5, 4).double()).dtype == torch.float64
        ps, st = luxport.setup(0, make_model())
        assert not luxport.to_torch(make_model(), ps, luxport.test_mode(st)).training
        assert luxport.to_torch(make_model(), ps, st).training
        with pytest.raises(TypeError, match="to_torch expects a layer, got Linear"):
            luxport.to_torch(nn.Linear(2, 3), {}, {})  # type: ignore[arg-type]
