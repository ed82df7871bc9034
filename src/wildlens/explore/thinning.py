"""Rasters thinned for display: every displayed pixel stands for a square of N x N pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from wildlens.files.raster import read

Shape = tuple[int, int]


def step_for(shape: Shape, most: int) -> int:
    """The smallest whole N with which no side has more than `most` displayed pixels.

    Args:
        shape: height and width, pixels; most: at least 1.
    """
    return max(1, -(-max(shape) // most))


def thinned_shape(shape: Shape, step: int) -> Shape:
    """Height and width of the displayed raster; squares at the far borders may be incomplete."""
    return -(-shape[0] // step), -(-shape[1] // step)


def read_thinned(
    dataset: rasterio.DatasetReader,
    bands: Sequence[int],
    step: int,
    resampling: Resampling,
    part: Window | None = None,
) -> np.ndarray:
    """Bands of an open raster, each square of `step` x `step` pixels as one.

    GDAL reads overviews where there are any. A square is missing (the file's nodata) if all of its
    pixels are; of the others, only valid pixels count.

    Args:
        bands: numbers, from 1; resampling: `average` for numbers, `mode` for classes.
        part: window of the raster; None: all of it.

    Returns:
        (band, y, x) of the file's dtype.

    Raises:
        WildLensError: the file cannot be read.
    """
    part = part or Window(0, 0, dataset.width, dataset.height)
    shown = thinned_shape((part.height, part.width), step)
    thinned = np.empty((len(bands), *shown), dtype=dataset.dtypes[bands[0] - 1])
    # whole squares apart from cut ones: one read would stretch its squares to fit
    for top, rows in _parts(part.height, step):
        for left, columns in _parts(part.width, step):
            shape = thinned_shape((rows, columns), step)
            y, x = top // step, left // step
            thinned[:, y : y + shape[0], x : x + shape[1]] = read(
                dataset,
                list(bands),
                window=Window(part.col_off + left, part.row_off + top, columns, rows),
                out_shape=(len(bands), *shape),
                resampling=resampling,
            )
    return thinned


def _parts(length: int, step: int) -> Iterator[tuple[int, int]]:
    """Start and length of the part of whole steps, and of the rest; none of them is empty."""
    whole = length // step * step
    if whole:
        yield 0, whole
    if length > whole:
        yield whole, length - whole


def side_limit(shapes: Sequence[Shape], channels: Sequence[int], most: int, bytes_: int) -> int:
    """Most displayed pixels per side with which all scenes together take at most some bytes.

    Args:
        shapes: of the scenes, pixels; channels: of each scene, one byte per displayed pixel each.
        most: limit of a single scene.

    Returns:
        `most` or less; at least 1.
    """

    def needed(side: int) -> int:
        thinned = [thinned_shape(shape, step_for(shape, side)) for shape in shapes]
        return sum(n * height * width for n, (height, width) in zip(channels, thinned, strict=True))

    side = most
    while side > 1 and needed(side) > bytes_:
        side = max(1, int(side * 0.97))
    return side
