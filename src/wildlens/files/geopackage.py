"""GeoPackages that are written: equal tables give equal files."""

from pathlib import Path

import geopandas
import pyogrio

WRITTEN = "2024-01-01T00:00:00.000Z"
# of the format: GDAL 3.6 and older, as in QGIS 3.22, warns of the newer one that GDAL 3.10 writes
VERSION = "1.2"


def write_layer(path: Path, table: geopandas.GeoDataFrame, layer: str, **options) -> None:
    """Write a table as the only layer of a new GeoPackage.

    GDAL stores the time of writing. It is fixed here, since later jobs compare the file's checksum.

    Args:
        options: further ones of `pyogrio.write_dataframe`.

    Raises:
        OSError: it cannot be written.
    """
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": WRITTEN})
    try:
        pyogrio.write_dataframe(
            table, path, driver="GPKG", layer=layer, dataset_options={"VERSION": VERSION}, **options
        )
    except RuntimeError as error:  # base class of pyogrio's errors
        raise OSError(str(error)) from error
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
