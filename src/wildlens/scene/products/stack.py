"""Band stacks: one GeoTIFF with named bands, or a folder with one file per band.

Clips and exports of data cubes have this form. No metadata state whether the +1000 offset of late
baselines has been subtracted, so `Product.offset` is None.
"""

import re
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.scene.products.product import SCL, BandFile, Product, band_name

SUFFIXES = (".tif", ".tiff", ".jp2")

# B02.tif, B2.tif, T32VLN_20200701T105031_B02_10m.jp2
_FILE_NAME = re.compile(r"(?:.*_)?(B\d{1,2}|B8A|SCL)(?:_\d\dm)?", re.IGNORECASE)


def open_file(path: Path) -> Product:
    """One GeoTIFF whose band descriptions are band names (B2 and B02 are the same).

    A tile of AnthroProtect (`tiles/s2/NAME.tif`) takes its scene classification from
    `tiles/s2_scl/NAME.tif`, if that exists.
    """
    with raster.open_raster(path) as dataset:
        grid = raster.grid_of(dataset)
        resolution = abs(dataset.transform.a)
        names = [band_name(text or "") for text in dataset.descriptions]
    twice = sorted({n for n in names if n is not None and names.count(n) > 1})
    if twice:
        raise WildLensError(f"{path}: has several bands described as {', '.join(twice)}")
    bands = {n: BandFile(path, i, resolution) for i, n in enumerate(names, start=1) if n}
    scl = bands.pop(SCL, None) or _anthroprotect_scl(path)
    if not bands:
        raise WildLensError(
            f"{path}: no band description is the name of a Sentinel-2 band: describe its bands as "
            "B02, B03, ..., so that no band is taken for another"
        )
    return Product(path.stem, path, grid, bands, scl)


def open_scl(path: Path) -> BandFile:
    """The scene classification in a raster: its only band, or the one described as SCL.

    Raises:
        WildLensError: it is no raster, or it does not have a single band or one described as SCL.
    """
    with raster.open_raster(path) as dataset:
        named = [
            i for i, text in enumerate(dataset.descriptions, 1) if band_name(text or "") == SCL
        ]
        indices = named or list(dataset.indexes)
        if len(indices) != 1:
            raise WildLensError(
                f"{path}: has {dataset.count} bands, {len(named)} of them described as SCL:"
                " expected one scene classification"
            )
        return BandFile(path, indices[0], abs(dataset.transform.a))


def band_files(folder: Path) -> dict[str, list[Path]]:
    """Files of a folder that are named after a band or SCL, by band; all others are left out."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE_NAME.fullmatch(path.stem)
        name = band_name(match[1]) if match else None
        if name is not None and path.suffix.lower() in SUFFIXES and path.is_file():
            found.setdefault(name, []).append(path)
    return found


def open_folder(folder: Path, files: dict[str, list[Path]]) -> Product:
    """A folder of single-band files (`files` as from `band_files`), on the grid of the finest."""
    found = {name: _finest(name, paths) for name, paths in files.items()}
    scl, _ = found.pop(SCL, (None, None))
    if not found:
        raise WildLensError(
            f"{folder}: holds a scene classification, but no file named after a band: give the"
            f" GeoTIFF of the bands as product, and {scl.path.name} as its `scl`"
        )
    _, grid = min(found.values(), key=lambda band_and_grid: band_and_grid[0].resolution)
    bands = {name: band for name, (band, _) in found.items()}
    return Product(folder.resolve().name, folder, grid, bands, scl)


def _finest(name: str, paths: list[Path]) -> tuple[BandFile, GeoBox]:
    """The band at its finest resolution; two files of the same are two products in one folder."""
    candidates = sorted(
        (_single_band(name, path) for path in paths), key=lambda found: found[0].resolution
    )
    if len(candidates) > 1:
        first, second = (band for band, _ in candidates[:2])
        if first.resolution == second.resolution:
            raise WildLensError(
                f"{first.path.parent}: {first.path.name} and {second.path.name} are both {name}: "
                "keep one product in a folder"
            )
    return candidates[0]


def _single_band(name: str, path: Path) -> tuple[BandFile, GeoBox]:
    """The only band of a file, apart from an alpha band, which is its mask."""
    with raster.open_raster(path) as dataset:
        images = [i for i in dataset.indexes if not raster.is_alpha(dataset, i)]
        if len(images) != 1:
            raise WildLensError(f"{path}: holds {dataset.count} bands, expected {name} alone")
        band = BandFile(path, images[0], abs(dataset.transform.a))
        return band, raster.grid_of(dataset)


def _anthroprotect_scl(path: Path) -> BandFile | None:
    scl = path.parent.parent / "s2_scl" / path.name
    if path.parent.name != "s2" or not scl.is_file():
        return None
    return _single_band(SCL, scl)[0]
