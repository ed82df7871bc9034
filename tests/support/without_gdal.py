"""Pytest plugin: imports as on a GPU machine that has only the packages of envs/gpu.txt.

All other packages that pyproject.toml names, among them GDAL's, cannot be imported.
"""

import importlib.abc
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn", "odc-geo": "odc"}
# GDAL and what is built on it or on PROJ and GEOS
GDAL = {
    "rasterio", "geopandas", "pyogrio", "shapely", "odc", "pyproj", "exactextract", "rioxarray",
    "osgeo", "fiona",
}  # fmt: skip
# imported by packages of envs/gpu.txt: captum requires matplotlib, xarray requires pandas
REQUIRED = {"matplotlib", "pandas", "packaging", "PIL"}


def names(lines: list[str]) -> set[str]:
    """Modules of requirements such as `torch>=2.4,<3`."""
    found = {re.match(r"[\w.-]+", line)[0] for line in lines if line and line[0] not in "#\n"}
    return {MODULES.get(name, name).replace("-", "_") for name in found}


def blocked() -> set[str]:
    """Names of the modules that cannot be imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = names((ROOT / "envs/gpu.txt").read_text(encoding="utf-8").splitlines())
    return GDAL | names(project["dependencies"]) - listed - REQUIRED


class Blocked(importlib.abc.MetaPathFinder):
    """Refuses to import these modules."""

    def __init__(self, modules: set[str]):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.modules:
            raise ImportError(f"'{name}' is not among the packages of envs/gpu.txt")


sys.meta_path.insert(0, Blocked(blocked()))
