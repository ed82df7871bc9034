"""Control: noise. What does not beat this has found nothing."""

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from wildlens.settings import Attribution


@dataclass(frozen=True)
class RandomControl:
    """Uniform noise in [0, 1) from a seed.

    An image's content only tells its noise from that of others: so the noise is the same however
    images are batched, and wherever a map is taken up again.
    """

    seed: int
    unit: str = "none"
    sign: str = "none: random in 0 to 1"
    halo: int | None = 0
    multiple: int = 1

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([self._noise(image) for image in images]).to(images.device)

    def _noise(self, image: Tensor) -> Tensor:
        content = zlib.crc32(image.cpu().contiguous().numpy())
        generator = torch.Generator().manual_seed((self.seed << 32) + content)
        return torch.rand(image.shape[-2:], generator=generator)


def create(models, settings: Attribution) -> RandomControl:
    """The control; models are not used."""
    return RandomControl(settings.seed)
