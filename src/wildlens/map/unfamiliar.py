"""Warnings about a scene that is unlike the tiles that the classifier was trained on.

The rule: in each band, the mean of the scene's valid pixels is compared with the mean and standard
deviation (sd) of the training tiles, which are stored in the classifier for normalisation. A scene
is unlike them if in any band its mean is more than `MOST_SHIFT` sd away, or its own sd is less
than half or more than twice theirs.

The limits are between two measured cases. For the classifier of the demo, the demo's own scenes are
at most 0.09 sd away, and their sd is 0.86 to 1.04 times that of the training tiles. Nine real clips
of farmland and forest are 0.48 to 4.4 sd away, the demo's scenes in 2 or 0.5 times the brightness
1.2 to 2.4 sd. The rule sees brightness and contrast only: a scene that passes may still show land
that the classifier does not know. So does a cut of 5 km of one of the real clips (0.16 sd).
"""

from collections.abc import Iterator

import numpy as np
import rasterio
from rasterio.windows import Window

from wildlens.files.raster import BLOCK, read
from wildlens.files.reflectance import SCALE

MOST_SHIFT = 0.3  # of a band's mean, in sd of the training tiles
SD_RATIO = 2.0  # largest ratio of both sd, in either direction
MOST_NAMED = 3  # bands of a warning, those with the largest difference first
MOST_BLOCKS = 64  # read of a scene; smaller scenes are read completely


def warning_about_scene(
    dataset: rasterio.DatasetReader,
    indices: list[int],
    bands: list[str],
    mean: np.ndarray,
    sd: np.ndarray,
    scene: str,
) -> str:
    """One line if a scene is unlike the training tiles, else empty.

    Args:
        dataset: scene, uint16 reflectance x 10000, 0 = no data; indices: numbers of its bands.
        mean, sd: (band,) reflectance, of the training tiles.
        scene: its name.
    """
    statistics = scene_statistics(dataset, indices)
    if statistics is None:
        return ""
    sd = np.maximum(sd, 1 / SCALE)  # of a band that is constant in all training tiles
    shift, ratio = (statistics[0] - mean) / sd, statistics[1] / sd
    found = {
        band: values
        for band, *values in zip(bands, shift, ratio, strict=True)
        if abs(values[0]) > MOST_SHIFT or not 1 / SD_RATIO <= values[1] <= SD_RATIO
    }
    if not found:
        return ""
    largest = sorted(found, key=lambda band: -abs(found[band][0]))
    texts = [_difference(band, *found[band]) for band in largest[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        texts.append(f"further bands that differ: {len(found) - MOST_NAMED}")
    return (
        f"{scene} is unlike the tiles that the classifier was trained on, so scores and maps may be"
        f" meaningless: {'; '.join(texts)}"
    )


def scene_statistics(
    dataset: rasterio.DatasetReader, indices: list[int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and sd of the valid pixels, (band,) float64 reflectance as networks see it.

    Of a large scene, of blocks that are evenly spread over it. None without a valid pixel.
    """
    count, total, squares = 0, np.zeros(len(indices)), np.zeros(len(indices))
    for window in _windows(dataset):
        stored = read(dataset, indices, window=window)
        values = np.minimum(stored[:, (stored != 0).all(axis=0)], SCALE) / SCALE
        count += values.shape[1]
        total += values.sum(axis=1)
        squares += np.square(values).sum(axis=1)
    if not count:
        return None
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


def _windows(dataset: rasterio.DatasetReader) -> Iterator[Window]:
    """All blocks of a scene, or a choice of `MOST_BLOCKS` that are spread over it."""
    corners = [
        (row, column)
        for row in range(0, dataset.height, BLOCK)
        for column in range(0, dataset.width, BLOCK)
    ]
    if len(corners) > MOST_BLOCKS:
        corners = [
            corners[i] for i in np.linspace(0, len(corners) - 1, MOST_BLOCKS).round().astype(int)
        ]
    for row, column in corners:
        yield Window(
            column, row, min(BLOCK, dataset.width - column), min(BLOCK, dataset.height - row)
        )


def _difference(band: str, shift: float, ratio: float) -> str:
    side = "above" if shift > 0 else "below"
    return f"mean of {band} {abs(shift):.1f} sd {side} theirs, sd {ratio:.1f} times theirs"
