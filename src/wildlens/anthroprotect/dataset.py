"""Reader of the published AnthroProtect dataset: folder, table of tiles, pixels of a tile.

    infos.csv                              one row per tile: file, label, split, ...
    tiles/{s2,lcs,s2_scl}/<file>           256 x 256 px at 10 m: bands, land cover, scene classes
    investigative/*.tif                    whole scenes for visual inspection

All images are from summers up to 2020, before processing baseline 04.00: no offset applies.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.landcover.corine import find_encoding
from wildlens.landcover.step import choose_band, encoding_of, layer_of
from wildlens.scene.products.product import band_name
from wildlens.settings import Landcover, Product

SIZE = 256  # px
PARTS = ("s2", "lcs", "s2_scl")
SPLITS = ("train", "val", "test")
CATEGORIES = {"anthropo": 0, "wdpa-Ia": 1, "wdpa-Ib": 1, "wdpa-II": 1}  # -> label

_SPLIT_COLUMNS = ("datasplit", "dataset")  # two editions of the same table
# anthropo_5.52111-59.46264_0, anthropo_13.61147-57.69620-04-8_12, wdpa-II_4658-1_66
_NAME = re.compile(r"((anthropo|wdpa-(?:Ia|Ib|II))_[0-9.-]+)_\d+\.tif", re.ASCII)
_NAMED = 5  # examples in a message


@dataclass(frozen=True)
class Folder:
    """The dataset on disk; `files`: part -> file name in the table -> path."""

    root: Path
    files: dict[str, dict[str, Path]]

    @property
    def table(self) -> Path:
        return self.root / "infos.csv"


@dataclass(frozen=True)
class Tile:
    """The pixels of one tile.

    Attributes:
        reflectance: (band, 256, 256) uint16, x 10000, 0 = no data.
        landcover: (256, 256) uint8, index of CORINE, 0 = no data.
        grid: of the tile, in a UTM zone.
    """

    reflectance: np.ndarray
    landcover: np.ndarray
    grid: GeoBox


def find_root(path: Path | str) -> Path:
    """The folder with infos.csv and tiles/: `path`, or `anthroprotect` in it, as in the zip."""
    path = Path(path)
    for root in (path, path / "anthroprotect"):
        if (root / "infos.csv").is_file() and (root / "tiles/s2").is_dir():
            return root
    if not path.is_dir():
        raise WildLensError(f"{path}: there is no such folder; give that of AnthroProtect")
    found = ", ".join(sorted(p.name for p in path.iterdir())[:_NAMED]) or "nothing"
    raise WildLensError(
        f"{path}: is no AnthroProtect: expected infos.csv and tiles/s2 in it, found {found}"
    )


def open_folder(path: Path | str) -> Folder:
    """Find the dataset and list its files.

    In some copies the names of the files in `lcs` and `s2_scl` end in the part's name:
    NAME_lcs.tif, NAME_s2_scl.tif.
    """
    root = find_root(path)
    files = {}
    for part in PARTS:
        folder = root / "tiles" / part
        if not folder.is_dir():
            raise WildLensError(f"{folder}: there is no such folder; AnthroProtect has it")
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".tif")
        files[part] = {p.stem.removesuffix(f"_{part}") + ".tif": p for p in paths}
    return Folder(root, files)


def investigative_scenes(path: Path | str) -> list[Product]:
    """The scenes in `investigative/`, for mapping, each with its own land cover if present."""
    folder = find_root(path) / "investigative"
    paths = sorted([*folder.glob("*.tif"), *folder.glob("s2/*.tif")])
    return [
        Product(name=p.stem, product=str(p), offset=0, landcover=_landcover_beside(folder, p))
        for p in paths
    ]


def products_to_map(path: Path | str, mapping: Sequence[Product]) -> list[Product]:
    """The scenes in `investigative/`, and the products of `mapping` that the demo does not make.

    Raises:
        WildLensError: two of them have the same name, also where file systems ignore case.
    """
    scenes = investigative_scenes(path)
    own = [product for product in mapping if not product.simulated]
    taken = {scene.name.casefold() for scene in scenes}
    if twice := [product.name for product in own if product.name.casefold() in taken]:
        raise WildLensError(
            f"inputs.mapping: {twice[0]} is the name of a scene in {find_root(path)}/investigative,"
            " which is mapped, too: choose another name"
        )
    return [*scenes, *own]


def _landcover_beside(folder: Path, scene: Path) -> str | None:
    path = folder / "lcs" / scene.name
    return str(path) if path.is_file() else None


def read_table(path: Path) -> pandas.DataFrame:
    """Read and check the table of tiles.

    Returns
    -------
    DataFrame in the order of the file: `file`, `area` (name of the file without its number: tiles
    of one area are neighbours), `category`, `label` (int8: 1 protected, 0 anthropogenic), `split`
    ('train', 'val', 'test'), `lon` and `lat` of the centre (degrees, NaN if not given).

    Raises
    ------
    WildLensError
        For a missing column, a file name that is invalid or occurs twice, a split or a label
        that is invalid or contradicts the name; the message names the first such row.
    """
    try:
        table = pandas.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (OSError, ValueError) as error:  # all that pandas raises for broken tables is the latter
        raise WildLensError(f"{path}: cannot be read as CSV: {one_line(error)}") from None
    table.columns = [str(c).strip().lower() for c in table.columns]
    if table.empty or "file" not in table.columns:
        found = ", ".join(table.columns)
        raise WildLensError(f"{path}: expected a column 'file' and rows, found columns {found}")
    file = table["file"].str.strip()
    parts = file.str.extract(f"^{_NAME.pattern}$")
    rows = pandas.DataFrame({"file": file, "area": parts[0], "category": parts[1]})
    _refuse(path, file, parts[0].isna(), "is no name of a tile of AnthroProtect")
    _refuse(path, file, file.duplicated(), "occurs twice")
    rows["label"] = rows["category"].map(CATEGORIES).astype(np.int8)
    for column, expected in (("category", rows["category"]), ("label", rows["label"].astype(str))):
        if column in table:
            wrong = table[column].str.strip() != expected
            _refuse(path, file, wrong, f"contradicts its {column}", table[column])
    rows["split"] = _splits(path, table, file)
    for column in ("lon", "lat"):
        rows[column] = pandas.to_numeric(table.get(column, np.nan), errors="coerce")
    return rows


def _splits(path: Path, table: pandas.DataFrame, file: pandas.Series) -> pandas.Series:
    columns = [c for c in _SPLIT_COLUMNS if c in table]
    if not columns:
        raise WildLensError(
            f"{path}: has no column of the split ({' or '.join(_SPLIT_COLUMNS)});"
            f" it has {', '.join(table.columns)}"
        )
    split = table[columns[0]].str.strip()
    if len(columns) == 2:
        other = table[columns[1]].str.strip()
        _refuse(path, file, split != other, f"has two splits in {' and '.join(columns)}", other)
    _refuse(path, file, ~split.isin(SPLITS), f"has no split {', '.join(SPLITS)}", split)
    return split


def _refuse(path: Path, file: pandas.Series, wrong: pandas.Series, what: str, values=None) -> None:
    """Refuse a table with invalid rows; the message names the first, its line and its value."""
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        value = "" if values is None else f" ({values.iloc[first]!r})"
        raise WildLensError(
            f"{path}: line {first + 2}: {file.iloc[first]!r} {what}{value}; {wrong.sum()} such rows"
        )


def read_tile(
    folder: Folder, file: str, bands: Sequence[str], masked: Sequence[int], landcover: Landcover
) -> Tile:
    """Read the pixels of a tile.

    Parameters
    ----------
    bands, masked
        Bands to read, and scene classes (SCL) that become no data; if empty, SCL is not read.
    landcover
        Which of the four layers to read (default CORINE).

    Raises
    ------
    WildLensError
        The tile lacks a band or has another size, or its three files are on different grids.
    """
    path = folder.files["s2"][file]
    with raster.open_raster(path) as dataset:
        grid = raster.grid_of(dataset)
        if tuple(grid.shape) != (SIZE, SIZE) or abs(abs(grid.affine.a) - 10) > 1e-6:
            raise WildLensError(
                f"{path}: is {grid.shape.x} x {grid.shape.y} px of {abs(grid.affine.a):g}, expected"
                f" {SIZE} x {SIZE} px of 10 m"
            )
        names = [band_name(text or "") for text in dataset.descriptions]
        absent = [band for band in bands if band not in names]
        if absent:
            raise WildLensError(
                f"{path}: has no {', '.join(absent)}; its bands are described as"
                f" {', '.join(text or 'nothing' for text in dataset.descriptions)}"
            )
        reflectance = raster.read(dataset, [names.index(band) + 1 for band in bands])
    if reflectance.dtype != np.uint16:
        raise WildLensError(f"{path}: holds {reflectance.dtype}, expected uint16")
    missing = (reflectance == 0).any(axis=0)
    if masked:
        classes, _ = _read_beside(folder.files["s2_scl"][file], grid, "SCL")
        missing |= np.isin(classes, masked)
    reflectance[:, missing] = 0
    return Tile(reflectance, _classes(folder.files["lcs"][file], grid, landcover), grid)


def _classes(path: Path, grid: GeoBox, landcover: Landcover) -> np.ndarray:
    layer = landcover.band or layer_of(landcover.product)
    values, nodata = _read_beside(path, grid, layer)
    try:
        encoding = encoding_of(landcover, nodata)
        # values of the four layers overlap: read as grid codes, the others would pass for CORINE
        return (encoding or find_encoding(values, nodata, codes_only=True)).decode(values)
    except WildLensError as error:
        raise WildLensError(f"{path}: {error}") from None


def _read_beside(path: Path, grid: GeoBox, name: str | None) -> tuple[np.ndarray, float | None]:
    with raster.open_raster(path) as dataset:
        if raster.grid_of(dataset) != grid:
            raise WildLensError(f"{path}: is not on the grid of its tile in tiles/s2")
        band = choose_band(dataset, name)
        return raster.read(dataset, band), dataset.nodatavals[band - 1]
