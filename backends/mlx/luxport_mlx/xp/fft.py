"""Fourier transforms."""

from __future__ import annotations

from mlx.core.fft import fft as fft
from mlx.core.fft import fftfreq as fftfreq
from mlx.core.fft import fftn as fftn
from mlx.core.fft import fftshift as fftshift
from mlx.core.fft import ifft as ifft
from mlx.core.fft import ifftn as ifftn
from mlx.core.fft import ifftshift as ifftshift
from mlx.core.fft import irfft as irfft
from mlx.core.fft import irfftn as irfftn
from mlx.core.fft import rfft as rfft
from mlx.core.fft import rfftfreq as rfftfreq
from mlx.core.fft import rfftn as rfftn
