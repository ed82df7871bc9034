"""Two mapped scenes whose maps can be subtracted: same methods, models and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wildlens.area_statistics.layers import SceneLayers
from wildlens.compare.grids import CommonGrid, common_grid
from wildlens.errors import WildLensError
from wildlens.files.raster import open_raster
from wildlens.provenance import inputs_of


@dataclass(frozen=True)
class Pair:
    """Two dates of the same ground.

    Attributes:
        names: of the scenes, the earlier first; common: the pixels that both have.
        maps: method -> map of the first and of the second scene.
    """

    names: tuple[str, str]
    common: CommonGrid
    maps: dict[str, tuple[Path, Path]]


def find_pair(scenes: Sequence[SceneLayers], names: tuple[str, str]) -> Pair:
    """The pair of these names.

    Raises:
        WildLensError: a scene has no map, a method has mapped one scene only, or the grids have no
            pixels in common.
    """
    found = {scene.name: scene for scene in scenes}
    for name in names:
        if name not in found:
            known = ", ".join(found) or "none"
            raise WildLensError(f"compare: no map of scene '{name}' is given; maps are of: {known}")
    first, second = (found[name] for name in names)
    for one, other in ((first, second), (second, first)):
        for method in one.maps:
            if method not in other.maps:
                raise WildLensError(
                    f"compare: scene '{other.name}' has no map by '{method}', which '{one.name}'"
                    " has: make it with wildlens map"
                )
    maps = {method: (first.maps[method], second.maps[method]) for method in first.maps}
    return Pair(names, common_grid(names, (first.grid, second.grid)), maps)


def check_origin(pairs: Sequence[Pair]) -> None:
    """Refuse pairs with other methods than the first, and maps of other models or settings.

    Raises:
        WildLensError: names the map that differs from the first pair's, or that is missing.
    """
    for pair in pairs:
        for method in pairs[0].maps:
            if method not in pair.maps:
                raise WildLensError(
                    f"compare: scenes '{pair.names[0]}' and '{pair.names[1]}' have no map by"
                    f" '{method}', which '{pairs[0].names[0]}' has: make them with wildlens map"
                )
        for method, paths in pair.maps.items():
            reference = pairs[0].maps.get(method)
            if reference is None:
                raise WildLensError(
                    f"compare: scene '{pair.names[0]}' has a map by '{method}', which"
                    f" '{pairs[0].names[0]}' has not: leave it out"
                )
            expected = _origin(reference[0], pairs[0].names[0])
            for path, name in zip(paths, pair.names, strict=True):
                if _origin(path, name) != expected:
                    raise WildLensError(
                        f"{path}: was made with other models or settings than {reference[0]}: map"
                        " both scenes again with the same"
                    )


def _origin(path: Path, scene: str) -> tuple:
    """Settings of a map, and digests of its inputs but the scene."""
    with open_raster(path) as dataset:
        tags = dataset.tags()
    inputs = {
        name: digest
        for name, digest in inputs_of(path, tags).items()
        if Path(name).name != f"{scene}.tif"
    }
    return tags.get("wildlens_settings", ""), sorted(inputs.items())
