"""Time from a product to a training set, compared with reading and writing the same pixels alone.

A world is a folder with a Sentinel-2 product of random land (SAFE, JPEG 2000), the CORINE raster
under it, and protected areas. Each step and its minimum (`floor`) are timed separately: both take
the world (`task.scene`) and a path to write.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio

from benchmarks.contestants import Task
from benchmarks.scenes import CELL
from wildlens.demo.corine import majority_cells, write_corine
from wildlens.demo.metadata import ProductNames, write_product_metadata, write_tile_metadata
from wildlens.demo.protected import outline_zones, write_areas
from wildlens.demo.rasters import CLASS_INDEX, scene_grid
from wildlens.demo.region import PRODUCTS
from wildlens.demo.safe import LOSSLESS, TEN_METRES
from wildlens.files import raster
from wildlens.landcover.step import build_landcover
from wildlens.legend import CORINE
from wildlens.scene.step import CACHE, build_scene
from wildlens.settings import Landcover, Scene, Tiles
from wildlens.tiles.step import build_tiles

PRODUCT = PRODUCTS[-1]
VEGETATION = 4  # scene class


def write_world(folder: Path, side: int) -> Path:
    """Write a product of `side` px and the inputs of its training set; the west is protected."""
    grid = scene_grid(PRODUCT, side)
    zone = np.ones((side, side), np.int8)
    zone[:, side // 2 :] = -1
    covers = np.random.default_rng(0).integers(0, len(CLASS_INDEX), (-(-side // 200),) * 2)
    classes = CLASS_INDEX[covers].repeat(200, axis=0).repeat(200, axis=1)[:side, :side].copy()
    classes[zone < 0] = CORINE.index_of(211)  # arable land
    _write_safe(folder / PRODUCT.name, side)
    write_corine(folder / "corine.tif", [majority_cells(classes, grid)])
    write_areas(folder / "areas.gpkg", [outline_zones(zone, grid)])
    scene, landcover = folder / "scene.tif", folder / "landcover.tif"
    build_scene(folder / PRODUCT.name, scene, Scene())
    build_landcover(folder / "corine.tif", scene, landcover, Landcover())
    return folder


def _write_safe(folder: Path, side: int) -> None:
    names, random = ProductNames(PRODUCT), np.random.default_rng(0)
    images = []
    for band in TEN_METRES:
        coarse = random.random((-(-side // CELL),) * 2)
        land = coarse.repeat(CELL, axis=0).repeat(CELL, axis=1)[:side, :side]
        numbers = 1600 + 2400 * land + random.normal(0, 80, (side, side))
        images.append(names.image(band, 10))
        _write_image(folder / f"{images[-1]}.jp2", numbers.astype(np.uint16), side, 10)
    images.append(names.image("SCL", 20))
    classes = np.full((side // 2,) * 2, VEGETATION, np.uint8)
    _write_image(folder / f"{images[-1]}.jp2", classes, side, 20)
    write_product_metadata(folder, PRODUCT, images, 0)
    write_tile_metadata(folder, PRODUCT, side, 0)


def _write_image(path: Path, image: np.ndarray, side: int, resolution: int) -> None:
    """Write an image in blocks of 1024 px, like ESA's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = scene_grid(PRODUCT, side, resolution)
    with rasterio.open(
        path, "w", height=len(image), width=len(image), count=1, dtype=image.dtype,
        crs=f"EPSG:{PRODUCT.epsg}", transform=grid.affine,
        blockxsize=1024, blockysize=1024, **LOSSLESS,
    ) as dataset:  # fmt: skip
        dataset.write(image, 1)


def scene(task: Task, output: Path) -> None:
    build_scene(task.scene / PRODUCT.name, output, Scene())


def scene_floor(task: Task, output: Path) -> None:
    """Decode the bands and the scene classification."""
    decode(images(task.scene / PRODUCT.name))


def landcover(task: Task, output: Path) -> None:
    settings = Landcover()
    build_landcover(task.scene / "corine.tif", task.scene / "scene.tif", output, settings)


def landcover_floor(task: Task, output: Path) -> None:
    """Write the same pixels, decoded from the result."""
    rewrite(task.scene / "landcover.tif", output)


def tiles(task: Task, output: Path) -> None:
    with TemporaryDirectory(dir=output.parent) as folder:
        build_tiles(
            [task.scene / "scene.tif"], [task.scene / "landcover.tif"], [],
            task.scene / "areas.gpkg", Path(folder) / "tiles.zarr", Path(folder) / "tiles.gpkg",
            Tiles(),
        )  # fmt: skip


def tiles_floor(task: Task, output: Path) -> None:
    """Decode scene and land cover."""
    decode([task.scene / "scene.tif", task.scene / "landcover.tif"])


def images(product: Path) -> list[Path]:
    """The images of a SAFE product that a scene is made from."""
    wanted = [f"{band}_10m" for band in TEN_METRES] + ["SCL_20m"]
    return [path for name in wanted for path in product.glob(f"GRANULE/*/IMG_DATA/*/*_{name}.jp2")]


def decode(paths: Iterable[Path]) -> None:
    """Read all pixels, and nothing else."""
    with raster.gdal(CACHE):
        for path in paths:
            with rasterio.open(path) as dataset:
                for window in raster.row_windows(raster.grid_of(dataset)):
                    dataset.read(window=window)


def rewrite(path: Path, output: Path) -> None:
    """Read all pixels and write them again, compressed as they were."""
    with (
        raster.gdal(CACHE),
        rasterio.open(path) as source,
        rasterio.open(output, "w", **source.profile) as target,
    ):
        for window in raster.row_windows(raster.grid_of(source)):
            target.write(source.read(window=window), window=window)


STEPS: dict[str, tuple[Callable, Callable]] = {
    "product to scene": (scene, scene_floor),
    "land cover to the scene's grid": (landcover, landcover_floor),
    "tiles": (tiles, tiles_floor),
}
CONTESTANTS = {
    **{name: step for name, (step, _) in STEPS.items()},
    **{f"{name}, floor": floor for name, (_, floor) in STEPS.items()},
}
