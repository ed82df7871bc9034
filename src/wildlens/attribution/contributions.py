"""Contributions of pixels to the difference of a logit from that of baselines."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wildlens.attribution import signs
from wildlens.attribution.method import Additive
from wildlens.networks.baselines import Baseline

# variables of a store of attributions for the completeness gap of each tile
AUDIT = ("contribution_sum", "logit_difference")


def relative_gap(total: np.ndarray, difference: np.ndarray) -> float:
    """Sum of absolute gaps over the sum of absolute differences, of tiles (N,); NaN if that is 0.

    Args:
        total: sum of contributions of each tile; difference: that of logits, which it should equal.
    """
    scale = np.abs(difference).sum()
    return float(np.abs(total - difference).sum() / scale) if scale > 0 else float("nan")


@dataclass(frozen=True)
class Contributions(Additive):
    """Contributions to the logit against a baseline; they should sum to the logits' difference.

    Attributes:
        baselines: function from images to their baselines; or fixed ones, (B, C, H, W) or
            (B, C, 1, 1) reflectance; with several, their mean logit counts.
        sign_rule: a key of `signs.RULES`.
        batch_size: images that are in memory at once.
    """

    classifier: nn.Module
    baselines: Baseline | Tensor
    sign_rule: str = "positive"
    batch_size: int = 16

    def __call__(self, images: Tensor) -> Tensor:
        return signs.apply(self.sign_rule, self.contributions(images))

    def against(self, images: Tensor) -> Tensor:
        """The baseline of each image, (N, C, H, W), where there is one."""
        if isinstance(self.baselines, Tensor):
            return self.baselines.expand_as(images)
        return self.baselines(images)

    @torch.inference_mode()
    def difference(self, images: Tensor) -> Tensor:
        """The image's logit minus that of its baseline, or the mean of the baselines', (N,)."""
        if not isinstance(self.baselines, Tensor):
            return self.classifier(images) - self.classifier(self.baselines(images))
        baselines = self.baselines.expand(-1, *images.shape[1:])
        nothing = torch.cat([self.classifier(b[None]) for b in baselines]).mean()
        return self.classifier(images) - nothing
