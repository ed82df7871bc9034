"""The rasters of each mapped scene: score, attribution maps, land cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.files.raster import open_raster, read_grid
from wildlens.registry import methods

SCORE = "score"


@dataclass(frozen=True)
class SceneLayers:
    """Rasters of a scene on one grid.

    Attributes:
        name: of the scene; maps: method -> map, the score first, then methods in their order.
        landcover: CORINE indices; None without.
    """

    name: str
    grid: GeoBox
    maps: dict[str, Path]
    landcover: Path | None

    @property
    def first(self) -> Path:
        """The map whose values tell which pixels were seen."""
        return next(iter(self.maps.values()))


def scene_layers(maps: Sequence[Path], landcovers: Sequence[Path]) -> list[SceneLayers]:
    """Group maps by their scene, in the order in which scenes first appear; images are left out.

    Args:
        maps: maps of `wildlens map`; landcovers: rasters named by their scene.

    Raises:
        WildLensError: a map without the tags of scene and method, two maps of one method and scene,
            or rasters of a scene on different grids.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in maps:
        scene, method, form = _described(path)
        if form == "image":
            continue
        others = found.setdefault(scene, {})
        if method in others:
            raise WildLensError(
                f"{path}: a second map of scene '{scene}' by '{method}' beside {others[method]};"
                " give one"
            )
        others[method] = path
    landcover_of = {path.stem: path for path in landcovers}
    return [_on_one_grid(scene, found[scene], landcover_of.get(scene)) for scene in found]


def methods_of(scenes: Sequence[SceneLayers]) -> list[str]:
    """Attribution methods of all scenes in their order, without the score."""
    return sorted({m for scene in scenes for m in scene.maps} - {SCORE}, key=methods.position)


def _described(path: Path) -> tuple[str, str, str]:
    """Scene, method and form (`registry.record.Form`) of a map."""
    with open_raster(path) as dataset:
        tags, dtype = dataset.tags(), dataset.dtypes[0]
    form = methods.form_of(tags, path.stem, dtype)
    try:
        return tags["wildlens_scene"], SCORE if form == SCORE else tags["wildlens_method"], form
    except KeyError as error:
        raise WildLensError(f"{path}: has no tag {error}; give a map of `wildlens map`") from None


def _on_one_grid(name: str, maps: dict[str, Path], landcover: Path | None) -> SceneLayers:
    ordered = sorted(maps, key=lambda method: (method != SCORE, methods.position(method)))
    paths = {method: maps[method] for method in ordered}
    first, *others = paths.values()
    grid = read_grid(first)
    for path in [*others, landcover]:
        if path is not None and read_grid(path) != grid:
            command = "wildlens landcover" if path == landcover else "wildlens map"
            raise WildLensError(
                f"{path}: has another grid than {first}; make it again with {command} and the scene"
                " that was mapped"
            )
    return SceneLayers(name, grid, paths, landcover)
