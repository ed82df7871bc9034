"""CutMix (Yun et al. 2019): a box of another image pasted in, the label mixed by area."""

import numpy as np
import torch
from torch import Tensor


def cutmix(images: Tensor, labels: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Paste the same random box of a shuffled partner into each image.

    Args:
        images: (N, C, H, W). labels: (N,) float in [0, 1].

    Returns:
        Mixed images, and labels that equal the share of each label's pixels in the mixed image.
    """
    height, width = images.shape[-2:]
    share = generator.beta(1.0, 1.0)
    box_h, box_w = round(height * share**0.5), round(width * share**0.5)
    top = int(generator.integers(height - box_h + 1))
    left = int(generator.integers(width - box_w + 1))
    partner = torch.from_numpy(generator.permutation(len(images)))
    mixed = images.clone()
    rows, columns = slice(top, top + box_h), slice(left, left + box_w)
    mixed[:, :, rows, columns] = images[partner][:, :, rows, columns]
    area = box_h * box_w / (height * width)
    return mixed, (1 - area) * labels + area * labels[partner]
