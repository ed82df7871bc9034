"""Plain gradient (Simonyan et al. 2014) through captum: the steepest band of each pixel.

The gradient is the effect of a small change, without a baseline; therefore it has no sign rule.
"""

from dataclasses import dataclass

from captum.attr import Saliency
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class GradientMagnitude(Method):
    """max over bands of |gradient of the logit|; bands count in their own standard deviations."""

    classifier: nn.Module

    def __call__(self, images: Tensor) -> Tensor:
        gradient = Saliency(self.classifier).attribute(images.clone().requires_grad_(), abs=True)
        sd = self.classifier.standardise.sd[:, None, None]
        return (gradient * sd).amax(dim=1).detach()


def create(models, settings: Attribution) -> GradientMagnitude:
    """The method for the classifier; gradients are exact for any layers."""
    return GradientMagnitude(models.classifier)
