"""Draw what the generators of runs change: X, the target group, X- and |X - X-| of the same tiles.

    python -m benchmarks.method.pictures OUTPUT RUN... [--split test] [--tiles 12]

RUN is the folder of a finished run (FOLDER/runs/... of the Snakefile beside this). The tiles are
protected ones, evenly spaced in the order of the training set, so that nobody chooses them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildlens.doctor.step import read_configuration
from wildlens.evaluate.samples import SPLITS
from wildlens.evaluate.target_groups import in_group
from wildlens.figures.imagery import stretch_for
from wildlens.figures.style import MARGIN, NORMAL, SMALL, Sheet, image_axes
from wildlens.files.reflectance import to_reflectance
from wildlens.networks import weights
from wildlens.tiles.store import class_names, open_tiles

ROOT = Path(__file__).parents[2]
SIDE, GAP, HEAD = 1.3, 0.06, 1.0  # inches


def choose(results: Path, split: str, count: int) -> tuple[Tensor, np.ndarray, list[str]]:
    """Images (tile, band, y, x), reference land cover (tile, y, x), and names of the bands."""
    store = open_tiles(results / "tiles.zarr")
    label = class_names(store).index("protected")
    found = np.flatnonzero((store["split"].values == split) & (store["label"].values == label))
    rows = found[np.linspace(0, len(found) - 1, count).round().astype(int)]
    tiles = store.isel(tile=rows)
    images = torch.from_numpy(to_reflectance(tiles["reflectance"].values))
    return images, tiles["truth"].values, tiles["band"].values.tolist()


@torch.no_grad()
def minimized(results: Path, images: Tensor) -> np.ndarray:
    """X- of the images, by the pattern-minimizer of a run."""
    _, minimizer = weights.load_generators(results / "models/generators.safetensors")
    return torch.cat([minimizer(part) for part in images.split(4)]).numpy()


def draw(runs: list[Path], titles: list[str], split: str, count: int, targets: list[int]) -> Sheet:
    """One row per tile: X and the target group, then X- and the change of each run."""
    images, truth, bands = choose(runs[0] / "results", split, count)
    columns = 2 + 2 * len(runs)
    sheet = Sheet(
        2 * MARGIN + columns * (SIDE + GAP),
        HEAD + count * (SIDE + GAP) + MARGIN,
        "What the pattern-minimizer changes",
        f"{count} protected {SPLITS[split]} tiles. White: target group. Change: mean |X − X−| over"
        " the bands, from 0 to the 99.5th percentile of the run.",
    )
    x = images.numpy()
    stretch = stretch_for(bands, [x.transpose(1, 0, 2, 3).reshape(len(bands), -1)])
    everywhere = np.ones(x.shape[-2:], bool)
    target = in_group(truth, targets)
    pictures = [("X", [stretch(image, everywhere) for image in x], {})]
    pictures.append(("target group", list(target), {"cmap": "gray", "vmin": 0, "vmax": 1}))
    for run, title in zip(runs, titles, strict=True):
        lowered = minimized(run / "results", images)
        change = np.abs(x - lowered).mean(axis=1)
        scale = {"cmap": "viridis", "vmin": 0, "vmax": np.percentile(change, 99.5)}
        pictures.append((f"{title}: X−", [stretch(i, everywhere) for i in lowered], {}))
        pictures.append(("change", list(change), scale))
    for column, (title, of_tiles, options) in enumerate(pictures):
        left = MARGIN + column * (SIDE + GAP)
        sheet.text(left, HEAD - 0.22, title, fontsize=SMALL if len(title) > 16 else NORMAL)
        for row, picture in enumerate(of_tiles):
            axes = image_axes(sheet.axes(left, HEAD + row * (SIDE + GAP), SIDE, SIDE))
            axes.imshow(picture, interpolation="nearest", **options)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="PNG file to write; a PDF lies beside it")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--titles", nargs="+", help="of the runs; default: their folders' names")
    parser.add_argument("--split", default="test", choices=("val", "test"))
    parser.add_argument("--tiles", type=int, default=12)
    arguments = parser.parse_args()
    titles = arguments.titles or [run.name for run in arguments.runs]
    targets = read_configuration([ROOT / "config.yaml"]).evaluation.targets
    sheet = draw(arguments.runs, titles, arguments.split, arguments.tiles, targets)
    sheet.save(arguments.output, {"wildlens_runs": ", ".join(map(str, arguments.runs))})


if __name__ == "__main__":
    main()
