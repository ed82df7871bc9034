"""DeepLIFT (Shrikumar et al. 2017) through captum, rescale rule, on the logit."""

import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from captum.attr import DeepLift
from torch import Tensor, nn

from wildlens.attribution.baseline import contribution_settings
from wildlens.attribution.contributions import Contributions
from wildlens.attribution.supported import check_deeplift
from wildlens.settings import Attribution


class DeepLiftContributions(Contributions):
    """Multipliers of the difference to the baseline, propagated back through every activation."""

    def contributions(self, images: Tensor) -> Tensor:
        return deeplift(self.classifier, images, self.against(images))


def deeplift(classifier: nn.Module, images: Tensor, baselines: Tensor) -> Tensor:
    """Contributions summed over bands, (N, H, W), against a baseline for each image, (N, C, H, W).

    The classifier must have passed `check_deeplift`.
    """
    with warnings.catch_warnings(), _one_type(classifier, images):
        # captum announces on every call that it hooks the activations
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
        by_band = DeepLift(classifier).attribute(images.clone().requires_grad_(), baselines.clone())
    return by_band.sum(dim=1).detach()


def _one_type(classifier: nn.Module, images: Tensor) -> AbstractContextManager:
    """No bfloat16 where captum's rule for pooling would fail on mixed types.

    On CPUs, autocast computes the inverse of pooling in float32.
    """
    pooled = any(isinstance(module, nn.MaxPool2d) for module in classifier.modules())
    if pooled and images.device.type == "cpu":
        return torch.autocast("cpu", enabled=False)
    return nullcontext()


def create(models, settings: Attribution) -> DeepLiftContributions:
    """The method on the classifier; refused where captum would be silently wrong."""
    check_deeplift(models.classifier)
    return DeepLiftContributions(
        models.classifier, **contribution_settings(models.classifier, settings)
    )
