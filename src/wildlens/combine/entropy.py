"""Entropy of scores, and mutual information between score and member: bits, float64.

A score p is the probability of one of two outcomes. The entropy of the members' mean score measures
all uncertainty; the mutual information is the part of it that comes from their disagreement
(Houlsby et al. 2011, arXiv 1112.5745, eq. 2; of ensembles: Smith and Gal 2018, arXiv 1803.08533).
"""

import numpy as np
from scipy.special import xlog1py, xlogy


def entropy(scores: np.ndarray) -> np.ndarray:
    """Entropy of Bernoulli variables, -p log2 p - (1 - p) log2 (1 - p), float64 in 0..1 bit.

    Exactly 0 for scores of 0 and 1, without cancellation near them.

    Args:
        scores: float, any shape, in 0..1 but for rounding; NaN = missing, and so is the result.
    """
    p = np.clip(np.asarray(scores, np.float64), 0, 1)
    # + 0 so that certain scores give 0, not -0
    return -(xlogy(p, p) + xlog1py(1 - p, -p)) / np.log(2) + 0.0


def mutual_information(scores: np.ndarray) -> np.ndarray:
    """Mutual information between outcome and member, float64 in 0..1 bit: 0 where all agree.

    The entropy of the mean score minus the mean entropy of the scores.

    Args:
        scores: (N, ...) float, of N members; NaN = missing, and so is the result.
    """
    scores = np.asarray(scores, np.float64)
    difference = entropy(scores.mean(axis=0)) - entropy(scores).mean(axis=0)
    return np.maximum(difference, 0)  # rounding may give -1e-17
