"""Occlusion sensitivity (Zeiler and Fergus 2014): the logit's fall when a square is covered."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.attribution.baseline import baseline
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Occlusion:
    """Each pixel's mean fall of the logit over all positions of the occluder that cover it."""

    classifier: nn.Module
    baseline: Tensor
    window: int
    stride: int
    batch_size: int = 64
    unit: str = "logit"
    sign: str = "high where covering the pixel lowers the score; negative where it raises it"
    halo: int | None = None
    multiple: int = 1

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([self._one(image) for image in images])

    def _one(self, image: Tensor) -> Tensor:
        """(C, H, W) -> (H, W)."""
        height, width = image.shape[-2:]
        squares = [
            (slice(top, top + self.window), slice(left, left + self.window))
            for top in positions(height, self.window, self.stride)
            for left in positions(width, self.window, self.stride)
        ]
        whole = self.classifier(image[None])[0]
        total, covered = torch.zeros_like(image[0]), torch.zeros_like(image[0])
        for first in range(0, len(squares), self.batch_size):
            chunk = squares[first : first + self.batch_size]
            occluded = image.repeat(len(chunk), 1, 1, 1)
            for copy, (rows, columns) in zip(occluded, chunk, strict=True):
                copy[:, rows, columns] = self.baseline
            occluded = occluded.contiguous(memory_format=torch.channels_last)
            for fall, square in zip(whole - self.classifier(occluded), chunk, strict=True):
                total[square] += fall
                covered[square] += 1
        return total / covered


def positions(length: int, window: int, stride: int) -> range:
    """First pixels of the occluder along a side; the last position may reach over the border."""
    steps = max(0, -(-(length - window) // stride))
    return range(0, steps * stride + 1, stride)


def create(models, settings: Attribution) -> Occlusion:
    """The method on the trained classifier."""
    return Occlusion(
        models.classifier,
        baseline(models.classifier, settings),
        settings.occlusion_window,
        settings.occlusion_stride,
    )
