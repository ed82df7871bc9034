"""The CORINE raster: the 10 m reference of all scenes, generalised as in CORINE Land Cover.

Two steps lose detail, as in the real product: a cell of 100 m takes the class of most of its area,
and patches below 25 ha are merged into their neighbours. Bogs and villages that the images show are
therefore missing in the map, which limits an evaluation against it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.features import sieve

from wildlens.demo.rasters import write_classes
from wildlens.legend import CORINE

CRS = "EPSG:3035"
CELL = 100  # m, on the EEA reference grid
MIN_CELLS = 25  # minimum mapping unit of 25 ha
NODATA = 48
SAMPLES = 10  # a side of a cell
MIN_COVERED = 0.5  # of a cell, for it to have a class


@dataclass(frozen=True)
class Cells:
    """Classes of some cells of the EEA grid; outside of a scene they are NODATA."""

    left: int  # column of the first cell: easting / 100
    top: int  # row of the first cell, counted from the north pole down: -northing / 100
    classes: np.ndarray  # uint8 (h, w)


def majority_cells(classes: np.ndarray, grid: GeoBox) -> Cells:
    """The most frequent class in each cell that a scene covers by half.

    Parameters
    ----------
    classes
        uint8 (H, W), indices 1..44 on the scene's grid, no gaps.
    grid
        The scene's UTM grid.
    """
    left, bottom, right, top = grid.extent.to_crs(CRS, resolution=CELL).boundingbox
    first_column, last_column = int(left // CELL), int(right // CELL)
    first_row, last_row = int(-top // CELL), int(-bottom // CELL)
    columns = np.arange(first_column, last_column + 2)
    rows = np.arange(first_row, last_row + 2)
    # corners of cells as positions in the scene, exact; linear within a cell, to better than 1 mm
    transformer = Transformer.from_crs(CRS, str(grid.crs), always_xy=True)
    x, y = transformer.transform(*np.meshgrid(columns * CELL, -rows * CELL))
    x, y = grid.wld2pix(x, y)
    result = [
        _row_of_cells(classes, x[i : i + 2], y[i : i + 2], len(columns) - 1)
        for i in range(len(rows) - 1)
    ]
    return Cells(first_column, first_row, np.stack(result))


def _row_of_cells(classes: np.ndarray, x: np.ndarray, y: np.ndarray, count: int) -> np.ndarray:
    """Classes of one row of cells, uint8 (count,); `x`, `y` (2, count + 1) are pixel positions."""
    column, row = _between(x), _between(y)  # (samples, samples, count)
    inside = (row >= 0) & (row < classes.shape[0]) & (column >= 0) & (column < classes.shape[1])
    cell = np.broadcast_to(np.arange(count), inside.shape)[inside]
    found = classes[row[inside], column[inside]]
    highest = len(CORINE.classes) + 1
    votes = np.bincount(cell * highest + found, minlength=count * highest).reshape(count, highest)
    covered = votes.sum(1) >= MIN_COVERED * SAMPLES**2
    return np.where(covered, votes.argmax(1), NODATA).astype(np.uint8)


def _between(corners: np.ndarray) -> np.ndarray:
    """Bilinear positions of the samples in each cell of a row, int64 (samples, samples, count)."""
    at = (np.arange(SAMPLES) + 0.5) / SAMPLES
    left = corners[0, :-1] + at[:, None] * (corners[1, :-1] - corners[0, :-1])
    right = corners[0, 1:] + at[:, None] * (corners[1, 1:] - corners[0, 1:])
    positions = left[:, None] + at[:, None] * (right - left)[:, None]
    return np.floor(positions).astype(np.int64)


def generalise(classes: np.ndarray) -> np.ndarray:
    """Give patches under 25 ha to their largest neighbour; NODATA stays, uint8 (h, w)."""
    valid = classes != NODATA
    result = classes
    while True:
        # one pass leaves patches whose largest neighbour was itself too small
        following = sieve(result, size=MIN_CELLS, mask=valid, connectivity=4)
        following = np.where(valid, following, NODATA).astype(np.uint8)
        if np.array_equal(following, result):
            return result
        result = following


def write_corine(path: Path, parts: list[Cells]) -> None:
    """Write one raster with the cells of all scenes."""
    left = min(p.left for p in parts)
    top = min(p.top for p in parts)
    right = max(p.left + p.classes.shape[1] for p in parts)
    bottom = max(p.top + p.classes.shape[0] for p in parts)
    classes = np.full((bottom - top, right - left), NODATA, np.uint8)
    for part in parts:
        height, width = part.classes.shape
        row, column = part.top - top, part.left - left
        window = classes[row : row + height, column : column + width]
        window[part.classes != NODATA] = part.classes[part.classes != NODATA]
    transform = Affine(CELL, 0, left * CELL, 0, -CELL, -top * CELL)
    write_classes(path, generalise(classes), GeoBox(classes.shape, transform, CRS), NODATA)
