"""The rasters of each mapped scene: score, attribution maps, land cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.files.map_tags import form_of_map, maps_by_scene
from wildlens.files.raster import read_grid
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
    landcover_of = {path.stem: path for path in landcovers}
    found = {scene: _without_images(of_scene) for scene, of_scene in maps_by_scene(maps).items()}
    return [
        _on_one_grid(scene, of_scene, landcover_of.get(scene))
        for scene, of_scene in found.items()
        if of_scene
    ]


def methods_of(scenes: Sequence[SceneLayers]) -> list[str]:
    """Attribution methods of all scenes in their order, without the score."""
    return sorted({m for scene in scenes for m in scene.maps} - {SCORE}, key=methods.position)


def _without_images(maps: dict[str, Path]) -> dict[str, Path]:
    """Method -> map; the score under its own name, whichever method it is of."""
    forms = {method: form_of_map(path) for method, path in maps.items()}
    scores = [path for method, path in maps.items() if forms[method] == SCORE]
    if len(scores) > 1:
        raise WildLensError(f"{scores[1]}: a second map of the score beside {scores[0]}; give one")
    attributions = {m: path for m, path in maps.items() if forms[m] == "attribution"}
    return ({SCORE: scores[0]} if scores else {}) | attributions


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
