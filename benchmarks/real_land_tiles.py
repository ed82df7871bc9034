"""Tiles of real land with exact masks: single groups to train on, both groups together to explain.

8-bit pictures are stored as if 255 were a reflectance of 0.51 (`SCALE`): networks standardise each
band, so that only maps in reflectance depend on it. The explained group has label 1 and class 312
(forest) in the land cover, the other group label 0 and class 231 (pasture).
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic
from wildlens.legend import CORINE
from wildlens.tiles.store import STEP, write_tileset

SCALE = 20  # reflectance x 10000 of one step of an 8-bit picture
SIDE = 64  # px
PURE, MIXED = 0.95, (0.2, 0.8)  # shares of the explained group
RGB = ("B04", "B03", "B02")
EXPLAINED, OTHER = CORINE.indices_of([312, 231])


@dataclass(frozen=True)
class Land:
    """Land that networks are trained on.

    Attributes:
        explained: name of a set of tiles that is explained -> its file.
        generators: names of the variants of the generators that are trained.
        classifier: settings that differ from those of the form.
    """

    name: str
    training: Path
    explained: dict[str, Path]
    generators: tuple[str, ...] = ("default", "mixed")
    classifier: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """A tile: pixels (C, S, S) uint16, reflectance x 10000; mask (S, S) bool, True: explained."""

    pixels: np.ndarray
    mask: np.ndarray
    split: str
    scene: str
    row: int = 0
    col: int = 0


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of an index, in order of their files."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return sorted(csv.DictReader(file), key=lambda row: row["file"])
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise WildLensError(f"{path}: cannot be read as an index: {error}") from None


def read_pixels(path: Path) -> np.ndarray:
    """A raster as stored, (C, H, W)."""
    try:
        with rasterio.open(path) as file:
            return file.read()
    except rasterio.errors.RasterioError as error:
        raise WildLensError(f"{path}: cannot be read: {error}") from None


def scaled(picture: np.ndarray) -> np.ndarray:
    """8-bit values as reflectance x 10000; 0, which would be no data, becomes 1."""
    if picture.dtype != np.uint8:
        raise WildLensError(f"a picture has values of {picture.dtype}: 8 bits (uint8) are needed")
    return np.maximum(picture.astype(np.uint16) * SCALE, 1)


def scene_splits(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Split of each scene: the publisher's training scenes; every third other one validates."""
    others = [row["file"] for row in rows if row["split"] != "train"]
    return {row["file"]: "train" for row in rows if row["split"] == "train"} | {
        name: "val" if number % 3 == 0 else "test" for number, name in enumerate(others)
    }


def scene_cuts(folder: Path) -> list[Cut]:
    """All scenes with masks, cut into tiles without overlap."""
    cuts = []
    for scene, split in scene_splits(read_rows(folder / "index.csv")).items():
        pixels = scaled(read_pixels(folder / "images" / f"{scene}.tif"))
        mask = read_pixels(folder / "masks" / f"{scene}.png")[0] > 0
        if pixels.shape[1:] != mask.shape:
            raise WildLensError(f"{scene}: image {pixels.shape[1:]} and mask {mask.shape} differ")
        for row in range(0, mask.shape[0] - SIDE + 1, SIDE):
            for col in range(0, mask.shape[1] - SIDE + 1, SIDE):
                part = np.s_[row : row + SIDE, col : col + SIDE]
                cuts.append(Cut(pixels[:, *part], mask[part], split, scene, row, col))
    return cuts


def pure(cuts: Iterable[Cut]) -> list[Cut]:
    """Tiles of one group."""
    return [cut for cut in cuts if not 1 - PURE < cut.mask.mean() < PURE]


def mixed(cuts: Iterable[Cut]) -> list[Cut]:
    """Tiles of both groups, outside the training scenes."""
    low, high = MIXED
    return [cut for cut in cuts if cut.split != "train" and low <= cut.mask.mean() <= high]


def equalised(cut: Cut) -> Cut:
    """The tile with the same mean brightness on both sides of its mask.

    All bands of a side are multiplied by one factor, so that hue and texture stay.
    """
    pixels = cut.pixels.astype(np.float64)
    mean = pixels.mean()
    for side in (cut.mask, ~cut.mask):
        pixels[:, side] *= mean / pixels[:, side].mean()
    return replace(cut, pixels=np.clip(pixels.round(), 1, 65535).astype(np.uint16))


