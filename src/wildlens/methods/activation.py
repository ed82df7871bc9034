"""The classifier's own map of patterns, `networks.activation_map`.

It costs one forward pass, so other explanations of such a classifier should exceed it. Of the local
form it is a class activation map (Zhou et al. 2016), whose weighted sum of maps is here the logit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.networks.activation_map import activation_map
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Activation(Method):
    """The activation of each pixel, in 0 to 1."""

    classifier: nn.Module

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        return activation_map(self.classifier, images)


def create(models, settings: Attribution) -> Activation:
    """The method on a classifier that has such a map."""
    return Activation(models.classifier)
