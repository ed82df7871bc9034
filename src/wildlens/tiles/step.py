"""The training set: labelled tiles of scenes, split by blocks on the ground.

Two passes over the scenes, each by rows of tiles: the first surveys every tile, so that labels and
splits can be decided; the second copies the chosen ones. Neither holds a scene in memory.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import xarray
from rasterio.windows import Window

from wildlens.areas.polygons import Bounds, degree_bounds, read_areas
from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic
from wildlens.files.raster import grid_of, open_raster, read
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.settings import TWO_CLASSES, Tiles, classes_in_order
from wildlens.tiles.balance import surplus
from wildlens.tiles.labels import (
    ANTHROPOGENIC,
    PROTECTED,
    SHARES,
    UNLABELLED,
    Source,
    read_classes,
    share_of,
    survey,
)
from wildlens.tiles.splits import DROPPED, SPLITS, assign_splits, block_names
from wildlens.tiles.store import STEP, write_tileset

log = logging.getLogger(__name__)

_ADVICE = (
    "change tiles.seed, lower tiles.block_km or tiles.distance_m, or raise tiles.validation or"
    " tiles.test"
)


def build_tiles(
    scenes: Sequence[Path],
    landcovers: Sequence[Path],
    truths: Sequence[Path],
    areas: Path,
    output: Path,
    footprints: Path,
    settings: Tiles,
) -> None:
    """Cut labelled tiles from scenes and split them into training, validation and test.

    A tile is protected if enough of it lies in protected areas; it is anthropogenic if enough of
    its land cover is, and next to nothing of it is protected; it is of a further class, if there
    are any, where it is neither, next to nothing of it is protected, and enough of its land cover
    is of the class; else it has no label.

    Parameters
    ----------
    scenes
        GeoTIFFs in the form of a scene: uint16 reflectance x 10000, 0 = missing, named bands.
    landcovers
        One for each scene, on its grid: uint8 index of the CORINE legend, 0 = none.
    truths
        None, or one for each scene, of the same form as land cover.
    areas
        Polygons of the WDPA; see `read_areas`.
    output
        The training set, a Zarr folder; see `tileset.open_tiles` for what is in it.
    footprints
        GeoPackage; its layer `tiles` holds the outline and the fate of every tile, in EPSG:4326.
    settings
        Size, thresholds and shares.

    Raises
    ------
    WildLensError
        If the inputs do not fit together, or if a class is empty, in all or in one split.
    """
    sources = _sources(scenes, landcovers, truths, settings.size)
    polygons = read_areas(
        areas, settings.categories, settings.statuses, _bounds(sources),
        realms=settings.realms, oecm=settings.oecm,
    )  # fmt: skip
    tiles = pandas.concat([survey(s, polygons, settings) for s in sources], ignore_index=True)
    _check_labels(tiles, settings)
    tiles = _with_splits(tiles, settings)
    check_splits(tiles, settings.classes)
    chosen = tiles[tiles["split"].isin(SPLITS)]
    inputs = [*scenes, *landcovers, *truths, areas]
    if areas.suffix.lower() == ".shp":
        inputs.append(areas.with_suffix(".dbf"))  # categories and statuses lie there
    provenance = record(STEP, settings, inputs)
    with atomic(output) as folder:
        coordinates = coordinates_of(chosen, sources[0].bands)
        attributes = {"tile_size": settings.size, "classes": list(settings.classes)}
        coordinates.attrs = {**provenance, **attributes}
        write_tileset(folder, coordinates, _cut(sources, chosen, settings.size))
        with atomic(footprints) as file:
            write_footprints(file, tiles, settings.classes, provenance)
    log.info(
        "%s: %d tiles of %d x %d px and bands %s, from %d scenes", output, len(chosen),
        settings.size, settings.size, ", ".join(sources[0].bands), len(sources),
    )  # fmt: skip


def _sources(scenes, landcovers, truths, size: int) -> list[Source]:
    """The scenes and what belongs to them, once all of it fits together."""
    for what, given in (("land cover", landcovers), ("truth", truths or scenes)):
        if len(given) != len(scenes):
            raise WildLensError(
                f"{len(scenes)} scenes, but {len(given)} {what} rasters: give one for each scene"
            )
    companions = zip(scenes, landcovers, truths or [None] * len(scenes), strict=True)
    sources = [_source(scene, landcover, truth) for scene, landcover, truth in companions]
    first, seen = sources[0], set()
    for source in sources:
        if source.bands != first.bands:
            raise WildLensError(
                f"{source.scene}: has bands {', '.join(source.bands)}, but {first.scene} has"
                f" {', '.join(first.bands)}; make all scenes with the same scene.bands"
            )
        if source.name in seen:
            raise WildLensError(f"{source.scene}: another scene is called '{source.name}', too")
        if min(source.grid.shape) < size:
            raise WildLensError(
                f"{source.scene}: is smaller than a tile; lower tiles.size ({size})"
            )
        seen.add(source.name)
    return sources


def _source(scene: Path, landcover: Path, truth: Path | None) -> Source:
    with open_raster(scene) as dataset:
        if set(dataset.dtypes) != {"uint16"} or not all(dataset.descriptions):
            raise WildLensError(
                f"{scene}: is no scene (uint16, named bands); make it with 'wildlens scene'"
            )
        source = Source(scene, landcover, truth, grid_of(dataset), tuple(dataset.descriptions))
    for path in (landcover, truth):
        if path is None:
            continue
        with open_raster(path) as dataset:
            if dataset.dtypes != ("uint8",):
                raise WildLensError(
                    f"{path}: is no land cover (one band of uint8 class indices);"
                    " make it with 'wildlens landcover'"
                )
            if grid_of(dataset) != source.grid:
                raise WildLensError(
                    f"{path}: is not on the grid of {scene}; make it with 'wildlens landcover'"
                )
    return source


def _bounds(sources: Sequence[Source]) -> Bounds:
    """The box in degrees that holds all scenes."""
    boxes = [box for source in sources for box in degree_bounds(source.grid)]
    west, south, east, north = np.transpose(boxes)
    return west.min(), south.min(), east.max(), north.max()


def _check_labels(tiles: pandas.DataFrame, settings: Tiles) -> None:
    """Refuse a survey without a tile of one of the classes."""
    if not (tiles["label"] == PROTECTED).any():
        raise WildLensError(
            f"none of {len(tiles)} tiles is protected: at most {tiles['protected_share'].max():.3g}"
            f" of one lies in protected areas, tiles.protected_min_share asks for"
            f" {settings.protected_min_share:g} ({_tally(tiles)})"
        )
    if not (tiles["label"] == ANTHROPOGENIC).any():
        free = tiles[tiles["protected_share"] <= settings.unprotected_max_share]
        raise WildLensError(
            f"none of {len(tiles)} tiles is anthropogenic: {len(free)} are unprotected"
            f" (tiles.unprotected_max_share {settings.unprotected_max_share:g}), at most"
            f" {free['anthropogenic_share'].max():.3g} of one is anthropogenic land cover,"
            f" tiles.anthropogenic_min_share asks for {settings.anthropogenic_min_share:g}"
            f" ({_tally(tiles)})"
        )
    for label, (name, other) in enumerate(settings.other_classes.items(), start=2):
        if not (tiles["label"] == label).any():
            free = tiles[tiles["protected_share"] <= settings.unprotected_max_share]
            raise WildLensError(
                f"none of {len(tiles)} tiles is of the class '{name}': {len(free)} are unprotected,"
                f" at most {free[share_of(name)].max():.3g} of one is of its codes,"
                f" tiles.other_classes.{name}.min_share asks for {other.min_share:g}"
                f" ({_tally(tiles)})"
            )


def _tally(tiles: pandas.DataFrame) -> str:
    counts = tiles["reason"].replace("", "labelled").value_counts()
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


def _with_splits(tiles: geopandas.GeoDataFrame, settings: Tiles) -> geopandas.GeoDataFrame:
    """With the `block` of every tile and the `split` of those that have a label (else None)."""
    labelled = tiles["label"] != UNLABELLED
    assigned = assign_splits(
        tiles.geometry[labelled],
        block_km=settings.block_km,
        validation=settings.validation,
        test=settings.test,
        distance_m=settings.distance_m,
        seed=settings.seed,
    )
    split = assigned["split"].astype(object).reindex(tiles.index, fill_value=None)
    reason = tiles["reason"].mask(split == DROPPED, "near stricter split")
    if settings.balance is not None:
        train = split == "train"
        many = train.copy()
        many[train] = surplus(tiles["label"][train].to_numpy(), settings.balance, settings.seed)
        split, reason = split.mask(many, DROPPED), reason.mask(many, "too many of its class")
    blocks = block_names(tiles.geometry, settings.block_km)
    return tiles.assign(split=split, block=blocks, reason=reason)


def check_splits(
    tiles: pandas.DataFrame, classes: Sequence[str] = TWO_CLASSES, advice: str = _ADVICE
) -> None:
    """Log how many tiles of each class each split has; refuse a split that lacks one."""
    columns = [*SPLITS, DROPPED]
    labels, names = zip(*classes_in_order(classes), strict=True)
    counts = pandas.DataFrame(
        {
            split: [((tiles["split"] == split) & (tiles["label"] == n)).sum() for n in labels]
            for split in columns
        },
        index=names,
    )
    for line in counts.to_string().splitlines():
        log.info("%s", line)
    for split in SPLITS:
        for name, count in counts[split].items():
            if count == 0:
                row = ", ".join(f"{s} {counts.at[name, s]}" for s in columns)
                raise WildLensError(
                    f"no {name} tile in the split '{split}' ({name}: {row}); {advice}"
                )


def coordinates_of(chosen: pandas.DataFrame, bands: Sequence[str]) -> xarray.Dataset:
    """What is known of each chosen tile, as coordinates over `tile`."""
    types = dict.fromkeys(("name", "split", "scene", "crs", "block"), object)
    types |= {"label": np.int8, "row": np.int32, "col": np.int32}
    types |= dict.fromkeys(_shares(chosen), np.float32)
    columns = {name: ("tile", chosen[name].to_numpy(dtype)) for name, dtype in types.items()}
    return xarray.Dataset(coords={**columns, "band": np.array(bands, dtype=object)})


def _cut(
    sources: Sequence[Source], chosen: pandas.DataFrame, size: int
) -> Iterator[Mapping[str, np.ndarray]]:
    """The pixels of the chosen tiles, in their order, read by rows of tiles."""
    for source in sources:
        rows = list(chosen[chosen["scene"] == source.name].groupby("row"))
        with ExitStack() as stack:
            scene, landcover = (
                stack.enter_context(open_raster(path)) for path in (source.scene, source.landcover)
            )
            truth = stack.enter_context(open_raster(source.truth)) if source.truth else None
            for top, tiles in track(rows, f"tiles of {source.name}", unit="rows"):
                left = int(tiles["col"].min())
                window = Window(left, int(top), int(tiles["col"].max()) + size - left, size)
                pixels = {
                    "reflectance": read(scene, window=window),
                    "landcover": read_classes(landcover, window),
                }
                if truth is not None:
                    pixels["truth"] = read_classes(truth, window)
                for start in tiles["col"] - left:
                    yield {name: p[..., start : start + size] for name, p in pixels.items()}


def _why(tiles: pandas.DataFrame) -> list[str]:
    """What decided on each tile, as a person reads it: 'mixed: protected 40.0 %, ...'."""
    columns = _shares(tiles)
    words = [share.removesuffix("_share") for share in columns]
    texts = []
    for reason, *shares in tiles[["reason", *columns]].itertuples(index=False):
        known = [
            f"{word} {100 * share:.1f} %"
            for word, share in zip(words, shares, strict=True)
            if not np.isnan(share)
        ]
        texts.append(": ".join(filter(None, [reason, ", ".join(known)])))
    return texts


def _shares(tiles: pandas.DataFrame) -> list[str]:
    """The columns of shares, those of further classes last."""
    return [*SHARES, *(c for c in tiles if c.endswith("_share") and c not in SHARES)]


def write_footprints(
    path: Path,
    tiles: geopandas.GeoDataFrame,
    classes: Sequence[str],
    provenance: Mapping[str, str],
) -> None:
    """The fate of every tile as layer `tiles` of a GeoPackage; `why` says it with its shares."""
    shares = _shares(tiles)
    columns = ["name", "scene", "label", "split", "why", "reason", *shares, "block", "geometry"]
    names = {UNLABELLED: "unlabelled", **dict(enumerate(classes))}
    table = tiles.assign(label=tiles["label"].map(names), why=_why(tiles))[columns]
    try:
        pyogrio.write_dataframe(
            table, path, driver="GPKG", layer="tiles", layer_metadata=dict(provenance)
        )
    except RuntimeError as error:  # all of pyogrio's errors; `atomic` reports it as ours
        raise OSError(str(error)) from error
    # GDAL writes the spatial index when it closes the file, and keeps it to itself if that fails
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            (indexed,) = database.execute("select count(*) from rtree_tiles_geom").fetchone()
        except sqlite3.Error as error:
            raise OSError(f"it has no spatial index ({error}): is the disk full?") from None
    if indexed != len(table):
        raise OSError("its spatial index is not whole: is the disk full?")
