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
        noise = [torch.rand(i.shape[-2:], generator=self._generator(i)) for i in images]
        return torch.stack(noise).to(images.device)

    def _generator(self, image: Tensor) -> torch.Generator:
        content = zlib.crc32(image.contiguous().cpu().numpy().tobytes(), self.seed)
        return torch.Generator().manual_seed(content)


def create(models, settings: Attribution) -> RandomControl:
    """The control; models are not used."""
    return RandomControl(settings.seed)
