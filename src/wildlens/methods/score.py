"""The classifier's score of the tiles around a pixel: a map of the score, not an attribution."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.networks.classifier import LocalClassifier
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Score(Method):
    """The score of a tile, at all of its pixels.

    Tiles overlap by half, so that a map changes smoothly between the scores of tiles. The local
    classifier scores the valid pixels of a tile; other classifiers see band means where pixels are
    missing, and scores near them lean towards the score of such an image.
    """

    classifier: nn.Module
    overlap: int
    reads: tuple[str, ...] = ("images", "valid")

    @torch.inference_mode()
    def __call__(self, images: Tensor, valid: Tensor) -> Tensor:
        """(N, C, H, W) reflectance and (N, H, W) bool -> (N, H, W)."""
        if isinstance(self.classifier, LocalClassifier):
            logits = self.classifier.valid_logits(images, valid.to(images.device))
        else:
            logits = self.classifier(images)
        return logits.sigmoid()[:, None, None].expand(-1, *images.shape[-2:])


def create(models, settings: Attribution) -> Score:
    """The score of the trained classifier."""
    return Score(models.classifier, models.classifier.tile_size // 2)
