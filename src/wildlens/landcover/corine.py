"""Encodings of CORINE Land Cover rasters: the class of each raster value.

Releases differ: grid codes 1..44 (V18.5, V2020) or class codes 111..523 (V20, Earth Engine), with
half a dozen values for no data. The encoding is decided once per raster, from all values that will
be used: a window with missing pixels only is ambiguous.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wildlens.errors import WildLensError
from wildlens.legend import CORINE

# no data and unclassified: background, 48..50 and 255 of the grid codes, 128 = -128 read unsigned,
# 990, 995 and 999 of the codes, 32768 of derivatives (-32768 read as signed)
MISSING = (-32768, -128, 0, 48, 49, 50, 128, 255, 990, 995, 999, 32768)
MAX_NAMED = 8  # offending values named in a message

CODES = np.array([c.code for c in CORINE.classes])
_GRID_CODES = np.array([c.index for c in CORINE.classes])


@dataclass(frozen=True)
class Encoding:
    """The class index of each raster value.

    Attributes:
        values: (n,) all known values, ascending.
        indices: (n,) uint8, CORINE's index of each, 0 = no data.
        product: name of the product, for messages.
    """

    values: np.ndarray
    indices: np.ndarray
    product: str = "CORINE"

    @classmethod
    def of(cls, indices: Mapping[float, int], product: str = "CORINE") -> "Encoding":
        """The encoding with this mapping of values to indices."""
        values = sorted(indices)
        return cls(np.array(values), np.array([indices[v] for v in values], np.uint8), product)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Class indices (uint8, 0..44, 0 = no data) of raster values; NaN is no data.

        Raises:
            WildLensError: a value is not in the encoding.
        """
        position = np.searchsorted(self.values, values).clip(max=len(self.values) - 1)
        known = self.values[position] == values
        unknown = values[~known & ~np.isnan(values)]
        if unknown.size:
            raise WildLensError(f"no {self.product} classes: {_named(np.unique(unknown))}")
        return np.where(known, self.indices[position], 0)


def find_encoding(
    present: np.ndarray, nodata: float | None, *, codes_only: bool = False
) -> Encoding:
    """Choose the encoding of a raster from its values.

    Args:
        present: all values of the part that is used, any shape and number type.
        nodata: the raster's own no-data value.
        codes_only: refuse grid codes, for rasters that are known to contain class codes.

    Raises:
        WildLensError: values of both encodings, or of neither.
    """
    missing = np.array(sorted({*MISSING, *([] if nodata is None else [nodata])}))
    present = np.unique(present)
    classes = present[~np.isin(present, missing) & ~np.isnan(present)]
    codes, grid_codes = np.isin(classes, CODES), np.isin(classes, _GRID_CODES)
    unknown = classes[~codes & ~grid_codes]
    if unknown.size:
        raise WildLensError(f"no CORINE classes: {_named(unknown)}")
    if codes_only and grid_codes.any():
        raise WildLensError(f"no CORINE codes 111..523: {_named(classes[grid_codes])}")
    if codes.any() and grid_codes.any():
        raise WildLensError(
            f"mixes CORINE codes ({_named(classes[codes])}) with grid codes 1..44 "
            f"({_named(classes[grid_codes])})"
        )
    return _encoding(CODES if codes_only or codes.any() else _GRID_CODES, missing)


def decode_corine(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Class indices of a CORINE raster in any of its encodings.

    Args:
        values: the whole raster, or its used part; any shape and number type.
        nodata: the raster's own no-data value; `MISSING` and NaN count as no data as well.

    Returns:
        uint8 of the same shape: index in `legend.CORINE` 1..44, 0 = no data.

    Raises:
        WildLensError: values that are no classes (the message names them), or a mix of encodings.
    """
    return find_encoding(values, nodata).decode(values)


def _encoding(classes: np.ndarray, missing: np.ndarray) -> Encoding:
    missing = missing[~np.isnan(missing)]
    # a no-data value takes precedence over the class with the same value
    indices = {float(v): c.index for v, c in zip(classes, CORINE.classes, strict=True)}
    indices |= dict.fromkeys(missing.tolist(), 0)
    return Encoding.of(indices)


def _named(values: np.ndarray) -> str:
    named = ", ".join(f"{v:g}" for v in values[:MAX_NAMED])
    return named + (f" and {len(values) - MAX_NAMED} more" if len(values) > MAX_NAMED else "")
