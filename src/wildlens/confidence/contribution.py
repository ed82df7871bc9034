"""Contribution of land-cover classes to the label: a logistic regression on their shares.

The shares of a tile sum to 1, so that coefficients are defined only with regularisation (L2). Its
strength is chosen by cross-validation over spatial blocks of the training tiles.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from wildlens.confidence.calibration import log_loss
from wildlens.evaluate.intervals import real_interval

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # inverse of the weight of the L2 term
FOLDS = 5
MOST_GROUPS = 50  # groups of blocks that the jackknife leaves out one after the other
LEAST_TILES = 10  # of either label, below which nothing is fitted


@dataclass(frozen=True)
class Contribution:
    """Coefficients of a logistic regression.

    Attributes:
        classes: (n,) int, index of each class that varies over the tiles.
        coefficients, low, high: (n,) float64, change of the log-odds of the label when the share of
            the class rises by one standard deviation, and its 95 % interval; NaN = undefined.
        strength: the chosen inverse weight of the L2 term.
    """

    classes: np.ndarray
    coefficients: np.ndarray
    low: np.ndarray
    high: np.ndarray
    strength: float


def fit_contribution(
    shares: np.ndarray, labels: np.ndarray, blocks: np.ndarray, seed: int = 0
) -> Contribution | None:
    """Contributions of all classes; None where too few tiles have either label.

    Intervals are those of a jackknife over up to MOST_GROUPS groups of spatial blocks, with the
    scaling and the strength that all tiles gave.

    Args:
        shares: (n, classes) float64, finite, of training tiles; labels: (n,) bool; blocks: (n,) str
            or int, spatial block of each tile.
        seed: of the order in which blocks form groups.
    """
    if min(labels.sum(), (~labels).sum()) < LEAST_TILES:
        return None
    spread = shares.std(axis=0)
    classes = np.flatnonzero(spread > 0)
    if not len(classes):
        return None
    inputs = (shares[:, classes] - shares[:, classes].mean(axis=0)) / spread[classes]
    number = np.unique(blocks, return_inverse=True)[1].reshape(-1)
    strength = choose_strength(inputs, labels, number)
    model = _model(strength).fit(inputs, labels)
    coefficients = model.coef_[0].copy()
    replicates = _replicates(model, inputs, labels, number, seed)
    ends = [real_interval(c, r) for c, r in zip(coefficients, replicates.T, strict=True)]
    low, high = np.array(ends).T
    return Contribution(classes, coefficients, low, high, strength)


def choose_strength(inputs: np.ndarray, labels: np.ndarray, blocks: np.ndarray) -> float:
    """The strength with the lowest log loss on blocks that were left out; 1 with too few blocks."""
    folds = min(FOLDS, len(np.unique(blocks)))
    if folds < 2:
        return 1.0
    parts = [
        (fitted, left)
        for fitted, left in GroupKFold(folds).split(inputs, groups=blocks)
        if len(np.unique(labels[fitted])) == 2
    ]
    if not parts:
        return 1.0
    losses = np.zeros(len(STRENGTHS))
    for fitted, left in parts:
        model = _model(STRENGTHS[0])
        for number, strength in enumerate(STRENGTHS):
            model.set_params(C=strength).fit(inputs[fitted], labels[fitted])
            losses[number] += log_loss(model.decision_function(inputs[left]), labels[left]).sum()
    return STRENGTHS[int(np.argmin(losses))]


def _replicates(
    model: LogisticRegression, inputs: np.ndarray, labels: np.ndarray, blocks: np.ndarray, seed: int
) -> np.ndarray:
    """Coefficients without each group of blocks, (groups, n); NaN where one label is left.

    Args:
        model: of all tiles, from which each fit starts.
    """
    count = int(blocks.max()) + 1
    order = np.random.default_rng(seed).permutation(count)
    groups = order[blocks] % min(count, MOST_GROUPS)
    found = np.full((min(count, MOST_GROUPS), inputs.shape[1]), np.nan)
    for group in range(len(found)):
        kept = groups != group
        if len(np.unique(labels[kept])) == 2:
            found[group] = model.fit(inputs[kept], labels[kept]).coef_[0]
    return found


def _model(strength: float) -> LogisticRegression:
    """A regression that starts from its last result, which is near to the next one."""
    return LogisticRegression(C=strength, solver="newton-cholesky", warm_start=True, max_iter=1000)
