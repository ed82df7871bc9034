"""Raster attribute tables of CORINE: the class code of each raster value.

Releases store the table in RASTER.vat.dbf; GIS software also writes it to RASTER.aux.xml. Rasters
with other values than the official ones can be read only with their table.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pyogrio

from wildlens.errors import WildLensError, one_line
from wildlens.files import safe_xml
from wildlens.files.sidecars import TABLES, appended
from wildlens.landcover.corine import MISSING, Encoding
from wildlens.legend import CORINE

_CODE = re.compile(r"(clc_?)?code(_?\d\d)?", re.IGNORECASE)  # CODE_18, Code_12, CLC_CODE
_NO_CLASS = (0, 990, 995, 999)  # codes of no data, unclassified land and water


def table_beside(raster: Path) -> Path | None:
    """The file with a raster's attribute table of values and codes, or None."""
    return next(filter(_rows, appended(raster, TABLES)), None)


def read_table(path: Path, nodata: float | None) -> Encoding:
    """The encoding that a raster attribute table defines.

    Args:
        path: as from `table_beside`.
        nodata: the raster's own no-data value; `corine.MISSING` are no data as well, except those
            in the table.

    Raises:
        WildLensError: an invalid value or code, or a value with two codes.
    """
    known = {c.code: c.index for c in CORINE.classes} | dict.fromkeys(_NO_CLASS, 0)
    indices: dict[float, int] = {}
    for value, code in _rows(path):
        try:
            number, index = float(value), known[int(float(code or 0))]
        except (ValueError, KeyError, OverflowError):
            raise WildLensError(
                f"{path}: value {value} has the code {code!r}, which CORINE does not have; remove"
                " the table if it belongs to another raster"
            ) from None
        if indices.setdefault(number, index) != index:
            raise WildLensError(f"{path}: value {value} occurs twice, with different codes")
    encoding = dict.fromkeys(map(float, MISSING), 0) | indices
    if nodata is not None and nodata == nodata:
        encoding[nodata] = 0
    return Encoding.of(encoding, path.name)


def _rows(path: Path) -> list[tuple[str, str]]:
    """Values and codes of a table as text; empty if it lacks these columns."""
    names, rows = _dbf(path) if path.suffix.lower() == ".dbf" else _attribute_table(path)
    value = next((i for i, name in enumerate(names) if name.casefold() == "value"), None)
    code = next((i for i, name in enumerate(names) if _CODE.fullmatch(name)), None)
    if value is None or code is None:
        return []
    return [(row[value], row[code]) for row in rows]


def _dbf(path: Path) -> tuple[list[str], Iterable[list[str]]]:
    try:
        table = pyogrio.read_dataframe(path, read_geometry=False, encoding="ISO-8859-1")
    except RuntimeError as error:  # all of pyogrio's errors
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be read as a table: {reason}") from None
    texts = table.astype(str).where(table.notna(), "")
    return list(table.columns), texts.to_numpy().tolist()


def _attribute_table(path: Path) -> tuple[list[str], Iterable[list[str]]]:
    """The first GDALRasterAttributeTable of a raster's auxiliary file."""
    tables = list(safe_xml.all_of(safe_xml.parse(path), "GDALRasterAttributeTable"))
    if not tables:
        return [], []
    names = [safe_xml.text_at(field, "Name") for field in safe_xml.all_of(tables[0], "FieldDefn")]
    rows = (
        map(safe_xml.text_of, safe_xml.all_of(row, "F"))
        for row in safe_xml.all_of(tables[0], "Row")
    )
    return names, [cells for cells in map(list, rows) if len(cells) == len(names)]
