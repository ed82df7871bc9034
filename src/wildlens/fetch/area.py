"""The requested area: as a polygon, as a box, and as a window of a product's grids."""

import json
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import odc.geo.geom
import pandas
import pyogrio
import rasterio
import shapely
from odc.geo.geom import Geometry
from rasterio.features import geometry_mask
from rasterio.windows import Window

from wildlens.areas.layers import Layer, polygon_layers
from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.settings import Clip

STEP = 60.0  # m: edges of windows are edges of 10, 20 and 60 m pixels
DEGREES = "EPSG:4326"


@dataclass(frozen=True)
class Area:
    """An area: its outline and its box, in degrees."""

    outline: Geometry
    box: Clip

    def share_in(self, footprint: dict) -> float:
        """Share of the area in a footprint (GeoJSON); 0 if the footprint is invalid."""
        try:
            shape = shapely.make_valid(shapely.from_geojson(json.dumps(footprint)))
            common = shape.intersection(self.outline.geom)
            equal_area = self._equal_area()
            whole = self.outline.to_crs(equal_area).area
            return min(1.0, Geometry(common, DEGREES).to_crs(equal_area).area / whole)
        except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, RuntimeError):
            return 0.0

    def _equal_area(self) -> str:
        west, south, east, north = self.box
        return f"+proj=laea +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +units=m"


def area_of(box: Clip | None, polygons: Path | None) -> Area | None:
    """The area of a box or of a file of polygons; None without either.

    Raises:
        WildLensError: the file cannot be read, has no polygons, or no CRS.
    """
    if box is not None:
        return Area(odc.geo.geom.box(*box, DEGREES), box)
    if polygons is None:
        return None
    shapes = pandas.concat([_polygons(layer) for layer in polygon_layers(polygons)])
    if shapes.empty:
        raise WildLensError(f"{polygons}: has no polygon")
    outline = shapes.make_valid().union_all()
    west, south, east, north = map(float, outline.bounds)
    return Area(Geometry(outline, DEGREES), (west, south, east, north))


def window_of(dataset: rasterio.DatasetReader, area: Area | None) -> Window | None:
    """The part of a band's grid that covers an area's box, in steps of 60 m; None if apart.

    The bands of a product share their upper-left corner, so their windows cover the
    same area. Without an area, the window is the whole grid.
    """
    if area is None:
        return Window(0, 0, dataset.width, dataset.height)
    grid = raster.grid_of(dataset)
    part = raster.part_that_covers(grid, area.box, round(STEP / grid.affine.a))
    return None if part is None else Window.from_slices(*part)


def share_of(
    area: Area, clear: np.ndarray, dataset: rasterio.DatasetReader, window: Window
) -> float:
    """Clear share of an area; ground outside of the grid is not clear.

    Args:
        clear: (height, width) bool, of a window of the dataset.
    """
    outline = area.outline.to_crs(dataset.crs.to_wkt(), 0.01)
    outside = geometry_mask([outline.geom], clear.shape, dataset.window_transform(window))
    pixel = dataset.transform.a**2
    land = max(outline.area, pixel)
    return min(1.0, float(np.count_nonzero(clear & ~outside) * pixel / land))


def _polygons(layer: Layer) -> geopandas.GeoSeries:
    """The polygons of a layer, in degrees."""
    frame = layer.read(pyogrio.read_dataframe, columns=[])
    if frame.crs is None:
        raise WildLensError(f"{layer.path}: has no coordinate reference system")
    kinds = frame.geometry.geom_type
    return frame.geometry[kinds.isin(["Polygon", "MultiPolygon"])].to_crs(DEGREES)
