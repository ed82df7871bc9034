"""Memory and time of reading a training set: kept in memory, or read from disk for each batch.

    python benchmarks/training_set.py [TILES]

Writes a training set of noise with the paper's tile size and three bands to a temporary folder, and
prints memory and processor time of both, each measured in its own process.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray

from measure import peak_memory

TILES, BANDS, SIDE, BATCH = 1500, ["B02", "B03", "B04"], 256, 32


def write(path: Path, count: int) -> None:
    from wildlens.tiles.store import write_tileset

    rng = np.random.default_rng(0)
    order = np.arange(count)
    texts = {
        "name": [f"t{i}" for i in order],
        "split": np.select([order % 10 < 8, order % 10 < 9], ["train", "val"], "test"),
        "scene": ["s"] * count,
        "crs": ["EPSG:32634"] * count,
        "block": [f"b{i // 4}" for i in order],
    }
    numbers = {"label": order % 2, "row": order, "col": order * 0}
    numbers |= {"ground_row": order, "ground_col": order * 0}
    types = {"label": np.int8, "row": np.int32, "col": np.int32}
    types |= {"ground_row": np.int64, "ground_col": np.int64}
    coordinates = {name: ("tile", np.array(values, object)) for name, values in texts.items()}
    coordinates |= {name: ("tile", v.astype(types[name])) for name, v in numbers.items()}
    dataset = xarray.Dataset(coords=coordinates | {"band": np.array(BANDS, object)})
    dataset.attrs = {"wildlens_step": "tiles", "tile_size": SIDE}

    def tiles():
        for _ in order:
            steps = rng.normal(0, 6, (len(BANDS), SIDE, SIDE)).cumsum(axis=2)
            values = 900 + steps + rng.normal(0, 20, steps.shape)
            yield {
                "reflectance": values.clip(1, 9000).astype("uint16"),
                "landcover": np.ones((SIDE, SIDE), "uint8"),
            }

    write_tileset(path, dataset, tiles())


def measure(path: Path, in_memory: int) -> str:
    from wildlens.training import data

    before, start = peak_memory(), time.process_time()
    train = data.load_training_set(path, in_memory).splits["train"]
    loading, seconds = time.process_time() - start, []
    for batch in data.batches(len(train), BATCH, np.random.default_rng(0)):
        start = time.process_time()
        train.images(batch)
        seconds.append(time.process_time() - start)
    return (
        f"{peak_memory():.0f} MB ({before:.0f} before), loading {loading:.1f} s, batch of {BATCH}"
        f" {1000 * np.median(seconds):.0f} ms of processor time"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TILES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiles.zarr"
        write(path, count)
        for name, limit in (("kept in memory", 2**40), ("read from disk", 0)):
            command = [sys.executable, __file__, "--measure", str(path), str(limit)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{count} tiles, {name}: {run.stdout.strip()}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(measure(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        main()
