"""Two dates as an entry of the page of its own: both images, and how the maps changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.compare.grids import common_grid
from wildlens.errors import WildLensError
from wildlens.explore.layers import change_layer, channels_of, image_layer
from wildlens.files.map_tags import changes_by_pair
from wildlens.files.raster import read_grid
from wildlens.registry import methods


@dataclass(frozen=True)
class Comparison:
    """Files of two dates of the same ground.

    Attributes:
        scenes: reflectance, the earlier first; corners: row and column of the first pixel of
            `grid`, which both have in common, in each of them.
        changes: method -> map of its change, in the order of the page.
    """

    name: str
    scenes: tuple[Path, Path]
    corners: tuple[tuple[int, int], tuple[int, int]]
    grid: GeoBox
    changes: Mapping[str, Path]

    @property
    def channels(self) -> int:
        """Bytes per displayed pixel."""
        return sum(map(channels_of, (*self.scenes, *self.changes.values())))

    def layers(self, step: int) -> list[dict]:
        """Both images with the stretch of the earlier one, then the changes, the score's first."""
        images, stretch = [], None
        for name, path, corner in zip(("before", "after"), self.scenes, self.corners, strict=True):
            image, stretch = image_layer(path, self.grid, step, "reflectance", stretch, corner)
            images.append(image | {"id": name, "title": f"X {name}: {path.stem}"})
        return images + [
            change_layer(path, self.grid, step, method) for method, path in self.changes.items()
        ]


def comparisons(scenes: Mapping[str, Path], changes: Sequence[Path]) -> list[Comparison]:
    """The comparisons that maps of changes are of.

    Args:
        scenes: name -> reflectance; changes: maps by `wildlens compare`.

    Raises:
        WildLensError: a file is no map of a change, or a scene is missing.
    """
    found = []
    for names, by_method in changes_by_pair(changes).items():
        for name in names:
            if name not in scenes:
                path = next(iter(by_method.values()))
                raise WildLensError(
                    f"{path}: compares {name}, which is not among the scenes (--scene)"
                )
        paths = scenes[names[0]], scenes[names[1]]
        common = common_grid(names, (read_grid(paths[0]), read_grid(paths[1])))
        ordered = sorted(by_method, key=lambda m: (m != "score", methods.position(m)))
        title = f"Change from {names[0]} to {names[1]}"
        of_method = {method: by_method[method] for method in ordered}
        found.append(Comparison(title, paths, common.corners, common.grid, of_method))
    return found
