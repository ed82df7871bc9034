"""Crosswalks from other land-cover products to the nearest CORINE classes.

All later steps use CORINE classes: target groups, anthropogenic classes, tables and colours.
Distinctions that a product does not make (kinds of forest, for instance) are lost. `docs/inputs.md`
lists the crosswalks; users can supply their own table for any raster.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wildlens.errors import WildLensError
from wildlens.files.archives import read_bytes
from wildlens.landcover.corine import Encoding
from wildlens.legend import CORINE


@dataclass(frozen=True)
class Crosswalk:
    """The crosswalk of one product.

    Attributes:
        product: its name, for messages.
        classes: raster value -> (CORINE code, class name); code 0 is no data.
        layer: its band in AnthroProtect.
    """

    product: str
    classes: dict[int, tuple[int, str]]
    layer: str | None = None

    def encoding(self, nodata: float | None) -> Encoding:
        """Encoding of a raster of this product; its no-data value takes precedence over classes."""
        codes = {float(value): code for value, (code, _) in self.classes.items()}
        if nodata is not None and not np.isnan(nodata):
            codes[float(nodata)] = 0
        indices = {value: CORINE.index_of(c) if c else 0 for value, c in codes.items()}
        return Encoding.of(indices, self.product)


def _parse(product: str, table: str, layer: str | None = None) -> Crosswalk:
    rows = (line.split(maxsplit=2) for line in table.splitlines())
    return Crosswalk(product, {int(v): (int(code), name) for v, code, name in rows}, layer)


# value, CORINE code, class of the product
_CLC_PLUS = """\
1 112 Sealed
2 312 Woody needle-leaved trees
3 311 Woody broadleaved deciduous trees
4 311 Woody broadleaved evergreen trees
5 322 Low-growing woody plants
6 321 Permanent herbaceous
7 211 Periodically herbaceous
8 333 Lichens and mosses
9 332 Non and sparsely vegetated
10 512 Water
11 335 Snow and ice
253 523 Coastal seawater buffer
0 0 No data
254 0 Outside area
255 0 No data
"""
_WORLD_COVER = """\
10 313 Tree cover
20 322 Shrubland
30 321 Grassland
40 211 Cropland
50 112 Built-up
60 332 Bare or sparse vegetation
70 335 Snow and ice
80 512 Permanent water bodies
90 411 Herbaceous wetland
95 421 Mangroves
100 333 Moss and lichen
0 0 No data
"""
_IGBP = """\
1 312 Evergreen needleleaf forests
2 311 Evergreen broadleaf forests
3 312 Deciduous needleleaf forests
4 311 Deciduous broadleaf forests
5 313 Mixed forests
6 322 Closed shrublands
7 322 Open shrublands
8 324 Woody savannas
9 321 Savannas
10 321 Grasslands
11 411 Permanent wetlands
12 211 Croplands
13 112 Urban and built-up lands
14 243 Cropland and natural vegetation mosaics
15 335 Permanent snow and ice
16 332 Barren
17 512 Water bodies
0 0 No data
255 0 Unclassified
"""
_CGLS = """\
20 322 Shrubs
30 321 Herbaceous vegetation
40 211 Cultivated and managed vegetation
50 112 Urban
60 332 Bare or sparse vegetation
70 335 Snow and ice
80 512 Permanent water bodies
90 411 Herbaceous wetland
100 333 Moss and lichen
111 312 Closed forest, evergreen needle leaf
112 311 Closed forest, evergreen broad leaf
113 312 Closed forest, deciduous needle leaf
114 311 Closed forest, deciduous broad leaf
115 313 Closed forest, mixed
116 313 Closed forest, of no other kind
121 312 Open forest, evergreen needle leaf
122 311 Open forest, evergreen broad leaf
123 312 Open forest, deciduous needle leaf
124 311 Open forest, deciduous broad leaf
125 313 Open forest, mixed
126 313 Open forest, of no other kind
200 523 Open sea
0 0 Unknown
255 0 No data
"""
_GLOB_COVER = """\
11 212 Post-flooding or irrigated croplands
14 211 Rainfed croplands
20 243 Mosaic cropland and vegetation
30 243 Mosaic vegetation and cropland
40 311 Closed to open broadleaved evergreen or semi-deciduous forest
50 311 Closed broadleaved deciduous forest
60 311 Open broadleaved deciduous forest
70 312 Closed needleleaved evergreen forest
90 312 Open needleleaved deciduous or evergreen forest
100 313 Closed to open mixed forest
110 324 Mosaic forest or shrubland and grassland
120 321 Mosaic grassland and forest or shrubland
130 322 Closed to open shrubland
140 321 Closed to open grassland
150 333 Sparse vegetation
160 411 Regularly flooded broadleaved forest, fresh water
170 421 Flooded broadleaved forest or shrubland, saline water
180 411 Regularly flooded grassland or woody vegetation
190 112 Artificial surfaces
200 332 Bare areas
210 512 Water bodies
220 335 Permanent snow and ice
0 0 No data
230 0 No data
"""

CROSSWALKS = {
    "clcplus": _parse("CLC+ Backbone", _CLC_PLUS),
    "worldcover": _parse("ESA WorldCover", _WORLD_COVER),
    "igbp": _parse("MODIS land cover (IGBP)", _IGBP, "MODIS_1"),
    "cgls": _parse("Copernicus Global Land Cover", _CGLS, "CGLS"),
    "globcover": _parse("GlobCover", _GLOB_COVER, "GlobCover"),
}


def read_crosswalk(path: Path) -> Crosswalk:
    """Read a user's crosswalk: CSV with columns `value` (raster) and `code` (CORINE; 0 = no data).

    A column `name` may have the names of the classes; other columns are ignored.

    Raises
    ------
    WildLensError
        For a missing column, a value that is no integer or occurs twice, or a code that CORINE
        does not have; the message names the line.
    """
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
        rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise WildLensError(f"{path}: cannot be read as CSV (UTF-8): {error}") from None
    columns = [str(c).strip().lower() for c in (rows[0] if rows else lines[:1])]
    if not rows or not {"value", "code"} <= set(columns):
        raise WildLensError(
            f"{path}: expected the columns value and code, found {', '.join(columns) or 'nothing'}"
        )
    classes: dict[int, tuple[int, str]] = {}
    for line, row in enumerate(rows, start=2):
        cells = dict(zip(columns, (str(cell or "").strip() for cell in row.values()), strict=False))
        value, code = (_whole(path, line, key, cells.get(key, "")) for key in ("value", "code"))
        if value in classes:
            raise WildLensError(f"{path}: line {line}: the value {value} occurs twice")
        if code and code not in {c.code for c in CORINE.classes}:
            raise WildLensError(f"{path}: line {line}: {code} is no CORINE code (0: no data)")
        classes[value] = (code, cells.get("name", ""))
    return Crosswalk(path.name, classes)


def _whole(path: Path, line: int, column: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise WildLensError(f"{path}: line {line}: {column} is no whole number: {text!r}") from None
    if not -(2**31) <= number < 2**32:
        raise WildLensError(f"{path}: line {line}: {column} {number} is out of range")
    return number
