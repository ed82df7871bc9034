"""A small synthetic data set for the evaluation and the figures: tiles, models, attributions.

Attributions are noise on top of the target group, so that expected results are known.
"""

import shutil

import numpy as np
import pandas as pd
import torch
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.evaluate.step import evaluate
from wildlens.files.cog import writing_cog
from wildlens.files.origin import TAG
from wildlens.files.raster import writing_geotiff
from wildlens.legend import CORINE
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator
from wildlens.settings import Evaluation
from wildlens.tiles.store import write_tileset

SIDE = 32
BANDS = ["B02", "B03", "B04"]
BOG, ROCK, FOREST, HEATH = (CORINE.index_of(code) for code in (412, 332, 312, 322))
SETTINGS = Evaluation(faithfulness_tiles=4)
TRAINED_ON = "trained on simulated land (745 tiles of 4 scenes)"


class World:
    """Generated inputs: 8 validation, 12 test tiles in 6 blocks, three methods, two models."""

    def __init__(self, folder, seed=0):
        self.folder = folder
        rng = np.random.default_rng(seed)
        self.split = np.array(["val"] * 8 + ["test"] * 12)
        self.names = np.array([f"tile-{i:02d}" for i in range(20)])
        self.block = np.array(
            [0, 0, 1, 1, 2, 2, 3, 3, 10, 10, 20, 20, 30, 30, 40, 40, 41, 42, 42, 42]
        )
        shape = (20, SIDE, SIDE)
        self.truth = rng.choice([BOG, ROCK, FOREST, HEATH], shape, p=[0.2, 0.1, 0.5, 0.2])
        self.truth = self.truth.astype(np.uint8)
        # CORINE is coarser: every 4 x 4 pixels take one class; some of it is not known
        self.landcover = np.kron(self.truth[:, ::4, ::4], np.ones((1, 4, 4), np.uint8))
        self.landcover[:, :2] = 0
        self.reflectance = rng.integers(300, 3000, (20, 3, SIDE, SIDE)).astype(np.uint16)
        self.reflectance[3, :, :5] = 0
        target = np.isin(self.truth, [BOG, ROCK])
        noise = rng.normal(0, 1, shape)
        self.attributions = {
            "random": rng.random(shape).astype(np.float32),
            "gan": (0.01 * (3 * target + noise)).astype(np.float32),
            "gradcam": (target + noise).astype(np.float32),
        }
        for values in self.attributions.values():
            values[3, :5] = np.nan
        self.maps, self.landcovers, self.scenes, self.truths = [], [], [], {}

    def path(self, name):
        return self.folder / name

    def write(self):
        # the store has its tiles in another order than the attributions
        write_tiles(self, np.random.default_rng(5).permutation(20))
        for method, values in self.attributions.items():
            self.write_attribution(method, values, slice(None))
        torch.manual_seed(0)
        save_models(self.path("classifier.safetensors"), self.path("generators.safetensors"))
        return self

    def write_attribution(self, method, values, keep):
        store = xr.Dataset(
            {"attribution": (("tile", "y", "x"), values)},
            coords={n: ("tile", v) for n, v in
                    {"name": self.names, "split": self.split, "block": self.block}.items()},
            attrs={"wildlens_method": method, TAG: TRAINED_ON},
        )  # fmt: skip
        store = store.isel(tile=keep)
        store.to_zarr(self.path(f"{method}.zarr"), mode="w", consolidated=True)

    def add_map(self, scene, method, values, landcover=None, origin=500_000):
        """A map of a scene and, once for a scene, its land cover; `origin` moves the map alone."""
        path = self.path(f"maps/{scene}/{method}.tif")
        tags = {"wildlens_scene": scene, "wildlens_method": method}
        with writing_cog(
            path, grid_at(origin, values), tags=tags, descriptions=[method]
        ) as dataset:
            dataset.write(values, 1)
        self.maps.append(path)
        if landcover is not None:
            path = self.path(f"landcover/{scene}.tif")
            grid = grid_at(500_000, values)
            with writing_geotiff(path, grid, count=1, dtype="uint8", nodata=0, tags={}) as dataset:
                dataset.write(landcover, 1)
            self.landcovers.append(path)

    def add_truth(self, scene, classes, origin=500_000):
        """Reference land cover of a scene."""
        path = self.path(f"truth/{scene}.tif")
        grid = grid_at(origin, classes)
        with writing_geotiff(path, grid, count=1, dtype="uint8", nodata=0, tags={}) as dataset:
            dataset.write(classes, 1)
        self.truths[scene] = path

    def add_scene(self, scene, stored, descriptions=BANDS):
        """A scene of uint16 reflectance x 10000, (band, y, x)."""
        path = self.path(f"scenes/{scene}.tif")
        options = {"count": len(stored), "dtype": "uint16", "nodata": 0, "tags": {}}
        grid = grid_at(500_000, stored[0])
        with writing_geotiff(path, grid, descriptions=descriptions, **options) as dataset:
            dataset.write(stored)
        self.scenes.append(path)

    def run(self, settings=SETTINGS):
        evaluate(
            self.path("tiles.zarr"),
            self.path("classifier.safetensors"),
            self.path("generators.safetensors"),
            [self.path(f"{method}.zarr") for method in self.attributions],
            self.maps,
            self.landcovers,
            self.path("out"),
            settings,
            "cpu",
            self.truths,
        )
        return {
            n: pd.read_csv(self.path("out") / f"{n}.csv")
            for n in ("methods", "classes", "scores", "scenes")
        }


