"""Data of the figures of whole scenes: rasters, read at the resolution of the figure."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from wildlens.errors import WildLensError
from wildlens.figures.footprints import Picture
from wildlens.figures.imagery import stretch_for
from wildlens.figures.scene_maps import SceneView
from wildlens.files.raster import grid_of, open_raster, read, read_grid
from wildlens.files.reflectance import to_reflectance
from wildlens.legend import CORINE
from wildlens.registry import methods

MOST_PIXELS = 800  # of a displayed scene's longer side


def read_scene(path: Path, maps: dict[str, Path], landcover: Path | None) -> SceneView:
    """A scene with its maps and land cover, resampled to at most `MOST_PIXELS` per side.

    Raises:
        WildLensError: a file has another grid than the scene, or invalid classes.
    """
    with open_raster(path) as scene:
        grid = grid_of(scene)
        shape = _display_shape(grid.shape)
        stored = read(scene, out_shape=(scene.count, *shape), resampling=Resampling.average)
        bands = [name or f"band {i}" for i, name in enumerate(scene.descriptions, start=1)]
    valid = (stored > 0).all(axis=0)
    ordered = sorted(maps, key=methods.position)
    tags = {method: _tags(maps[method]) for method in ordered}
    return SceneView(
        name=path.stem,
        crs=f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else "own reference system",
        pixel_m=abs(grid.affine.a) * grid.shape[1] / shape[1],
        reflectance=np.where(valid, to_reflectance(stored), np.float32(0)),
        valid=valid,
        bands=bands,
        landcover=_read_classes(landcover, path, grid) if landcover else None,
        maps={m: _read_thinned(maps[m], path, grid, Resampling.average) for m in ordered},
        units={m: _unit(tags[m]) for m in ordered},
        signed=frozenset(m for m in ordered if methods.is_signed(tags[m], m)),
    )


def read_picture(path: Path) -> Picture:
    """A scene as a resampled image, the background of its tiles."""
    view = read_scene(path, {}, None)
    stretch = stretch_for(view.bands, [view.reflectance[:, view.valid]])
    return Picture(stretch(view.reflectance, view.valid), tuple(read_grid(path).shape))


def _read_classes(path: Path, scene: Path, grid: GeoBox) -> np.ndarray:
    classes = _read_thinned(path, scene, grid, Resampling.nearest)
    CORINE.check(classes, path)
    return classes


def _read_thinned(path: Path, scene: Path, grid: GeoBox, resampling: Resampling) -> np.ndarray:
    with open_raster(path) as dataset:
        if grid_of(dataset) != grid:
            raise WildLensError(f"{path}: has another grid than {scene}; make it again")
        return read(dataset, 1, out_shape=_display_shape(grid.shape), resampling=resampling)


def _tags(path: Path) -> dict[str, str]:
    with open_raster(path) as dataset:
        return dataset.tags()


def _unit(tags: Mapping[str, str]) -> str:
    unit = tags.get("unit", "")
    return "" if unit == "none" else unit


def _display_shape(shape: tuple[int, int]) -> tuple[int, int]:
    factor = max(1, max(shape) / MOST_PIXELS)
    return max(1, round(shape[0] / factor)), max(1, round(shape[1] / factor))
