"""Class fractions, label and outline of each tile of a scene."""

import logging
from collections.abc import Sequence

import geopandas
import numpy as np
import pandas
import rasterio
import shapely
from rasterio.windows import Window

from wildlens.areas.antimeridian import to_degrees
from wildlens.areas.polygons import cut_areas, rasterize_areas
from wildlens.files.ground import ground_offset
from wildlens.files.raster import open_raster, read
from wildlens.legend import CORINE
from wildlens.progress import track
from wildlens.settings import SHARES, Tiles, classes_in_order, share_of
from wildlens.tiles.sources import Source

log = logging.getLogger(__name__)

PROTECTED, ANTHROPOGENIC, UNLABELLED = 1, 0, -1


def label_tiles(
    source: Source, areas: geopandas.GeoDataFrame, settings: Tiles
) -> geopandas.GeoDataFrame:
    """Label all tiles of a scene: side by side from its upper left corner, the remainder unused.

    Parameters
    ----------
    source
        The scene; it is read by rows of tiles.
    areas
        Protected areas in EPSG:4326.
    settings
        Size of the tiles and thresholds of the labels.

    Returns
    -------
    One row per tile, with its outline in EPSG:4326 (split at the antimeridian) and the columns
    `name` ('{scene}_r{row}_c{col}', counted in tiles), `scene`, `row`, `col` (offset in the scene,
    px, int32), `ground_row`, `ground_col` (offset from the CRS's origin, px, int64), `crs`, the
    three SHARES, a share for each of `tiles.other_classes` (all 0..1 of the tile's pixels; those of
    land cover are NaN if none is known), `label` (1 protected, 0 anthropogenic, from 2 on other
    classes in their order, -1 none) and `reason` (why it has no label, else empty).
    """
    size = settings.size
    height, width = source.grid.shape
    used = width // size * size
    areas = cut_areas(areas, source.grid)
    anthropogenic = _membership(settings.anthropogenic_classes)
    others = [_membership(other.codes) for other in settings.other_classes.values()]
    shares = []
    with open_raster(source.scene) as scene, open_raster(source.landcover) as landcover:
        tops = range(0, height - size + 1, size)
        for top in track(tops, f"tiles of {source.name}", unit="rows"):
            window = Window(0, top, used, size)
            missing = (read(scene, window=window) == 0).any(axis=0)
            classes = read_classes(landcover, window)
            inside = rasterize_areas(areas, source.grid[top : top + size, :used])
            of_others = [other[classes] for other in others]
            shares.append(_shares(inside, anthropogenic[classes], missing, of_others, classes > 0))
    tiles = _outlines(source, size)
    tiles[[*SHARES, *map(share_of, settings.other_classes)]] = np.concatenate(shares)
    tiles["label"], tiles["reason"] = _labels(tiles, settings)
    _log_counts(source.name, tiles, settings)
    return tiles


def read_classes(dataset: rasterio.DatasetReader, window: Window) -> np.ndarray:
    """Class indices of a window, uint8 (H, W), 0 = none; refused if not in the legend."""
    classes = read(dataset, 1, window=window)
    CORINE.check(classes, dataset.name)
    return classes


def _membership(codes: Sequence[int]) -> np.ndarray:
    """Whether each class index belongs to these codes, bool (256,)."""
    table = np.zeros(256, dtype=bool)
    table[CORINE.indices_of(codes)] = True
    return table


def _shares(
    inside: np.ndarray,
    anthropogenic: np.ndarray,
    missing: np.ndarray,
    others: Sequence[np.ndarray],
    known: np.ndarray,
) -> np.ndarray:
    """SHARES of a row of n tiles, then the share of each other class, (n, 3 + others).

    Args:
        inside, anthropogenic, missing, others, known (land cover): masks, bool (size, n * size).
    """
    size = len(inside)
    # rows, tiles, columns: the pixels of a tile are those of the outer two
    protected, built, invalid, *of_others, covered = (
        mask.reshape(size, -1, size).mean(axis=(0, 2))
        for mask in (inside, anthropogenic, missing, *others, known)
    )
    built, *of_others = (np.where(covered > 0, share, np.nan) for share in (built, *of_others))
    return np.stack([protected, built, invalid, *of_others], axis=1)


def _outlines(source: Source, size: int) -> geopandas.GeoDataFrame:
    """Name, offset, CRS and outline of all tiles of a scene, row by row of tiles."""
    height, width = source.grid.shape
    row, col = np.indices((height // size, width // size)).reshape(2, -1)
    corner_col = (col[:, None] + [0, 1, 1, 0]) * size
    corner_row = (row[:, None] + [0, 0, 1, 1]) * size
    x, y = source.grid.pix2wld(corner_col, corner_row)
    crs, (ground_row, ground_col) = source.grid.crs, ground_offset(source.grid)
    outlines = geopandas.GeoSeries(shapely.polygons(np.stack([x, y], axis=-1)), crs=crs.to_wkt())
    return geopandas.GeoDataFrame(
        {
            "name": [f"{source.name}_r{r}_c{c}" for r, c in zip(row, col, strict=True)],
            "scene": source.name,
            "row": (row * size).astype(np.int32),
            "col": (col * size).astype(np.int32),
            "ground_row": ground_row + row.astype(np.int64) * size,
            "ground_col": ground_col + col.astype(np.int64) * size,
            "crs": f"EPSG:{crs.epsg}" if crs.epsg else crs.to_wkt(),
        },
        # long edges are bent in other projections
        geometry=to_degrees(outlines.segmentize(2000)),
    )


def _labels(tiles: pandas.DataFrame, settings: Tiles) -> tuple[np.ndarray, np.ndarray]:
    """Label of each tile, int8 (N,), and the reason if it has none, str (N,), else empty."""
    share, anthropogenic = tiles["protected_share"], tiles["anthropogenic_share"]
    unprotected = share <= settings.unprotected_max_share
    built = anthropogenic >= settings.anthropogenic_min_share
    cases = [
        (tiles["missing_share"] > settings.max_missing, UNLABELLED, "missing data"),
        (share >= settings.protected_min_share, PROTECTED, ""),
        (unprotected & built, ANTHROPOGENIC, ""),
        *(
            (unprotected & (tiles[share_of(name)] >= other.min_share), label, "")
            for label, (name, other) in enumerate(settings.other_classes.items(), start=2)
        ),
        (unprotected & anthropogenic.isna(), UNLABELLED, "no land cover"),
        (unprotected, UNLABELLED, "hardly anthropogenic"),
        (built, UNLABELLED, "mixed"),
    ]
    conditions, labels, reasons = zip(*cases, strict=True)
    label = np.select(conditions, labels, UNLABELLED).astype(np.int8)
    return label, np.select(conditions, reasons, "partly protected")


def _log_counts(scene: str, tiles: pandas.DataFrame, settings: Tiles) -> None:
    reasons = tiles["reason"].value_counts().drop("", errors="ignore")
    missing = reasons.pop("missing data") if "missing data" in reasons else 0
    detail = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    counts = [
        f"{name} {(tiles['label'] == label).sum()}"
        for label, name in classes_in_order(settings.classes)
    ]
    log.info(
        "%s: all %d, missing data %d, %s, unlabelled %d%s",
        scene, len(tiles), missing, ", ".join(counts), reasons.sum(),
        f" ({detail})" if detail else "",
    )  # fmt: skip
