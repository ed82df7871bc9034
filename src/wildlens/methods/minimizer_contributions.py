"""Contributions from X- to X: the share of each pixel in the decrease of the logit.

|X - X-| is in reflectance and has no sign: it measures how much a pixel was changed, not the effect
of the change on the score. Here the pattern-minimized image is the baseline of DeepLIFT, so that
contributions are in logits, signed, and sum to the logit of X minus that of X-.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from wildlens.attribution import signs
from wildlens.attribution.method import Additive
from wildlens.attribution.supported import check_deeplift
from wildlens.errors import WildLensError
from wildlens.methods.deeplift import deeplift
from wildlens.methods.integrated_gradients import path_integral
from wildlens.settings import Attribution


@dataclass(frozen=True)
class MinimizerContributions(Additive):
    """Contributions to the logit of X against that of X-.

    Attributes:
        method: (classifier, images, baselines) -> contributions summed over bands, (N, H, W).
        sign_rule: a key of `signs.RULES`.
    """

    classifier: nn.Module
    minimizer: nn.Module
    method: Callable[[nn.Module, Tensor, Tensor], Tensor]
    sign_rule: str = "positive"

    def __call__(self, images: Tensor) -> Tensor:
        return signs.apply(self.sign_rule, self.contributions(images))

    def contributions(self, images: Tensor) -> Tensor:
        return self.method(self.classifier, images, self._minimized(images))

    @torch.inference_mode()
    def difference(self, images: Tensor) -> Tensor:
        return self.classifier(images) - self.classifier(self._minimized(images))

    @torch.no_grad()
    def _minimized(self, images: Tensor) -> Tensor:
        return self.minimizer(images)


def create(models, settings: Attribution) -> MinimizerContributions:
    """The method with DeepLIFT; with integrated gradients where captum has no rule for a layer."""
    try:
        check_deeplift(models.classifier)
        method = deeplift
    except WildLensError:
        method = partial(
            path_integral, steps=settings.gradient_steps, batch_size=settings.batch_size
        )
    return MinimizerContributions(models.classifier, models.generators[1], method, settings.sign)
