"""Rasters for the tests of land cover, and what they hold under the centres of other pixels."""

from pathlib import Path

import numpy as np
import pandas
import pyogrio
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from wildlens.files import raster
from wildlens.legend import CORINE

CODES = np.array([c.code for c in CORINE.classes])
# a scene of two windows at the foot of the Alps
SCENE = GeoBox((700, 600), Affine(10, 0, 640_003, 0, -10, 5_240_007), "EPSG:32632")


def write(path: Path, grid: GeoBox, values: np.ndarray, descriptions=(), nodata=None) -> Path:
    values = values[None] if values.ndim == 2 else values
    options = raster.profile(grid, count=len(values), dtype=values.dtype.name, nodata=nodata)
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(values)
        for index, text in enumerate(descriptions, start=1):
            dataset.set_band_description(index, text)
    return path


def write_scene(path: Path, grid: GeoBox = SCENE) -> Path:
    return write(path, grid, np.ones(grid.shape, "uint8"))


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def apply(affine: Affine, x, y):
    a, b, c, d, e, f = affine[:6]
    return a * x + b * y + c, d * x + e * y + f


def at_centres(
    values: np.ndarray, own: GeoBox, grid: GeoBox, tolerance: float = 2e-6
) -> tuple[np.ndarray, np.ndarray]:
    """Values under all pixel centres of a grid by pyproj, and where they are certain, bool.

    Outside `own` they are 0. Uncertain are centres within `tolerance` pixels of a border.
    """
    rows, columns = grid.shape
    xy = apply(grid.affine, *np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5))
    if own.crs != grid.crs:
        xy = Transformer.from_crs(grid.crs.to_wkt(), own.crs.to_wkt(), always_xy=True).transform(
            *xy
        )
    column, row = apply(~own.affine, *xy)
    near = [np.abs(axis - np.round(axis)) < tolerance for axis in (column, row)]
    column, row = np.floor(column).astype(int), np.floor(row).astype(int)
    inside = (row >= 0) & (row < values.shape[0]) & (column >= 0) & (column < values.shape[1])
    taken = values[row.clip(0, values.shape[0] - 1), column.clip(0, values.shape[1] - 1)]
    return np.where(inside, taken, 0), ~np.logical_or(*near)


def write_dbf(path: Path, values, codes, value="Value", code="CODE_18") -> None:
    table = pandas.DataFrame({value: values, "Count": 1, "LABEL3": "Höhe", code: codes})
    pyogrio.write_dataframe(table, path.with_suffix(".shp.dbf"), driver="ESRI Shapefile")
    path.with_suffix(".shp.dbf").rename(path)


def write_aux(path: Path, values, codes, names=("VALUE", "CODE_18")) -> None:
    fields = "".join(f"<FieldDefn><Name>{name}</Name></FieldDefn>" for name in names)
    rows = "".join(f"<Row><F>{v}</F><F>{c}</F></Row>" for v, c in zip(values, codes, strict=True))
    path.write_text(
        f"<PAMDataset><PAMRasterBand band='1'><GDALRasterAttributeTable>{fields}{rows}"
        "</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
    )


TABLE_WRITERS = {".vat.dbf": write_dbf, ".aux.xml": write_aux}
