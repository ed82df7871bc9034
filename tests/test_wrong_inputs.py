"""What users get wrong, one row each: one line says what, where and what to do, nothing is left.

Each row makes its input in a folder and gives the command line that a user would type; all of them
stop before anything is trained.
"""

import json
import shutil
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import yaml
from affine import Affine
from anthroprotect_folder import write_folder
from products import SHAPE, image_entry, metadata_xml, numbers, write_safe, write_tif

from wildlens.cli import cli
from wildlens.errors import WildLensError

RNG = np.random.default_rng(0)
ADDED = dict.fromkeys(["B02", "B03", "B04", "B08"], -1000)


def dn(low=1, shape=SHAPE, high=3000):
    return numbers(RNG, shape, low, high)


def safe(folder: Path, offsets=None, low=1, bands=("B02", "B03", "B04", "B08"), **options) -> Path:
    images = {band: dn(low) for band in bands} | {"SCL": np.full((30, 36), 4, "uint16")}
    return write_safe(folder, images, shape=SHAPE, offsets=offsets, **options)


def stack(folder: Path, low=1, **options) -> Path:
    values = np.stack([dn(low) for _ in range(4)])
    options = {"descriptions": ["B2", "B3", "B4", "B8"]} | options
    return write_tif(folder / "stack.tif", values, **options)


def settings(folder: Path, **values) -> list:
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(values))
    return ["--settings", path]


def scene(product: Path, *options) -> list:
    return ["scene", product, *options]


def image(root: Path, band: str) -> Path:
    return root / f"{image_entry(band, 10)}.jp2"


def zipped(folder: Path, members: dict) -> Path:
    path = folder / "product.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def item(folder: Path, **changed) -> Path:
    write_tif(folder / "B02.tif", dn())
    whole = {"type": "Feature", "properties": {}, "assets": {"B02": {"href": "B02.tif"}}} | changed
    path = folder / "item.json"
    path.write_text(json.dumps(whole))
    return path


# --- products


def missing_band(f):
    return scene(safe(f), *settings(f, bands=["B02", "B09"]))


def missing_image(f):
    root = safe(f)
    image(root, "B03").unlink()
    return scene(root)


def truncated_jp2(f):
    root = safe(f)
    path = image(root, "B03")
    path.write_bytes(path.read_bytes()[:900])
    return scene(root)


def truncated_tif(f):
    path = stack(f)
    path.write_bytes(path.read_bytes()[:20_000])
    return scene(path, "--offset=0")


def degrees(f):
    return scene(stack(f, crs="EPSG:4326", transform=Affine(1e-4, 0, 8, 0, -1e-4, 60)))


def coarse(f):
    return scene(stack(f, resolution=20.0))


def rotated(f):
    return scene(stack(f, transform=Affine(10, 1, 499980, 1, -10, 8900040)))


def without_crs(f):
    return scene(stack(f, crs=None))


def other_crs(f):
    write_tif(f / "B02.tif", dn())
    write_tif(f / "B03.tif", dn(), crs="EPSG:32634")
    return scene(f, *settings(f, bands=["B02", "B03"]))


def shifted_band(f):
    write_tif(f / "B02.tif", dn())
    write_tif(f / "B03.tif", dn(), transform=Affine(10, 0, 499990, 0, -10, 8900040))
    return scene(f, *settings(f, bands=["B02", "B03"]))


def two_products(f):
    for date in ("2020", "2021"):
        write_tif(f / f"T33XWJ_{date}_B02_10m.tif", dn())
    return scene(f)


def mosaic(f, settings=(), **profile):
    """Two products in folders, of which the second has another grid."""
    write_tif(f / "a" / "B02.tif", dn())
    write_tif(f / "b" / "B02.tif", dn(), **profile)
    return ["scene", f / "a", f / "b", "--offset=0", *settings]


def level_1c(f):
    (f / "MTD_MSIL1C.xml").write_text("<a/>")
    return scene(f)


def reflectance_as_float(f):
    values = np.stack([dn() / 10_000] * 4).astype("float32")
    return scene(write_tif(f / "s.tif", values, descriptions=["B2", "B3", "B4", "B8"]))


