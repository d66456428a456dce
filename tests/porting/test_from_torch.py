"""Modules of PyTorch become models of luxport; PyTorch's own forward gives the expected outputs."""

import copy

import numpy as np
import pytest
import torch
import torch_models
from torch import nn
from torch_models import draw_input, randomize_norms

import luxport
from luxport.tree import leaves, map, structure

torch.manual_seed(0)


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
    def test_outputs_in_test_mode_equal_pytorchs(self, module, shape):
        module = randomize_norms(copy.deepcopy(module)).eval()
        layer, ps, st = luxport.from_torch(module, backend="numpy")
        y, after = layer(draw_input(*shape).numpy(), ps, st)
        with torch.no_grad():
            np.testing.assert_allclose(y, module(draw_input(*shape)).numpy(), rtol=1e-5, atol=1e-5)
        assert structure(after) == structure(st)
        assert structure((ps, luxport.train_mode(st))) == structure(luxport.setup(0, layer))

    @pytest.mark.parametrize("name", torch_models.MODELS)
    def test_models_as_people_write_them_equal_pytorchs(self, name):
        module = torch_models.make_module(name)
        parameters = [p for p in module.parameters() if p.requires_grad]
        squares, wanted = torch_models.compute_gradients(module, module, name, parameters)
        back = luxport.to_torch(*luxport.from_torch(module, backend="torch"))
        mine, got = torch_models.compute_gradients(back, back, name, list(back.parameters()))
        for ours, theirs in zip(got, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        # Parameters differ in layout and name; their gradients' squares have the same sum.
        assert mine == pytest.approx(squares, rel=1e-4, abs=1e-6)

    def test_norms_train_as_pytorchs(self):
        module = randomize_norms(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.3)))
        layer, ps, st = luxport.from_torch(module, backend="torch")
        y, st = layer(draw_input(5, 3), ps, st)
        torch.testing.assert_close(y, module(draw_input(5, 3)).detach())
        torch.testing.assert_close(st["layer_2"]["running_var"], module[1].running_var)

    def test_embedding_and_bilinear_equal_pytorchs(self):
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
        torch.testing.assert_close(
            layer((draw_input(5, 3), draw_input(5, 4)), ps, st)[0], module(draw_input(5, 3), draw_input(5, 4)).detach()
        )

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
    def test_recurrent_layers_equal_pytorchs(self, module):
        module = copy.deepcopy(module).eval()
        layer, ps, st = luxport.from_torch(module, backend="numpy")
        (y, carry), _ = layer(draw_input(2, 5, 3).numpy(), ps, st)
        wanted, ends = module(draw_input(2, 5, 3))
        np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
        top = carry[-1] if module.num_layers > 1 else carry
        top = top[-1] if module.bidirectional else top
        for mine, theirs in zip(top, ends if isinstance(ends, tuple) else (ends,), strict=True):
            np.testing.assert_allclose(mine, theirs[-1].detach().numpy(), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        "options", [{}, {"bias": False}, {"kdim": 5, "vdim": 6}, {"dropout": 0.2}], ids=lambda options: str(options)
    )
    def test_attention_equals_pytorchs(self, options):
        module = nn.MultiheadAttention(8, 2, batch_first=True, **options).eval()
        if module.in_proj_bias is not None:
            nn.init.normal_(module.in_proj_bias)
            nn.init.normal_(module.out_proj.bias)
        inputs = draw_input(2, 3, 8), draw_input(2, 4, module.kdim), draw_input(2, 4, module.vdim)
        layer, ps, st = luxport.from_torch(module, backend="torch")
        torch.testing.assert_close(layer(inputs, ps, st)[0], module(*inputs)[0].detach(), rtol=1e-5, atol=1e-5)

    def test_to_torch_gives_the_module_back(self):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).eval()
        back = luxport.to_torch(*luxport.from_torch(module))
        assert not back.training
        torch.testing.assert_close(back(draw_input(2, 1, 5, 5)), module(draw_input(2, 1, 5, 5)))

    def test_names_are_the_modules_and_arrays_are_copies(self):
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
            (Calls(lambda x: torch.linalg.svd(x)), r"it calls linalg_svd.*\(test_from_torch.py line \d+: "),
            (Calls(lambda x: x if x.sum() > 0 else -x), "decides by a value"),
        ],
        ids=lambda value: str(value).partition("\n")[0][:40],
    )
    def test_modules_without_a_counterpart_are_named(self, module, text):
        with pytest.raises(ValueError, match=text) as caught:
            luxport.from_torch(module)
        assert "\n" not in str(caught.value)

    def test_hooks_and_values_that_are_no_modules_are_refused(self):
        module = nn.Linear(2, 3)
        module.register_forward_hook(lambda *_: None)
        with pytest.raises(ValueError, match="hooks"):
            luxport.from_torch(module)

        with pytest.raises(TypeError, match="got Dense"):
            luxport.from_torch(luxport.Dense(2, 3))
