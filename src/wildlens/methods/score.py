"""The classifier's score of the tiles around a pixel: a map of the score, no attribution."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Score(Method):
    """The score of a tile, at all of its pixels.

    Tiles overlap by half, so that a map goes smoothly from one tile's score to the next.
    """

    classifier: nn.Module
    overlap: int

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        scores = self.classifier(images).sigmoid()
        return scores[:, None, None].expand(-1, *images.shape[-2:])


def create(models, settings: Attribution) -> Score:
    """The score of the trained classifier."""
    return Score(models.classifier, models.classifier.tile_size // 2)
