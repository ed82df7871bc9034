"""The step `landcover`: class indices of CORINE on the grid of a scene."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.files.atomic import write_text
from wildlens.landcover import corine_vector
from wildlens.landcover.corine import Encoding, decode_corine, find_encoding
from wildlens.landcover.corine_table import read_table, table_beside
from wildlens.landcover.crosswalk import CROSSWALKS, read_crosswalk
from wildlens.landcover.majority import majority, points_along, refined
from wildlens.legend import CORINE, Legend
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.settings import Landcover

__all__ = ["build_landcover", "decode_corine"]

log = logging.getLogger(__name__)

# Largest error of a position, in source pixels (nearest: 0.1 mm for CORINE). GDAL's default of
# 0.125 takes one pixel in 400 from the neighbouring cell. rasterio's `reproject` ignores a
# tolerance of 0, and its WarpedVRT breaks with it. Single points of `majority` need less.
TOLERANCE = {"nearest": 1e-6, "majority": 1e-3}
STRIP = 32  # rows of pixels whose points are held at once
DEFAULT_BAND = "CORINE"
CHECKED_ROWS = 16  # of a scene, before a run
_FILE_NAMES = {"worldcover": "worldcover", "clcplus": "clcplus"}


def build_landcover(source: Path, scene: Path, output: Path, settings: Landcover) -> None:
    """Resample land cover to the grid of a scene.

    Each pixel takes the class of the source pixel or polygon at its centre (`nearest`), or that of
    most points of a square of sample points (`majority`). Classes of other products are first
    translated to CORINE (`crosswalk`).

    The result is a uint8 GeoTIFF of class indices of the legend (1..44; 0 = no data or outside the
    source), with a colour table. Class names are in OUTPUT.aux.xml, where QGIS looks for them.

    Args:
        source: CORINE raster in any of its encodings, or its polygons, or a raster of another
            product; in any CRS.
        scene: raster with the target grid; its pixels are not read.
        output: the GeoTIFF to write.
        settings: product, its table, the band of the source by its description, and resampling.

    Raises:
        WildLensError: the source cannot be read, has no such band, has values that are no
            classes, or has no class anywhere in the scene.
    """
    grid = raster.read_grid(scene)
    table = settings.table or _table_of(source, settings)
    inputs = [source, *([Path(table)] if table else [])]
    with (
        _reader(source, grid, settings) as read,
        raster.writing_geotiff(
            output,
            grid,
            count=1,
            dtype="uint8",
            nodata=0,
            tags=record("landcover", settings, inputs),
            descriptions=[CORINE.product],
        ) as target,
    ):
        target.write_colormap(1, CORINE.colormap)
        counts = _convert(read, grid, target)
        if not counts[1:].any():
            raise WildLensError(f"{source}: has no land cover anywhere in {scene}")
    _write_names(output, CORINE)
    _report(output, counts)


def check_landcover(source: Path, grid: GeoBox, settings: Landcover, scene: str) -> None:
    """Refuse land cover that cannot be read on a grid, or has no class in a sample of its rows.

    Args:
        scene: name of the grid in the error.
    """
    height, width = grid.shape
    with _reader(source, grid, settings) as read:
        for row in np.linspace(0, height - 1, CHECKED_ROWS).round().astype(int):
            if read(Window(0, int(row), width, 1)).any():
                return
    raise WildLensError(f"{source}: has no land cover in {CHECKED_ROWS} rows of {scene}")


@contextmanager
def _reader(
    source: Path, grid: GeoBox, settings: Landcover
) -> Iterator[Callable[[Window], np.ndarray]]:
    """Yield a function that reads the class indices of a window of full width."""
    if settings.resampling == "nearest":
        with _at_centres(source, grid, settings) as read:
            yield read
        return
    polygons = source.suffix.lower() in corine_vector.SUFFIXES
    points = points_along(None if polygons else raster.read_grid(source), grid)
    with _at_centres(source, refined(grid, points), settings) as sample:

        def read(window: Window) -> np.ndarray:
            # a few rows at a time: the points of a pixel are many
            parts = []
            for top in range(0, window.height, STRIP):
                rows = min(STRIP, window.height - top)
                fine = (window.row_off + top, window.width, rows)
                part = sample(Window(0, *(points * side for side in fine)))
                parts.append(majority(part, points))
            return np.concatenate(parts)

        yield read


@contextmanager
def _at_centres(
    source: Path, grid: GeoBox, settings: Landcover
) -> Iterator[Callable[[Window], np.ndarray]]:
    """Yield a function that reads the class indices at the centres of a window's pixels."""
    if source.suffix.lower() in corine_vector.SUFFIXES:
        if settings.product != "corine":
            raise WildLensError(
                f"{source}: holds polygons, which are supported for CORINE only; landcover.product"
                f" is {settings.product}"
            )
        yield corine_vector.polygon_reader(source, grid)
        return
    _check_name(source, settings)
    with raster.open_raster(source) as dataset:
        band = choose_band(dataset, settings.band or layer_of(settings.product))
        encoding = _encoding(source, dataset, band, grid, settings)
        tolerance = TOLERANCE[settings.resampling]
        with ExitStack() as stack:
            views = [
                stack.enter_context(_on_grid(dataset, own.affine, grid, tolerance))
                for own in _turned(raster.grid_of(dataset))
            ]

            def read(window: Window) -> np.ndarray:
                indices = np.zeros((window.height, window.width), dtype=np.uint8)
                for view, alpha in views:
                    values, covered = raster.read(view, [band, alpha], window=window)
                    unknown = (covered != 0) & (indices == 0)
                    with _naming(dataset, band):
                        indices[unknown] = encoding.decode(values[unknown])
                return indices

            yield read


