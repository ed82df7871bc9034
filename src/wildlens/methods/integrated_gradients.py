"""Integrated gradients (Sundararajan et al. 2017) through captum, on the logit."""

from dataclasses import dataclass

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from wildlens.attribution.baseline import contribution_settings
from wildlens.attribution.contributions import Contributions
from wildlens.settings import Attribution


@dataclass(frozen=True)
class IntegratedGradientContributions(Contributions):
    """Difference to the baseline times the mean gradient on the straight path from it."""

    steps: int = 32

    def contributions(self, images: Tensor) -> Tensor:
        return path_integral(
            self.classifier, images, self.against(images), self.steps, self.batch_size
        )


def path_integral(
    classifier: nn.Module, images: Tensor, baselines: Tensor, steps: int, batch_size: int
) -> Tensor:
    """Contributions summed over bands, (N, H, W).

    Args:
        images, baselines: (N, C, H, W) reflectance, the ends of each path.
        steps: points on the path (Gauss-Legendre); batch_size: gradients in memory at once.
    """
    # tile by tile, so that captum's chunks never mix tiles and memory does not depend on N
    method = IntegratedGradients(classifier)
    by_band = [
        method.attribute(
            image[None], start[None].clone(), n_steps=steps, internal_batch_size=batch_size
        )[0]
        for image, start in zip(images.clone(), baselines, strict=True)
    ]
    return torch.stack(by_band).sum(dim=1).detach().to(images.dtype)


def create(models, settings: Attribution) -> IntegratedGradientContributions:
    """The method for the classifier; gradients are exact for any layers."""
    return IntegratedGradientContributions(
        models.classifier,
        **contribution_settings(models.classifier, settings),
        steps=settings.gradient_steps,
    )
