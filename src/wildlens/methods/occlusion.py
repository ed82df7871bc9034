"""Occlusion sensitivity (Zeiler and Fergus 2014): drop of the logit when a square is covered."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.networks.baselines import Baseline, make_baseline
from wildlens.networks.partial_forward import PartialPass
from wildlens.networks.receptive_field import Interval, LocalGraph, trace
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Occlusion(Method):
    """Mean drop of the logit over all positions of the occluder that cover a pixel.

    If a network's layers are known to be local, only values that the occluder can change are
    recomputed; otherwise there is a whole pass for each position. Both give the same values.
    """

    classifier: nn.Module
    baseline: Baseline
    window: int
    stride: int
    batch_size: int = 64

    @cached_property
    def graph(self) -> LocalGraph | None:
        return trace(self.classifier)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([self._one(image) for image in images])

    def _one(self, image: Tensor) -> Tensor:
        """(C, H, W) -> (H, W)."""
        rows, columns = (intervals(n, self.window, self.stride) for n in image.shape[-2:])
        fill = self.baseline(image[None])[0]
        if self.graph is None:
            falls = whole_falls(self.classifier, image, rows, columns, fill, self.batch_size)
        else:
            one = PartialPass(self.graph, image)
            falls = one.whole - one.outputs(rows, columns, fill, self.batch_size)
        return spread(falls, rows, columns, image.shape[-2:])


def intervals(length: int, window: int, stride: int) -> list[Interval]:
    """Positions of the occluder along a side; the last one is cut at the border."""
    steps = max(0, -(-(length - window) // stride))
    starts = range(0, steps * stride + 1, stride)
    return [Interval(start, min(start + window, length)) for start in starts]


def whole_falls(
    classifier: nn.Module,
    image: Tensor,
    rows: Sequence[Interval],
    columns: Sequence[Interval],
    fill: Tensor,
    batch_size: int,
) -> Tensor:
    """Drops of the logit by passes of the whole image, for any classifier.

    Args:
        image, fill: (C, H, W); the fill is seen in the squares. batch_size: images in one pass.

    Returns:
        (len(rows), len(columns)).
    """
    squares = [(slice(*r), slice(*c)) for r in rows for c in columns]
    logits = []
    for first in range(0, len(squares), batch_size):
        chunk = squares[first : first + batch_size]
        occluded = image.repeat(len(chunk), 1, 1, 1)
        for copy, square in zip(occluded, chunk, strict=True):
            copy[:, *square] = fill[:, *square]
        logits.append(classifier(occluded.contiguous(memory_format=torch.channels_last)))
    return classifier(image[None]) - torch.cat(logits).reshape(len(rows), len(columns))


def spread(
    falls: Tensor, rows: Sequence[Interval], columns: Sequence[Interval], shape: tuple[int, int]
) -> Tensor:
    """Mean over the squares that cover each pixel: (R, C) -> (H, W)."""
    total, covered = falls.new_zeros((2, *shape))
    for line, r in zip(falls, rows, strict=True):
        for fall, c in zip(line, columns, strict=True):
            total[slice(*r), slice(*c)] += fall
            covered[slice(*r), slice(*c)] += 1
    return total / covered


def create(models, settings: Attribution) -> Occlusion:
    """The method on the trained classifier."""
    return Occlusion(
        models.classifier,
        make_baseline(settings.baseline, models.classifier),
        settings.occlusion_window,
        settings.occlusion_stride,
    )
