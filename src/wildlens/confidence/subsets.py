"""The surest tiles by a measure of confidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Subset:
    """The surest tiles: the measure of confidence, their share, and (tile,) bool which they are."""

    measure: str
    share: float
    chosen: np.ndarray


def choose_subsets(
    uncertainties: Mapping[str, np.ndarray], shares: Sequence[float]
) -> list[Subset]:
    """A subset for each measure and share, the smallest shares first.

    Args:
        uncertainties: measure -> (tile,) float64 of the test tiles.
    """
    return [
        Subset(measure, share, surest(uncertainty, share))
        for measure, uncertainty in uncertainties.items()
        for share in sorted(shares)
    ]


def surest(uncertainty: np.ndarray, share: float) -> np.ndarray:
    """The share of the tiles with the lowest uncertainty, (tile,) bool; at least one of them.

    Of equal tiles the first are taken. The next larger whole number of tiles is chosen.

    Args:
        uncertainty: (tile,) float64, NaN = unknown: these are the least sure.
    """
    count = max(1, math.ceil(round(share * len(uncertainty), 6)))
    chosen = np.zeros(len(uncertainty), bool)
    chosen[np.argsort(uncertainty, kind="stable")[:count]] = True  # NaN comes last
    return chosen
