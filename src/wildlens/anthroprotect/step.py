"""The step `anthroprotect`: its tiles, labels and split as published, as a training set.

Two passes over the tiles, as in the step `tiles`: the first computes class fractions, so that a
corrupt file or an empty class ends the step before anything is written; the second copies the
selected tiles.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import geopandas
import numpy as np
import pandas
import shapely

from wildlens.anthroprotect.dataset import PARTS, SIZE, Folder, open_folder, read_table, read_tile
from wildlens.areas.antimeridian import DEGREES, split, to_degrees
from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic
from wildlens.files.earlier import check_replaceable
from wildlens.files.ground import ground_offset
from wildlens.legend import CORINE
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.settings import TWO_CLASSES, Landcover, Scene, Tiles, dump_section
from wildlens.tiles.checks import check_splits
from wildlens.tiles.footprints import write_footprints
from wildlens.tiles.georeference import locate
from wildlens.tiles.labels import UNLABELLED
from wildlens.tiles.repeats import repeated_in
from wildlens.tiles.splits import DROPPED, SPLITS, drop_near, whole_groups
from wildlens.tiles.step import coordinates_of
from wildlens.tiles.store import STEP, is_tileset, write_tileset
from wildlens.tiles.training_origin import training_origin

log = logging.getLogger(__name__)

PIXEL = 10.0  # m
_NAMED = 5  # missing files named in the log; all are in the GeoPackage
_ADVICE = "check that its tiles are complete, and check tiles.categories and tiles.max_missing"


def build_tiles(
    path: Path,
    output: Path,
    footprints: Path,
    settings: Tiles,
    scene: Scene,
    landcover: Landcover,
) -> None:
    """Convert AnthroProtect to a training set.

    Labels and split are those of the dataset (`settings.split`). A tile is left out if a file is
    missing, if its category is not in `settings.categories`, or if more than
    `settings.max_missing` of it is no data after masking the scene classes `scene.mask_classes`.
    The tiles of a UTM zone form one scene (`anthroprotect-32632`), those of an area one block.

    Parameters
    ----------
    path
        The folder that holds infos.csv and tiles/.
    output
        The training set, a Zarr folder; see `store.open_tiles`.
    footprints
        GeoPackage; its layer `tiles` holds outline, label, split and reason of every row
        of the table.
    settings, scene, landcover
        Size, categories and split; bands and masked classes; land-cover layer.

    Raises
    ------
    WildLensError
        If the folder, its table or a tile is not as published, a class has no tile in a split, or
        `output` holds something other than a training set.
    """
    check_replaceable(output, is_tileset)
    if settings.size != SIZE:
        raise WildLensError(
            f"the tiles of AnthroProtect have {SIZE} px, tiles.size is {settings.size}:"
            f" set tiles.size to {SIZE}"
        )
    folder = open_folder(path)
    table = read_table(folder.table)
    log.info("%s: %d tiles, %s", folder.table, len(table), _counts(table["split"]))
    _report_divided_areas(folder.table, table)
    reason = _without_files(folder, table, footprints, bool(scene.mask_classes))
    unwanted = (table["label"] == 1) & ~table["category"].isin(
        [f"wdpa-{category}" for category in settings.categories]
    )
    reason = reason.mask((reason == "") & unwanted, "category not wanted")
    rows = table[reason == ""]
    if rows.empty:
        raise WildLensError(
            f"{folder.root}: none of {len(table)} tiles can be used: {_counts(reason)}"
        )

    def tile(file: str):
        return read_tile(folder, file, scene.bands, scene.mask_classes, landcover)

    fractions = [
        _fractions(tile(file), settings)
        for file in track(rows["file"], "class fractions", unit="tiles")
    ]
    tiles = _assemble(table, reason, pandas.DataFrame(fractions, index=rows.index), settings)
    check_splits(tiles, advice=_ADVICE)
    log.info("%s: of %d tiles %s", folder.root, len(tiles), _counts(tiles["reason"]))
    selected = tiles["split"].isin(SPLITS)
    repeats = repeated_in(tiles.geometry[selected], tiles["name"][selected])
    tiles["repeated_in"] = repeats.str.join(", ").reindex(tiles.index, fill_value="")
    if count := (repeats.str.len() > 0).sum():
        log.info("%s: %d tiles show ground of which others show at least half", folder.root, count)
    chosen = tiles[selected]
    provenance = {
        **record(STEP, settings, [folder.table]),
        "wildlens_files": _digest(folder, chosen["file"]),
        "wildlens_scene_settings": dump_section(scene),
        "wildlens_landcover_settings": dump_section(landcover),
    }
    with atomic(output, is_tileset) as target:
        corners = chosen[["left", "top"]].assign(pixel_x=PIXEL, pixel_y=-PIXEL)
        coordinates = locate(coordinates_of(chosen, scene.bands), corners, SIZE)
        origin = training_origin(chosen, dataset="AnthroProtect")
        coordinates.attrs = {**provenance, "tile_size": SIZE, **origin.attributes()}
        write_tileset(target, coordinates, _pixels(chosen["file"], tile))
        write_footprints(footprints, tiles, TWO_CLASSES, provenance)
    log.info("%s: %d tiles of %d x %d px and bands %s, from AnthroProtect", output, len(chosen),
             SIZE, SIZE, ", ".join(scene.bands))  # fmt: skip


def _without_files(folder: Folder, table: pandas.DataFrame, footprints: Path, masked: bool):
    """Which file of each row is missing, as text, empty if none is."""
    reason = pandas.Series("", index=table.index)
    for part in PARTS if masked else PARTS[:2]:
        absent = ~table["file"].isin(list(folder.files[part]))
        reason = reason.mask((reason == "") & absent, f"no {part} file")
        if absent.any():
            few = ", ".join(table["file"][absent].head(_NAMED))
            log.warning(
                "%s: %d of %d files are missing: %s%s; their tiles are left out (all are in %s)",
                folder.root / "tiles" / part, absent.sum(), len(table), few,
                ", ..." if absent.sum() > _NAMED else "", footprints.name,
            )  # fmt: skip
        extra = len(set(folder.files[part]) - set(table["file"]))
        if extra:
            log.warning(
                "%s: %d files are not in the table and are ignored",
                folder.root / "tiles" / part, extra,
            )  # fmt: skip
    return reason


def _report_divided_areas(path: Path, table: pandas.DataFrame) -> None:
    """Log how many areas, whose tiles are neighbours, the published split divides."""
    splits = table.groupby("area")["split"].nunique()
    divided = splits[splits > 1].index
    log.info(
        "%s: %d of %d areas have tiles in more than one split (%d of %d tiles)", path, len(divided),
        len(splits), table["area"].isin(divided).sum(), len(table),
    )  # fmt: skip


def _fractions(tile, settings: Tiles) -> dict:
    """Class fractions of a tile, its CRS and its upper left corner (m)."""
    anthropogenic = np.isin(tile.landcover, CORINE.indices_of(settings.anthropogenic_classes))
    ground_row, ground_col = ground_offset(tile.grid)
    return {
        "anthropogenic_share": anthropogenic.mean() if tile.landcover.any() else np.nan,
        "missing_share": (tile.reflectance[0] == 0).mean(),
        "epsg": tile.grid.crs.epsg,
        "left": tile.grid.affine.c,
        "top": tile.grid.affine.f,
        "ground_row": ground_row,
        "ground_col": ground_col,
    }


def _assemble(
    table: pandas.DataFrame, reason: pandas.Series, fractions: pandas.DataFrame, settings: Tiles
) -> geopandas.GeoDataFrame:
    """All rows of the table with the columns of `tiles.labels.label_tiles`, and split and block."""
    tiles = table.rename(columns={"area": "block"}).join(fractions)
    missing = tiles["missing_share"] > settings.max_missing
    tiles["reason"] = reason.mask((reason == "") & missing, "missing data")
    used = tiles["reason"] == ""
    tiles["name"] = tiles["file"].str.removesuffix(".tif")
    tiles["protected_share"] = np.nan  # not published
    tiles["scene"] = "anthroprotect-" + tiles["epsg"].astype("Int64").astype(str)
    tiles["crs"] = "EPSG:" + tiles["epsg"].astype("Int64").astype(str)
    zone = tiles.groupby("epsg")
    tiles["row"] = ((zone["top"].transform("max") - tiles["top"]) / PIXEL).round()
    tiles["col"] = ((tiles["left"] - zone["left"].transform("min")) / PIXEL).round()
    tiles = geopandas.GeoDataFrame(tiles, geometry=_outlines(tiles), crs=DEGREES)
    split = tiles["split"].where(used)
    if settings.split == "areas":
        split[used] = whole_groups(tiles["block"][used], split[used])
        split[used] = drop_near(tiles.geometry[used], split[used].to_numpy(), settings.distance_m)
        moved = (split != tiles["split"]) & used & (split != DROPPED)
        log.info("areas kept whole: the split of %d tiles changes", moved.sum())
        tiles["reason"] = tiles["reason"].mask(split == DROPPED, "near stricter split")
    tiles["split"] = split.astype(object).where(used, None)
    tiles["label"] = tiles["label"].where(used, UNLABELLED)
    return tiles


def _outlines(tiles: pandas.DataFrame) -> np.ndarray:
    """Outlines in degrees: exact for tiles that were read, else around the centre in the table."""
    half = SIZE * PIXEL / 2
    tall = half / 111_320
    wide = tall / np.cos(np.radians(tiles["lat"]))
    lon, lat = tiles["lon"], tiles["lat"]
    outlines = split(shapely.box(lon - wide, lat - tall, lon + wide, lat + tall))
    for epsg, rows in tiles.groupby("epsg"):
        left, top, side = rows["left"], rows["top"], SIZE * PIXEL
        boxes = geopandas.GeoSeries(shapely.box(left, top - side, left + side, top), crs=int(epsg))
        outlines[tiles.index.get_indexer(rows.index)] = to_degrees(boxes).to_numpy()
    return outlines


def _pixels(files: pandas.Series, tile) -> Iterator[Mapping[str, np.ndarray]]:
    for file in track(files, "tiles", unit="tiles"):
        read = tile(file)
        yield {"reflectance": read.reflectance, "landcover": read.landcover}


def _digest(folder: Folder, files: pandas.Series) -> str:
    """Digest of names and sizes of the used files; their content would take another pass."""
    total = hashlib.blake2b(digest_size=16)
    for part in PARTS:
        for file in files:
            path = folder.files[part].get(file)
            total.update(f"{part}/{file}:{path.stat().st_size if path else None}\n".encode())
    return total.hexdigest()


def _counts(values: pandas.Series) -> str:
    counts = values.replace("", "used").value_counts()
    return ", ".join(f"{value} {count}" for value, count in counts.items())
