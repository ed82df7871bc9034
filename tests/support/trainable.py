"""A small training set that a network can learn in a test."""

from pathlib import Path

import numpy as np
import torch
import xarray as xr

from wildlens.files.origin import Origin
from wildlens.training.data import TileSet
from wildlens.training.statistics import band_statistics

ORIGIN = Origin(tiles=48, scenes=1, bounds=(20, 65, 21, 66))


def tile_set(random, count=24, bands=2, side=32) -> TileSet:
    """Tiles of two textures: bright spots are natural, dark spots anthropogenic."""
    labels = np.arange(count) % 2
    stored = random.normal(2000, 100, (count, bands, side, side))
    spots = random.random((count, 1, side, side)) < 0.1
    stored += np.where(spots, np.where(labels == 1, 900, -900)[:, None, None, None], 0)
    stored = stored.clip(1, 9999).astype(np.uint16)
    return TileSet(stored, torch.from_numpy(labels.astype(np.float32)), band_statistics(stored)[0])


def write_tiles(path: Path, seed: int = 5) -> Path:
    """Write a training set in the form of `wildlens tiles`."""
    random = np.random.default_rng(seed)
    sets = {
        "train": tile_set(random, 48),
        "val": tile_set(random, 16),
        "test": tile_set(random, 16),
    }
    stored = np.concatenate([s.stored for s in sets.values()])
    count = len(stored)
    on_tile = {
        "label": np.concatenate([s.labels.numpy() for s in sets.values()]).astype(np.int8),
        "split": np.repeat(list(sets), [len(s) for s in sets.values()]),
        "name": np.array([f"t{i}" for i in range(count)]),
        "block": np.array([f"b{i // 4}" for i in range(count)]),
        "scene": np.full(count, "s"),
        "row": np.arange(count, dtype=np.int32),
        "col": np.zeros(count, np.int32),
        "ground_row": np.arange(count, dtype=np.int64),
        "ground_col": np.zeros(count, np.int64),
        "crs": np.full(count, "EPSG:32634"),
    }
    dataset = xr.Dataset(
        {
            "reflectance": (("tile", "band", "y", "x"), stored),
            "landcover": (("tile", "y", "x"), np.full((count, 32, 32), 27, np.uint8)),
        },
        coords={k: ("tile", v) for k, v in on_tile.items()} | {"band": ["B04", "B08"]},
        attrs={"wildlens_step": "tiles", "tile_size": 32, **ORIGIN.attributes()},
    )
    dataset.to_zarr(path, consolidated=True, zarr_format=3)
    return path
