"""Small scenes with land cover and protected areas, as files, to cut tiles from."""

from dataclasses import dataclass, field
from pathlib import Path

import crossing
import geopandas
import numpy as np
import shapely
import xarray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin

from wildlens.files import raster
from wildlens.legend import CORINE
from wildlens.settings import Tiles
from wildlens.tiles.step import build_tiles
from wildlens.tiles.store import open_tiles

SIZE = 32
BANDS = ("B02", "B03", "B08")
FIELD, FOREST, BOG = CORINE.indices_of([211, 312, 412])
# near 24 degrees east, 50.05 north, where zones 34 and 35 meet: scenes there overlap
CORNERS = {
    32634: (714_000.0, 5_549_000.0),
    32635: (285_000.0, 5_549_000.0),
    32660: crossing.CORNER,
}


def settings(**changed) -> Tiles:
    return Tiles(**({"size": SIZE, "block_km": 0.4, "validation": 0.2, "test": 0.2} | changed))


@dataclass
class Region:
    """Scenes with what belongs to them, as files; arrays as they were written."""

    folder: Path
    scenes: list = field(default_factory=list)
    landcovers: list = field(default_factory=list)
    truths: list = field(default_factory=list)
    pixels: dict = field(default_factory=dict)
    polygons: list = field(default_factory=list)

    @property
    def areas(self) -> Path:
        return self.folder / "areas.gpkg"

    @property
    def output(self) -> Path:
        return self.folder / "results" / "tiles.zarr"

    @property
    def footprints(self) -> Path:
        return self.folder / "results" / "tiles.gpkg"

    def build(self, *, truth=False, **changed) -> xarray.Dataset:
        build_tiles(
            self.scenes, self.landcovers, self.truths if truth else (), self.areas,
            self.output, self.footprints, settings(**changed),
        )  # fmt: skip
        return open_tiles(self.output)


def write(path: Path, grid: GeoBox, pixels: np.ndarray, names=()) -> Path:
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    kind = {"count": len(pixels), "dtype": pixels.dtype.name, "nodata": 0, "tags": {}}
    with raster.writing_geotiff(path, grid, descriptions=names, **kind) as dataset:
        dataset.write(pixels)
    return path


def patches(rng, shape, values, probabilities, side=24) -> np.ndarray:
    """Classes in square patches that do not fit the tiles."""
    coarse = rng.choice(values, (shape[0] // side + 1, shape[1] // side + 1), p=probabilities)
    return np.kron(coarse, np.ones((side, side), np.uint8)).astype(np.uint8)[: shape[0], : shape[1]]


def add_scene(region: Region, name: str, rng, epsg=32634, shape=(300, 330), shift=(0.0, 0.0)):
    x, y = CORNERS[epsg]
    grid = GeoBox(shape, from_origin(x + shift[0], y + shift[1], 10, 10), f"EPSG:{epsg}")
    reflectance = rng.integers(1, 10_000, (len(BANDS), *shape), dtype=np.uint16)
    for _ in range(3):  # no data; in the last place in one band only
        row, col = rng.integers(0, shape[0] - 20), rng.integers(0, shape[1] - 20)
        reflectance[:, row : row + 20, col : col + 20] = 0
    reflectance[1, row + 20 : row + 30, col : col + 9] = 0
    landcover = patches(rng, shape, [0, FIELD, FOREST, BOG], [0.1, 0.2, 0.4, 0.3])
    landcover[-150:, :40] = 0  # whole tiles without land cover
    truth = patches(rng, shape, [FIELD, FOREST, BOG], [0.3, 0.3, 0.4], side=5)
    region.scenes.append(write(region.folder / "scenes" / f"{name}.tif", grid, reflectance, BANDS))
    region.landcovers.append(write(region.folder / "landcover" / f"{name}.tif", grid, landcover))
    region.truths.append(write(region.folder / "truth" / f"{name}.tif", grid, truth))
    region.pixels[name] = (grid, reflectance, landcover, truth)
    corners = rng.uniform(0, 1, (6, 2)) * (shape[1] * 10 - 1200, shape[0] * 10 - 1200)
    left, bottom = grid.extent.boundingbox.left, grid.extent.boundingbox.bottom
    boxes = [
        shapely.box(left + u, bottom + v, left + u + 1203, bottom + v + 1107) for u, v in corners
    ]
    region.polygons += list(geopandas.GeoSeries(boxes, crs=epsg).to_crs(4326))
    write_areas(region)


def write_areas(region: Region, category="Ib", status="Designated"):
    region.areas.unlink(missing_ok=True)
    geopandas.GeoDataFrame(
        {"WDPAID": range(len(region.polygons)), "IUCN_CAT": category, "STATUS": status},
        geometry=region.polygons,
        crs=4326,
    ).to_file(region.areas)


def naive_shares(region: Region, scene: str, row: int, col: int, classes) -> tuple:
    """Protected, anthropogenic and missing share of one tile, pixel by pixel."""
    grid, reflectance, landcover, _ = region.pixels[scene]
    y, x = np.mgrid[row : row + SIZE, col : col + SIZE] + 0.5
    a, _, x0, _, e, y0 = grid.affine[:6]
    to_degrees = Transformer.from_crs(grid.crs.to_wkt(), 4326, always_xy=True)
    lon, lat = to_degrees.transform(x0 + a * x, y0 + e * y)
    inside = shapely.contains_xy(shapely.union_all(region.polygons), lon, lat)
    cover = landcover[row : row + SIZE, col : col + SIZE]
    built = np.isin(cover, CORINE.indices_of(classes)).mean() if cover.any() else np.nan
    missing = (reflectance[:, row : row + SIZE, col : col + SIZE] == 0).any(axis=0).mean()
    return inside.mean(), built, missing


def one_scene(folder: Path) -> Region:
    """One scene of 9 x 10 tiles, with pixels left over at the right and below."""
    region = Region(folder)
    add_scene(region, "north", np.random.default_rng(1))
    return region
