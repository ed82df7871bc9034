"""A simulated region in real file formats, as a user would have on disk.

Sentinel-2 L2A products (SAFE, JPEG 2000), a CORINE raster and a WDPA GeoPackage, from one seed. The
workflow reads them with the same readers as real data. The covers that distinguish protected from
anthropogenic land are known by construction (`covers.py`), so that explanations can be checked.
"""

import logging
import tempfile
import time
import zlib
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from wildlens.demo.region import (
    AREAS_NAME,
    CORINE_NAME,
    PRODUCTS,
    TRUTH_FOLDER,
    DemoProduct,
    all_paths,
    areas_path,
    corine_path,
    product_paths,
    truth_paths,
)

__all__ = [
    "PRODUCTS",
    "DemoProduct",
    "all_paths",
    "areas_path",
    "corine_path",
    "product_paths",
    "run",
    "truth_paths",
]

log = logging.getLogger(__name__)

WORKERS = 2  # processes; each needs about 1.5 GB at the default size


def run(settings, output: Path) -> None:
    """Write the region under the folder `output`; `settings` is `wildlens.settings.Demo`.

    Files appear when all are complete; other files in the folder are not changed.
    """
    from wildlens.errors import WildLensError
    from wildlens.files.atomic import atomic
    from wildlens.files.earlier import check_replaceable

    start = time.monotonic()
    output = Path(output)
    for name in (*(product.name for product in PRODUCTS), TRUTH_FOLDER):
        check_replaceable(output / name, _is_earlier)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
            _write_all(settings, Path(scratch))
            output.mkdir(exist_ok=True)
            for path in sorted(Path(scratch).iterdir()):
                replaces = _is_earlier if path.is_dir() else None
                with atomic(output / path.name, replaces) as temporary:
                    path.rename(temporary)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WildLensError(f"{output}: could not be written: {reason}") from error
    log.info("%s: the demo is complete after %.0f s", output, time.monotonic() - start)


def _is_earlier(folder: Path) -> bool:
    """Whether a folder is a product of the demo, whose names real products have, or its truth."""
    granules = folder.glob("GRANULE/*/MTD_TL.xml")
    return any(b"_TL_DEMO_" in metadata.read_bytes() for metadata in granules) or any(
        (folder / path.name).is_file() for path in truth_paths(folder)
    )


def _write_all(settings, folder: Path) -> None:
    """Write everything into an empty folder."""
    from wildlens.demo.corine import write_corine
    from wildlens.demo.protected import write_areas

    parts = _write_products(settings, folder)
    parts = [part for part, product in zip(parts, PRODUCTS, strict=True) if not product.date]
    write_corine(folder / CORINE_NAME, [cells for cells, _ in parts])
    write_areas(folder / AREAS_NAME, [zones for _, zones in parts])


def _write_products(settings, folder: Path) -> list[tuple]:
    """Write all products and reference land cover in two processes; returns cells and zones."""
    # spawn: a fork of a process with threads (GDAL, BLAS) may hang
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        futures = [pool.submit(_write_product, p, settings, folder) for p in PRODUCTS]
        try:
            return [_report(p, f) for p, f in zip(PRODUCTS, futures, strict=True)]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _report(product: DemoProduct, future: Future) -> tuple:
    cells, zones, seconds = future.result()
    log.info("%s: written in %.0f s", product.name, seconds)
    return cells, zones


def _write_product(product: DemoProduct, settings, folder: Path) -> tuple:
    """Simulate and write a product; returns its CORINE cells, zones and the seconds taken."""
    from wildlens.demo.corine import majority_cells
    from wildlens.demo.landscape import simulate
    from wildlens.demo.protected import outline_zones
    from wildlens.demo.rasters import CLASS_INDEX, scene_grid, write_classes
    from wildlens.demo.safe import write_safe

    start = time.monotonic()
    size = settings.mapping_size if product.mapping else settings.size
    seed = zlib.crc32(f"{settings.seed} {product.tile}".encode())
    landscape = simulate(size, size, seed, contrast=settings.contrast, date=product.date)
    grid = scene_grid(product, size)
    truth = CLASS_INDEX[landscape.cover]
    write_classes(folder / TRUTH_FOLDER / f"{product.scene}.tif", truth, grid, nodata=0)
    cells = majority_cells(truth, grid)
    zones = outline_zones(landscape.zone, grid)
    write_safe(folder / product.name, product, landscape, seed + product.date)
    return cells, zones, time.monotonic() - start
