"""Multiple-instance loss: the maps of a classifier must be high only at the target's own patterns.

A label says what a tile is, not where. Cross entropy of the label alone is as well served by "no
fields anywhere" as by "here is a bog", and then the maps are high everywhere but on fields. Here
the pixels of each image compete: of those of target tiles, the highest must be high; of all others,
the highest must be low. Covers that occur in both kinds of tiles, such as forest, are low in the
latter and therefore in the former. This is multiple-instance learning with a mean over the highest
instances (as in Durand, Thome and Cord 2016, WELDON). The paper's classifier has no such loss.
"""

import torch
from torch import Tensor

ONE_IN = 10  # of the pixels of each kind in an image, the highest tenth is averaged
SMALLEST = 1e-4  # probability at which the loss is clamped


def multiple_instance_loss(maps: Tensor, of_target: Tensor, count: float | None = None) -> Tensor:
    """Mean cross entropy of the highest pixels of target tiles (1) and of the others (0).

    Args:
        maps: (N, M, S, S) in (-1, 1); at each pixel the highest of the M maps counts.
        of_target: bool (N, 1, S, S), whether the pixel comes from a tile of the target.
        count: divisor of the sum; None: number of its terms (`number_of_terms`). Processes that
            share a batch have different numbers, and divide by their mean.
    """
    probability = (maps.amax(dim=1).flatten(1) + 1) / 2
    of_target = of_target.flatten(1)
    high, with_target = mean_of_highest(probability, of_target)
    low, with_others = mean_of_highest(probability, ~of_target)
    missed = -torch.log(high[with_target].clamp(min=SMALLEST))
    false = -torch.log((1 - low[with_others]).clamp(min=SMALLEST))
    terms = torch.cat([missed, false])
    return terms.sum() / (len(terms) if count is None else count)


def number_of_terms(of_target: Tensor) -> int:
    """Number of images with pixels of the target's tiles, and of those with pixels of others.

    Args:
        of_target: bool (N, 1, S, S).
    """
    flags = of_target.flatten(1)
    return int(flags.any(dim=1).sum() + (~flags).any(dim=1).sum())


def mean_of_highest(values: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the highest tenth of the chosen values of each row, and the rows that have any.

    Args:
        values: (N, P); chosen: bool (N, P).

    Returns:
        (N,), 0 for rows without a chosen value; bool (N,).
    """
    counts = (chosen.sum(dim=1) + ONE_IN - 1) // ONE_IN  # rounded up
    most = min(values.shape[1], values.shape[1] // ONE_IN + 1)
    highest = values.masked_fill(~chosen, -torch.inf).topk(most, dim=1).values
    kept = torch.arange(most, device=values.device) < counts[:, None]
    return torch.where(kept, highest, 0).sum(dim=1) / counts.clamp(min=1), counts > 0
