"""Cloud-Optimised GeoTIFFs (COG), written window by window."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from odc.geo.geobox import GeoBox

from wildlens.files import raster
from wildlens.files.atomic import atomic, scratch
from wildlens.files.bands import describe_bands
from wildlens.files.raster import BLOCK, check_complete


@contextmanager
def writing_cog(
    path: Path,
    grid: GeoBox,
    *,
    tags: Mapping[str, str],
    descriptions: Sequence[str],
    dtype: str = "float32",
    nodata: float = float("nan"),
    unit: str = "",
    scale: float = 1.0,
) -> Iterator[rasterio.io.DatasetWriter]:
    """A Cloud-Optimised GeoTIFF of one band for each description, to write windows to.

    In a COG, overviews precede the pixels, so it cannot be written window by window: the windows
    are written to a scratch file beside it, which is copied at the end, with overviews and exact
    statistics of the stored numbers (GDAL's own estimate fails on a scene with data in one corner
    only).

    Args:
        descriptions, unit, scale: of its bands; see `describe_bands`.
    """
    count = len(descriptions)
    # uncompressed: it is read twice within a minute, and then removed
    options = raster.profile(grid, count=count, dtype=dtype, nodata=nodata) | {"compress": "NONE"}
    del options["predictor"]
    if count > 2:
        options["num_threads"] = 1  # GDAL 3.10's threads raise a false alarm about the extra bands
    with atomic(path) as final, scratch(path.with_suffix(".windows.tif")) as windows:
        with rasterio.open(windows, "w+", **options) as dataset:
            dataset.update_tags(**tags)
            describe_bands(dataset, descriptions, unit, scale)
            yield dataset
            for band in dataset.indexes:
                dataset.update_tags(band, **_statistics(dataset, band))
        check_complete(windows)
        rasterio.shutil.copy(
            windows,
            final,
            driver="COG",
            BLOCKSIZE=BLOCK,
            COMPRESS="DEFLATE",
            LEVEL=1,  # higher ones take twice the time for 2 % of the size
            PREDICTOR="YES",
            OVERVIEW_RESAMPLING="AVERAGE",
            BIGTIFF="IF_SAFER",
        )


def _statistics(dataset: rasterio.DatasetReader, band: int) -> dict[str, str]:
    """GDAL's STATISTICS_* tags of a band, exact, over the valid pixels; empty if there are none."""
    count, total, squares = 0, 0.0, 0.0
    low, high = np.inf, -np.inf
    for _, window in dataset.block_windows(band):
        values = dataset.read(band, window=window)
        valid = values[np.isfinite(values) & (values != dataset.nodata)].astype(np.float64)
        if valid.size:
            count += valid.size
            total += valid.sum()
            squares += np.square(valid).sum()
            low, high = min(low, valid.min()), max(high, valid.max())
    if not count:
        return {}
    height, width = dataset.shape
    mean = total / count
    return {
        "STATISTICS_MINIMUM": repr(float(low)),
        "STATISTICS_MAXIMUM": repr(float(high)),
        "STATISTICS_MEAN": repr(float(mean)),
        "STATISTICS_STDDEV": repr(float(max(squares / count - mean**2, 0.0) ** 0.5)),
        "STATISTICS_VALID_PERCENT": f"{100 * count / (height * width):.4g}",
    }
