"""Class balance by undersampling."""

import numpy as np


def surplus(labels: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """Randomly select tiles to drop so that no class has more than `ratio` times the rarest.

    Args:
        labels: (N,) class of each tile.
        ratio: 1 or more.

    Returns:
        (N,) bool, true for the tiles to drop.
    """
    kinds, counts = np.unique(labels, return_counts=True)
    most = int(ratio * counts.min(initial=len(labels)))
    generator = np.random.default_rng(seed)
    dropped = np.zeros(len(labels), dtype=bool)
    for kind, count in zip(kinds, counts, strict=True):
        if count > most:
            members = np.flatnonzero(labels == kind)
            dropped[generator.choice(members, count - most, replace=False)] = True
    return dropped
