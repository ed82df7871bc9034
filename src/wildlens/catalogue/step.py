"""Static STAC catalogue of the results: scenes, land cover, maps and models.

Links and addresses are relative, so that the folder of results can be sent or put on a web server.
STAC 1.1; see `raster_item` and `model_item` for the items.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pystac
import shapely
from pystac.layout import BestPracticesLayoutStrategy

from wildlens.areas.antimeridian import bounding_box
from wildlens.catalogue import raster_item
from wildlens.catalogue.model_item import model_item
from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic
from wildlens.files.earlier import check_replaceable, value_in
from wildlens.files.map_tags import changes_by_pair
from wildlens.files.raster import open_raster, read_grid
from wildlens.registry import methods

log = logging.getLogger(__name__)

SCENES, LANDCOVER, ATTRIBUTIONS, GENERATED, SCORES, CHANGES, MODELS = (
    "scenes", "landcover", "attributions", "generated", "scores", "changes", "models",
)  # fmt: skip
KINDS = {"attribution": ATTRIBUTIONS, "image": GENERATED, "score": SCORES}  # by form of the map
# id -> title, description
COLLECTIONS = {
    SCENES: ("Scenes", "Reflectance x 10000 at 10 m; 0 is no data or cloud."),
    LANDCOVER: ("Land cover", "CORINE land cover on the grids of the scenes."),
    ATTRIBUTIONS: (
        "Attribution maps",
        "Which pixels the classifier's score depends on, one asset per method. Each method has its"
        " own unit: compare locations, not methods.",
    ),
    GENERATED: (
        "Generated images",
        "Images of the pattern-maximizer (X+) and of the pattern-minimizer (X-).",
    ),
    SCORES: ("Scores", "Score of the tiles around a pixel: 0 anthropogenic, 1 natural."),
    CHANGES: (
        "Changes",
        "Change between two dates, the second minus the first, one asset per map; see areas.csv"
        " beside them for what dates differ by without a change.",
    ),
    MODELS: ("Models", "Classifier and generators, with bands and tile size of their input."),
}
NAME = "wildlens"  # id of the catalogue
TITLE = "WildLens: what makes protected nature look natural"


def build_catalogue(
    scenes: Sequence[Path],
    landcovers: Sequence[Path],
    maps: Sequence[Path],
    models: Sequence[Path],
    footprints: Path | None,
    output: Path,
    changes: Sequence[Path] = (),
) -> None:
    """Write the catalogue: `catalog.json` in the folder `output`, one folder per collection.

    Args:
        scenes, landcovers: rasters named by their scene.
        maps: maps of these scenes, in folders of their names.
        models: safetensors files; footprints: GeoPackage of their training tiles.
        changes: maps of the change between two of these scenes.
        output: folder, replaced as a whole; addresses are relative to it.

    Raises:
        WildLensError: there are no scenes, a file cannot be read, it has another grid than its
            scene, or `output` holds something other than a catalogue.
    """
    if not scenes:
        raise WildLensError(f"{output}: needs at least one scene to describe (--scene)")
    check_replaceable(output, _is_catalogue)
    root = output.resolve()
    places = {path.stem: raster_item.read_place(path) for path in scenes}
    items = {
        SCENES: [_item(places, root, path.stem, {"reflectance": path}) for path in scenes],
        LANDCOVER: [_item(places, root, path.stem, {"landcover": path}) for path in landcovers],
        **_map_items(places, root, maps),
        CHANGES: [
            _change_item(places, root, names, assets)
            for names, assets in changes_by_pair(changes).items()
        ],
        MODELS: [model_item(path, footprints, places, root) for path in models],
    }
    catalogue = pystac.Catalog(NAME, f"{TITLE}.", TITLE)
    for name, (title, description) in COLLECTIONS.items():
        if items.get(name):
            catalogue.add_child(_collection(name, title, description, items[name]))
    catalogue.normalize_hrefs(str(root), BestPracticesLayoutStrategy())
    catalogue.make_all_asset_hrefs_relative()
    with atomic(output, _is_catalogue) as temporary:
        catalogue.save(pystac.CatalogType.SELF_CONTAINED, dest_href=str(temporary.resolve()))
    counts = [f"{len(found)} {name}" for name, found in items.items() if found]
    log.info("catalogue: %s -> %s", ", ".join(counts), output / "catalog.json")


def _is_catalogue(folder: Path) -> bool:
    return value_in(folder / "catalog.json", "id") == NAME


def _map_items(
    places: Mapping[str, raster_item.Place], root: Path, maps: Sequence[Path]
) -> dict[str, list[pystac.Item]]:
    """One item per scene and kind of map, with one asset per method."""
    found: dict[str, dict[str, dict[str, Path]]] = {ATTRIBUTIONS: {}, GENERATED: {}, SCORES: {}}
    for path in maps:
        with open_raster(path) as dataset:
            tags, dtype = dataset.tags(), dataset.dtypes[0]
        method = tags.get("wildlens_method", path.stem)
        kind = KINDS[methods.form_of(tags, path.stem, dtype)]
        found[kind].setdefault(path.parent.name, {})[method] = path
    return {
        kind: [_item(places, root, scene, assets) for scene, assets in by_scene.items()]
        for kind, by_scene in found.items()
    }


def _change_item(
    places: Mapping[str, raster_item.Place],
    root: Path,
    names: tuple[str, str],
    assets: Mapping[str, Path],
) -> pystac.Item:
    """An item of the maps of a change, on the common grid, from the first date to the second."""
    path = next(iter(assets.values()))
    if missing := [name for name in names if name not in places]:
        raise WildLensError(
            f"{path}: belongs to {missing[0]}, which is not among the scenes (--scene)"
        )
    times = [time for name in names for time in (places[name].start, places[name].end)]
    place = raster_item.Place(read_grid(path), min(times), max(times))
    return raster_item.raster_item("_".join(names), place, assets, root)


def _item(
    places: Mapping[str, raster_item.Place], root: Path, scene: str, assets: Mapping[str, Path]
) -> pystac.Item:
    if scene not in places:
        path = next(iter(assets.values()))
        raise WildLensError(f"{path}: belongs to {scene}, which is not among the scenes (--scene)")
    return raster_item.raster_item(scene, places[scene], assets, root)


def _collection(
    name: str, title: str, description: str, items: Sequence[pystac.Item]
) -> pystac.Collection:
    """A collection with the extent of its items; the licence of the images is not known."""
    extensions = sorted({uri for item in items for uri in item.stac_extensions})
    collection = pystac.Collection(
        name,
        description,
        pystac.Extent(_spatial(items), pystac.Extent.from_items(items).temporal),
        title,
        stac_extensions=[uri for uri in extensions if "/mlm/" in uri],
        license="other",
        keywords=["Sentinel-2", "protected areas", "attribution"],
    )
    collection.add_items(items)
    return collection


def _spatial(items: Sequence[pystac.Item]) -> pystac.SpatialExtent:
    """The box of all items; pystac's own goes once around the Earth if one crosses 180 degrees."""
    box = bounding_box(shapely.geometry.shape(item.geometry) for item in items)
    return pystac.SpatialExtent([list(box)])
