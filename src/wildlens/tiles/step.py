"""The training set: labelled tiles of scenes, split by blocks on the ground.

Two passes over the scenes, each by rows of tiles: the first labels every tile, so that splits can
be decided; the second copies the selected ones. Neither loads a whole scene.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import geopandas
import numpy as np
import pandas
import xarray
from rasterio.windows import Window

from wildlens.areas.criteria import Criteria
from wildlens.areas.polygons import degree_bounds, select_sites, that_count
from wildlens.areas.report import log_left_out, write_sites
from wildlens.files.atomic import atomic
from wildlens.files.contents import read_along
from wildlens.files.earlier import check_replaceable
from wildlens.files.origin import Origin
from wildlens.files.raster import open_raster, read
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.settings import Tiles
from wildlens.tiles.balance import surplus
from wildlens.tiles.checks import check_labels, check_splits
from wildlens.tiles.footprints import share_columns, write_footprints
from wildlens.tiles.georeference import corners_on, locate
from wildlens.tiles.labels import UNLABELLED, label_tiles, read_classes
from wildlens.tiles.repeats import repeated_in, report_repeats
from wildlens.tiles.sources import Source, open_sources
from wildlens.tiles.splits import DROPPED, SPLITS, assign_splits, block_names
from wildlens.tiles.store import STEP, is_tileset, write_tileset
from wildlens.tiles.training_origin import training_origin

log = logging.getLogger(__name__)


def build_tiles(
    scenes: Sequence[Path],
    landcovers: Sequence[Path],
    truths: Sequence[Path],
    areas: Path,
    output: Path,
    footprints: Path,
    settings: Tiles,
    site_table: Path | None = None,
) -> None:
    """Cut labelled tiles from scenes and split them into training, validation and test.

    A tile is protected if enough of it is inside protected areas. If at most
    `unprotected_max_share` is, the tile is anthropogenic if enough of its land cover is, else it
    belongs to the first of `other_classes` with enough land cover. Other tiles have no label.

    Parameters
    ----------
    scenes
        GeoTIFFs made by the step `scene`: uint16 reflectance x 10000, 0 = no data, named bands.
    landcovers
        One for each scene, on its grid: uint8 index of the CORINE legend, 0 = no data.
    truths
        Empty, or the true land cover of each scene, in the same form.
    areas
        Protected sites, such as the WDPA; see `areas.polygons.select_sites`.
    output
        The training set, a Zarr folder; see `store.open_tiles` for its content.
    footprints
        GeoPackage; its layer `tiles` holds outline (EPSG:4326), label, split and reason of every
        candidate tile.
    settings
        Size, thresholds and shares.
    site_table
        CSV to write: one row per protected site near the scenes, and why it is left out if it is.

    Raises
    ------
    WildLensError
        If the inputs do not fit together, if a class has no tile, in all or in one split, or if
        `output` holds something other than a training set.
    """
    check_replaceable(output, is_tileset)
    sources = open_sources(scenes, landcovers, truths, settings.size)
    sites = _select_sites(areas, sources, settings)
    polygons = that_count(sites)
    tiles = pandas.concat([label_tiles(s, polygons, settings) for s in sources], ignore_index=True)
    check_labels(tiles, settings)
    tiles = _with_splits(tiles, settings)
    check_splits(tiles, settings.classes)
    selected = tiles["split"].isin(SPLITS)
    repeats = repeated_in(tiles.geometry[selected], tiles["scene"][selected])
    report_repeats(tiles["scene"][selected], repeats, {s.name: s.sensed for s in sources})
    tiles["repeated_in"] = repeats.str.join(", ").reindex(tiles.index, fill_value="")
    # categories and statuses of a shapefile are beside it
    inputs = [*scenes, *landcovers, *truths, areas, *read_along(areas)]
    provenance = record(STEP, settings, inputs)
    coordinates = locate(
        coordinates_of(tiles[selected], sources[0].bands),
        corners_on({source.name: source.grid for source in sources}, tiles[selected]),
        settings.size,
        {source.name: source.sensed for source in sources},
    )
    attributes = {"tile_size": settings.size, "classes": list(settings.classes)}
    origin = _origin(tiles, sources)
    coordinates.attrs = {**provenance, **attributes, **origin.attributes()}
    with atomic(output, is_tileset) as folder:
        write_tileset(folder, coordinates, _cut(sources, tiles[selected], settings.size))
        write_footprints(footprints, tiles, settings.classes, provenance)
        if site_table is not None:
            write_sites(site_table, sites)
    log.info(
        "%s: %d tiles of %d x %d px and bands %s, from %d scenes", output, selected.sum(),
        settings.size, settings.size, ", ".join(sources[0].bands), len(sources),
    )  # fmt: skip


def _origin(tiles: geopandas.GeoDataFrame, sources: Sequence[Source]) -> Origin:
    """What models trained on these tiles will state of their origin."""
    used = set(tiles["scene"][tiles["split"] == "train"])
    return training_origin(
        tiles,
        {source.name: source.sensed for source in sources},
        any(source.simulated for source in sources if source.name in used),
    )


def _select_sites(
    areas: Path, sources: Sequence[Source], settings: Tiles
) -> geopandas.GeoDataFrame:
    """The protected sites near the scenes; those that are left out are logged."""
    criteria = Criteria(settings.categories, settings.statuses, settings.realms, settings.oecm)
    bounds = degree_bounds(source.grid for source in sources)
    sites = select_sites(areas, criteria, bounds)
    log_left_out(areas, sites)
    return sites


def _with_splits(tiles: geopandas.GeoDataFrame, settings: Tiles) -> geopandas.GeoDataFrame:
    """Add the `block` of every tile and the `split` of those with a label (else None)."""
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


def coordinates_of(selected: pandas.DataFrame, bands: Sequence[str]) -> xarray.Dataset:
    """Columns of the selected tiles as coordinates over `tile`, and the bands over `band`."""
    types = dict.fromkeys(("name", "split", "scene", "crs", "block"), object)
    types |= {"label": np.int8, "row": np.int32, "col": np.int32}
    types |= {"ground_row": np.int64, "ground_col": np.int64}
    types |= dict.fromkeys(share_columns(selected), np.float32)
    columns = {name: ("tile", selected[name].to_numpy(dtype)) for name, dtype in types.items()}
    return xarray.Dataset(coords={**columns, "band": np.array(bands, dtype=object)})


def _cut(
    sources: Sequence[Source], selected: pandas.DataFrame, size: int
) -> Iterator[Mapping[str, np.ndarray]]:
    """Pixels of the selected tiles, in their order, read by rows of tiles."""
    for source in sources:
        rows = list(selected[selected["scene"] == source.name].groupby("row"))
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
