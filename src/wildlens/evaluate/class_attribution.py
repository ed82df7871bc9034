"""Attribution by land-cover class on the test tiles and on whole scenes: classes.csv."""

from pathlib import Path

import numpy as np

from wildlens.errors import WildLensError
from wildlens.files.raster import grid_of, open_raster, read, row_windows
from wildlens.legend import CORINE

SIZE = len(CORINE.classes) + 1
TARGET_GROUP = "targets"


class ClassTotals:
    """Sums over pixels by land-cover class, accumulated window by window.

    Attributes (each (45,), by CORINE index; position 0 stays 0):
        pixels: int64, number of pixels; attribution: float64, sum of their values; high: int64,
            number of pixels of high attribution.
    """

    def __init__(self):
        self.pixels = np.zeros(SIZE, np.int64)
        self.attribution = np.zeros(SIZE, np.float64)
        self.high = np.zeros(SIZE, np.int64)

    def add(self, values: np.ndarray, classes: np.ndarray, threshold: float) -> None:
        """Add pixels with a value and a known class.

        Args:
            values: float32, any shape, NaN = missing.
            classes: uint8, same shape, CORINE index, 0 = unknown.
            threshold: values from here on are high; infinity: none is.
        """
        known = np.isfinite(values) & (classes > 0)
        values, classes = values[known], classes[known]
        high = values >= np.float32(threshold)
        self.pixels += np.bincount(classes, minlength=SIZE)
        self.attribution += np.bincount(classes, values, minlength=SIZE)
        self.high += np.bincount(classes[high], minlength=SIZE)

    def rows(self, codes: list[int], title: str) -> list[dict]:
        """One row per class that is present, and one for the target group if it is present."""
        groups = [(c.code, c.name, [c.index]) for c in CORINE.classes]
        groups.append((TARGET_GROUP, title, CORINE.indices_of(codes)))
        return [
            {"class_code": code, "class_name": name, **self._metrics(indices)}
            for code, name, indices in groups
            if self.pixels[indices].sum()
        ]

    def _metrics(self, indices: list[int]) -> dict[str, float]:
        pixels, high = self.pixels[indices].sum(), self.high[indices].sum()
        mean = self.attribution[indices].sum() / pixels
        overall = self.attribution.sum() / self.pixels.sum()
        return {
            "pixels": pixels,
            "iou": high / (pixels + self.high.sum() - high),
            "mean_attribution": mean,
            # a multiple of a mean that is not positive has no meaning
            "relative_attribution": mean / overall if overall > 0 else float("nan"),
            "share_high": high / pixels,
        }


def map_totals(map_path: Path, landcover_path: Path, threshold: float) -> ClassTotals:
    """Totals of a whole scene, read window by window.

    Args:
        map_path: float32 attribution map, NaN = missing.
        landcover_path: uint8 CORINE index on the same grid, 0 = unknown.

    Raises:
        WildLensError: the grids differ, or land cover holds a value that is no CORINE index.
    """
    totals = ClassTotals()
    with open_raster(map_path) as attribution, open_raster(landcover_path) as landcover:
        grid = grid_of(attribution)
        if grid != grid_of(landcover):
            raise WildLensError(
                f"{landcover_path}: has another grid than {map_path}; make it again with "
                "wildlens landcover and the scene that was mapped"
            )
        for window in row_windows(grid):
            classes = read(landcover, 1, window=window)
            CORINE.check(classes, landcover_path)
            totals.add(read(attribution, 1, window=window), classes, threshold)
    return totals
