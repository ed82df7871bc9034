"""Distance of tiles from the training set in the feature space of a classifier.

A Gaussian for each class of the training tiles, with one covariance for all classes (Lee et al.
2018, arXiv 1807.03888, eq. 1 and 2), in the features before the last layer. Deep deterministic
uncertainty (Mukhoti et al. 2023, arXiv 2102.11582) has a covariance for each class, which a few
hundred tiles do not determine; and its networks have spectral normalisation, ours do not, so that
unlike images may have like features.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf


@dataclass(frozen=True)
class ClassGaussians:
    """Gaussians of the classes in feature space.

    Attributes:
        varying: (features,) bool, features that vary within the classes; others are left out.
        scale: (varying,) float64, their standard deviation within the classes.
        means: (classes, varying) float64, means of the classes, in these units.
        precision: (varying, varying) float64, inverse of the shrunk covariance.
    """

    varying: np.ndarray
    scale: np.ndarray
    means: np.ndarray
    precision: np.ndarray

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distance to the nearest class mean, (n,) float64, at least 0.

        About the square root of the number of features for a tile like the training tiles.

        Args:
            features: (n, features) float.
        """
        scaled = features.astype(np.float64)[:, self.varying] / self.scale
        squares = []
        for mean in self.means:
            offset = scaled - mean
            squares.append(np.einsum("nf,fg,ng->n", offset, self.precision, offset, optimize=True))
        return np.sqrt(np.maximum(np.min(squares, axis=0), 0))


def fit_gaussians(features: np.ndarray, labels: np.ndarray) -> ClassGaussians | None:
    """Gaussians of the classes of training tiles; None if no feature varies within the classes.

    Features are scaled by their standard deviation within the classes before the covariance is
    shrunk towards a multiple of the identity (Ledoit and Wolf 2004), which treats them all alike.

    Args:
        features: (n, features) float, of training tiles only; labels: (n,) int, their classes.
    """
    features = features.astype(np.float64)
    found, number = np.unique(labels, return_inverse=True)
    means = np.stack([features[labels == label].mean(axis=0) for label in found])
    residuals = features - means[number]
    scale = residuals.std(axis=0)
    # rounding of equal features gives a standard deviation that is not quite 0
    varying = scale > 1e-9 * np.abs(features).max(axis=0, initial=0)
    if not varying.any():
        return None
    scale = scale[varying]
    covariance = LedoitWolf(assume_centered=True).fit(residuals[:, varying] / scale)
    return ClassGaussians(varying, scale, means[:, varying] / scale, covariance.precision_)
