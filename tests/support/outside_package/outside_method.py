"""An attribution method: the sum over bands of the gradient of the logit."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method


@dataclass(frozen=True)
class BandGradient(Method):
    classifier: nn.Module

    def __call__(self, images: Tensor) -> Tensor:
        images = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.classifier(images).sum(), images)
        return gradient.sum(dim=1)


def create(models, settings) -> BandGradient:
    return BandGradient(models.classifier)
