"""Calibration of scores: temperature, expected calibration error, Brier score, log loss.

A score is calibrated if, of the tiles with a score of 0.8, 80 % are natural. The temperature T
divides the logit (Guo et al. 2017, arXiv 1706.04599): T > 1 means that scores are too near to 0
and 1. It changes no decision at 0.5 and no order of tiles.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from wildlens.evaluate.intervals import leave_one_out, ratio

LOWEST, HIGHEST = 0.05, 20.0  # temperatures that are searched
DRAWS = 200  # of labels, for the error of a calibrated classifier


def log_loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each tile, (n,) float64, nats.

    Args:
        logits: (n,) float64; labels: (n,) bool, true for the explained class.
    """
    return np.logaddexp(0, np.where(labels, -logits, logits))


def brier(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared difference of score and label of each tile, (n,) float64 in 0..1."""
    return np.square(expit(logits) - labels)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest mean log loss, between LOWEST and HIGHEST.

    The loss is convex in 1 / T. Where the scores separate the labels, it has no minimum, and the
    result is LOWEST.

    Args:
        logits: (n,) float64 of validation tiles; labels: (n,) bool of both kinds.
    """
    found = minimize_scalar(
        lambda power: log_loss(logits / np.exp(power), labels).mean(),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def at_bound(temperature: float) -> bool:
    """Whether a fitted temperature is an end of the range that was searched."""
    return not 1.01 * LOWEST < temperature < HIGHEST / 1.01


class Bins:
    """Tiles of each spatial block in bins of equal width of the score.

    Args:
        scores: (n,) float64 in 0..1; labels: (n,) bool; blocks: (n,) int, block of each tile.
        bins: number of bins; a score on the border of two is in the upper one.

    Attributes (each (blocks, bins) float64): tiles, scores, hits: number of tiles, sum of their
        scores, and number of those of the explained class.
    """

    def __init__(self, scores: np.ndarray, labels: np.ndarray, blocks: np.ndarray, bins: int):
        of_tile = np.minimum((scores * bins).astype(int), bins - 1)
        shape = (int(blocks.max()) + 1, bins)
        cell = np.ravel_multi_index((blocks, of_tile), shape)
        self.tiles, self.scores, self.hits = (
            np.bincount(cell, weights, minlength=shape[0] * bins).reshape(shape)
            for weights in (np.ones(len(scores)), scores, labels.astype(float))
        )

    def mean_scores(self) -> np.ndarray:
        """Mean score of each bin, (bins,); NaN for an empty one."""
        return ratio(self.scores.sum(axis=0), self.tiles.sum(axis=0))

    def shares(self) -> np.ndarray:
        """Share of the explained class in each bin, (bins,); NaN for an empty one."""
        return ratio(self.hits.sum(axis=0), self.tiles.sum(axis=0))

    def share_replicates(self) -> np.ndarray:
        """Shares without each block, (blocks, bins); NaN where a bin is then empty."""
        return ratio(leave_one_out(self.hits), leave_one_out(self.tiles))

    def error(self) -> float:
        """Expected calibration error: mean over tiles of |mean score - share| of their bin."""
        return float(_error(*(a.sum(axis=0) for a in (self.scores, self.hits, self.tiles))))

    def error_replicates(self) -> np.ndarray:
        """The error without each block, (blocks,)."""
        return _error(*map(leave_one_out, (self.scores, self.hits, self.tiles)))


def _error(scores: np.ndarray, hits: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    gap, count = np.abs(scores - hits).sum(axis=-1), tiles.sum(axis=-1)
    return ratio(np.asarray(gap), np.asarray(count))


def error_if_calibrated(scores: np.ndarray, bins: int, seed: int = 0) -> float:
    """Mean calibration error of labels that are drawn from the scores: above 0 by chance alone.

    Args:
        scores: (n,) float64 in 0..1.
    """
    generator, block = np.random.default_rng(seed), np.zeros(len(scores), int)
    drawn = [
        Bins(scores, generator.random(len(scores)) < scores, block, bins) for _ in range(DRAWS)
    ]
    return float(np.mean([one.error() for one in drawn]))
