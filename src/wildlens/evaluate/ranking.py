"""Pixels in the order of their attribution: sorted once, and used for every class and group."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wildlens.evaluate.intervals import ratio

BINS = 2048  # of the jackknife: each holds so few pixels that metrics move by less than 1e-3


@dataclass(frozen=True)
class Ranking:
    """Pixels from the highest attribution to the lowest.

    Attributes:
        order: (n,) int, positions of the pixels in the flattened arrays that they were taken from.
        ordered: (n,) float32, their attributions, descending.
    """

    order: np.ndarray
    ordered: np.ndarray

    def within(self, mask: np.ndarray) -> "Ranking":
        """The same order of those pixels where `mask` (of the arrays' shape, bool) holds."""
        keep = mask.reshape(-1)[self.order]
        return Ranking(self.order[keep], self.ordered[keep])

    @property
    def constant(self) -> bool:
        """Whether all pixels have one value, so that no threshold can separate any."""
        return not self.ordered.size or bool(self.ordered[0] == self.ordered[-1])

    @cached_property
    def ends(self) -> np.ndarray:
        """Last positions of equal values, (m,): a threshold can only lie there."""
        return np.flatnonzero(np.append(self.ordered[1:] < self.ordered[:-1], True))

    def _hits(self, target: np.ndarray) -> np.ndarray:
        """Target pixels down to each of `ends`, (m,) int64; `target` is (of the arrays' shape)."""
        return np.cumsum(target.reshape(-1)[self.order], dtype=np.int64)[self.ends]

    def best_threshold(self, target: np.ndarray) -> float:
        """The threshold t that maximises the IoU of {values >= t} with a target.

        Exact: all sets that a threshold can separate are compared. Of thresholds with equal IoU,
        the highest; infinity where all values are equal.
        """
        if self.constant:
            return float("inf")
        hits = self._hits(target)
        union = (self.ends + 1) + hits[-1] - hits
        return float(self.ordered[self.ends[np.argmax(hits / union)]])

    def auroc(self, target: np.ndarray) -> float:
        """Area under the ROC curve; equal values count half. NaN for a target of one kind."""
        hits = self._hits(target)
        return float(_auroc(hits[None], (self.ends + 1 - hits)[None])[0])

    def average_precision(self, target: np.ndarray) -> float:
        """Mean precision over the steps in recall, without interpolation; NaN without target."""
        hits = self._hits(target)
        return float(_average_precision(hits[None], (self.ends + 1 - hits)[None])[0])

    def replicates(
        self, target: np.ndarray, blocks: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision of every replicate, (replicates,) each.

        Pixels are counted in bins of the ranking, so that a replicate needs no sort.

        Args:
            target: bool; blocks: int, the block of each pixel; both of the arrays' shape.
            weights: (replicates, blocks), see `intervals.leave_one_out`.
        """
        wanted = np.linspace(0, len(self.order) - 1, BINS)
        cuts = self.ends[np.unique(np.searchsorted(self.ends, wanted))]
        bins = np.searchsorted(cuts, np.arange(len(self.order)))
        of_block = blocks.reshape(-1)[self.order]
        hit = target.reshape(-1)[self.order]
        shape = (weights.shape[1], len(cuts))
        counts = [
            np.bincount(of_block[kind] * shape[1] + bins[kind], minlength=np.prod(shape))
            for kind in (hit, ~hit)
        ]
        hits, misses = (
            np.cumsum(weights @ count.reshape(shape).astype(np.float64), axis=1) for count in counts
        )
        return _auroc(hits, misses), _average_precision(hits, misses)


def rank(values: np.ndarray, mask: np.ndarray) -> Ranking:
    """Rank the pixels of float32 `values` (any shape) where `mask` (bool) holds; all finite."""
    positions = np.flatnonzero(mask)
    if values.size <= np.iinfo(np.uint32).max:
        positions = positions.astype(np.uint32)  # half the memory
    chosen = values.reshape(-1)[positions]
    descending = np.argsort(chosen)[::-1]
    return Ranking(positions[descending], chosen[descending])


def _auroc(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """From cumulative counts (replicates, m); each step is a straight line of the curve."""
    zero = np.zeros((len(hits), 1))
    area = np.trapezoid(np.hstack([zero, hits]), np.hstack([zero, misses]), axis=1)
    return ratio(area, hits[:, -1].astype(float) * misses[:, -1])


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    gained = np.diff(hits, axis=1, prepend=0)
    seen = hits + misses
    precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
    return ratio((gained * precision).sum(axis=1), hits[:, -1].astype(float))
