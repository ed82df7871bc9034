"""Control: noise. What does not beat this has found nothing."""

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class RandomControl(Method):
    """Uniform noise in [0, 1) from a seed.

    An image's content only tells its noise from that of others: so the noise is the same however
    images are batched, and wherever a map is taken up again.
    """

    seed: int
    halo: int | None = 0

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([self._noise(image) for image in images]).to(images.device)

    def _noise(self, image: Tensor) -> Tensor:
        content = zlib.crc32(image.cpu().contiguous().numpy())
        generator = torch.Generator().manual_seed((self.seed << 32) + content)
        return torch.rand(image.shape[-2:], generator=generator)


def create(models, settings: Attribution) -> RandomControl:
    """The control; models are not used."""
    return RandomControl(settings.seed)
