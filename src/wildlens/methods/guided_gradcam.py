"""Guided GradCAM (Selvaraju et al. 2017) through captum: GradCAM times guided backpropagation.

Guided backpropagation (Springenberg et al. 2015) lets only positive gradients pass a rectifier. It
barely depends on the weights (Adebayo et al. 2018): compare it with its randomised control.
"""

import warnings
from dataclasses import dataclass

from captum.attr import GuidedBackprop
from torch import Tensor, nn

from wildlens.attribution import signs
from wildlens.attribution.method import Method
from wildlens.attribution.supported import check_gradcam, check_guided
from wildlens.methods.gradcam import GradCam
from wildlens.settings import Attribution


@dataclass(frozen=True)
class GuidedGradCam(Method):
    """GradCAM times the guided gradient, summed over bands in their own standard deviations."""

    classifier: nn.Module
    sign_rule: str = "positive"
    before: int = 0

    def __call__(self, images: Tensor) -> Tensor:
        cam = GradCam(self.classifier, self.before)(images)
        with warnings.catch_warnings():
            # captum announces on every call that it hooks the rectifiers
            warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
            gradient = GuidedBackprop(self.classifier).attribute(images.clone().requires_grad_())
        sd = self.classifier.standardise.sd[:, None, None]
        return signs.apply(self.sign_rule, cam * (gradient * sd).sum(dim=1).detach())


def create(models, settings: Attribution) -> GuidedGradCam:
    """The method on the classifier; refused where captum would be silently wrong."""
    check_gradcam(models.classifier, settings.gradcam_block)
    check_guided(models.classifier)
    return GuidedGradCam(models.classifier, settings.sign, settings.gradcam_block)