def virtual(f):
    inner = stack(f)
    path = f / "other.tif"
    path.write_text(f"<VRTDataset><VRTRasterBand>{inner}</VRTRasterBand></VRTDataset>")
    return scene(path)


def metadata(f, text):
    root = safe(f)
    (root / "MTD_MSIL2A.xml").write_text(text)
    return scene(root)


def outside(f):
    return metadata(f, metadata_xml(["GRANULE/../../../etc/B02_10m"]))


def doctype(f):
    return metadata(f, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


def broken_zip(f):
    path = f / "product.zip"
    path.write_bytes(b"PK\3\4 no")
    return scene(path)


def damaged_member(f):
    path = zipped(f, {"A.SAFE/MTD_MSIL2A.xml": metadata_xml([]) * 20})
    content = bytearray(path.read_bytes())
    content[200:210] = b"0123456789"
    path.write_bytes(content)
    return scene(path)


PRODUCTS = {
    "missing band": (missing_band, "has no B09; it has B02, B03, B04, B08"),
    "missing image": (missing_image, "B03_10m.jp2: band B03 is missing: there is no such file"),
    "truncated JP2": (truncated_jp2, "B03_10m.jp2: cannot be"),
    "truncated GeoTIFF": (truncated_tif, "stack.tif: cannot be opened"),
    "pixels in degrees": (degrees, "its pixels are in degrees"),
    "20 m only": (coarse, "its finest pixels are 20 x 20 m, expected 10 x 10 m"),
    "rotated": (rotated, "north up"),
    "no CRS": (without_crs, "has no coordinate reference system"),
    "another CRS in one band": (other_crs, "B03.tif: its CRS is EPSG:32634, that of the product"),
    "one band shifted": (shifted_band, "B03.tif: its grid"),
    "two products in a folder": (two_products, "are both B02: keep one product in a folder"),
    "Level-1C folder": (level_1c, "is a Level-1C product"),
    "Level-1C zip": (lambda f: scene(zipped(f, {"A/MTD_MSIL1C.xml": "<a/>"})), "is a Level-1C"),
    "Level-1C item": (lambda f: scene(item(f, collection="sentinel-2-l1c")), "is a Level-1C"),
    "reflectance as float": (reflectance_as_float, "holds float32 numbers, expected the integers"),
    "no band names": (lambda f: scene(stack(f, descriptions=[])), "describe its bands as B02"),
    "a band twice": (lambda f: scene(stack(f, descriptions=["B2", "B02", "B3", "B4"])),
                     "several bands described as B02"),
    "an empty folder": (lambda f: scene(f), "is not a product that WildLens can read: give a SAFE"),
    "an empty file": (lambda f: scene(write_text(f / "a.tif", "")), "cannot be opened as a raster"),
    "a text file": (lambda f: scene(write_text(f / "a.txt", "B02")), "is not a product"),
    "a virtual raster in disguise": (virtual, "cannot be opened as a raster"),
    "a broken zip": (broken_zip, "cannot be opened as a zip archive"),
    "a zip of something else": (lambda f: scene(zipped(f, {"a/b.txt": ""})), "is not a product"),
    "a damaged zip": (damaged_member, "MTD_MSIL2A.xml: cannot be read: Bad CRC"),
    "metadata that are no XML": (lambda f: metadata(f, "<a>"), "is not valid XML"),
    "metadata of something else": (lambda f: metadata(f, "<a/>"), "is not Level-2A metadata"),
    "entities in metadata": (doctype, "is not valid XML"),
    "metadata that lead outside": (outside, "IMAGE_FILE is not a path inside the product"),
    "a list of items": (lambda f: scene(item(f, type="FeatureCollection")), "is not a STAC item"),
    "an item without bands": (lambda f: scene(item(f, assets={"visual": {}})), "none of its 1"),
    "offset against metadata": (lambda f: scene(safe(f, ADDED, 1100), "--offset=0"),
                                "leave `offset` out"),
    "offset of a band missing": (lambda f: scene(safe(f, {"B02": -1000}, 1100)),
                                 "its metadata state offsets, but none for B03"),
    "offset unclear": (lambda f: scene(stack(f, 1100)), "give `offset: -1000`, or `offset: 0`"),
    "offset applied twice": (
        lambda f: scene(safe(f, ADDED), *settings(f, offset_conflict="refuse")),
        "looks as if it had been applied before",
    ),
    "offset not applied": (
        lambda f: scene(safe(f, low=1100), *settings(f, offset_conflict="refuse")),
        "looks as if the offset of +1000 were still in the numbers",
    ),
    "a clip elsewhere": (lambda f: scene(safe(f), "--clip", 8, 50, 9, 51), "does not touch"),
    "a clip turned round": (lambda f: scene(safe(f), "--clip", 9, 50, 8, 51), "is not a box"),
    "products of two zones": (
        lambda f: mosaic(f, settings(f, bands=["B02"]), crs="EPSG:32634"),
        "b: its CRS is EPSG:32634, that of",
    ),
    "products beside each other's pixels": (
        lambda f: mosaic(f, settings(f, bands=["B02"]),
                         transform=Affine(10, 0, 499983, 0, -10, 8900040)),
        "b: its pixels are offset by 3 m and 0 m from those of",
    ),
    "three offsets for two products": (lambda f: mosaic(f, ["--offset=0", "--offset=-1000"]),
                                       "3 offsets for 2 products"),
    "a product of several without a band": (
        lambda f: mosaic(f, settings(f, bands=["B02", "B03"])), "a: has no B03"
    ),
    "a CRS in degrees": (
        lambda f: scene(safe(f), *settings(f, crs="EPSG:4326")), "not a projected system in metres"
    ),
    "a CRS that is none": (
        lambda f: scene(safe(f), *settings(f, crs="EPSG:99999")), "EPSG:99999 is not known"
    ),
    "a CRS in words": (lambda f: scene(safe(f), *settings(f, crs="UTM 33")), "crs"),
    "20 m only, to be reprojected": (
        lambda f: scene(stack(f, resolution=20.0), *settings(f, crs="EPSG:3035")),
        "its finest pixels span 2",
    ),
    "an unknown key": (lambda f: scene(safe(f), *settings(f, band=["B02"])), "mean 'bands'"),
    "an unknown band": (lambda f: scene(safe(f), *settings(f, bands=["B10"])), "bands.0"),
}  # fmt: skip


# --- land cover


def write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def landcover(f, values, *options, name="lc.tif", **profile):
    write_tif(f / "scene.tif", dn())
    values = RNG.choice(values, SHAPE).astype("uint16")
    return [
        "landcover",
        write_tif(f / name, values, **profile),
        "--scene",
        f / "scene.tif",
        *options,
    ]


def truncated_landcover(f):
    command = landcover(f, [111, 412])
    command[1].write_bytes(command[1].read_bytes()[:3000])
    return command


def picture(f):
    write_tif(f / "scene.tif", dn())
    rgb = RNG.integers(0, 255, (3, *SHAPE)).astype("uint8")
    return ["landcover", write_tif(f / "lc.tif", rgb), "--scene", f / "scene.tif"]


def polygons(f, **columns):
    command = landcover(f, [111])
    columns = {name: [value] for name, value in columns.items()}
    box = geopandas.GeoDataFrame(columns, geometry=[shapely.box(14, 80, 16, 81)], crs=4326)
    box.to_file(f / "lc.gpkg")
    command[1] = f / "lc.gpkg"
    return command


def by_table(f, text, values=(1, 2)):
    path = write_text(f / "table.csv", text)
    return landcover(f, values, *settings(f, product="table", table=str(path)))


LANDCOVERS = {
    "of elsewhere": (lambda f: landcover(f, [111], transform=Affine(10, 0, 0, 0, -10, 6e6)),
                     "lc.tif: does not touch the scene"),
    "nothing but missing": (lambda f: landcover(f, [0, 999]), "has no land cover anywhere in"),
    "codes and grid codes": (lambda f: landcover(f, [12, 211]), "mixes CORINE codes (211)"),
    "unknown values": (lambda f: landcover(f, [211, 600]), "no CORINE classes: 600"),
    "CORINE as WorldCover": (lambda f: landcover(f, [211], *settings(f, product="worldcover")),
                             "no ESA WorldCover classes: 211"),
    "WorldCover as CORINE": (
        lambda f: landcover(f, [10, 20], name="ESA_WorldCover_10m_2021_v200_N60E009_Map.tif"),
        "its name says ESA WorldCover: set landcover.product to worldcover",
    ),
    "CLC+ as CORINE": (
        lambda f: landcover(f, [1, 2], name="CLMS_CLCPLUS_RASTER_2021_010m_EU_03035_V01_R00.tif"),
        "its name says CLC+ Backbone",
    ),
    "a picture": (picture, "0 of its 3 bands are described as CORINE"),
    "no CRS": (lambda f: landcover(f, [111], crs=None), "has no coordinate reference system"),
    "truncated": (truncated_landcover, "lc.tif: cannot be"),
    "polygons without codes": (lambda f: polygons(f, use="wood"), "0 fields of CORINE codes"),
    "polygons of other codes": (lambda f: polygons(f, CODE_18="A1"), "no CORINE codes: A1"),
    "a table without codes": (lambda f: by_table(f, "value,name\n1,bog\n"), "value and code"),
    "a table that lacks a value": (lambda f: by_table(f, "value,code\n1,412\n"),
                                   "no table.csv classes: 2"),
    "table and product at odds": (lambda f: landcover(f, [1], *settings(f, table="a.csv")),
                                  "product 'table' and the path `table` go together"),
}  # fmt: skip


# --- training set


def tiles(f, *, category="Ib", built=211, bands=2, crs=4326, more=(), **changed):
    """A scene of 2 x 3 tiles, its left half protected, its right half of one land cover."""
    values = np.stack([dn(shape=(64, 96))] * bands)
    write_tif(f / "scene.tif", values, descriptions=["B02", "B03", "B04"][:bands], nodata=0)
    cover = np.where(np.arange(96) < 48, 36, {211: 12, 412: 36}[built])
    write_tif(f / "lc.tif", np.broadcast_to(cover, (64, 96)).astype("uint8"))
    box = shapely.box(499980 - 100, 8899300, 499980 + 480, 8900140)
    areas = geopandas.GeoDataFrame(
        {"IUCN_CAT": [category], "STATUS": "Designated"}, geometry=[box], crs=32633
    ).to_crs(4326)
    areas.to_file(f / "areas.gpkg")
    inputs = ["--scene", f / "scene.tif", "--landcover", f / "lc.tif", "--areas", f / "areas.gpkg"]
    return [
        "tiles",
        *inputs,
        *more,
        "--footprints",
        f / "out.gpkg",
        *settings(f, **{"size": 32} | changed),
    ]


def other_bands(f):
    command = tiles(f)
    write_tif(f / "b.tif", np.stack([dn()] * 3), descriptions=["B02", "B03", "B04"])
    write_tif(f / "blc.tif", np.ones(SHAPE, "uint8"))
    return [*command, "--scene", f / "b.tif", "--landcover", f / "blc.tif"]


def other_grid(f):
    command = tiles(f)
    write_tif(f / "lc.tif", np.ones(SHAPE, "uint8"))
    return command


def truncated_areas(f):
    command = tiles(f)
    path = f / "areas.gpkg"
    path.write_bytes(path.read_bytes()[:5000])
    return command


def areas_in_zip(f, members: dict, cut=False):
    command = tiles(f)
    path = zipped(f, {"areas.gpkg": (f / "areas.gpkg").read_bytes()} if cut else members)
    if cut:  # within the polygons, not the directory at the end
        content = bytearray(path.read_bytes())
        content[100:200] = bytes(100)
        path.write_bytes(content)
    command[command.index(f / "areas.gpkg")] = path
    return command


def areas_of(f, **columns):
    """Other areas than those of `tiles`, at the same place."""
    command = tiles(f)
    box = geopandas.read_file(f / "areas.gpkg").geometry
    (f / "areas.gpkg").unlink()
    geopandas.GeoDataFrame({n: [v] for n, v in columns.items()}, geometry=box).to_file(
        f / "areas.gpkg"
    )
    return command


def anthroprotect(f, change=lambda root: None, **values):
    root = write_folder(f / "data", np.random.default_rng(0), side=256,
                        areas={"anthropo_1-2": "train", "wdpa-Ib_1": "train"})  # fmt: skip
    change(root)
    chosen = settings(f, **({"size": 256} | values))
    return ["anthroprotect", root, "--footprints", f / "out.gpkg", *chosen]


def no_anthroprotect(f):
    return ["anthroprotect", f, "--footprints", f / "out.gpkg", *settings(f, size=256)]


def other_model(f):
    import torch

    from wildlens.networks import weights
    from wildlens.networks.classifier import LocalClassifier

    network = LocalClassifier(1, width=4)
    network.standardise.set_statistics(torch.ones(1), torch.ones(1))
    save = {"bands": ["B11"], "tile_size": 48, "provenance": {}}
    weights.save(f / "model.safetensors", {"classifier": network}, kind="local",
               arguments={"bands": 1, "width": 4}, **save)  # fmt: skip
    tiles(f)
    return ["map", f / "scene.tif", "--method", "gradcam", "--classifier", f / "model.safetensors"]


TRAINING = {
    "no polygon of the category": (lambda f: tiles(f, category="IV"),
                                   "categories found IV 1, wanted Ia, Ib, II"),
    "no polygon of the realm": (lambda f: tiles(f, realms=["Marine"]),
                                "wanted Marine (tiles.realms)"),
    "CDDA without categories": (lambda f: areas_of(f, cddaId=7), "has no column IUCN_CAT"),
    "CDDA of another category": (lambda f: areas_of(f, cddaId=7, iucnCategory="notReported"),
                                 "categories found notReported 1"),
    "OECM alone": (lambda f: areas_of(f, IUCN_CAT="Ia", STATUS="Established", SITE_TYPE="OECM"),
                   "no polygon counts of 1 sites"),
    "areas of no status": (lambda f: areas_of(f, IUCN_CAT="Ia"), "has no column STATUS"),
    "a zip without polygons": (lambda f: areas_in_zip(f, {"a.txt": ""}),
                               "holds no file of polygons (.shp, "),
    "a broken zip in a zip": (lambda f: areas_in_zip(f, {"W_shp_0.zip": "PK"}),
                              "W_shp_0.zip: cannot be opened as a zip"),
    "a damaged file in a zip": (lambda f: areas_in_zip(f, {}, cut=True), "product.zip: cannot be"),
    "no protected tile": (lambda f: tiles(f, protected_min_share=1.0, max_missing=0.0, size=64),
                          "none of 1 tiles"),
    "no anthropogenic tile": (lambda f: tiles(f, built=412), "is anthropogenic"),
    "a split without a class": (lambda f: tiles(f), "in the split"),
    "land cover on another grid": (other_grid, "lc.tif: is not on the grid of"),
    "scenes of different bands": (other_bands, "make all scenes with the same scene.bands"),
    "truncated areas": (truncated_areas, "areas.gpkg: cannot be"),
    "tiles larger than the scene": (lambda f: tiles(f) + settings(f, size=512),
                                    "is smaller than a tile"),
    "no AnthroProtect": (no_anthroprotect, "is no AnthroProtect"),
    "AnthroProtect of other names": (
        lambda f: anthroprotect(f, lambda root: write_text(root / "infos.csv", "file\na.tif\n")),
        "is no name of a tile",
    ),
    "AnthroProtect without land cover": (
        lambda f: anthroprotect(f, lambda root: shutil.rmtree(root / "tiles/lcs")),
        "lcs: there is no such folder",
    ),
    "AnthroProtect in part": (anthroprotect, "no protected tile in the split 'val'"),
    "AnthroProtect in other tiles": (lambda f: anthroprotect(f, size=128), "set tiles.size to 256"),
    "a model of other bands": (other_model, "B11"),
}  # fmt: skip

ROWS = {
    f"{group}: {name}": row
    for group, rows in (("product", PRODUCTS), ("land cover", LANDCOVERS), ("training", TRAINING))
    for name, row in rows.items()
}


def test_number_of_wrong_inputs():
    assert len(ROWS) >= 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS)
def test_wrong_input_is_one_line_and_leaves_nothing(tmp_path, row):
    make, message = ROWS[row]
    command = make(tmp_path)
    before = set(tmp_path.rglob("*"))
    output = tmp_path / "results" / "output.tif"
    with pytest.raises(WildLensError) as error:
        cli([*map(str, command), "--output", str(output)], standalone_mode=False)
    text = str(error.value)
    assert message in text
    assert "\n" not in text and len(text) < 1000
    assert set(tmp_path.rglob("*")) - before <= {output.parent}, "nothing partial is left"
