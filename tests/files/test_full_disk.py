"""A disk that fills up while a result is written: one line, and what was there before stays.

A limit on the size of files stands for the full disk: writes fail from some byte on. Every kind of
file that a step writes is here, at limits from nothing to one byte too few.
"""

import resource
import signal
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import torch
import xarray
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.figures.style import Sheet
from wildlens.files import raster
from wildlens.files.atomic import atomic, write_text
from wildlens.files.cog import writing_cog
from wildlens.files.tables import write_table
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.settings import SHARES, TWO_CLASSES
from wildlens.tiles.footprints import write_footprints
from wildlens.tiles.store import write_tileset
from wildlens.training import state_file

GRID = GeoBox((600, 600), Affine(10, 0, 500_000, 0, -10, 7_000_000), "EPSG:32634")


@contextmanager
def free_space_of(size: int):
    """While the block runs, files cannot grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def noise(seed: int, shape, kind="uint16") -> np.ndarray:
    """Numbers that hardly compress; other ones for another seed."""
    return np.random.default_rng(seed).integers(1, 10_000, shape).astype(kind)


def geotiff(path: Path, seed: int) -> None:
    values = noise(seed, (2, 600, 600))
    with raster.writing_geotiff(
        path, GRID, count=2, dtype="uint16", nodata=0, tags={"a": "b"}
    ) as dataset:
        dataset.write(values)


def cog(path: Path, seed: int) -> None:
    with writing_cog(path, GRID, tags={"a": "b"}, descriptions=("x",)) as dataset:
        dataset.write(noise(seed, (600, 600), "float32"), 1)


def is_store(folder: Path) -> bool:
    return (folder / "zarr.json").is_file()


def tileset(path: Path, seed: int) -> None:
    stored = {"reflectance": noise(seed, (9, 2, 64, 64)), "landcover": noise(0, (9, 64, 64), "u1")}
    coordinates = xarray.Dataset(coords={"name": ("tile", np.arange(9)), "band": ["B02", "B03"]})
    with atomic(path, is_store) as folder:
        write_tileset(folder, coordinates, ({k: v[i] for k, v in stored.items()} for i in range(9)))


def attributions(path: Path, seed: int) -> None:
    values = noise(seed, (9, 64, 64), "float32")
    with atomic(path, is_store) as folder:
        xarray.Dataset({"attribution": (("tile", "y", "x"), values)}).to_zarr(folder)


def footprints(path: Path, seed: int) -> None:
    count = 500
    left = noise(seed, count)
    columns = {name: [f"{name} {i}" for i in left] for name in ("name", "scene", "split")}
    table = geopandas.GeoDataFrame(
        columns
        | {"label": 1, "reason": "", "block": "b", "repeated_in": ""}
        | dict.fromkeys(SHARES, 0.5),
        geometry=shapely.box(left, 0, left + 1, 1),
        crs="EPSG:4326",
    )
    write_footprints(path, table, TWO_CLASSES, {"wildlens_step": "tiles"})


def model(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    weights.save(
        path, {"classifier": LocalClassifier(2)}, kind="local", arguments={"bands": 2},
        bands=["B04", "B08"], tile_size=32, provenance={},
    )  # fmt: skip


def checkpoint(path: Path, seed: int) -> None:
    state_file.write(path, {"x": torch.from_numpy(noise(seed, 50_000, "float32"))}, {})


def table(path: Path, seed: int) -> None:
    write_table(path, [{"step": i, "loss": float(v)} for i, v in enumerate(noise(seed, 9000))])


def text(path: Path, seed: int) -> None:
    write_text(path, str(noise(seed, 9000).tolist()))


def figure(path: Path, seed: int) -> None:
    sheet = Sheet(3, 2, "A title")
    sheet.axes(0, 0.5, 3, 1.5).imshow(noise(seed, (200, 300)))
    sheet.save(path, {"wildlens_step": "figures"})


WRITERS = {
    geotiff: "a.tif",
    cog: "a.tif",
    tileset: "a.zarr",
    attributions: "a.zarr",
    footprints: "a.gpkg",
    model: "a.safetensors",
    checkpoint: "a.safetensors",
    table: "a.csv",
    text: "a.json",
    figure: "a.png",
}


def content(path: Path) -> dict[str, bytes]:
    """All files of a folder, with the bytes in them."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("write", WRITERS, ids=lambda writer: writer.__name__)
def test_full_disk_keeps_the_old_result(write, tmp_path):
    path = tmp_path / WRITERS[write]
    write(path, 1)
    largest = max(map(len, content(tmp_path).values()))
    assert largest > 3000
    write(path, 2)
    old = content(tmp_path)
    for free in (0, 100, largest // 4, largest // 2, largest * 95 // 100, largest - 1):
        with (
            free_space_of(free),
            pytest.raises(WildLensError, match="could not be written: ") as error,
        ):
            write(path, 1)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
        assert content(tmp_path) == old, f"with {free} bytes free of {largest} bytes"
    with free_space_of(100_000_000):
        write(path, 1)
    assert content(tmp_path) != old
