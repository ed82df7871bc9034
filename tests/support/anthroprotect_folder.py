"""A small folder in the layout of AnthroProtect, as published, with random pixels."""

from pathlib import Path

import numpy as np
from affine import Affine
from products import write_tif
from pyproj import Transformer

BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
LAYERS = ("CORINE", "MODIS_1", "CGLS", "GlobCover")
SIZE = 256
# area -> split of its tiles: every spelling of the names; the third and last are in two splits
AREAS = {
    "anthropo_10.20696-59.31534": "train val",
    "anthropo_13.61147-57.69620-04-8": "train train",
    "anthropo_16.87133-59.52749-16": "test test train",
    "wdpa-Ia_6907": "train",
    "wdpa-Ib_654": "train",
    "wdpa-Ib_3159-5": "val",
    "wdpa-II_907": "test",
    "wdpa-II_4658-1": "train train val",
}


def write_folder(root: Path, rng, *, column="dataset", side=SIZE, areas=AREAS, **options) -> Path:
    """The dataset: the table, three files a tile, one investigative scene with land cover."""
    lines = [f"file,lon,lat,category,label,{column}"]
    for area_number, (area, splits) in enumerate(areas.items()):
        for number, split in enumerate(splits.split()):
            file, epsg = f"{area}_{number}.tif", 32632 + area_number % 2
            corner = 500_000 + 5000 * number, 6_600_000 - 10_000 * area_number
            lon, lat = write_tile(root, file, rng, epsg, corner, side)
            category = area.split("_")[0]
            lines.append(f"{file},{lon},{lat},{category},{int(category != 'anthropo')},{split}")
    (root / "infos.csv").write_text("\n".join(lines) + "\n")
    investigative(root, rng, **options)
    return root


def write_tile(root: Path, file: str, rng, epsg: int, corner, side=SIZE) -> tuple[float, float]:
    """The three files of a tile; its centre in degrees. Every layer has its own numbers."""
    place = {"crs": f"EPSG:{epsg}", "transform": Affine(10, 0, corner[0], 0, -10, corner[1])}
    bands = rng.integers(1, 3000, (len(BANDS), side, side)).astype("uint16")
    bands[:, :2, :3] = 0
    values = ([211, 312, 412], [10, 11, 12], [20, 40, 126], [14, 150, 180])
    layers = np.stack([rng.choice(v, (side, side)) for v in values]).astype("uint16")
    scl = rng.choice([4, 5, 9], (1, side, side), p=[0.5, 0.48, 0.02]).astype("uint16")
    interleaved = {"interleave": "pixel"} | place
    write_tif(root / "tiles/s2" / file, bands, descriptions=BANDS, **interleaved)
    write_tif(root / "tiles/lcs" / file, layers, descriptions=LAYERS, **interleaved)
    write_tif(root / "tiles/s2_scl" / file, scl, descriptions=["SCL"], **place)
    to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
    return to_degrees.transform(corner[0] + 5 * side, corner[1] - 5 * side)


def investigative(root: Path, rng, name="inv_hydroelectric-letsi_2019-07-01-2019-08-30", side=300):
    bands = rng.integers(1, 3000, (len(BANDS), side, side)).astype("uint16")
    write_tif(root / "investigative" / f"{name}.tif", bands, descriptions=BANDS)
