"""Environment variables of other programs that change what GDAL and PROJ read."""

import importlib.util
import os
from pathlib import Path

# set by QGIS, PostGIS, conda and clusters' modules; data and plugins fit one version only
VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")
# set for cloud access: masks (.msk) and tags (.aux.xml) beside a raster would not be read
HIDING = ("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_PAM_ENABLED")
# package -> folder of its data in its wheel
_DATA = {"rasterio": "proj_data", "pyogrio": "proj_data", "pyproj": "proj_dir/share/proj"}


def use_own_data() -> None:
    """Let rasterio, pyogrio and pyproj use their own data, and all files beside a raster.

    To be called before they are imported. If one of them has no data in its wheel (conda,
    distributions), the variables are kept, since they may be meant for it.
    """
    for name in HIDING:
        os.environ.pop(name, None)
    if all(_has_data(package, folder) for package, folder in _DATA.items()):
        for name in VARIABLES:
            os.environ.pop(name, None)


def _has_data(package: str, folder: str) -> bool:
    spec = importlib.util.find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    return any((Path(path) / folder / "proj.db").is_file() for path in folders)
