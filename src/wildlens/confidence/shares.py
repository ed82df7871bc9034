"""Share of each land-cover class in every tile of the training set."""

from pathlib import Path

import numpy as np

from wildlens.evaluate.samples import LEVELS, REFERENCES
from wildlens.legend import CORINE
from wildlens.tiles.store import open_tiles

SPAN = 64  # tiles that are read at once


def class_shares(tiles: Path) -> dict[str, np.ndarray]:
    """Reference -> share of each class among the known pixels of each tile, (tile, LEVELS) float64.

    By CORINE index; index 0 stays 0. NaN for tiles without known land cover.

    Raises:
        WildLensError: land cover holds a value that is no CORINE index.
    """
    found = {}
    with open_tiles(tiles) as dataset:
        for reference, variable in REFERENCES.items():
            if variable not in dataset:
                continue
            counts = np.zeros((dataset.sizes["tile"], LEVELS), np.int64)
            for start in range(0, len(counts), SPAN):
                classes = dataset[variable].isel(tile=slice(start, start + SPAN)).values
                CORINE.check(classes, f"{tiles}: {variable}")
                for tile, values in enumerate(classes, start):
                    counts[tile] = np.bincount(values.ravel(), minlength=LEVELS)
            counts[:, 0] = 0
            known = counts.sum(axis=1, keepdims=True)
            shares = np.full(counts.shape, np.nan)
            np.divide(counts, known, out=shares, where=known > 0)
            found[reference] = shares
    return found