def _turned(own: GeoBox) -> list[GeoBox]:
    """The grid of a source; with longitudes beyond 180 degrees also turned into -180..180."""
    box = own.boundingbox
    if not own.crs.geographic:
        return [own]
    turns = [0, *([-360] if box.right > 180 else []), *([360] if box.left < -180 else [])]
    return [GeoBox(own.shape, Affine.translation(turn, 0) * own.affine, own.crs) for turn in turns]


def _check_name(source: Path, settings: Landcover) -> None:
    """Refuse files named after another product, because class codes overlap."""
    for product, pattern in _FILE_NAMES.items():
        if settings.product == "corine" and pattern in source.name.lower():
            raise WildLensError(
                f"{source}: its name says {CROSSWALKS[product].product}: set landcover.product to"
                f" {product}"
            )


def layer_of(product: str) -> str | None:
    """Name of a product's band in files with several products, such as those of AnthroProtect."""
    return CROSSWALKS[product].layer if product in CROSSWALKS else None


def encoding_of(settings: Landcover, nodata: float | None) -> Encoding | None:
    """Encoding of a product; None for CORINE, whose encoding depends on the values."""
    if settings.product == "corine":
        return None
    if settings.product == "table":
        return read_crosswalk(Path(settings.table)).encoding(nodata)
    return CROSSWALKS[settings.product].encoding(nodata)


def choose_band(dataset: rasterio.DatasetReader, wanted: str | None) -> int:
    """Number of the band with this description (default CORINE), or of an only band without one.

    Bands are never chosen by position: values of different products overlap.
    """
    if dataset.count == 1 and (wanted is None or not dataset.descriptions[0]):
        return 1
    name = wanted or DEFAULT_BAND
    descriptions = [text or "" for text in dataset.descriptions]
    found = [i for i, text in enumerate(descriptions, 1) if text.casefold() == name.casefold()]
    if len(found) != 1:
        raise WildLensError(
            f"{dataset.name}: {len(found)} of its {dataset.count} bands are described as {name} "
            f"({', '.join(filter(None, descriptions)) or 'none is described'}): set `band`"
        )
    return found[0]


def _table_of(source: Path, settings: Landcover) -> Path | None:
    """The attribute table of a CORINE raster, which takes precedence over guessing from values."""
    return table_beside(source) if settings.product == "corine" else None


