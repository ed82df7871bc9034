"""Files beside an input that are read together with it, by their names in any case.

GDAL finds them in any case, too: A.SHP has its attributes in A.DBF, A.TIF its mask in A.TIF.MSK.
"""

from collections.abc import Sequence
from pathlib import Path

TABLES = (".vat.dbf", ".aux.xml")  # may hold a raster's attribute table
MASK = ".msk"
_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")  # replace .shp


def sidecars(path: Path) -> list[Path]:
    """All existing sidecars of a raster or a shapefile."""
    if path.suffix.lower() == ".shp":
        return _existing(path.parent, [path.stem + suffix for suffix in _SHAPEFILE])
    return appended(path, (*TABLES, MASK))


def appended(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Existing files with the name of another and one of these suffixes, in their order."""
    return _existing(path.parent, [path.name + suffix for suffix in suffixes])


def _existing(folder: Path, names: Sequence[str]) -> list[Path]:
    order = {name.casefold(): position for position, name in enumerate(names)}
    try:
        files = sorted(folder.iterdir())
    except OSError:  # no such folder
        return []
    found = [file for file in files if file.name.casefold() in order and file.is_file()]
    return sorted(found, key=lambda file: order[file.name.casefold()])
