"""Peak memory and processor time of `wildlens evaluate` by number of tiles and of methods.

    python benchmarks/evaluate_memory.py --tiles 100 --tiles 400 --methods 2 --methods 10

Writes tiles of 128 px with patchy land cover, attributions of noise around it and untrained models
to a temporary folder: N test tiles and N / 4 validation tiles. Every command is measured in its own
process.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import click
import numpy as np
import xarray as xr

from measure import peak_memory

SIDE, PATCH, BANDS, TILES_PER_BLOCK = 128, 16, ["B02", "B03", "B04"], 20
BOG, ROCK, FOREST, HEATH = 36, 31, 24, 27  # CORINE indices


@click.command()
@click.option("--tiles", multiple=True, default=(100, 400), show_default=True, type=int)
@click.option("--methods", multiple=True, default=(2, 10), show_default=True, type=int)
def main(tiles: tuple[int, ...], methods: tuple[int, ...]) -> None:
    for count in tiles:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            names = write(folder, count, max(methods))
            for number in methods:
                command = [sys.executable, __file__, "--measure", name, *names[:number]]
                run = subprocess.run(command, capture_output=True, text=True)
                if run.returncode:
                    sys.exit(run.stderr)
                line = run.stdout.splitlines()[-1]
                print(f"{count} test tiles, {number} methods: {line}", flush=True)


def write(folder: Path, count: int, methods: int) -> list[str]:
    """The inputs of an evaluation; returns the names of the methods."""
    from wildlens.registry import methods as registry

    rng = np.random.default_rng(0)
    split = np.repeat(["val", "test"], [count // 4, count])
    total = len(split)
    small = (total, SIDE // PATCH, SIDE // PATCH)
    classes = rng.choice([BOG, ROCK, FOREST, HEATH], small, p=[0.2, 0.1, 0.5, 0.2])
    coordinates = {
        "name": np.array([f"tile-{i:05d}" for i in range(total)], object),
        "split": split.astype(object),
        "block": np.array([f"b{i // TILES_PER_BLOCK:05d}" for i in range(total)], object),
    }
    write_tiles(folder / "tiles.zarr", rng, coordinates, classes.astype(np.uint8))
    write_models(folder)
    names = list(registry.records())[:methods]
    for number, name in enumerate(names):
        write_attribution(folder / f"{name}.zarr", rng, name, number, coordinates, classes)
    return names


def write_tiles(path: Path, rng, coordinates: dict, classes: np.ndarray) -> None:
    from wildlens.tiles.store import write_tileset

    total = len(classes)
    texts = {"scene": np.full(total, "s", object), "crs": np.full(total, "EPSG:32634", object)}
    numbers = {
        "label": np.ones(total, np.int8),
        "row": np.arange(total, dtype=np.int32) * SIDE,
        "col": np.zeros(total, np.int32),
        "ground_row": np.arange(total) * SIDE,
        "ground_col": np.zeros(total, np.int64),
    }
    dataset = xr.Dataset(
        coords={k: ("tile", v) for k, v in (coordinates | texts | numbers).items()}
        | {"band": np.array(BANDS, object)},
        attrs={"wildlens_step": "tiles", "tile_size": SIDE},
    )
    tiles = (
        {
            "reflectance": rng.integers(300, 3000, (3, SIDE, SIDE)).astype(np.uint16),
            "landcover": enlarge(one),
            "truth": enlarge(one),
        }
        for one in classes
    )
    write_tileset(path, dataset, tiles)


def write_models(folder: Path) -> None:
    from wildlens.networks import weights
    from wildlens.networks.classifier import LocalClassifier
    from wildlens.networks.generator import Generator

    common = {"bands": BANDS, "tile_size": SIDE, "provenance": {}}
    arguments = {"bands": 3, "width": 2}
    weights.save(
        folder / "classifier.safetensors", {"classifier": LocalClassifier(**arguments)},
        kind="local", arguments=arguments, **common,
    )  # fmt: skip
    arguments |= {"downsamplings": 1, "blocks": 1}
    pair = {name: Generator(**arguments) for name in ("maximizer", "minimizer")}
    weights.save(
        folder / "generators.safetensors", pair, kind="generator", arguments=arguments, **common
    )


def write_attribution(
    path: Path, rng, name: str, number: int, coordinates: dict, classes: np.ndarray
) -> None:
    """Noise on top of the target group; every third method has many pixels of exactly 0."""
    values = np.empty((len(classes), SIDE, SIDE), np.float32)
    for tile, one in zip(values, classes, strict=True):
        tile[:] = np.isin(enlarge(one), [BOG, ROCK]) + rng.normal(0, 1 + number / 5, tile.shape)
        if number % 3 == 1:
            np.maximum(tile, 0, out=tile)
    # as `wildlens attribute` writes it
    layout = {"attribution": {"chunks": (16, SIDE, SIDE), "shards": (1024, SIDE, SIDE)}}
    xr.Dataset(
        {"attribution": (("tile", "y", "x"), values)},
        coords={key: ("tile", of_tile) for key, of_tile in coordinates.items()},
        attrs={"wildlens_method": name},
    ).to_zarr(path, mode="w", consolidated=True, zarr_format=3, encoding=layout)


def enlarge(classes: np.ndarray) -> np.ndarray:
    """Each class as a square patch of PATCH x PATCH pixels."""
    return np.kron(classes, np.ones((PATCH, PATCH), np.uint8))


def measure(folder: Path, methods: list[str]) -> str:
    from wildlens.cli import cli

    arguments = ["evaluate", str(folder / "tiles.zarr")]
    arguments += ["--classifier", str(folder / "classifier.safetensors")]
    arguments += ["--generators", str(folder / "generators.safetensors")]
    for method in methods:
        arguments += ["--attribution", str(folder / f"{method}.zarr")]
    output = folder / f"out-{len(methods)}"
    start = time.process_time()
    cli([*arguments, "--output", str(output)], standalone_mode=False)
    return f"{peak_memory():.0f} MB, {time.process_time() - start:.0f} s of processor time"


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="zarr")
    if sys.argv[1:2] == ["--measure"]:
        print(measure(Path(sys.argv[2]), sys.argv[3:]))
    else:
        main()