def grid_at(east, values):
    """A grid of 10 m whose corner lies at this easting."""
    return GeoBox(values.shape, Affine(10, 0, east, 0, -10, 7_000_000), "EPSG:32634")


def write_tiles(world, order, bands=BANDS, label=None):
    count = len(world.names)
    by_tile = {
        "name": world.names,
        "split": world.split,
        "block": np.array([f"r0000_c{block:05d}" for block in world.block]),
        # training tiles by turns of both labels, the others protected
        "label": np.where(world.split == "train", np.arange(count) % 2, 1).astype(np.int8)
        if label is None
        else label,
        "scene": np.full(count, "T34WDA"),
        "crs": np.full(count, "EPSG:32634"),
        "row": np.arange(count) * SIDE,
        "col": np.zeros(count, int),
        "ground_row": -700_000 + np.arange(count) * SIDE,
        "ground_col": np.full(count, 50_000),
    }
    coordinates = xr.Dataset(
        coords={name: ("tile", values[order]) for name, values in by_tile.items()}
        | {"band": list(bands)},
        attrs={"wildlens_step": "tiles"},
    )
    arrays = {"reflectance": world.reflectance, "landcover": world.landcover}
    if world.truth is not None:
        arrays["truth"] = world.truth
    tiles = ({name: values[i] for name, values in arrays.items()} for i in order)
    shutil.rmtree(world.path("tiles.zarr"), ignore_errors=True)
    write_tileset(world.path("tiles.zarr"), coordinates, tiles)


def save_models(classifier, generators):
    network = LocalClassifier(3, width=2)
    network.standardise.set_statistics(torch.full((3,), 0.16), torch.full((3,), 0.08))
    common = {"bands": BANDS, "tile_size": SIDE, "provenance": {}}
    weights.save(
        classifier, {"classifier": network}, kind="local",
        arguments={"bands": 3, "width": 2}, **common,
    )  # fmt: skip
    arguments = {"bands": 3, "width": 2, "downsamplings": 1, "blocks": 1}
    pair = {name: Generator(**arguments) for name in ("maximizer", "minimizer")}
    for shift, network in zip((0.5, -0.5), pair.values(), strict=True):
        network.layers[-1].bias.data += shift  # a known change: see the test of the scores
        network.standardise.set_statistics(torch.full((3,), 0.16), torch.full((3,), 0.08))
    weights.save(generators, pair, kind="generator", arguments=arguments, **common)
