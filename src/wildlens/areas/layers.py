"""Polygon layers of vector files, which may be in a zip, or in zips inside a zip."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import pyogrio
from pyproj import CRS

from wildlens.areas.antimeridian import Bounds, boxes_in
from wildlens.errors import WildLensError, one_line
from wildlens.files import vector
from wildlens.files.archives import gdal_name, open_zip

_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".fgb")
_DEEPEST = 2  # zips in zips
_POLYGONS = ("Polygon", "Surface", "Unknown")  # Unknown: a layer of mixed geometries


@dataclass(frozen=True)
class Layer:
    """A layer of a vector file.

    Attributes:
        path: as the user gave it.
        source: the name under which GDAL opens the file.
        name: of the layer.
    """

    path: Path
    source: str
    name: str

    def read(self, function, **options):
        """Call one of pyogrio's readers on the layer; errors name the file."""
        return vector.read(function, self.path, self.source, layer=self.name, **options)

    def checked_info(self) -> dict:
        """What pyogrio tells of the layer, if it is in a known format and has a reference system.

        Raises:
            WildLensError: it is not, or has none.
        """
        info = self.read(pyogrio.read_info)
        if info["driver"] not in vector.DRIVERS:
            expected = ", ".join(vector.DRIVERS)
            raise WildLensError(f"{self.path}: is {info['driver']}, expected one of {expected}")
        if info["crs"] is None:
            raise WildLensError(
                f"{self.path}: has no coordinate reference system (is its .prj missing?)"
            )
        return info

    def read_near(self, bounds: Bounds | None, **options) -> pandas.DataFrame:
        """Features by number whose bounding box touches a box in degrees; all without a box.

        In layers with longitudes beyond 180 degrees, all features count.
        """
        parts = [
            self.read(pyogrio.read_dataframe, fid_as_index=True, bbox=box, **options)
            for box in self._boxes(bounds) or [None]
        ]
        if len(parts) == 1:
            return parts[0]
        table = pandas.concat(parts)
        return table[~table.index.duplicated()].sort_index()

    def _boxes(self, bounds: Bounds | None) -> list[Bounds] | None:
        """The bounds in the layer's CRS; None where they would miss features within them."""
        if bounds is None:
            return None
        info = self.read(pyogrio.read_info, force_total_bounds=True)
        if CRS(info["crs"]).is_geographic:
            west, _, east, _ = info["total_bounds"] or bounds
            if west < -180 or east > 180:  # the same location may have other longitudes there
                return None
        boxes = boxes_in(info["crs"], bounds)
        return boxes if np.isfinite(boxes).all() else None


def polygon_layers(path: Path) -> list[Layer]:
    """All polygon layers of a file, folder or zip; of a zip also those of the zips in it.

    Raises:
        WildLensError: it cannot be opened, has edits that are not merged, or no polygon layer.
    """
    found, kinds = [], []
    for source in _sources(path):
        for name, kind in vector.list_layers(path, source):
            kinds.append(f"{name}: {kind or 'no geometry'}")
            if kind and any(word in kind for word in _POLYGONS):
                found.append(Layer(path, source, name))
    if not found:
        raise WildLensError(
            f"{path}: has no polygon layer (found {', '.join(kinds) or 'no layer'});"
            " give the file of the polygons"
        )
    return found


def tables_beside(layer: Layer) -> Iterator[Layer]:
    """The layers without geometry in a layer's file."""
    for name, kind in vector.list_layers(layer.path, layer.source):
        if not kind:
            yield Layer(layer.path, layer.source, name)


def _sources(path: Path) -> Iterator[str]:
    """Names under which GDAL opens the file itself, or the vector files in a zip."""
    if path.suffix.lower() != ".zip":
        yield vector.gdal_source(path)
        return
    found = sorted(_members(open_zip(path), gdal_name(open_zip(path)).removesuffix("/")))
    if not found:
        raise WildLensError(
            f"{path}: holds no file of polygons ({', '.join(_SUFFIXES)}, .gdb), nor a zip with one"
        )
    yield from found


def _members(folder: zipfile.Path, name: str, depth: int = 1) -> Iterator[str]:
    """GDAL's names of the vector files in an archive; `name` is that of the archive."""
    seen = set()
    for member in folder.root.namelist():
        inner = f"{name}/{member}"
        suffix = Path(member).suffix.lower()
        if "{" in member or "}" in member or Path(member).name.startswith("."):
            continue  # GDAL marks archives by braces; hidden files are no data
        geodatabase = next((p for p in Path(member).parents if p.suffix.lower() == ".gdb"), None)
        if geodatabase is not None and geodatabase not in seen:
            seen.add(geodatabase)
            yield f"{name}/{geodatabase.as_posix()}"
        elif geodatabase is None and suffix in _SUFFIXES:
            vector.refuse_unmerged(folder / member)
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
