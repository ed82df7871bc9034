"""Pixels in the order of their attribution: sorted once, and asked for every class and group."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

BINS = 2048  # of the bootstrap: each holds so few pixels that figures move by less than 1e-3


@dataclass(frozen=True)
class Ranking:
    """Pixels from the highest attribution to the lowest.

    Attributes:
        order: (n,) int64, positions of the pixels in the flattened arrays they were taken from.
        ordered: (n,) float32, their attributions, descending.
    """

    order: np.ndarray
    ordered: np.ndarray

    def within(self, mask: np.ndarray) -> "Ranking":
        """The same order of those pixels where `mask` (of the arrays' shape, bool) holds."""
        keep = mask.reshape(-1)[self.order]
        return Ranking(self.order[keep], self.ordered[keep])

    @cached_property
    def ends(self) -> np.ndarray:
        """Last positions of equal values: a threshold can cut there and nowhere else, (m,)."""
        return np.flatnonzero(np.append(self.ordered[1:] < self.ordered[:-1], True))

    def _hits(self, target: np.ndarray) -> np.ndarray:
        """Target pixels down to each of `ends`, (m,) int64; `target` is (of the arrays' shape)."""
        return np.cumsum(target.reshape(-1)[self.order], dtype=np.int64)[self.ends]

    def best_threshold(self, target: np.ndarray) -> float:
        """The threshold t that maximises the IoU of {values >= t} with a target.

        Exact: every set that a threshold can cut out is tried. Of thresholds with equal IoU, the
        highest.
        """
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

    def resampled(
        self, target: np.ndarray, blocks: np.ndarray, draws: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision of every resample of blocks, (resamples,) each.

        Pixels are counted in bins of the ranking, which keeps a resample from being a sort.

        Args:
            target: bool; blocks: int, the block of each pixel; both of the arrays' shape.
            draws: (resamples, blocks), see `bootstrap.draw_blocks`.
        """
        wanted = np.linspace(0, len(self.order) - 1, BINS)
        cuts = self.ends[np.unique(np.searchsorted(self.ends, wanted))]
        bins = np.searchsorted(cuts, np.arange(len(self.order)))
        of_block = blocks.reshape(-1)[self.order]
        hit = target.reshape(-1)[self.order]
        shape = (draws.shape[1], len(cuts))
        counts = [
            np.bincount(of_block[kind] * shape[1] + bins[kind], minlength=np.prod(shape))
            for kind in (hit, ~hit)
        ]
        hits, misses = (
            np.cumsum(draws @ count.reshape(shape).astype(np.float64), axis=1) for count in counts
        )
        return _auroc(hits, misses), _average_precision(hits, misses)


def rank(values: np.ndarray, mask: np.ndarray) -> Ranking:
    """Rank the pixels of float32 `values` (any shape) where `mask` (bool) holds; all finite."""
    positions = np.flatnonzero(mask)
    chosen = values.reshape(-1)[positions]
    descending = np.argsort(chosen)[::-1]
    return Ranking(positions[descending], chosen[descending])


def _auroc(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """From cumulated counts (resamples, m), each step a straight line of the curve."""
    zero = np.zeros((len(hits), 1))
    area = np.trapezoid(np.hstack([zero, hits]), np.hstack([zero, misses]), axis=1)
    possible = hits[:, -1].astype(float) * misses[:, -1]
    return np.divide(area, possible, out=np.full(len(hits), np.nan), where=possible > 0)


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    gained = np.diff(hits, axis=1, prepend=0)
    seen = hits + misses
    precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
    total = hits[:, -1].astype(float)
    area = (gained * precision).sum(axis=1)
    return np.divide(area, total, out=np.full(len(hits), np.nan), where=total > 0)
