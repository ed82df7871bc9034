"""Classes of similar size: which tiles a training set has too many of."""

import numpy as np


def surplus(labels: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """A random choice of tiles without which no class has more than `ratio` times the rarest.

    Args:
        labels: (N,) class of each tile.
        ratio: 1 or more.

    Returns:
        (N,) bool, true for the tiles that are too many.
    """
    kinds, counts = np.unique(labels, return_counts=True)
    most = int(ratio * counts.min(initial=len(labels)))
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for kind, count in zip(kinds, counts, strict=True):
        if count > most:
            places = np.flatnonzero(labels == kind)
            chosen[generator.choice(places, count - most, replace=False)] = True
    return chosen
