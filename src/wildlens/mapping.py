"""Attribution of whole scenes: streamed by windows, written as a georeferenced map.

Memory depends on the window and on the scene's width, not on its height. Every valid pixel gets a
value and no invalid one does; for the network, a missing pixel holds the band means, so it changes
its neighbours within the method's reach, and no others.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

from wildlens import provenance
from wildlens.attribution import Method, Models, create, describe
from wildlens.errors import WildLensError
from wildlens.networks.device import choose_device
from wildlens.progress import track
from wildlens.raster import grid_of, open_raster, read, writing_cog
from wildlens.reflectance import to_images
from wildlens.settings import TILES_ONLY, Attribution
from wildlens.windows import halo_pieces, tile_starts, tile_weight

log = logging.getLogger(__name__)

SMALLEST = 32  # px; smaller windows are filled up, since networks cannot halve or reflect them


def map_scene(
    scene: Path,
    method: str,
    classifier: Path,
    generators: Path | None,
    output: Path,
    settings: Attribution,
    device: str = "auto",
    tiles: Path | None = None,
) -> None:
    """Attribute a scene with a method; write a COG on the scene's grid (float32, NaN = no data).

    `tiles` is the training set, for the methods that look at it.
    """
    if method in TILES_ONLY:
        raise WildLensError(f"method '{method}' cannot map scenes: it takes land cover, of tiles")
    models = Models(classifier, generators, choose_device(device), tiles)
    attribute = create(method, models, settings)
    with open_raster(scene) as dataset:
        source = Source(dataset, models)
        grid = grid_of(dataset)
        tags = describe(attribute, method, settings) | {"wildlens_scene": scene.stem}
        tags |= provenance.record("map", settings, [scene, *models.paths])
        with writing_cog(output, grid, tags=tags, description=method) as target:
            parts = (
                _blended(source, attribute, models.classifier.tile_size, settings)
                if attribute.halo is None
                else _exact(source, attribute, settings.window)
            )
            valid = 0
            for window, values in parts:
                target.write(values, 1, window=window)
                valid += int(np.isfinite(values).sum())
    if not valid:
        log.warning("map: WARNING: %s has no valid pixel: the map is empty", scene)
    log.info("map: %s of %s: %d valid pixels -> %s", method, scene.stem, valid, output)


class Source:
    """The bands of a scene that a classifier was trained on, read as network input."""

    def __init__(self, dataset: rasterio.DatasetReader, models: Models):
        names = list(dataset.descriptions)
        missing = [band for band in models.classifier.bands if band not in names]
        if missing:
            raise WildLensError(
                f"{dataset.name}: has no band {', '.join(missing)}, on which the classifier was "
                f"trained (bands here: {', '.join(str(name) for name in names)})"
            )
        self.dataset, self.device = dataset, models.device
        self.indices = [names.index(band) + 1 for band in models.classifier.bands]
        self.fill = models.classifier.standardise.mean.cpu()
        self.height, self.width = dataset.height, dataset.width

    def stored(self, window: Window, shape: tuple[int, int]) -> np.ndarray:
        """(C, *shape) uint16: the window, filled up with missing pixels below and to the right."""
        values = read(self.dataset, self.indices, window=window)
        missing = [(0, 0)] + [(0, s - n) for s, n in zip(shape, values.shape[1:], strict=True)]
        return np.pad(values, missing)

    def images(self, stored: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """(N, C, H, W) uint16 -> images on the device, and valid (N, H, W) bool."""
        images, valid = to_images(stored, self.fill)
        images = images.to(self.device, memory_format=torch.channels_last)
        return images, valid.numpy()


def _exact(source: Source, method: Method, core: int) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows with halos: the numbers of one pass over the whole scene."""
    # with this much halo no window of a larger scene is so small that it would be filled up
    halo = max(method.halo, SMALLEST) if method.halo else 0
    pieces = list(
        halo_pieces(source.height, source.width, core=core, halo=halo, multiple=method.multiple)
    )

    def load(piece):
        shape = [max(SMALLEST, int(side)) for side in (piece.read.height, piece.read.width)]
        return source.stored(piece.read, tuple(shape))[None]

    loaded = _ahead(load, pieces)
    for piece, stored in zip(track(pieces, "map", unit="windows"), loaded, strict=True):
        images, valid = source.images(stored)
        values = method(images)[0].float().cpu().numpy()
        values = np.where(valid[0], values, np.nan).astype(np.float32)
        yield piece.core, values[piece.inner]


def _blended(
    source: Source, method: Method, size: int, settings: Attribution
) -> Iterator[tuple[Window, np.ndarray]]:
    """Overlapping tiles, averaged with weights that sum to one; finished rows leave at once."""
    overlap = min(settings.overlap, size // 2)
    tops = tile_starts(source.height, size, overlap)
    lefts = tile_starts(source.width, size, overlap)
    weight = tile_weight(size, overlap)
    padded = max(source.width, size)
    total, weights = np.zeros((2, size, padded), np.float32)
    valid = np.zeros((size, padded), bool)

    def load(top):
        rows = Window(0, top, source.width, min(size, source.height - top))
        return source.stored(rows, (size, padded))

    loaded = _ahead(load, tops)
    for k, (top, stored) in enumerate(
        zip(track(tops, "map", unit="rows of tiles"), loaded, strict=True)
    ):
        for first in range(0, len(lefts), settings.batch_size):
            chunk = lefts[first : first + settings.batch_size]
            images, inside = source.images(
                np.stack([stored[:, :, left : left + size] for left in chunk])
            )
            values = method(images).float().cpu().numpy()
            for left, value, mask in zip(chunk, values, inside, strict=True):
                columns = slice(left, left + size)
                total[:, columns] += weight * value
                weights[:, columns] += weight
                valid[:, columns] = mask
        done = (tops[k + 1] if k + 1 < len(tops) else source.height) - top
        with np.errstate(invalid="ignore"):
            rows = np.where(valid[:done], total[:done] / weights[:done], np.nan)
        yield Window(0, top, source.width, done), rows[:, : source.width].astype(np.float32)
        for buffer in (total, weights):
            buffer[: size - done] = buffer[done:].copy()
            buffer[size - done :] = 0


def _ahead(load, items) -> Iterator:
    """Results of `load`, the next one being read while the present one is worked on."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = None
        for item in items:
            following = pool.submit(load, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
