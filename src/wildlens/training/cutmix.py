"""CutMix (Yun et al. 2019): a part of another image pasted in, the label mixed by area."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

Place = tuple[slice, slice]  # rows and columns that are pasted
Generator = np.random.Generator


def cutmix(
    images: Tensor, labels: Tensor, generator: Generator, form: str = "box"
) -> tuple[Tensor, Tensor]:
    """Paste the same random part of a partner into each image.

    Args:
        images: (N, C, H, W).
        labels: (N,) float in [0, 1], or (N, classes) shares.
        form: a key of FORMS.

    Returns:
        Mixed images, and labels that equal the share of each label's pixels in the mixed image.
    """
    place, choose_partners = FORMS[form]
    height, width = images.shape[-2:]
    rows, columns = place(height, width, generator)
    partner = choose_partners(labels, generator)
    mixed = images.clone()
    mixed[:, :, rows, columns] = images[partner][:, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return mixed, (1 - area) * labels + area * labels[partner]


def _box(height: int, width: int, generator: Generator) -> Place:
    """A box of any share of the image, as published."""
    share = generator.beta(1.0, 1.0)
    box_h, box_w = round(height * share**0.5), round(width * share**0.5)
    top = int(generator.integers(height - box_h + 1))
    left = int(generator.integers(width - box_w + 1))
    return slice(top, top + box_h), slice(left, left + box_w)


def _strip(height: int, width: int, generator: Generator) -> Place:
    """A strip along one of the four edges, up to half of the image."""
    share, edge = generator.uniform(0.0, 0.5), generator.integers(4)
    long = (height, width)[edge % 2]
    wide = round(long * share)
    strip = slice(0, wide) if edge < 2 else slice(long - wide, long)
    return (strip, slice(0, width)) if edge % 2 == 0 else (slice(0, height), strip)


def _shuffled(labels: Tensor, generator: Generator) -> Tensor:
    """Any other image, or the same."""
    return torch.from_numpy(generator.permutation(len(labels)))


def _of_another_label(labels: Tensor, generator: Generator) -> Tensor:
    """An image of another label; where the batch has none, the image itself."""
    kinds = (labels if labels.dim() == 1 else labels.argmax(dim=1)).numpy()
    partners = np.arange(len(kinds))
    for kind in np.unique(kinds):
        mine, others = np.flatnonzero(kinds == kind), np.flatnonzero(kinds != kind)
        if len(others):
            partners[mine] = generator.choice(others, len(mine))
    return torch.from_numpy(partners)


FORMS: Mapping[str, tuple[Callable[..., Place], Callable[..., Tensor]]] = {
    "box": (_box, _shuffled),
    "strip": (_strip, _of_another_label),
}
