"""Expected gradients (Erion et al. 2021): integrated gradients from training tiles, through captum.

No single image has to serve as a neutral baseline. The baselines are a fixed, seeded choice of
tiles of both labels, and the points on the path are fixed, too. Captum's own GradientShap draws
both in each call, so that a tile's attribution would depend on its batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from wildlens.attribution.contributions import Contributions
from wildlens.methods.integrated_gradients import path_integral
from wildlens.settings import Attribution


@dataclass(frozen=True)
class ExpectedGradientContributions(Contributions):
    """Mean of the path integrals from each of the baselines (B, C, H, W)."""

    steps: int = 8

    def contributions(self, images: Tensor) -> Tensor:
        total = torch.zeros_like(images[:, 0])
        for start in self.baselines:
            total += path_integral(
                self.classifier, images, start.expand_as(images), self.steps, self.batch_size
            )
        return total / len(self.baselines)


def create(models, settings: Attribution) -> ExpectedGradientContributions:
    """The method on the classifier, with baselines from the training split."""
    return ExpectedGradientContributions(
        models.classifier,
        models.training_images(settings.expected_tiles, settings.seed),
        sign_rule=settings.sign,
        batch_size=settings.batch_size,
        steps=settings.expected_steps,
    )
