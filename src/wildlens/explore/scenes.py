"""Everything that the page shows of one scene, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.explore.comparisons import Comparison
from wildlens.explore.coordinates import degrees_at_nodes
from wildlens.explore.layers import channels_of, class_layer, image_layer, map_layer
from wildlens.explore.sites import columns_of, sites_on
from wildlens.explore.thinning import step_for, thinned_shape
from wildlens.files.map_tags import form_of_map
from wildlens.files.raster import grid_of, open_raster
from wildlens.registry import methods


@dataclass(frozen=True)
class MappedScene:
    """Files of a mapped scene.

    Attributes:
        path: reflectance; grid: of all files; maps: method -> map, in the order of the page.
        landcover: CORINE indices; None without.
    """

    name: str
    path: Path
    grid: GeoBox
    maps: Mapping[str, Path]
    landcover: Path | None

    @property
    def channels(self) -> int:
        """Bytes per displayed pixel."""
        return sum(map(channels_of, filter(None, (self.path, *self.maps.values(), self.landcover))))

    def layers(self, step: int) -> list[dict]:
        """True colour, generated images, land cover, attributions, score."""
        first, stretch = image_layer(self.path, self.grid, step, "reflectance")
        images, values = [first], []
        for method, path in self.maps.items():
            if form_of_map(path) == "image":
                images.append(image_layer(path, self.grid, step, method, stretch)[0])
            else:
                values.append(map_layer(path, self.grid, step, method))
        classes = self.landcover
        return [*images, *([class_layer(classes, self.grid, step)] if classes else []), *values]


def mapped_scene(
    name: str, path: Path, maps: Mapping[str, Path], landcover: Path | None
) -> MappedScene:
    """A scene whose grid can be shown.

    Raises:
        WildLensError: a file cannot be read, or the grid is rotated or not north up.
    """
    with open_raster(path) as dataset:
        grid = grid_of(dataset)
    affine = grid.affine
    if affine.b or affine.d or affine.a <= 0 or affine.e >= 0:
        raise WildLensError(
            f"{path}: its grid is rotated or not north up; make it with wildlens scene"
        )
    images = [method for method in maps if form_of_map(maps[method]) == "image"]
    ordered = sorted(maps, key=lambda method: (method not in images, methods.position(method)))
    return MappedScene(name, path, grid, {m: maps[m] for m in ordered}, landcover)


def scene_data(
    scene: MappedScene | Comparison,
    most: int,
    sites: geopandas.GeoDataFrame | None,
    limited: bool = False,
) -> dict:
    """All layers and protected areas of a scene, or of the comparison of two.

    Args:
        most: displayed pixels per side; limited: whether it is less because of other scenes.
        sites: in degrees, see `sites.read_sites`.

    Raises:
        WildLensError: a file cannot be read, or its grid differs from the scene's.
    """
    grid, affine = scene.grid, scene.grid.affine
    step = step_for(grid.shape, most)
    height, width = thinned_shape(grid.shape, step)
    across, down = affine.a * step, -affine.e * step
    metres = grid.crs.units[0] in ("metre", "meter", "m")
    pixel = f" of {across:g} m" if metres else ""
    named = f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else "own reference system"
    columns = [] if sites is None else [name for name, _ in columns_of(sites)]
    return {
        "name": scene.name,
        "crs": named,
        "metres": metres,
        "text": _thinning_text(grid.shape, step, pixel, limited),
        "shape": [height, width],
        "left": affine.c,
        "top": affine.f,
        "cell": [across, down],
        "degrees": degrees_at_nodes(grid, (height * step, width * step)),
        "layers": scene.layers(step),
        "areas": [] if sites is None else sites_on(sites, columns, grid, min(across, down)),
    }


def _thinning_text(shape: tuple[int, int], step: int, pixel: str, limited: bool) -> str:
    """What a displayed pixel stands for, in words."""
    height, width = shape
    text = f"The scene has {width:,} × {height:,} pixels"
    if step == 1:
        text += ", all of which are shown."
    else:
        text += (
            f"; the page shows every {_ordinal(step)} one in both directions: a displayed pixel"
            f"{pixel} is the mean of the valid ones of {step} × {step}, of land cover the most"
            " frequent class."
        )
        if limited:
            text += " It is thinned more than others would be, since several scenes share the file."
    return f"{text} Values are rounded to 255 steps; ≤ and ≥: beyond the first or last step."


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
