"""Ranking statistics of pixels: AUROC, average precision, best threshold.

They depend on the counts of pixels and of target pixels at each distinct value, from the highest
value down. These counts may come in parts (`Curve`), so that the pixels need not be in memory
together: see `streaming`. Pixels with equal values are never told apart.
"""

from dataclasses import dataclass

import numpy as np

from wildlens.evaluate.intervals import ratio

BINS = 2048  # of the jackknife: each holds so few pixels that metrics move by less than 1e-3
_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True)
class Ranking:
    """Ranking statistics of the pixels of one group.

    Attributes:
        auroc: area under the ROC curve; equal values count half. NaN for a target of one kind.
        average_precision: mean precision over the steps in recall, without interpolation; NaN
            without target.
        best_threshold: the value t for which {values >= t} has the highest IoU with the target,
            over all values; of several, the highest. Infinity where all values are equal.
        constant: whether all pixels have one value, so that no threshold can separate any.
        cuts: (m,) uint32, ascending keys (`sort_keys`) that part the pixels into up to `BINS` bins
            of about equal size; the lowest value is the first.
    """

    auroc: float
    average_precision: float
    best_threshold: float
    constant: bool
    cuts: np.ndarray


class Curve:
    """ROC and precision-recall curve of a group, added up from the highest value down.

    Args:
        pixels, hits: number of pixels of the group, and of those in its target.
    """

    def __init__(self, pixels: int, hits: int):
        self._pixels, self._hits = int(pixels), int(hits)
        self._seen = self._found = self._distinct = 0
        self._area = 0  # twice the area under the curve of hits over misses: a whole number
        self._precision = 0.0
        self._best = (-1.0, np.uint32(0))  # IoU, key
        self._wanted = np.linspace(0, self._pixels - 1, BINS)
        self._cuts: list[np.ndarray] = []

    def add(self, keys: np.ndarray, pixels: np.ndarray, hits: np.ndarray) -> None:
        """Add the next distinct values.

        Args:
            keys: (m,) uint32, descending, below all that were added; see `sort_keys`.
            pixels, hits: (m,) int64, pixels of each value and those in the target; 0 is allowed.
        """
        if not pixels.all():
            keys, pixels, hits = (array[pixels > 0] for array in (keys, pixels, hits))
        if not keys.size:
            return
        seen, found = self._seen + np.cumsum(pixels), self._found + np.cumsum(hits)
        self._area += int(((pixels - hits) * (2 * found - hits)).sum())
        self._precision += float((hits * (found / seen)).sum())
        iou = found / (seen + self._hits - found)
        highest = np.argmax(iou)
        if iou[highest] > self._best[0]:
            self._best = (iou[highest], keys[highest])
        reached = np.searchsorted(seen - 1, self._wanted)  # the value at each of these ranks
        inside = reached < len(keys)
        self._cuts.append(keys[np.unique(reached[inside])])
        self._wanted = self._wanted[~inside]
        self._seen, self._found = int(seen[-1]), int(found[-1])
        self._distinct += len(keys)

    def ranking(self) -> Ranking:
        """The statistics, when all pixels have been added."""
        assert (self._seen, self._found) == (self._pixels, self._hits), "all pixels are added"
        pairs, constant = self._hits * (self._pixels - self._hits), self._distinct < 2
        return Ranking(
            self._area / (2 * pairs) if pairs else float("nan"),
            self._precision / self._hits if self._hits else float("nan"),
            float("inf") if constant else float(values_of(self._best[1])),
            constant,
            np.concatenate([*self._cuts, np.empty(0, np.uint32)])[::-1],
        )


def rank(values: np.ndarray, target: np.ndarray) -> Ranking:
    """Ranking statistics of pixels in memory.

    Args:
        values: (n,) float32, finite; target: (n,) bool.
    """
    packed = pack(values, target)
    packed.sort()
    keys, counts = tally(packed, np.array([[False, True]]))
    curve = Curve(*counts.sum(axis=1))
    curve.add(keys, *counts)
    return curve.ranking()


def sort_keys(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of float32 values, uint32; equal values have equal keys.

    The bits of a positive float, read as a whole number, ascend with it; those of a negative one
    descend. Missing values must have been removed.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits < _SIGN, bits | _SIGN, ~bits)


def values_of(keys: np.ndarray) -> np.ndarray:
    """The float32 values of keys: the inverse of `sort_keys`."""
    keys = np.asarray(keys, np.uint32)
    return np.where(keys >= _SIGN, keys ^ _SIGN, ~keys).view(np.float32)


def pack(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Key and code of each pixel in one uint64, which sorts by value.

    Args:
        values: (n,) float32, finite; codes: (n,) bool or unsigned, below 2**32.
    """
    return sort_keys(values).astype(np.uint64) << np.uint64(32) | codes.astype(np.uint64)


def tally(packed: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the pixels of each distinct value.

    Args:
        packed: (n,) uint64 of `pack`, ascending, n >= 1.
        targets: (groups, codes) bool, codes of the target of each group.

    Returns:
        Keys (m,) uint32, descending, and counts (1 + groups, m) int64: of all pixels, and of those
        in each target.
    """
    descending = packed[::-1]
    keys = (descending >> np.uint64(32)).astype(np.uint32)
    codes = (descending & np.uint64(0xFFFFFFFF)).astype(np.intp)
    first = np.append(True, keys[1:] != keys[:-1])
    number = np.cumsum(first) - 1  # of the pixel's value among the distinct ones
    keys = keys[first]
    hits = [np.bincount(number[target[codes]], minlength=keys.size) for target in targets]
    return keys, np.stack([np.bincount(number), *hits])


def auroc(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """Area under ROC curves, (replicates,); each step is a straight line of the curve.

    Args:
        hits, misses: (replicates, m) cumulative counts from the highest value down.
    """
    zero = np.zeros((len(hits), 1))
    area = np.trapezoid(np.hstack([zero, hits]), np.hstack([zero, misses]), axis=1)
    return ratio(area, hits[:, -1].astype(float) * misses[:, -1])


def average_precision(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """Average precision, (replicates,); arguments as in `auroc`."""
    gained = np.diff(hits, axis=1, prepend=0)
    seen = hits + misses
    precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
    return ratio((gained * precision).sum(axis=1), hits[:, -1].astype(float))
