"""How far the pattern-minimizer lowers the classifier's activation from X to X-.

|X - X-| is high wherever the minimizer changes the image, even where the classifier does not
respond to the change. The activation of X alone also has values where no pattern is. The
difference of the two activations is high only where a change took evidence away.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.networks.activation_map import activation_map
from wildlens.settings import Attribution


@dataclass(frozen=True)
class MinimizerActivation(Method):
    """max(0, A(X) - A(w-(X))), where A is `activation_map`."""

    classifier: nn.Module
    minimizer: nn.Module

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        fall = activation_map(self.classifier, images) - activation_map(
            self.classifier, self.minimizer(images)
        )
        return fall.clamp(min=0)


def create(models, settings: Attribution) -> MinimizerActivation:
    """The method with the trained classifier and minimizer."""
    return MinimizerActivation(models.classifier, models.generators[1])
