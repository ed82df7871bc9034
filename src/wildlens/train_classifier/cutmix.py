"""CutMix (Yun et al. 2019): paste a part of another image, mix the labels by area."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

Part = tuple[slice, slice]  # rows and columns of the pasted part
Generator = np.random.Generator


@dataclass(frozen=True)
class Mix:
    """Part that is pasted into all images of a batch, and the images that it comes from.

    Attributes:
        part: rows and columns, px. share: its share of the image.
        partners: (N,) index in the batch of the image pasted into each image.
    """

    part: Part
    share: float
    partners: np.ndarray


def draw_mix(labels: Tensor, height: int, width: int, generator: Generator, form: str) -> Mix:
    """Draw part and partners for images with these labels.

    Args:
        labels: (N,) float in [0, 1], or (N, classes) shares.
        form: a key of FORMS.
    """
    draw_part, choose_partners = FORMS[form]
    rows, columns = draw_part(height, width, generator)
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return Mix((rows, columns), share, choose_partners(labels, generator))


def paste(images: Tensor, partners: Tensor, mix: Mix) -> Tensor:
    """Images (N, C, H, W) with the part of their partners."""
    pasted = images.clone()
    pasted[:, :, *mix.part] = partners[:, :, *mix.part]
    return pasted


def cutmix(
    images: Tensor, labels: Tensor, partners: Tensor, their_labels: Tensor, mix: Mix
) -> tuple[Tensor, Tensor]:
    """Paste a part of its partner into each image.

    Args:
        images, partners: (N, C, H, W).
        labels, their_labels: (N,) float in [0, 1], or (N, classes) shares.

    Returns:
        Mixed images, and labels mixed by the share of pixels.
    """
    mixed = paste(images, partners, mix)
    return mixed, (1 - mix.share) * labels + mix.share * their_labels


def _box(height: int, width: int, generator: Generator) -> Part:
    """A box of any size, as published."""
    share = generator.beta(1.0, 1.0)
    box_h, box_w = round(height * share**0.5), round(width * share**0.5)
    top = int(generator.integers(height - box_h + 1))
    left = int(generator.integers(width - box_w + 1))
    return slice(top, top + box_h), slice(left, left + box_w)


def _strip(height: int, width: int, generator: Generator) -> Part:
    """A strip along one of the four edges, up to half of the image."""
    share, edge = generator.uniform(0.0, 0.5), generator.integers(4)
    long = (height, width)[edge % 2]
    wide = round(long * share)
    strip = slice(0, wide) if edge < 2 else slice(long - wide, long)
    return (strip, slice(0, width)) if edge % 2 == 0 else (slice(0, height), strip)


def _shuffled(labels: Tensor, generator: Generator) -> np.ndarray:
    """A random permutation of the images."""
    return generator.permutation(len(labels))


def _of_another_label(labels: Tensor, generator: Generator) -> np.ndarray:
    """An image of another label; the image itself if the batch has none."""
    kinds = (labels if labels.dim() == 1 else labels.argmax(dim=1)).numpy()
    partners = np.arange(len(kinds))
    for kind in np.unique(kinds):
        mine, others = np.flatnonzero(kinds == kind), np.flatnonzero(kinds != kind)
        if len(others):
            partners[mine] = generator.choice(others, len(mine))
    return partners


FORMS: Mapping[str, tuple[Callable[..., Part], Callable[..., np.ndarray]]] = {
    "box": (_box, _shuffled),
    "strip": (_strip, _of_another_label),
}
