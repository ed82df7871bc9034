"""Perturbations that remove hidden signals from generated images.

CycleGAN generators are known to hide information in patterns of low amplitude and high frequency
(Chu et al. 2017). A change of the score that depends on such a pattern does not survive rounding to
the digits of a product, sensor noise or a slight blur; a visible change of the land does.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from wildlens.files.reflectance import SCALE
from wildlens.settings import Evaluation

Perturbation = Callable[[Tensor, int], Tensor]


def build_perturbations(settings: Evaluation) -> dict[str, Perturbation]:
    """Name -> function of images (N, C, H, W) reflectance and the number of their tile."""
    return {
        "rounded": lambda images, tile: to_digits(images),
        "noise": partial(_noisy, sd=settings.noise, seed=settings.seed),
        "blur": lambda images, tile: blurred(images, settings.blur),
    }


def to_digits(images: Tensor) -> Tensor:
    """Round to digital numbers of a product: 1/10000 reflectance, at least 1 (0 is missing)."""
    return (images * SCALE).round().clamp(1, SCALE) / SCALE


def blurred(images: Tensor, sd: float) -> Tensor:
    """Gaussian blur, sd in pixels, truncated at 4 sd, mirrored edges; unchanged for sd 0."""
    radius = min(int(4 * sd + 0.5), min(images.shape[-2:]) - 1)
    if radius == 0:
        return images
    x = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (x / sd) ** 2)
    kernel = (kernel / kernel.sum()).repeat(images.shape[1], 1, 1, 1)  # (C, 1, 1, 2 r + 1)
    wide = pad(images, (radius,) * 4, mode="reflect")
    rows = conv2d(wide, kernel, groups=images.shape[1])
    return conv2d(rows, kernel.transpose(2, 3), groups=images.shape[1])


def _noisy(images: Tensor, tile: int, *, sd: float, seed: int) -> Tensor:
    """Add Gaussian noise, the same to all images of a tile."""
    generator = torch.Generator().manual_seed((seed << 32) + tile)
    noise = torch.randn(images.shape[1:], generator=generator, dtype=images.dtype)
    return images + sd * noise.to(images.device)
