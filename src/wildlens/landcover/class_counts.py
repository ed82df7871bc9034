"""Pixel counts of the classes in a land-cover raster."""

from pathlib import Path

import numpy as np

from wildlens.files.raster import grid_of, open_raster, read, row_windows
from wildlens.legend import CORINE


def count_classes(path: Path) -> np.ndarray:
    """Pixels of each class index, (256,) int64, read by windows; 0 is no data.

    Raises:
        WildLensError: it cannot be read, or a value is not a class index of CORINE.
    """
    counts = np.zeros(256, np.int64)
    with open_raster(path) as dataset:
        for window in row_windows(grid_of(dataset)):
            counts += np.bincount(read(dataset, 1, window=window).ravel(), minlength=256)
    CORINE.check(np.flatnonzero(counts), path)
    return counts
