"""Names, unit and scale of a raster's bands, where GDAL, QGIS and rioxarray look for them."""

from collections.abc import Sequence

import rasterio

NO_UNIT = "none"  # of a method's record: its values have no unit


def describe_bands(
    dataset: rasterio.io.DatasetWriter,
    descriptions: Sequence[str],
    unit: str = "",
    scale: float = 1.0,
) -> None:
    """State what the bands of a new raster hold.

    Args:
        descriptions: names of the bands; may be empty. rioxarray gives them as `long_name`.
        unit: of the scaled values, in words; empty or `none`: without.
        scale: value = stored number x scale.
    """
    for band, description in enumerate(descriptions, start=1):
        dataset.set_band_description(band, description)
    if unit and unit != NO_UNIT:
        dataset.units = [unit] * dataset.count
    if scale != 1:
        dataset.scales = [scale] * dataset.count
