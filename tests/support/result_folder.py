"""A results folder as its readers meet it: scenes, land cover, maps, tiles, protected areas."""

from pathlib import Path

import crossing
import geopandas
import numpy as np
import shapely
from attributed import BOG, FOREST, TRAINED_ON, grid_at
from odc.geo.geobox import GeoBox

from wildlens.areas.antimeridian import to_degrees
from wildlens.files.cog import writing_cog
from wildlens.files.geopackage import write_layer
from wildlens.files.map_tags import AFTER, BEFORE, CHANGE_OF
from wildlens.files.member_bands import AGREEMENT, MEMBERS, SD, SHARE
from wildlens.files.origin import TAG, WARNING_TAG
from wildlens.files.raster import writing_geotiff
from wildlens.legend import CORINE

SIDE = 96
BANDS = ("B02", "B03", "B04", "B08")
TAKEN = {"product_sensing_time": "2021-07-19T10:05:59.024Z"}
REFLECTANCE = {"unit": "reflectance", "scale": 1e-4}
VERSION = {"wildlens_version": "0.1.0"}
UNLIKE = "lake is unlike the tiles that the classifier was trained on"


def write_stack(path: Path, values, bands, dtype, tags=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = grid_at(500_000, values[0])
    form = {"count": len(values), "dtype": dtype, "nodata": 0, "descriptions": bands}
    form |= REFLECTANCE if dtype == "uint16" else {}
    with writing_geotiff(path, grid, tags=tags or {}, **form) as dataset:
        dataset.write(values)
        if len(bands) == 1:
            dataset.write_colormap(1, CORINE.colormap)
    return path


def write_map(path: Path, method: str, values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = {"wildlens_method": method, "wildlens_scene": path.parent.name, "unit": "reflectance",
            "wildlens_inputs": '{"lake.tif": "3e8b"}', "wildlens_version": "0.1.0",
            TAG: TRAINED_ON, WARNING_TAG: UNLIKE}  # fmt: skip
    with writing_cog(path, grid_at(500_000, values), tags=tags, descriptions=(method,)) as dataset:
        dataset.write(values.astype(np.float32), 1)
    return path


def write_members(path: Path, method: str, values, share) -> Path:
    """The map of two members, as `wildlens combine-maps` writes it.

    Args:
        values: (H, W) mean; share: (H, W) of the members that call a pixel high.
    """
    tags = {"wildlens_method": method, "wildlens_scene": path.parent.name, "unit": "reflectance",
            MEMBERS: "2", TAG: TRAINED_ON, **VERSION}  # fmt: skip
    form = {"tags": tags, "descriptions": (method, SD, AGREEMENT), "unit": "reflectance"}
    with writing_cog(path, grid_at(500_000, values), **form) as dataset:
        dataset.units = ["reflectance", "reflectance", SHARE]
        dataset.write(np.stack([values, values / 10, share]).astype(np.float32))
    return path


def write_change(
    folder: Path, method: str, before: str, after: str, values, left: float = 500_000
) -> Path:
    """The map of a change between two scenes, as `wildlens compare` writes it.

    `left`: easting of its left edge, m.
    """
    path = folder / f"compare/{before}_{after}/{method}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = {BEFORE: before, AFTER: after, CHANGE_OF: method, "unit": "score", **VERSION,
            TAG: TRAINED_ON, "sign": "positive where the second date is higher"}  # fmt: skip
    form = {"tags": tags, "descriptions": ("change",), "unit": "score"}
    with writing_cog(path, grid_at(left, values), **form) as dataset:
        dataset.write(values.astype(np.float32), 1)
    return path


def degrees(grid: GeoBox) -> shapely.Polygon:
    return shapely.box(*grid.geographic_extent.boundingbox)


class Results:
    """A results folder: two scenes, of which `lake` is mapped; and what lies outside it."""

    def __init__(self, folder: Path):
        rng = np.random.default_rng(0)
        self.folder = folder / "results"
        stored = rng.integers(100, 2500, (4, SIDE, SIDE)).astype(np.uint16)
        stored[:, :20, :30] = 0
        classes = rng.choice([0, BOG, FOREST], (1, SIDE, SIDE)).astype(np.uint8)
        at = self.folder.joinpath
        self.scenes = [
            write_stack(at(f"scenes/{name}.tif"), stored, BANDS, "uint16", {**TAKEN, **VERSION})
            for name in ("field", "lake")
        ]
        self.landcovers = [
            write_stack(at(f"landcover/{name}.tif"), classes, ["CORINE"], "uint8")
            for name in ("field", "lake")
        ]
        values = np.where(stored[0] > 0, rng.gamma(1, 0.01, (SIDE, SIDE)), np.nan)
        self.maps = [
            write_map(at("maps/lake/occlusion.tif"), "occlusion", values - 0.01),
            write_map(at("maps/lake/gan.tif"), "gan", values),
            write_stack(at("maps/lake/maximized.tif"), stored, BANDS, "uint16", VERSION),
        ]
        box = degrees(grid_at(500_000, stored[0]))
        self.footprints = at("tiles.gpkg")
        tiles = {"scene": ["field", "field", "lake"],
                 "label": ["protected", "anthropogenic", "unlabelled"],
                 "split": ["train", "test", None], "geometry": [box] * 3}  # fmt: skip
        write_layer(self.footprints, geopandas.GeoDataFrame(tiles, crs=4326), "tiles")
        self.areas = at("areas.gpkg")
        sites = {"name": ["Lake", "Fell"], "score_mean": [0.93, None],
                 "geometry": [box.buffer(-0.001), box.buffer(0.001)]}  # fmt: skip
        write_layer(self.areas, geopandas.GeoDataFrame(sites, crs=4326), "areas")
        self.output = at("wildlens.qgz")


class CrossingResults(Results):
    """The scene `wrangel` across the antimeridian, its tiles, and a site on both sides."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        at = self.folder.joinpath
        stored = np.full((4, crossing.SIDE, crossing.SIDE), 900, np.uint16)
        form = {"count": 4, "dtype": "uint16", "nodata": 0, "descriptions": BANDS, **REFLECTANCE}
        self.scenes = [at("scenes/wrangel.tif")]
        with writing_geotiff(
            self.scenes[0], crossing.GRID, tags={**TAKEN, **VERSION}, **form
        ) as new:
            new.write(stored)
        self.landcovers, self.maps = [], []
        boxes = [crossing.GRID[:, left : left + 120].extent.geom for left in (0, 100, 240)]
        outlines = geopandas.GeoSeries(boxes, crs=32660).segmentize(200)
        tiles = {"scene": ["wrangel"] * 3, "label": ["protected", "anthropogenic", "protected"],
                 "split": ["train"] * 3, "geometry": to_degrees(outlines)}  # fmt: skip
        self.footprints.unlink()
        write_layer(self.footprints, geopandas.GeoDataFrame(tiles, crs=4326), "tiles")
        both = [shapely.box(179.98, 68.88, 180, 68.9), shapely.box(-180, 68.88, -179.97, 68.9)]
        sites = {"name": ["Wrangel"], "score_mean": [0.5], "geometry": [shapely.union_all(both)]}
        self.areas.unlink()
        write_layer(self.areas, geopandas.GeoDataFrame(sites, crs=4326), "areas")
