"""Control: noise. What does not beat this has found nothing."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from wildlens.settings import Attribution


@dataclass(frozen=True)
class RandomControl:
    """Uniform noise in [0, 1) from a seed; does not look at the image."""

    seed: int
    unit: str = "none"
    sign: str = "none: random in 0 to 1"
    halo: int | None = 0
    multiple: int = 1
    generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self):
        self.generator.manual_seed(self.seed)

    def __call__(self, images: Tensor) -> Tensor:
        shape = (len(images), *images.shape[-2:])
        return torch.rand(shape, generator=self.generator).to(images.device)


def create(models, settings: Attribution) -> RandomControl:
    """The control; models are not used."""
    return RandomControl(settings.seed)