def _encoding(
    source: Path, dataset: rasterio.DatasetReader, band: int, grid: GeoBox, settings: Landcover
) -> Encoding:
    """Encoding of a source; for CORINE from its attribute table, else from its values."""
    parts = [_covered_part(own, grid) for own in _turned(raster.grid_of(dataset))]
    parts = [(r, c) for r, c in parts if r.start < r.stop and c.start < c.stop]
    if not parts:
        raise WildLensError(f"{dataset.name}: does not touch the scene")
    nodata = dataset.nodatavals[band - 1]
    if encoding := encoding_of(settings, nodata):
        return encoding
    if table := _table_of(source, settings):
        log.info("%s: classes are read from its attribute table %s", source, table.name)
        return read_table(table, nodata)
    present = np.array([], dtype=dataset.dtypes[band - 1])
    for rows, columns in parts:
        width = columns.stop - columns.start
        for top in range(rows.start, rows.stop, raster.BLOCK):
            window = Window(columns.start, top, width, min(raster.BLOCK, rows.stop - top))
            present = np.union1d(present, raster.read(dataset, band, window=window))
    with _naming(dataset, band):
        return find_encoding(present, nodata)


def _covered_part(own: GeoBox, grid: GeoBox, margin: int = 2) -> tuple[slice, slice]:
    """Rows and columns of the source that the grid covers; empty if they do not overlap."""
    box = grid.footprint(own.crs).boundingbox
    corners = [~own.affine * (x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    parts = []
    for positions, length in zip(zip(*corners, strict=True), reversed(own.shape), strict=True):
        start, stop = math.floor(min(positions)) - margin, math.ceil(max(positions)) + margin
        parts.append(slice(max(0, start), min(length, stop)))
    columns, rows = parts
    return rows, columns


@contextmanager
def _on_grid(
    dataset: rasterio.DatasetReader, own: Affine, grid: GeoBox, tolerance: float
) -> Iterator[tuple[WarpedVRT, int]]:
    """The source on another grid by nearest neighbour, and its band that is 0 outside the source.

    Values outside mean nothing: GDAL fills them with 0, which may be a class.
    """
    rows, columns = grid.shape
    own_alpha = next((i for i in dataset.indexes if raster.is_alpha(dataset, i)), None)
    try:
        warped = WarpedVRT(
            dataset,
            src_transform=own,
            crs=grid.crs.to_wkt(),
            transform=grid.affine,
            width=columns,
            height=rows,
            resampling=Resampling.nearest,
            tolerance=tolerance,
            add_alpha=own_alpha is None,
        )
    except rasterio.errors.RasterioError as error:
        reason = one_line(error)
        raise WildLensError(f"{dataset.name}: cannot be resampled to the scene: {reason}") from None
    with warped:
        yield warped, own_alpha or warped.count


def _convert(
    read: Callable[[Window], np.ndarray], grid: GeoBox, target: rasterio.io.DatasetWriter
) -> np.ndarray:
    """Read and write all windows; pixels of each index, (45,) int64."""
    counts = np.zeros(len(CORINE.classes) + 1, dtype=np.int64)
    windows = list(raster.row_windows(grid))
    for window in track(windows, "land cover", unit="windows"):
        indices = read(window)
        target.write(indices, 1, window=window)
        counts += np.bincount(indices.ravel(), minlength=len(counts))
    return counts


@contextmanager
def _naming(dataset, band: int) -> Iterator[None]:
    """Prefix errors about values with file and band."""
    try:
        yield
    except WildLensError as error:
        raise WildLensError(f"{dataset.name}, band {band}: {error}") from None


def _write_names(path: Path, legend: Legend) -> None:
    """Write the sidecar from which QGIS reads the class names, by index."""
    names = ["No data", *(f"{c.code} {c.name}" for c in legend.classes)]
    categories = "".join(f"      <Category>{escape(name)}</Category>\n" for name in names)
    text = (
        '<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n'
        f"{categories}    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )
    write_text(path.with_name(path.name + ".aux.xml"), text)


def _report(output: Path, counts: np.ndarray) -> None:
    shares = counts / counts.sum()
    largest = sorted(range(1, len(counts)), key=lambda i: -counts[i])[:3]
    named = ", ".join(
        f"{CORINE.of_index(i).name} {100 * shares[i]:.1f} %" for i in largest if counts[i]
    )
    log.info(
        "%s: %d classes, mainly %s; %.1f %% no data",
        output, np.count_nonzero(counts[1:]), named, 100 * shares[0],
    )  # fmt: skip
