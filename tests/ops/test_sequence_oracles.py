"""Operations on sequences compared with PyTorch's own: CTC loss and short-time Fourier transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import luxport
from luxport import LayerError, LayerTypeError, ops


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_ctc_loss_equals_pytorchs():
    logits, labels = torch.tensor(draw(3, 12, 5)), torch.tensor([[0, 1, 1, 3], [2, 2, 0, 0], [3, 0, 1, 2]])
    steps, counts = torch.tensor([12, 9, 5]), torch.tensor([4, 2, 3])
    logits.requires_grad_()
    want = torch.nn.functional.ctc_loss(
        *(torch.log_softmax(logits, -1).transpose(0, 1), labels, steps, counts), blank=4, reduction="none"
    )
    got = ops.ctc_loss(logits, labels, steps, counts)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(*(torch.autograd.grad(loss.sum(), logits) for loss in (got, want)))


@pytest.mark.parametrize("asarray", [np.asarray, torch.tensor])
def test_ctc_loss_never_wraps_int64_to_int32(asarray):
    """A label or a length in int64 beyond int32 is an error, whatever its lower half is."""
    logits, labels, steps = draw(1, 6, 4), np.array([[0, 1]]), np.array([6])
    for given, message in (
        ((labels + 2**32, steps), r"labels in \[0, 4\).*, got 4294967296"),
        ((labels - 2**32, steps), "got -4294967296"),
        ((labels, steps + 2**32), "logit_lengths from 0 to T, got 4294967302"),
    ):
        with pytest.raises(LayerError, match=message):
            ops.ctc_loss(*map(asarray, (logits, *given)))


@pytest.mark.parametrize(
    "options",
    [
        {"n_fft": 32, "hop_length": 8, "center": True, "normalized": False},
        {"n_fft": 30, "hop_length": 7, "center": False, "normalized": True},
    ],
)
def test_stft_and_istft_equal_pytorchs(options):
    x, window = torch.tensor(draw(2, 150)), torch.tensor(draw(20) + 3.0)
    theirs = {**options, "window": window, "win_length": 20}
    want = torch.stft(x, return_complex=True, pad_mode="reflect", **theirs)
    got = ops.stft(x, window, **options)
    torch.testing.assert_close(got.mT, want, rtol=1e-10, atol=1e-10)
    if options["center"]:  # PyTorch refuses windows that skip samples
        moved = want * torch.linspace(0.5, 2.0, want.shape[-1])
        back = ops.istft(moved.mT, window, **options)
        torch.testing.assert_close(back, torch.istft(moved, **theirs), rtol=1e-10, atol=1e-10)
    else:
        assert ops.istft(got, window, **options).shape == (2, 30 + 7 * 17)


def test_windows_equal_pytorchs():
    for ours, theirs in ((ops.hann_window, torch.hann_window), (ops.hamming_window, torch.hamming_window)):
        for n, periodic in ((1, True), (7, True), (8, False)):
            got = ours(n, periodic=periodic, backend="torch")
            torch.testing.assert_close(got, theirs(n, periodic=periodic), rtol=0, atol=2e-7)


def test_an_empty_mel_filter_warns():
    with pytest.warns(UserWarning, match="fewer n_mels than 40"):
        ops.melscale_filterbanks(n_freqs=10, n_mels=40, sample_rate=8000)


def test_unsigned_integers_of_pytorch_are_errors_with_advice_that_works():
    x, y = torch.ones((1, 1, 4), dtype=torch.uint16), torch.ones((1, 4, 1), dtype=torch.uint16)
    message = r"expects numbers that torch computes with, got uint16: convert them with luxport\.asarray\(.*'torch', "
    calls = (lambda x, y: ops.max_pool(x, window=2), lambda x, y: ops.relu(x), ops.batched_mul)
    for call in calls:
        with pytest.raises(LayerTypeError, match=message):
            call(x, y)
        call(*(luxport.asarray(part, backend="torch", dtype="int64") for part in (x, y)))
