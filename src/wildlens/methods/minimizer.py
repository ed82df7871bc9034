"""The minimizer's part of the paper's method: the change that lowers the score.

Where scores are close to 1, the maximizer has little to add, and blurs the paper's map.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class MinimizerDifference(Method):
    """mean over bands of |X - w-(X)|."""

    minimizer: nn.Module

    @property
    def halo(self) -> int:
        return self.minimizer.halo

    @property
    def multiple(self) -> int:
        return self.minimizer.multiple

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        return (images - self.minimizer(images)).abs().mean(dim=1)


def create(models, settings: Attribution) -> MinimizerDifference:
    """The method with the trained minimizer."""
    return MinimizerDifference(models.generators[1])
