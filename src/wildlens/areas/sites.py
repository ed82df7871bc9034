"""What files of protected areas say of each site, in whatever spelling; no geometry is read here.

Known are the WDPA, its successor WDPCA (since November 2025), the API of Protected Planet, and the
CDDA of the European Environment Agency.
"""

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import pyogrio
from pyproj import Transformer

from wildlens.errors import WildLensError, one_line
from wildlens.files.archives import gdal_name, open_zip

DEGREES = "EPSG:4326"
Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees
TERRESTRIAL, COASTAL, MARINE = REALMS = ("Terrestrial", "Coastal", "Marine")

# What we need of a site, and what it is called, in lower case (shapefiles cut names to 10
# characters). The API's `type` is the designation.
_SPELLINGS = (
    ("category", ("iucn_cat", "iucncategory", "iucncatego", "iucncat")),
    ("status", ("status",)),
    ("designation", ("desig_eng", "type")),
    ("kind", ("site_type", "pa_def")),
    ("realm", ("realm", "marine", "is_marine", "majorecosystemtype", "majorecosy")),
    ("site_id", ("wdpaid", "site_id", "wdpa_id", "cddaid", "site_code")),
)
_CDDA = ("cddaid", "site_code")  # all of its sites are designated: it has no status
_OECM = ("oecm", "0", "0.0")  # SITE_TYPE and PA_DEF of sites that are no protected areas
_REALMS = {
    "0": TERRESTRIAL, "terrestrial": TERRESTRIAL, "false": TERRESTRIAL,
    "1": COASTAL, "coastal": COASTAL, "marineandterrestrial": COASTAL,
    "2": MARINE, "marine": MARINE, "true": MARINE,
}  # fmt: skip
# GDAL goes by a file's content: a virtual file under the name of a GeoPackage may lead anywhere
_DRIVERS = ("ESRI Shapefile", "GPKG", "GeoJSON", "OpenFileGDB", "FlatGeobuf")
_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".fgb")
_DEEPEST = 2  # zips in zips


@dataclass(frozen=True)
class Layer:
    """A layer of polygons in a file, which may lie in an archive.

    Attributes:
        path: what the user named.
        file: the name under which GDAL opens it.
        name: of the layer.
    """

    path: Path
    file: str
    name: str

    def read(self, function, **options):
        """Call one of pyogrio's readers on the layer; its errors name the file."""
        return guarded(function, self.path, self.file, layer=self.name, **options)


def polygon_layers(path: Path) -> list[Layer]:
    """All layers of polygons of a file, folder or zip; in zips, those of zips in it, too.

    Raises:
        WildLensError: it cannot be opened, or has no such layer.
    """
    found, kinds = [], []
    for file in _files(path):
        try:
            layers = pyogrio.list_layers(file)
        except RuntimeError as error:  # all of pyogrio's errors
            raise WildLensError(
                f"{path}: cannot be opened as polygons: {one_line(error)}"
            ) from None
        for name, kind in layers:
            kinds.append(f"{name}: {kind or 'no geometry'}")
            # Unknown: a layer of mixed geometries
            if kind and any(word in kind for word in ("Polygon", "Surface", "Unknown")):
                found.append(Layer(path, file, str(name)))
    if not found:
        raise WildLensError(
            f"{path}: has no polygon layer (found {', '.join(kinds) or 'no layer'});"
            " give the file of the polygons"
        )
    return found


def read_sites(layers: Sequence[Layer], bounds: Bounds | None) -> list[pandas.DataFrame | None]:
    """What is known of the sites of each layer, as text, indexed by feature number.

    Columns are those of `_SPELLINGS`, empty where unknown; `realm` is one of `REALMS`. A layer
    without IUCN categories is None, if another has them.

    Raises:
        WildLensError: no layer has IUCN categories, or one cannot be read.
    """
    sites, wrong = [], []
    for layer in layers:
        info = layer.read(pyogrio.read_info)
        if info["driver"] not in _DRIVERS:
            expected = ", ".join(_DRIVERS)
            raise WildLensError(f"{layer.path}: is {info['driver']}, expected one of {expected}")
        if info["crs"] is None:
            raise WildLensError(
                f"{layer.path}: has no coordinate reference system (is its .prj missing?)"
            )
        spelt = {str(column).lower(): str(column) for column in info["fields"]}
        try:
            sites.append(_layer_sites(layer, spelt, _box(layer, info["crs"], bounds)))
        except _NoColumn as error:
            sites.append(None)
            wrong.append(str(error))
    if len(wrong) == len(layers):
        raise WildLensError(wrong[0])
    return sites


