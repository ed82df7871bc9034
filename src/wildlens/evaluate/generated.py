"""A batch of tiles with their generated images, as the networks make it and tables read it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Generated:
    """A batch of tiles with their generated images.

    Attributes:
        images: (tile, 3, band, y, x) float32 reflectance: X, X+ and X-. Missing pixels of X hold
            the band means.
        valid: (tile, y, x) bool, pixels that X has.
        scores: (tile, 3) float32 in [0, 1] of the three.
        perturbed: name of a perturbation -> (tile, 3) scores of the three after it.
    """

    images: np.ndarray
    valid: np.ndarray
    scores: np.ndarray
    perturbed: dict[str, np.ndarray]
