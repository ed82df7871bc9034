"""Fields that take a part of one protected area: what changes at the later date."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_cdt, label

from wildlens.demo.covers import INDEX
from wildlens.demo.layout import Layout

SIDE = 64  # px, of the square that becomes fields
SHARE = 4  # of the side of a scene that the square takes at most


def with_fields(layout: Layout) -> Layout:
    """The layout with fields in a square inside the smallest protected area that is large enough.

    The square is at the area's deepest pixel. The zones stay: the area is still protected.
    """
    half = min(SIDE, min(layout.zone.shape) // SHARE) // 2
    row, column = _deepest(layout.zone > 0, half)
    square = np.s_[max(row - half, 0) : row + half, max(column - half, 0) : column + half]
    cover = layout.cover.copy()
    cover[square] = INDEX["field"]
    return replace(layout, cover=cover)


def _deepest(protected: np.ndarray, depth: int) -> tuple[int, int]:
    """Row and column of the pixel farthest from the border of an area, px by chessboard steps.

    Of the smallest area with pixels deeper than `depth`; of the deepest, if there is none.
    """
    inside = distance_transform_cdt(np.pad(protected, 1), "chessboard")[1:-1, 1:-1]
    areas, _ = label(protected)
    deep = np.unique(areas[inside > depth])
    if len(deep):
        sizes = np.bincount(areas.ravel())
        inside = np.where(areas == min(deep, key=lambda number: sizes[number]), inside, 0)
    return np.unravel_index(inside.argmax(), inside.shape)
