"""Writer of a Sentinel-2 L2A product: a SAFE folder with JPEG 2000 images and metadata.

As in a real product: digital numbers with or without the offset of baseline 04.00, 20 m bands that
are the mean of the 10 m reflectance, clouds with their shadows, and a scene classification.
"""

from pathlib import Path

import numpy as np
import rasterio

from wildlens.demo.clouds import Clouds, beyond_swath, draw_clouds
from wildlens.demo.covers import BANDS, SCENE_CLASSES
from wildlens.demo.landscape import Landscape, sun_azimuth
from wildlens.demo.metadata import ProductNames, write_product_metadata, write_tile_metadata
from wildlens.demo.rasters import scene_grid
from wildlens.demo.region import DemoProduct

TEN_METRES = ("B02", "B03", "B04", "B08")
OFFSET = 1000  # DN added from baseline 04.00 on
# without these, GDAL writes lossily, which destroys scene classes
LOSSLESS = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}


def write_safe(folder: Path, product: DemoProduct, landscape: Landscape, seed: int) -> None:
    """Write the product's tree under `folder` (the .SAFE folder); needs all of `BANDS`.

    The landscape's reflectance is changed in place: clouds and shadows are added.
    """
    size = len(landscape.cover)
    names = ProductNames(product)
    clouds = draw_clouds(size, size, seed, sun_azimuth(seed))
    missing = beyond_swath(size, size) if product.orbit_edge else np.zeros((size, size), bool)
    images = []
    for band, reflectance in zip(landscape.bands, landscape.reflectance, strict=True):
        clouds.cover(reflectance)
        resolution = 10 if band in TEN_METRES else 20
        absent = missing
        if resolution == 20:
            reflectance, absent = mean_2x2(reflectance), missing[::2, ::2]
        numbers = digital_numbers(reflectance, product.has_offset)
        numbers[absent] = 0
        images.append(names.image(band, resolution))
        _write_image(folder / f"{images[-1]}.jp2", numbers, product, size)
    classes = scene_classes(landscape.cover, clouds, missing)
    images.append(names.image("SCL", 20))
    _write_image(folder / f"{images[-1]}.jp2", classes, product, size)
    images.sort(key=lambda image: (image.split("/")[3], _band_order(image)))
    cloudy = 100 * np.isin(classes, (8, 9)).mean()
    write_product_metadata(folder, product, images, cloudy)
    write_tile_metadata(folder, product, size, cloudy)


def mean_2x2(image: np.ndarray) -> np.ndarray:
    """Mean of blocks of 2 x 2 pixels, float32 (H / 2, W / 2)."""
    height, width = image.shape
    return image.reshape(height // 2, 2, width // 2, 2).mean((1, 3), dtype=np.float32)


def digital_numbers(reflectance: np.ndarray, has_offset: bool) -> np.ndarray:
    """Reflectance 0..1 as ESA stores it, uint16: times 10000, plus 1000 from baseline 04.00 on.

    A valid pixel never becomes 0, which means no data.
    """
    numbers = np.rint(reflectance * 10000) + (OFFSET if has_offset else 0)
    return np.clip(numbers, 1, 65534).astype(np.uint16)


def scene_classes(cover: np.ndarray, clouds: Clouds, missing: np.ndarray) -> np.ndarray:
    """Sen2Cor's scene classification at 20 m, uint8 (H / 2, W / 2)."""
    height, width = cover.shape
    blocks = (height // 2, 2, width // 2, 2)
    classes = SCENE_CLASSES[cover[::2, ::2]]
    classes[clouds.shadow.reshape(blocks).max((1, 3)) > 0] = 3
    opacity = clouds.opacity.reshape(blocks).max((1, 3))
    classes[opacity > 0] = 8
    classes[opacity > 0.6] = 9
    classes[missing[::2, ::2]] = 0
    return classes


def _band_order(image: str) -> int:
    band = image.split("_")[-2]
    return BANDS.index(band) if band in BANDS else len(BANDS)


def _write_image(path: Path, image: np.ndarray, product: DemoProduct, size: int) -> None:
    """Write one band, uint16 or uint8 (h, w), on the product's grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = image.shape
    grid = scene_grid(product, size, resolution=10 * size // height)
    with rasterio.open(
        path,
        "w",
        height=height,
        width=width,
        count=1,
        dtype=image.dtype,
        crs=f"EPSG:{product.epsg}",
        transform=grid.affine,
        **LOSSLESS,
    ) as dataset:
        dataset.write(image, 1)
