"""Control: land cover alone, each class mapped with its weight in a regression of the labels.

A logistic regression from the shares of CORINE classes in a training tile to its label; a pixel's
attribution is its class's coefficient. It uses no image and no network. Since the labels were made
with CORINE (anthropogenic tiles contain its artificial and agricultural classes), it is an oracle
of the labels: its agreement with land cover is expected, and limits what such agreement can show.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from wildlens.attribution.method import Method
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.settings import Attribution

SIZE = len(CORINE.classes) + 1
CHUNK = 256  # tiles read at once


@dataclass(frozen=True)
class ClassShares(Method):
    """The coefficient of each pixel's class; reads land cover instead of images.

    Attributes:
        coefficients: (45,) float32 by CORINE index; 0 for classes that no training tile has, and
            where land cover is not known.
    """

    coefficients: Tensor
    halo: int | None = 0
    reads: tuple[str, ...] = ("landcover",)

    def __call__(self, classes: Tensor) -> Tensor:
        """(N, H, W) CORINE index, 0 = not known -> (N, H, W) float32."""
        return self.coefficients.to(classes.device)[classes.long()]


def shares(classes: np.ndarray) -> np.ndarray:
    """Shares of classes among the known pixels, (N, H, W) uint8 -> (N, 45); 0 if none is known."""
    counts = np.stack([np.bincount(tile.ravel(), minlength=SIZE) for tile in classes])
    counts[:, 0] = 0
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def fit(by_tile: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Coefficients (45,) of a logistic regression with scikit-learn's own L2 penalty.

    Args:
        by_tile: (N, 45) shares; labels: (N,) 1 of the explained class, 0 of others.
    """
    known = by_tile.sum(axis=1) > 0
    if len(np.unique(labels[known])) < 2:
        raise WildLensError(
            "method 'class_shares': the training tiles with land cover do not hold both labels"
        )
    model = LogisticRegression(max_iter=1000).fit(by_tile[known], labels[known])
    return model.coef_[0].astype(np.float32)


def create(models, settings: Attribution) -> ClassShares:
    """The control, fitted on all training tiles and on no other."""
    tiles = models.training_tiles
    landcover = tiles["landcover"]
    by_tile = [
        shares(landcover.isel(tile=slice(first, first + CHUNK)).values)
        for first in range(0, tiles.sizes["tile"], CHUNK)
    ]
    of_target = tiles["label"].values == models.classifier.target_label
    coefficients = fit(np.concatenate(by_tile), of_target.astype(np.int8))
    return ClassShares(torch.from_numpy(coefficients))
