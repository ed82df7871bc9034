"""Share of each land-cover class in every tile of the training set."""

from pathlib import Path

import numpy as np

from wildlens.evaluate.samples import REFERENCES
from wildlens.legend import CORINE
from wildlens.methods.class_shares import shares as shares_of
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
            parts = []
            for start in range(0, dataset.sizes["tile"], SPAN):
                classes = dataset[variable].isel(tile=slice(start, start + SPAN)).values
                CORINE.check(classes, f"{tiles}: {variable}")
                parts.append(shares_of(classes))
            of_tiles = np.concatenate(parts)
            known = of_tiles.sum(axis=1, keepdims=True) > 0
            found[reference] = np.where(known, of_tiles, np.nan)
    return found
