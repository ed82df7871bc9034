"""The paper's method: mean absolute difference of pattern-maximized and -minimized image (II.C)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class GanDifference(Method):
    """mean over bands of |w+(X) - w-(X)|; exact in windows, since the generators are."""

    maximizer: nn.Module
    minimizer: nn.Module

    @property
    def halo(self) -> int:
        return max(self.maximizer.halo, self.minimizer.halo)

    @property
    def multiple(self) -> int:
        return self.maximizer.multiple

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        return (self.maximizer(images) - self.minimizer(images)).abs().mean(dim=1)


def create(models, settings: Attribution) -> GanDifference:
    """The method with the trained generators."""
    return GanDifference(*models.generators)
