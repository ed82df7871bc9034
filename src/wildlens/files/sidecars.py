"""Files beside an input that are read together with it, by their names in any case.

GDAL finds them in any case, too: A.SHP has its attributes in A.DBF, A.TIF its mask in A.TIF.MSK.
"""

from collections.abc import Sequence
from pathlib import Path

TABLES = (".vat.dbf", ".aux.xml")  # may hold a raster's attribute table
MASK = ".msk"
_RASTER = (*TABLES, MASK)  # appended to the name
_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")  # replace .shp


def sidecars(path: Path, suffixes: Sequence[str] = _RASTER) -> list[Path]:
    """Existing sidecars of an input, in the order of their suffixes.

    Args:
        suffixes: appended to the name; by default all of a raster, or of a shapefile.
    """
    start = path.name
    if path.suffix.lower() == ".shp" and suffixes is _RASTER:
        start, suffixes = path.stem, _SHAPEFILE
    order = {(start + suffix).casefold(): n for n, suffix in enumerate(suffixes)}
    try:
        names = {file: file.name.casefold() for file in sorted(path.parent.iterdir())}
    except OSError:  # no such folder
        return []
    found = [file for file, name in names.items() if name in order and file.is_file()]
    return sorted(found, key=lambda file: order[names[file]])
