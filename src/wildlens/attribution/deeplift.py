"""DeepLIFT (Shrikumar et al. 2017) through captum, rescale rule, on the logit."""

import warnings
from dataclasses import dataclass

from captum.attr import DeepLift
from torch import Tensor, nn

from wildlens.attribution.baseline import baseline
from wildlens.settings import Attribution


@dataclass(frozen=True)
class DeepLiftPositive:
    """Contributions to the logit against the baseline, summed over bands, negative ones cut."""

    classifier: nn.Module
    baseline: Tensor
    unit: str = "logit"
    sign: str = "0 or more; high where the pixel raises the score; negative contributions cut"
    halo: int | None = None
    multiple: int = 1

    def __call__(self, images: Tensor) -> Tensor:
        with warnings.catch_warnings():
            # captum announces on every call that it hooks the activations
            warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
            contributions = DeepLift(self.classifier).attribute(
                images.clone().requires_grad_(), self.baseline.expand_as(images).clone()
            )
        return contributions.sum(dim=1).clamp(min=0).detach()


def create(models, settings: Attribution) -> DeepLiftPositive:
    """The method on the trained classifier."""
    return DeepLiftPositive(models.classifier, baseline(models.classifier, settings))
