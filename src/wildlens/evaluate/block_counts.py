"""Replicates of the ranking metrics: pixels of each spatial block, counted in bins of the ranking.

A replicate lacks one block. Its metrics are of the bins, so that it needs no sort and no pixel in
memory; a bin holds so few pixels that they move by less than 1e-3.
"""

import numpy as np

from wildlens.evaluate.ranking import auroc, average_precision, sort_keys


class BlockCounts:
    """Target pixels and others of each block and bin, 8 bytes for each pair of them.

    Args:
        cuts: of the ranking of all pixels, see `Ranking`; blocks: number of blocks.
    """

    def __init__(self, cuts: np.ndarray, blocks: int):
        self._cuts = cuts
        self._counts = np.zeros((blocks, 2, len(cuts)), np.uint32)

    def add(self, values: np.ndarray, target: np.ndarray, block: int) -> None:
        """Add pixels of one block: values (n,) float32, finite; target (n,) bool."""
        bins = len(self._cuts)
        # the bin of the highest values is the first
        numbers = bins - np.searchsorted(self._cuts, sort_keys(values), side="right")
        counts = np.bincount(numbers + bins * target, minlength=2 * bins)
        self._counts[block] += counts.reshape(2, bins).astype(np.uint32)

    def joined(self, blocks: np.ndarray, chosen: np.ndarray) -> "BlockCounts":
        """The counts of some of these blocks, summed by larger ones.

        Args:
            blocks: (blocks,) int, number of the larger block of each; chosen: (blocks,) bool.
        """
        joined = BlockCounts(self._cuts, int(blocks.max()) + 1)
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(blocks[rows], kind="stable")]
        first = np.flatnonzero(np.diff(blocks[rows], prepend=-1))
        if len(rows):
            sums = np.add.reduceat(self._counts[rows], first, axis=0)
            joined._counts[blocks[rows[first]]] = sums
        return joined

    def auroc(self) -> float:
        """AUROC of all blocks, within 1e-3 of that of the pixels; NaN for a target of one kind."""
        total = self._counts.sum(axis=0, dtype=np.int64)
        misses, hits = np.cumsum(total, axis=1)[:, None].astype(np.float64)
        return float(auroc(hits, misses)[0])

    def replicates(self) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision without each block, (blocks,) float64 each."""
        total = self._counts.sum(axis=0, dtype=np.int64)
        found = np.empty((2, len(self._counts)))
        for number, of_block in enumerate(self._counts):
            misses, hits = np.cumsum(total - of_block, axis=1)[:, None].astype(np.float64)
            found[:, number] = auroc(hits, misses)[0], average_precision(hits, misses)[0]
        return found[0], found[1]
