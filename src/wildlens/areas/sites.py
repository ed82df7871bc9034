"""Attributes of protected sites, from files in any known spelling; no geometry is read here.

Known are the WDPA, its successor WDPCA (since November 2025), the API of Protected Planet, and the
CDDA of the European Environment Agency.
"""

import logging
from collections.abc import Sequence

import pandas
import pyogrio

from wildlens.areas.antimeridian import Bounds
from wildlens.areas.criteria import COASTAL, MARINE, TERRESTRIAL
from wildlens.areas.layers import Layer, tables_beside
from wildlens.errors import WildLensError

log = logging.getLogger(__name__)

# Attribute -> its columns in lower case (shapefiles cut names to 10 characters), the preferred one
# first. The API's `type` is the designation.
_SPELLINGS = (
    ("category", ("iucn_cat", "iucncategory", "iucncatego", "iucncat")),
    ("status", ("status",)),
    ("designation", ("desig_eng", "type")),
    ("kind", ("site_type", "pa_def")),
    ("realm", ("realm", "marine", "is_marine", "majorecosystemtype", "majorecosy")),
    ("site_id", ("wdpaid", "site_id", "wdpa_id", "cddaid", "site_code")),
    ("name", ("name_eng", "name", "pa_name", "sitename", "site_name", "orig_name")),
)
_CDDA = ("cddaid", "site_code")  # all of its sites are designated: it has no status
_REALMS = {
    "0": TERRESTRIAL, "terrestrial": TERRESTRIAL, "false": TERRESTRIAL,
    "1": COASTAL, "coastal": COASTAL, "marineandterrestrial": COASTAL,
    "2": MARINE, "marine": MARINE, "true": MARINE,
}  # fmt: skip


def read_sites(layers: Sequence[Layer], bounds: Bounds | None) -> list[pandas.DataFrame | None]:
    """Attributes of the sites of each layer, as text, indexed by feature number.

    Columns are those of `_SPELLINGS`, empty where unknown; `realm` is one of `criteria.REALMS`. A
    layer without IUCN categories is None, if another has them.

    Raises:
        WildLensError: no layer has IUCN categories, or one cannot be read.
    """
    sites, wrong = [], []
    for layer in layers:
        info = layer.checked_info()
        spelt = {str(column).lower(): str(column) for column in info["fields"]}
        try:
            sites.append(_layer_sites(layer, spelt, bounds))
        except _NoColumn as error:
            sites.append(None)
            wrong.append(str(error))
    if len(wrong) == len(layers):
        raise WildLensError(wrong[0])
    for problem in wrong:
        log.warning("%s: WARNING: this layer is not used", problem)
    return sites


class _NoColumn(WildLensError):
    """A layer that lacks a column; another may have it."""


def _layer_sites(layer: Layer, spelt: dict[str, str], bounds: Bounds | None) -> pandas.DataFrame:
    columns = {
        name: next((spelt[s] for s in spellings if s in spelt), None)
        for name, spellings in _SPELLINGS
    }
    beside = None
    if columns["category"] is None and "cddaid" in spelt:
        beside = _cdda_table(layer)
    found = ", ".join(spelt.values()) or "none"
    if columns["category"] is None and beside is None:
        raise _NoColumn(
            f"{layer.path}, layer {layer.name}: has no column IUCN_CAT (columns found: {found})"
        )
    cdda = any(name in spelt for name in _CDDA)
    if columns["status"] is None and not cdda:
        raise _NoColumn(
            f"{layer.path}, layer {layer.name}: has no column STATUS (columns found: {found})"
        )
    wanted = [c for c in columns.values() if c is not None]
    table = layer.read_near(bounds, columns=wanted, read_geometry=False)
    sites = pandas.DataFrame(index=table.index)
    for name, column in columns.items():
        sites[name] = "" if column is None else table[column].map(_text)
    if beside is not None:
        for name in ("category", "realm"):
            sites[name] = sites["site_id"].map(beside[name]).fillna("")
    if columns["status"] is None:
        sites["status"] = "Designated"
    if columns["site_id"] is None:
        sites["site_id"] = sites.index.map(str)
    if columns["realm"] and columns["realm"].lower() == "is_marine":
        sites["realm"] = sites["realm"].replace("1", "true")
    sites["realm"] = sites["realm"].str.lower().map(_REALMS).fillna("")
    sites["name"] = sites["name"].map(_as_utf8)
    return sites


def _cdda_table(layer: Layer) -> pandas.DataFrame | None:
    """Category and realm by CDDA's id, from the table in the same file as the polygons."""
    for table in tables_beside(layer):
        spelt = {str(c).lower(): str(c) for c in table.read(pyogrio.read_info)["fields"]}
        if not {"cddaid", "iucncategory"} <= spelt.keys():
            continue
        columns = {
            "site_id": "cddaid",
            "category": "iucncategory",
            "realm": "majorecosystemtype",
        }
        wanted = [spelt[column] for column in columns.values() if column in spelt]
        rows = table.read(pyogrio.read_dataframe, read_geometry=False, columns=wanted)
        sites = pandas.DataFrame(
            {n: rows[spelt[c]].map(_text) if c in spelt else "" for n, c in columns.items()}
        )
        return sites.drop_duplicates("site_id").set_index("site_id")
    return None


def _text(value) -> str:
    """A value as text: WDPAID is a number stored as double, and missing values are empty."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if pandas.isna(value) else str(value).strip()


def _as_utf8(text: str) -> str:
    """A name in UTF-8 that was read as Latin-1, as happens with shapefiles without .cpg."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
