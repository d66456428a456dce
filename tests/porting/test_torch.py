"""Modules of PyTorch and models of luxport in each other's place: PyTorch's own forward says what is right."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch_models
from torch import nn
from torch_models import stirred

import luxport
from luxport.tree import leaves, map, structure

torch.manual_seed(0)


def model():
    return luxport.Chain(
        luxport.Dense(3, 4, luxport.relu), luxport.BatchNorm(4), luxport.Dropout(0.5), luxport.Dense(4, 2)
    )


def module():
    return luxport.to_torch(model(), *luxport.setup(0, model()))


def x(*shape):
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))


class TestToTorch:
    def test_outputs_and_states_are_the_models(self):
        ps, st = luxport.setup(0, model(), backend="torch")
        converted = module()
        for _ in range(3):
            y, st = model()(x(5, 3), ps, st)
            assert torch.equal(converted(x(5, 3)), y)
        assert all(torch.equal(*pair) for pair in zip(leaves(converted.st.tree()), leaves(st), strict=True))
        assert structure(converted.st.tree()) == structure(st)
        y, _ = model()(x(5, 3), ps, luxport.test_mode(st))
        assert torch.equal(converted.eval()(x(5, 3)), y)
        assert not torch.equal(converted.train()(x(5, 3)), y)

    def test_names_are_those_of_saved_files(self, tmp_path):
        luxport.save(tmp_path / "file", *luxport.setup(0, model()))
        from safetensors.numpy import load_file

        assert set(module().state_dict()) == set(load_file(tmp_path / "file"))
        assert [name for name, _ in module().named_parameters()] == [
            *("ps.layer_1.weight", "ps.layer_1.bias", "ps.layer_2.bias", "ps.layer_2.scale"),
            *("ps.layer_4.weight", "ps.layer_4.bias"),
        ]

    def test_state_dict_comes_back(self):
        one, other = module(), luxport.to_torch(model(), *luxport.setup(1, model()))
        one(x(5, 3))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(x(5, 3)), other(x(5, 3)))

    def test_it_learns(self):
        converted, target = module().eval(), x(5, 2)
        optimizer = torch.optim.Adam(converted.parameters(), 0.05)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = ((converted(x(5, 3)) - target) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0] / 3

    def test_copies_and_pickles_go_their_own_way(self):
        one = module()
        one(x(5, 3)).sum().backward()
        copies = copy.deepcopy(one), pickle.loads(pickle.dumps(one))
        y = one(x(5, 3))
        for other in copies:
            assert torch.equal(other(x(5, 3)), y)
        assert int(one.state_dict()["st.layer_3.rng.counter"]) == 2

    def test_it_compiles_whole_once_a_mode(self):
        from torch._dynamo.testing import CompileCounter

        one, counter = module(), CompileCounter()
        other = copy.deepcopy(one)
        compiled = torch.compile(one, backend=counter, fullgraph=True)
        for training in (True, True, False, False, True):
            one.train(training)
            other.train(training)
            # Compiled norms are the definition's, which rounds otherwise than PyTorch's kernel.
            torch.testing.assert_close(compiled(x(5, 3)), other(x(5, 3)), rtol=1e-5, atol=1e-6)
        assert counter.frame_count == 2
        assert int(one.state_dict()["st.layer_3.rng.counter"]) == 3

    def test_distributed_data_parallel(self, tmp_path):
        store = f"file://{tmp_path / 'store'}"
        torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
        try:
            one = module()
            other, parallel = copy.deepcopy(one), nn.parallel.DistributedDataParallel(one)
            for _ in range(2):
                parallel(x(5, 3)).sum().backward()
                other(x(5, 3)).sum().backward()
            for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
                torch.testing.assert_close(mine.grad, theirs.grad)
            assert torch.equal(one.state_dict()["st.layer_2.running_var"], other.state_dict()["st.layer_2.running_var"])
        finally:
            torch.distributed.destroy_process_group()

    def test_states_that_come_and_names_of_methods(self):
        cell = luxport.StatefulRecurrentCell(luxport.RNNCell(3, 2))
        converted = luxport.to_torch(cell, *luxport.setup(0, cell))
        ps, st = luxport.setup(0, cell, backend="torch")
        for _ in range(3):
            y, st = cell(x(4, 3), ps, st)
            mine = converted(x(4, 3))
            assert torch.equal(mine, y)
            mine.sum().backward()
        assert "st.carry.0" in converted.state_dict() and not converted.state_dict()["st.carry.0"].requires_grad
        named = luxport.Chain(forward=luxport.Dense(3, 2), type=luxport.Dense(2, 1), parameters=luxport.Dense(1, 1))
        converted = luxport.to_torch(named, *luxport.setup(0, named, backend="torch"))
        y, _ = named(x(4, 3), *luxport.setup(0, named, backend="torch"))
        assert torch.equal(converted(x(4, 3)), y) and "ps.type.weight" in converted.state_dict()

    @pytest.mark.parametrize("half", ["float16", "bfloat16"])
    def test_half_parameters_stay_half(self, half, tmp_path):
        """Expected: value and gradient of the same numbers in float32."""
        model = luxport.Chain(luxport.Dense(3, 8, luxport.tanh), luxport.BatchNorm(8), luxport.Dense(8, 2))
        ps, st = luxport.setup(0, model, backend="torch", dtype=half)
        net = luxport.to_torch(model, ps, st)
        data = x(6, 3).to(getattr(torch, half))
        y = net(data)
        (y.float() ** 2).mean().backward()
        wide = luxport.f32(ps)

        def loss(ps):
            y, _ = model(data.float(), ps, st)
            return (y**2).mean(), y

        slopes, want = luxport.grad(loss, has_aux=True)(wide)
        # bfloat16 has 8 bits: some six roundings of 2^-8 of numbers near 1, in three layers and their gradients.
        torch.testing.assert_close(y.float(), want, atol=0.05, rtol=0.05)
        for weight, slope in zip(net.parameters(), leaves(slopes), strict=True):
            assert weight.grad is not None and weight.grad.dtype == weight.dtype == data.dtype
            torch.testing.assert_close(weight.grad.float(), slope, atol=0.05, rtol=0.05)
        before = [weight.detach().clone() for weight in net.parameters()]
        torch.optim.SGD(net.parameters(), 0.5).step()
        assert any([not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True)])
        torch.save(net.state_dict(), tmp_path / "net.pt")
        other = luxport.to_torch(model, *luxport.setup(1, model, backend="torch", dtype=half))
        other.load_state_dict(torch.load(tmp_path / "net.pt"))
        assert torch.equal(other.eval()(data), net.eval()(data))
        assert {name: entry.dtype for name, entry in other.state_dict().items() if "running" in name} == {
            f"st.layer_2.running_{name}": torch.float32 for name in ("mean", "var")
        }

    def test_several_inputs_dtypes_and_modes(self):
        layer = luxport.Bilinear((3, 4), 2)
        ps, st = luxport.setup(0, layer)
        converted = luxport.to_torch(layer, ps, st, dtype="float64")
        assert converted(x(5, 3).double(), x(5, 4).double()).dtype == torch.float64
        ps, st = luxport.setup(0, model())
        assert not luxport.to_torch(model(), ps, luxport.test_mode(st)).training
        assert luxport.to_torch(model(), ps, st).training
        with pytest.raises(TypeError, match="to_torch expects a layer, got Linear"):
            luxport.to_torch(nn.Linear(2, 3), {}, {})  # type: ignore[arg-type]


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


MODULES = [
    (nn.Linear(3, 4), (5, 3)),
    (nn.Linear(3, 4, bias=False), (2, 5, 3)),
    (nn.Conv1d(4, 6, 3, padding=1, groups=2), (2, 4, 7)),
    (nn.Conv2d(3, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), bias=False), (2, 3, 8, 9)),
    (nn.Conv2d(3, 4, 4, padding="same"), (2, 3, 8, 9)),
    (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (2, 3, 6, 5)),
    (nn.Conv3d(2, 3, 2), (1, 2, 4, 3, 5)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2), (2, 4, 5)),
    (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), (2, 3, 4, 5)),
    (nn.ConvTranspose3d(2, 3, 2, dilation=2), (1, 2, 3, 3, 3)),
    (nn.BatchNorm1d(4), (5, 4)),
    (nn.BatchNorm2d(4, eps=1e-3), (2, 4, 3, 3)),
    (nn.BatchNorm3d(2, affine=False), (2, 2, 2, 3, 2)),
    (nn.BatchNorm1d(4, track_running_stats=False), (5, 4)),
    (nn.LayerNorm([3, 4]), (2, 3, 4)),
    (nn.LayerNorm(4, elementwise_affine=False), (2, 3, 4)),
    (nn.LayerNorm(4, bias=False), (2, 3, 4)),
    (nn.GroupNorm(2, 4), (2, 4, 3)),
    (nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 5)),
    (nn.InstanceNorm1d(3, track_running_stats=True), (2, 3, 4)),
    (nn.RMSNorm(4, eps=1e-5), (3, 4)),
    (nn.Dropout(0.5), (3, 4)),
    (nn.Dropout(0.0), (3, 4)),
    (nn.Dropout2d(0.5), (3, 4, 2, 2)),
    (nn.AlphaDropout(0.5), (3, 4)),
    (nn.MaxPool2d(3, stride=2, padding=1), (2, 3, 7, 8)),
    (nn.MaxPool1d(2), (2, 3, 7)),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 3, 7, 8)),
    (nn.AvgPool1d(2), (2, 3, 7)),
    (nn.AvgPool3d(2), (2, 3, 4, 4, 5)),
    (nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 7, 8)),
    (nn.AdaptiveMaxPool1d(3), (2, 3, 7)),
    (nn.AdaptiveAvgPool2d(1), (2, 3, 7, 8)),
    (nn.LPPool1d(2, 2), (2, 3, 6)),
    (nn.Flatten(), (2, 3, 4)),
    (nn.Flatten(1, 2), (2, 3, 4, 5)),
    (nn.PixelShuffle(2), (2, 12, 3, 2)),
    (nn.Upsample(scale_factor=2), (2, 3, 4, 5)),
    (nn.Upsample(scale_factor=(2, 3), mode="bilinear"), (2, 3, 4, 5)),
    (nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True), (2, 3, 4, 5)),
    (nn.Upsample(size=11, mode="linear"), (2, 3, 4)),
    *[
        (activation, (3, 6))
        for activation in (
            *(nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.CELU(0.7), nn.SELU(), nn.SiLU(), nn.Mish()),
            *(nn.GELU(), nn.GELU("tanh"), nn.Sigmoid(), nn.Tanh(), nn.Tanhshrink(), nn.LogSigmoid(), nn.Softsign()),
            *(
                nn.Softplus(2.0),
                nn.Softplus(2.0, 0.5),
                nn.Hardtanh(-0.5, 0.7),
                nn.Hardsigmoid(),
                nn.Hardswish(),
                nn.Softshrink(0.3),
            ),
            *(nn.Softmax(0), nn.LogSoftmax(-1), nn.GLU(), nn.Identity()),
        )
    ],
    (nn.Sequential(), (2, 3)),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()), nn.Flatten()), (2, 1, 5, 5)),
]


class TestFromTorch:
    @pytest.mark.parametrize(("module", "shape"), MODULES, ids=lambda value: str(value).partition("\n")[0][:60])
    def test_outputs_in_testing(self, module, shape):
        module = stirred(copy.deepcopy(module)).eval()
        layer, ps, st = luxport.from_torch(module, backend="numpy")
        y, after = layer(x(*shape).numpy(), ps, st)
        with torch.no_grad():
            np.testing.assert_allclose(y, module(x(*shape)).numpy(), rtol=1e-5, atol=1e-5)
        assert structure(after) == structure(st)
        assert structure((ps, luxport.train_mode(st))) == structure(luxport.setup(0, layer))

    @pytest.mark.parametrize("name", torch_models.MODELS)
    def test_models_as_people_have_them(self, name):
        module = torch_models.made(name)
        parameters = [p for p in module.parameters() if p.requires_grad]
        squares, wanted = torch_models.compared(module, module, name, parameters)
        back = luxport.to_torch(*luxport.from_torch(module, backend="torch"))
        mine, got = torch_models.compared(back, back, name, list(back.parameters()))
        for ours, theirs in zip(got, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        # The layouts of parameters differ, and so do their names: the squares of their gradients add up to the same.
        assert mine == pytest.approx(squares, rel=1e-4, abs=1e-6)

    def test_training_of_norms(self):
        module = stirred(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.3)))
        layer, ps, st = luxport.from_torch(module, backend="torch")
        y, st = layer(x(5, 3), ps, st)
        torch.testing.assert_close(y, module(x(5, 3)).detach())
        torch.testing.assert_close(st["layer_2"]["running_var"], module[1].running_var)

    def test_embedding_and_bilinear(self):
        module = nn.Embedding(7, 4, padding_idx=2)
        layer, ps, st = luxport.from_torch(module, backend="torch")
        indices = torch.tensor([[1, 2], [0, 6]])
        assert torch.equal(layer(indices, ps, st)[0], module(indices))
        for mode in ("sum", "mean", "max"):
            bags = nn.EmbeddingBag(7, 4, mode=mode)
            layer, ps, st = luxport.from_torch(bags, backend="torch")
            torch.testing.assert_close(layer(indices, ps, st)[0], bags(indices).detach())
            apart = torch.tensor([1, 2, 3, 3]), torch.tensor([0, 3])
            torch.testing.assert_close(layer(apart, ps, st)[0], bags(*apart).detach())
        bags = nn.EmbeddingBag(7, 4, include_last_offset=True)
        layer, ps, st = luxport.from_torch(bags, backend="torch")
        apart = torch.tensor([1, 2, 3, 3]), torch.tensor([0, 3, 4])
        torch.testing.assert_close(layer(apart, ps, st)[0], bags(*apart).detach())
        module = nn.Bilinear(3, 4, 2)
        layer, ps, st = luxport.from_torch(module, backend="torch")
        torch.testing.assert_close(layer((x(5, 3), x(5, 4)), ps, st)[0], module(x(5, 3), x(5, 4)).detach())

    @pytest.mark.parametrize(
        "module",
        [
            nn.RNN(3, 4, batch_first=True),
            nn.RNN(3, 4, num_layers=2, nonlinearity="relu", bias=False, batch_first=True),
            nn.LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.3),
            nn.LSTM(3, 4),
            nn.GRU(3, 4, num_layers=2, batch_first=True),
            nn.GRU(3, 4, batch_first=True),
            nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True),
            nn.GRU(3, 4, batch_first=True, bidirectional=True),
        ],
        ids=str,
    )
    def test_recurrent(self, module):
        module = copy.deepcopy(module).eval()
        layer, ps, st = luxport.from_torch(module, backend="numpy")
        (y, carry), _ = layer(x(2, 5, 3).numpy(), ps, st)
        wanted, ends = module(x(2, 5, 3))
        np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
        top = carry[-1] if module.num_layers > 1 else carry
        top = top[-1] if module.bidirectional else top
        for mine, theirs in zip(top, ends if isinstance(ends, tuple) else (ends,), strict=True):
            np.testing.assert_allclose(mine, theirs[-1].detach().numpy(), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        "options", [{}, {"bias": False}, {"kdim": 5, "vdim": 6}, {"dropout": 0.2}], ids=lambda options: str(options)
    )
    def test_attention(self, options):
        module = nn.MultiheadAttention(8, 2, batch_first=True, **options).eval()
        if module.in_proj_bias is not None:
            nn.init.normal_(module.in_proj_bias)
            nn.init.normal_(module.out_proj.bias)
        inputs = x(2, 3, 8), x(2, 4, module.kdim), x(2, 4, module.vdim)
        layer, ps, st = luxport.from_torch(module, backend="torch")
        torch.testing.assert_close(layer(inputs, ps, st)[0], module(*inputs)[0].detach(), rtol=1e-5, atol=1e-5)

    def test_there_and_back(self):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).eval()
        back = luxport.to_torch(*luxport.from_torch(module))
        assert not back.training
        torch.testing.assert_close(back(x(2, 1, 5, 5)), module(x(2, 1, 5, 5)))

    def test_names_backends_and_copies(self):
        from collections import OrderedDict

        encoder = nn.Linear(3, 4)
        module = nn.Sequential(OrderedDict(encoder=encoder, head=nn.Linear(4, 1)))
        layer, ps, st = luxport.from_torch(module, backend="torch", dtype="float64")
        assert list(ps) == ["encoder", "head"] and ps["head"]["weight"].dtype == torch.float64
        _, ps, _ = luxport.from_torch(module)
        assert luxport.backend_of(*leaves(ps)).name == "numpy"
        _, ps, _ = luxport.from_torch(module, backend="torch")
        map(lambda leaf: leaf.zero_(), ps)
        assert encoder.weight.abs().max() > 0

    @pytest.mark.parametrize(
        ("module", "text"),
        [
            (nn.Sequential(nn.ReLU(), nn.Sequential(nn.FractionalMaxPool2d(2, 2))), r"at 1\.0 has no counterpart: it"),
            (nn.MaxPool2d(2, return_indices=True), "max_pool2d_with_indices"),
            (nn.Embedding(3, 2, max_norm=1.0), "max_norm"),
            (nn.Embedding.from_pretrained(torch.ones(3, 2), padding_idx=1), "row 1"),
            (Calls(lambda x: torch.linalg.svd(x)), r"it calls linalg_svd.*\(test_torch.py line \d+: "),
            (Calls(lambda x: x if x.sum() > 0 else -x), "decides by a value"),
        ],
        ids=lambda value: str(value).partition("\n")[0][:40],
    )
    def test_what_has_no_counterpart_is_named(self, module, text):
        with pytest.raises(ValueError, match=text) as caught:
            luxport.from_torch(module)
        assert "\n" not in str(caught.value)

    def test_hooks_and_no_modules(self):
        module = nn.Linear(2, 3)
        module.register_forward_hook(lambda *_: None)
        with pytest.raises(ValueError, match="hooks"):
            luxport.from_torch(module)

        with pytest.raises(TypeError, match="got Dense"):
            luxport.from_torch(luxport.Dense(2, 3))