def picture_crops(folder: Path, block: str = "32633_4_54") -> list[Cut]:
    """Forest (explained), and fields and towns, of one block; centre of each crop."""
    cuts, pictures = [], {}
    for row in read_rows(folder / "crops.csv"):
        if row["block"] != block or not row["group"]:
            continue
        if row["file"] not in pictures:
            pictures[row["file"]] = scaled(read_pixels(folder / "images" / row["file"]))
        edge = (int(row["size"]) - SIDE) // 2
        top, left = int(row["row"]) + edge, int(row["col"]) + edge
        pixels = pictures[row["file"]][:, top : top + SIDE, left : left + SIDE]
        mask = np.full((SIDE, SIDE), row["group"] == "forest")
        cuts.append(Cut(pixels, mask, row["split"], row["file"], top, left))
    # the source has no third split: every second picture of the validation tests
    held_out = sorted({cut.scene for cut in cuts if cut.split != "train"})
    tests = set(held_out[1::2])
    return [replace(cut, split="test") if cut.scene in tests else cut for cut in cuts]


def patch_crops(folder: Path) -> list[Cut]:
    """Patches of all 13 bands: natural (explained) and anthropogenic."""
    splits = {"train": "train", "validate": "val", "val": "val", "test": "test"}
    cuts = []
    for row in read_rows(folder / "index.csv"):
        pixels = np.maximum(read_pixels(folder / row["file"]), 1).astype(np.uint16)
        mask = np.full(pixels.shape[1:], row["group"] == "natural")
        cuts.append(Cut(pixels, mask, splits[row["split"]], row["file"]))
    return cuts


def mosaics(cuts: Sequence[Cut], count: int, seed: int = 0) -> list[Cut]:
    """2 x 2 mosaics, two cells of each group in any order; `count` of validation and of test.

    A cell is the centre of a crop, of half its side, so that a mosaic has the side that networks
    are trained with.
    """
    quarter = SIDE // 4
    centre = np.s_[..., quarter:-quarter, quarter:-quarter]
    generator, made = np.random.default_rng(seed), []
    for split in ("val", "test"):
        groups = [
            [c for c in cuts if c.split == split and c.mask.all() == g] for g in (True, False)
        ]
        if min(map(len, groups)) < 2:
            raise WildLensError(
                f"mosaics need two crops of each group: the {split} split has fewer"
            )
        for number in range(count):
            four = [g[i] for g in groups for i in generator.choice(len(g), 2, replace=False)]
            cells = [four[i] for i in generator.permutation(4)]
            pixels, mask = (
                np.block([[a[centre], b[centre]], [c[centre], d[centre]]])
                for a, b, c, d in zip(*((cut.pixels, cut.mask) for cut in cells), strict=True)
            )
            made.append(Cut(pixels, mask, split, f"mosaic-{number:03d}"))
    return made


def write(path: Path, cuts: Sequence[Cut], bands: Sequence[str], explain: bool) -> None:
    """Write a training set; `explain`: every tile counts as of the explained group."""
    if not cuts:
        raise WildLensError(f"{path.name}: no tile of the data is suitable")
    labels = np.array([explain or cut.mask.mean() > 0.5 for cut in cuts], np.uint8)

    def text(values: Iterable[str]) -> tuple[str, np.ndarray]:
        return "tile", np.array(list(values), dtype=object)

    coordinates = xr.Dataset(
        coords={
            "name": text(f"{c.split}_{c.scene}_{c.row}_{c.col}" for c in cuts),
            "label": ("tile", labels),
            "split": text(c.split for c in cuts),
            "scene": text(c.scene for c in cuts),
            "block": text(c.scene for c in cuts),
            "crs": text("none" for _ in cuts),
            "band": ("band", np.array(bands, dtype=object)),
        }
        | {name: ("tile", np.array([c.row for c in cuts])) for name in ("row", "ground_row")}
        | {name: ("tile", np.array([c.col for c in cuts])) for name in ("col", "ground_col")},
        attrs={"wildlens_step": STEP, "tile_size": cuts[0].mask.shape[0]},
    )
    with atomic(path) as temporary:
        write_tileset(temporary, coordinates, map(_variables, cuts))


def _variables(cut: Cut) -> dict[str, np.ndarray]:
    landcover = np.where(cut.mask, EXPLAINED, OTHER).astype(np.uint8)
    return {"reflectance": cut.pixels, "landcover": landcover}
