"""Table of how WildLens reads real files: one row per product, land-cover file and polygon file.

    python benchmarks/read_inputs.py FOLDER

Reads metadata, and the values of land cover; prints Markdown. docs/inputs.md shows its output.
"""

import logging
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyogrio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from rasterio.windows import Window

from wildlens.anthroprotect.dataset import find_root, open_folder, read_table
from wildlens.areas.polygons import read_areas
from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.landcover.corine import decode_corine
from wildlens.landcover.corine_vector import polygon_reader
from wildlens.landcover.step import choose_band
from wildlens.legend import CORINE
from wildlens.scene.open_band import check_integers
from wildlens.scene.products import open_product
from wildlens.scene.scaling import decide_scaling
from wildlens.settings import Tiles

POLYGONS = (".shp", ".gpkg")
IMAGES = (".tif", ".jp2")


def main(folder: Path) -> None:
    logging.disable()
    print("| file | read as | what was found |\n| --- | --- | --- |")
    for path in candidates(folder):
        kind, found = describe(path)
        print(f"| `{path.relative_to(folder)}` | {kind} | {found.replace('|', '/')} |")


def candidates(folder: Path) -> Iterator[Path]:
    """Products, rasters and polygon files; a folder that is one product is not searched further."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (*IMAGES, *POLYGONS, ".json"):
            yield path
        elif path.is_dir():
            names = {p.name.lower() for p in path.iterdir()}
            images = [p for p in path.iterdir() if p.suffix.lower() in IMAGES]
            whole = names & {"mtd_msil2a.xml", "mtd_msil1c.xml"}
            if whole or succeeds(find_root, path) or (images[1:] and succeeds(open_product, path)):
                yield path
            else:
                yield from candidates(path)


def succeeds(reader, path: Path) -> bool:
    try:
        reader(path)
    except WildLensError:
        return False
    return True


def describe(path: Path) -> tuple[str, str]:
    """Kind of a file and its content, or why it is refused."""
    readers = [product]
    if path.is_dir() and succeeds(find_root, path):
        readers = [anthroprotect]
    elif path.suffix.lower() in POLYGONS:
        readers = [areas, corine_polygons]
    elif path.suffix.lower() in IMAGES:
        readers = [product, landcover]
    refusals = []
    for reader in readers:
        try:
            return reader.__name__.replace("_", " "), reader(path)
        except WildLensError as error:
            reason = str(error).replace(f"{path}: ", "").replace(f"{path}, ", "")
            reason = textwrap.shorten(reason.replace(str(path), "..."), 90, placeholder=" ...")
            refusals.append(f"as {reader.__name__.replace('_', ' ')}: {reason}")
    return "**refused**", "; ".join(refusals)


def product(path: Path) -> str:
    found = open_product(path)
    rows, columns = found.grid.shape
    offset = "not stated"
    if found.offset is not None:
        offset = ", ".join(map(str, sorted(set(found.offset.values()))))
    if found.grid.crs.geographic:
        use = "pixels in degrees: set `scene.crs`"
    else:
        first = next(iter(found.bands))
        file = found.bands[first]
        if file.path.is_file():  # of some products only the metadata are there
            with raster.open_raster(file.path) as dataset:
                check_integers(dataset, file.index)
        try:
            use = f"{decide_scaling(found, [first], None).offset[first]:g} applied"
        except WildLensError as error:
            use = f"required: {str(error).rpartition('; ')[2]}"
    crs = f"EPSG:{found.grid.crs.epsg}" if found.grid.crs.epsg else "another CRS"
    return (
        f"{len(found.bands)} bands ({' '.join(found.bands)}){' and SCL' if found.scl else ''},"
        f" {columns} x {rows} px of {found.grid.affine.a:.3g}, {crs}; offset {offset}, {use}"
    )


def landcover(path: Path) -> str:
    with raster.open_raster(path) as dataset:
        band = choose_band(dataset, None)
        values, nodata = raster.read(dataset, band), dataset.nodatavals[band - 1]
    indices = decode_corine(values, nodata)
    known = values[indices > 0]
    if not known.size:
        raise WildLensError("holds no class")
    classes = [CORINE.of_index(int(i)).code for i in np.unique(indices[indices > 0])]
    return (
        f"{'codes' if known.max() > 44 else 'grid codes'} {known.min():g}..{known.max():g} of"
        f" {len(classes)} classes ({classes[0]}..{classes[-1]}),"
        f" {100 * (indices == 0).mean():.1f} % no data"
    )


def areas(path: Path) -> str:
    settings = Tiles()
    found = read_areas(path, settings.categories, settings.statuses)
    counts = found["category"].value_counts()
    return f"{len(found)} sites used: {', '.join(f'{k} {n}' for k, n in counts.items())}"


def corine_polygons(path: Path) -> str:
    layers = [name for name, kind in pyogrio.list_layers(path) if "Polygon" in str(kind)]
    if not layers:
        raise WildLensError("no layer of polygons")
    info = pyogrio.read_info(path, layer=layers[0])
    left, bottom, right, top = info["total_bounds"]
    shape = round((top - bottom) / 100), round((right - left) / 100)
    grid = GeoBox(shape, from_origin(left, top, 100, 100), info["crs"])
    indices = polygon_reader(path, grid)(Window(0, 0, shape[1], shape[0]))
    return f"{info['features']} polygons of {len(np.unique(indices[indices > 0]))} classes"


def anthroprotect(path: Path) -> str:
    folder = open_folder(path)
    table = read_table(folder.table)
    present = table["file"].isin(list(folder.files["s2"])).sum()
    splits = table.groupby("area")["split"].nunique()
    counts = table["split"].value_counts()
    return (
        f"{len(table)} rows ({', '.join(f'{k} {n}' for k, n in counts.items())}), {present} with"
        f" files; {(splits > 1).sum()} of {len(splits)} areas in more than one split"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
