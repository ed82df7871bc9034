"""A generated image, with the interface of a method: a map that is stored like a scene."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method


@dataclass(frozen=True)
class Generated(Method):
    """The image that a generator makes of an image; exact in windows with halos."""

    generator: nn.Module

    @property
    def halo(self) -> int:
        return self.generator.halo

    @property
    def multiple(self) -> int:
        return self.generator.multiple

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 reflectance -> (N, C, H, W) float32 reflectance."""
        return self.generator(images)
