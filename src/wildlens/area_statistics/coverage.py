"""Shares of pixels that polygons cover, exact at their borders, window by window."""

from collections.abc import Iterator, Sequence

import geopandas
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.area_statistics.rings import areas_km2
from wildlens.areas.polygons import cut_areas, polygon_parts

ROWS, COLUMNS = 512, 1024  # of a window: what is in memory does not grow with the scene
EDGE = 0.001  # degrees: edges are straight in degrees, not on the grid


class Pieces:
    """Polygons as they lie on a grid.

    Attributes:
        owners: (M,) int, position of each piece's polygon; a polygon across the antimeridian has
            two pieces, one outside the grid none.
        pixel_km2: (M,) float64, ground that a pixel of the grid covers there, km².
    """

    def __init__(self, polygons: Sequence[shapely.Geometry], grid: GeoBox):
        """Cut polygons (N,) in degrees to a grid with a margin, and project them to its pixels."""
        table = geopandas.GeoDataFrame(
            {"owner": np.arange(len(polygons))}, geometry=list(polygons), crs="EPSG:4326"
        )
        cut = cut_areas(table, grid)
        outlines = cut.geometry.segmentize(EDGE)
        projected = outlines.to_crs(grid.crs.to_wkt()).to_numpy()
        shapes = shapely.transform(projected, lambda xy: np.stack(grid.wld2pix(*xy.T), axis=-1))
        self._shapes = polygon_parts(
            shapely.make_valid(shapes, method="structure", keep_collapsed=False)
        )
        self._tree = shapely.STRtree(self._shapes)
        self.owners = cut["owner"].to_numpy()
        self.pixel_km2 = areas_km2(outlines) / shapely.area(self._shapes)

    def covered(self, window: Window) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Pieces that cover pixels of a window: piece, pixels and shares.

        Yields:
            the piece's number; int64 (n,) positions of the pixels in the flattened window; float64
            (n,) covered share of each, in (0, 1].
        """
        left, top, width, height = window.flatten()
        box = shapely.box(left, top, left + width, top + height)
        numbers = np.sort(self._tree.query(box, predicate="intersects"))
        near = shapely.intersection(self._shapes[numbers], box)
        # exactextract counts rows upwards
        near = shapely.transform(near, lambda xy: [-left, height + top] + xy * [1, -1])
        ground = NumPyRasterSource(np.zeros((height, width), np.uint8), 0, 0, width, height)
        for number, shape in zip(numbers.tolist(), polygon_parts(near), strict=True):
            if shape.is_empty:  # touches the window
                continue
            feature = {"type": "Feature", "properties": {}, "geometry": shape.__geo_interface__}
            (found,) = exact_extract(ground, [feature], ["cell_id", "coverage"])
            values = found["properties"]
            if len(values["cell_id"]):
                yield number, values["cell_id"], values["coverage"]


def windows(grid: GeoBox) -> Iterator[Window]:
    """Windows that cover a grid, row by row."""
    height, width = grid.shape
    for top in range(0, height, ROWS):
        for left in range(0, width, COLUMNS):
            yield Window(left, top, min(COLUMNS, width - left), min(ROWS, height - top))
