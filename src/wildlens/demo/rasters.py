"""Grids of the demo's scenes, and its rasters of land-cover classes with their colour table."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.demo.covers import CODES
from wildlens.demo.region import DemoProduct
from wildlens.legend import CORINE

CLASS_INDEX = np.array(CORINE.indices_of(CODES.tolist()), np.uint8)  # of each cover, 1..44


def scene_grid(product: DemoProduct, size: int, resolution: int = 10) -> GeoBox:
    """Grid of a product's bands of 10 or 20 m; `size` is its side in pixels of 10 m."""
    easting, northing = product.upper_left(size)
    transform = Affine(resolution, 0, easting, 0, -resolution, northing)
    pixels = size * 10 // resolution
    return GeoBox((pixels, pixels), transform, f"EPSG:{product.epsg}")


def write_classes(path: Path, classes: np.ndarray, grid: GeoBox, nodata: int) -> None:
    """Write class indices, uint8 (H, W), as a paletted, tiled GeoTIFF in CORINE's colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = classes.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype="uint8",
        crs=f"EPSG:{grid.crs.to_epsg()}",
        transform=grid.affine,
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="DEFLATE",
    ) as dataset:
        dataset.write_colormap(1, CORINE.colormap | {nodata: (0, 0, 0, 0)})
        dataset.write(classes, 1)