def counting(
    sites: pandas.DataFrame,
    categories: Sequence[str],
    statuses: Sequence[str],
    realms: Sequence[str],
    oecm: bool,
) -> pandas.Series:
    """Which sites count, bool by site.

    A protected area counts by its IUCN category, an OECM if these are wanted, whatever its
    category: most have none. Both count by status and realm; a site of no known realm only if all
    realms are wanted. UNESCO-MAB reserves never count.
    """
    other = sites["kind"].str.lower().isin(_OECM)
    lower = {name: sites[name].str.casefold() for name in ("category", "status")}
    inside = sites["realm"].isin(realms) | (len(set(realms)) == len(REALMS))
    return (
        (lower["category"].isin([c.casefold() for c in categories]) & ~other | other & oecm)
        & lower["status"].isin([s.casefold() for s in statuses])
        & ~sites["designation"].str.lower().str.contains("unesco-mab", regex=False)
        & inside
    )


def guarded(function, path: Path, file: str, **options):
    """Call one of pyogrio's readers; its errors name the path, and GDAL mends rings silently.

    Text that is not in the encoding that a shapefile claims is read as Latin-1, which fits all:
    what is compared is plain ASCII.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rings with invalid winding order")
        try:
            return function(file, **options)
        except UnicodeDecodeError:
            return function(file, **options | {"encoding": "ISO-8859-1"})
        except RuntimeError as error:
            raise WildLensError(f"{path}: cannot be read: {one_line(error)}") from None


class _NoColumn(WildLensError):
    """A layer that lacks a column; another may have it."""


def _files(path: Path) -> Iterator[str]:
    """What GDAL is to open: the path itself, or the files of polygons in a zip."""
    if path.suffix.lower() != ".zip":
        yield str(path)
        return
    found = sorted(_members(open_zip(path), gdal_name(open_zip(path)).removesuffix("/")))
    if not found:
        raise WildLensError(
            f"{path}: holds no file of polygons ({', '.join(_SUFFIXES)}, .gdb), nor a zip with one"
        )
    yield from found


def _members(folder: zipfile.Path, name: str, depth: int = 1) -> Iterator[str]:
    """Names for GDAL of the files of polygons in an archive; `name` is that of the archive."""
    seen = set()
    for member in folder.root.namelist():
        inner = f"{name}/{member}"
        suffix = Path(member).suffix.lower()
        if "{" in member or "}" in member or Path(member).name.startswith("."):
            continue  # braces are how GDAL marks archives; hidden files are no data
        geodatabase = next((p for p in Path(member).parents if p.suffix.lower() == ".gdb"), None)
        if geodatabase is not None and geodatabase not in seen:
            seen.add(geodatabase)
            yield f"{name}/{geodatabase.as_posix()}"
        elif geodatabase is None and suffix in _SUFFIXES:
            yield inner
        elif suffix == ".zip" and depth < _DEEPEST:
            try:
                with folder.root.open(member) as stream, zipfile.ZipFile(stream) as archive:
                    yield from _members(zipfile.Path(archive), f"/vsizip/{{{inner}}}", depth + 1)
            except (OSError, zipfile.BadZipFile, RuntimeError) as error:
                raise WildLensError(
                    f"{folder.root.filename}: {member}: cannot be opened as a zip archive:"
                    f" {one_line(error)}"
                ) from None


def _layer_sites(layer: Layer, spelt: dict[str, str], box: Bounds | None) -> pandas.DataFrame:
    columns = {
        name: next((spelt[s] for s in spellings if s in spelt), None)
        for name, spellings in _SPELLINGS
    }
    beside = None
    if columns["category"] is None and "cddaid" in spelt:
        beside = _cdda_table(layer)
    found = ", ".join(spelt.values()) or "none"
    if columns["category"] is None and beside is None:
        raise _NoColumn(f"{layer.path}: has no column IUCN_CAT (columns found: {found})")
    cdda = any(name in spelt for name in _CDDA)
    if columns["status"] is None and not cdda:
        raise _NoColumn(f"{layer.path}: has no column STATUS (columns found: {found})")
    table = layer.read(
        pyogrio.read_dataframe, read_geometry=False, fid_as_index=True, bbox=box,
        columns=[c for c in columns.values() if c is not None],
    )  # fmt: skip
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
    return sites


def _cdda_table(layer: Layer) -> pandas.DataFrame | None:
    """Category and realm by CDDA's id, from the table that its files hold beside the polygons."""
    for name, kind in pyogrio.list_layers(layer.file):
        if kind:
            continue
        table = Layer(layer.path, layer.file, str(name))
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


def _box(layer: Layer, crs: str, bounds: Bounds | None) -> Bounds | None:
    """The bounds in the layer's CRS; none, where what they mean would not be found by them."""
    if bounds is None:
        return None
    to_layer = Transformer.from_crs(DEGREES, crs, always_xy=True)
    if to_layer.target_crs.is_geographic:
        info = layer.read(pyogrio.read_info, force_total_bounds=True)
        west, _, east, _ = info["total_bounds"] or bounds
        if west < -180 or east > 180:  # the same place may stand there with other longitudes
            return None
    box = to_layer.transform_bounds(*bounds, densify_pts=51)
    return box if np.isfinite(box).all() else None


def _text(value) -> str:
    """A value as text: WDPAID is a number stored as double, and missing values are empty."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if pandas.isna(value) else str(value).strip()
