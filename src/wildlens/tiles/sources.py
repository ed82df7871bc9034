"""The scenes that tiles are cut from, with their land cover: checked before any computation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.files.raster import grid_of, open_raster


@dataclass(frozen=True)
class Source:
    """A scene and the rasters on its grid.

    Attributes:
        truth: the true land cover, if it is known (simulated scenes).
        bands: names of the scene's bands.
        sensed: when its products were sensed, as they state it; empty if unknown.
        simulated: whether its products say so, or its true land cover is known.
    """

    scene: Path
    landcover: Path
    truth: Path | None
    grid: GeoBox
    bands: tuple[str, ...]
    sensed: str
    simulated: bool = False

    @property
    def name(self) -> str:
        """Name of the scene, which the names of its tiles begin with."""
        return self.scene.stem


def open_sources(
    scenes: Sequence[Path], landcovers: Sequence[Path], truths: Sequence[Path], size: int
) -> list[Source]:
    """Read grids and bands of scenes and check that all files fit together.

    Args:
        landcovers: one for each scene; truths: none, or one for each scene.
        size: side of a tile, px.

    Raises:
        WildLensError: the numbers of files, the grids or the bands differ, two scenes have the same
            name, or a scene is smaller than a tile.
    """
    for what, given in (("land cover", landcovers), ("truth", truths or scenes)):
        if len(given) != len(scenes):
            raise WildLensError(
                f"{len(scenes)} scenes, but {len(given)} {what} rasters: give one for each scene"
            )
    companions = zip(scenes, landcovers, truths or [None] * len(scenes), strict=True)
    sources = [_open(scene, landcover, truth) for scene, landcover, truth in companions]
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


def _open(scene: Path, landcover: Path, truth: Path | None) -> Source:
    with open_raster(scene) as dataset:
        if set(dataset.dtypes) != {"uint16"} or not all(dataset.descriptions):
            raise WildLensError(
                f"{scene}: is no scene (uint16, named bands); make it with 'wildlens scene'"
            )
        bands, tags = tuple(dataset.descriptions), dataset.tags()
        simulated = truth is not None or "product_simulated" in tags
        sensed = tags.get("product_sensing_time", "")
        source = Source(scene, landcover, truth, grid_of(dataset), bands, sensed, simulated)
    for path in (landcover, truth):
        if path is not None:
            _check_landcover(path, source)
    return source


def _check_landcover(path: Path, source: Source) -> None:
    with open_raster(path) as dataset:
        if dataset.dtypes != ("uint8",):
            raise WildLensError(
                f"{path}: is no land cover (one band of uint8 class indices);"
                " make it with 'wildlens landcover'"
            )
        if grid_of(dataset) != source.grid:
            raise WildLensError(
                f"{path}: is not on the grid of {source.scene}; make it with 'wildlens landcover'"
            )
