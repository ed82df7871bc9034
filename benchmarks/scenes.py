"""Scenes for the benchmarks, the forward passes of a map alone, and seams at tile borders."""

from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.transform import Affine
from rasterio.windows import Window

from wildlens.attribution.create import create
from wildlens.attribution.models import Models
from wildlens.map.streaming import Source, Windows
from wildlens.map.windows import tile_starts
from wildlens.settings import Attribution

BANDS = ("B02", "B03", "B04", "B08")
CELL = 7  # px of equal reflectance; its borders are as rare at tile borders as elsewhere


def write_scene(path: Path, side: int, rows: int = 512) -> Path:
    """Write a square scene of random cells without missing pixels, row by row."""
    random = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "count": len(BANDS), "dtype": "uint16", "nodata": 0, "crs": "EPSG:32634",
        "width": side, "height": side, "transform": Affine(10, 0, 500_000, 0, -10, 7_600_000),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "DEFLATE", "predictor": 2,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for band, name in enumerate(BANDS, start=1):
            dataset.set_band_description(band, name)
        for top in range(0, side, rows):
            height = min(rows, side - top)
            coarse = random.random((len(BANDS), -(-height // CELL), -(-side // CELL)))
            fine = coarse.repeat(CELL, axis=1).repeat(CELL, axis=2)[:, :height, :side]
            noise = random.normal(0, 80, fine.shape)
            values = np.clip(600 + 2400 * fine + noise, 1, 10_000).astype(np.uint16)
            dataset.write(values, window=Window(0, top, side, height))
    return path


class BarePasses:
    """Only the network's passes over the windows of a map; the images are read in advance."""

    def __init__(self, scene: Path, classifier: Path, generators: Path):
        models = Models(classifier, generators, torch.device("cpu"))
        self.method = create("gan", models, Attribution())
        with rasterio.open(scene) as dataset:
            source = Source(dataset, models)
            plan = Windows(source, self.method, Attribution())
            pieces = [piece for line in plan.lines for piece in line]
            self.images = [source.images(plan.load(piece))[0] for piece in pieces]

    def __call__(self) -> None:
        for images in self.images:
            self.method(images)


def jumps(map_path: Path, size: int, overlap: int) -> tuple[float, float]:
    """Mean difference between neighbouring columns: at tile borders, and elsewhere.

    Elsewhere means columns at multiples of 8 px from the borders, because networks that halve an
    image three times have steps of their own there.
    """
    with rasterio.open(map_path) as dataset:
        values = dataset.read(1)
    starts = tile_starts(values.shape[1], size, overlap)
    borders = sorted({*starts, *(start + size for start in starts)} - {0, values.shape[1]})
    steps = np.nanmean(np.abs(np.diff(values, axis=1)), axis=0)
    borders = [border for border in borders if border < values.shape[1]]
    alike = {column for border in borders for column in range(border % 8, values.shape[1], 8)}
    elsewhere = sorted(alike - {0, *borders})
    return tuple(float(steps[np.array(columns) - 1].mean()) for columns in (borders, elsewhere))
