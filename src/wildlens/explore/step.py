"""A page to explore the maps of whole scenes: one file, which needs no server and no network."""

import logging
from collections.abc import Sequence
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.explore.comparisons import comparisons
from wildlens.explore.page import page_text
from wildlens.explore.scenes import MappedScene, mapped_scene, scene_data
from wildlens.explore.sites import are_protected, columns_of, read_sites
from wildlens.explore.thinning import side_limit
from wildlens.files.atomic import write_text
from wildlens.files.map_tags import maps_by_scene, origin_of_maps, tags_of
from wildlens.files.origin import SIMULATED, WARNING_TAG
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)

MOST_PIXELS = 1000  # displayed, per side of a scene
MOST_BYTES = 40_000_000  # of all codes; base64 adds a third, and compression takes some of it off


def build_page(
    scenes: Sequence[Path],
    landcovers: Sequence[Path],
    maps: Sequence[Path],
    areas: Path | None,
    output: Path,
    settings: Evaluation,
    changes: Sequence[Path] = (),
) -> None:
    """Write the page.

    Args:
        scenes, landcovers: rasters named by their scene; those that were not mapped are left out.
        maps: of these scenes, by `wildlens map`; none: the page says so.
        areas: GeoPackage of `wildlens area-statistics`; None: without protected areas.
        settings: the target group.
        changes: maps of the change between two of the scenes, by `wildlens compare`.

    Raises:
        WildLensError: a file cannot be read, rasters of a scene have different grids, or a map is
            of a scene that is not among the scenes.
    """
    entries = [
        *_mapped(scenes, landcovers, maps),
        *comparisons({path.stem: path for path in scenes}, changes),
    ]
    shapes, channels = [e.grid.shape for e in entries], [e.channels for e in entries]
    most = side_limit(shapes, channels, MOST_PIXELS, MOST_BYTES)
    sites = None if areas is None else read_sites(areas)
    data = [scene_data(scene, most, sites, most < MOST_PIXELS) for scene in entries]
    origin = origin_of_maps(maps)
    text = page_text(
        data,
        [] if sites is None else columns_of(sites),
        settings.targets,
        origin,
        SIMULATED in origin,
        tags_of(maps, WARNING_TAG),
        protected=sites is not None and are_protected(sites),
    )
    write_text(output, text)
    log.info(
        "explore: %d scenes, at most %d displayed pixels per side, %.1f MB -> %s",
        len(data), most, len(text.encode()) / 1e6, output,
    )  # fmt: skip


def _mapped(
    scenes: Sequence[Path], landcovers: Sequence[Path], maps: Sequence[Path]
) -> list[MappedScene]:
    scene_of, landcover_of = ({path.stem: path for path in paths} for paths in (scenes, landcovers))
    found = []
    for name, by_method in maps_by_scene(maps).items():
        if name not in scene_of:
            path = next(iter(by_method.values()))
            raise WildLensError(
                f"{path}: belongs to {name}, which is not among the scenes (--scene)"
            )
        found.append(mapped_scene(name, scene_of[name], by_method, landcover_of.get(name)))
    return found
