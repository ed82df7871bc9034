"""The classifier's own local logits, whose mean is its logit: a class activation map.

They cost one forward pass, so other explanations of such a classifier should exceed them.
After Zhou et al. 2016 (class activation mapping), whose weighted sum of maps is here the logit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wildlens.attribution.method import Method
from wildlens.errors import WildLensError
from wildlens.settings import Attribution


@dataclass(frozen=True)
class LocalLogits(Method):
    """Logits of the locations of an image, enlarged to the image."""

    classifier: nn.Module

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, H, W)."""
        cells = self.classifier.local_logits(images)[:, None]
        return interpolate(cells, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def create(models, settings: Attribution) -> LocalLogits:
    """The method on a classifier that has local logits."""
    if not hasattr(models.classifier, "local_logits"):
        raise WildLensError(
            "method 'local_logits': the classifier has none, only architectures such as 'local'"
            " have; take it out of attribution.methods"
        )
    return LocalLogits(models.classifier)
