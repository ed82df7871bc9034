"""Maps of a few test tiles of the benchmark on real land, beside their masks.

    python -m benchmarks.real_land_figure WORK FIGURE.png

By default no imagery is drawn: see docs/real-land.md for the licence of the scenes.
`--imagery` adds X, X+ and X-, to look at and not to publish.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.real_land import CONTROLS, FORMS, OF_GENERATORS, folder_of, other_methods
from benchmarks.real_land_tiles import EXPLAINED
from wildlens.evaluate.samples import open_attributions, read_attribution
from wildlens.files.atomic import atomic
from wildlens.registry import methods as registry
from wildlens.tiles.store import open_tiles, rows_of

STRETCH = 0.25  # reflectance that is white in the images


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of the networks")
    parser.add_argument("figure", type=Path)
    parser.add_argument("--form", choices=FORMS, default="unet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--imagery", action="store_true", help="draw X, X+ and X-, too")
    options = parser.parse_args(arguments)
    folder = folder_of(options.work, options.form, options.seed, "amazon")
    shown = [method for method in other_methods(options.form) if method not in CONTROLS]
    draw(options.work, folder, shown, options.figure, options.tiles, options.imagery)


def draw(
    work: Path, folder: Path, others: Iterable[str], figure: Path, count: int, imagery: bool
) -> None:
    """A row per tile; one colour scale per column, its 2nd to 98th percentile over test tiles.

    Args:
        folder: of the run. others: methods beside those of the generators.
    """
    name = "amazon-mixed"
    tiles = open_tiles(work / "tiles" / f"{name}.zarr")
    columns, names = [], None
    for title, part, methods in (
        ("", name, others),
        ("\ndefault", f"{name}-default", OF_GENERATORS),
        ("\nmixed", f"{name}-mixed", OF_GENERATORS),
    ):
        stores = open_attributions(folder / part / f"{method}.zarr" for method in methods)
        for method, store in stores.items():
            names = (
                store["name"].values[store["split"].values == "test"] if names is None else names
            )
            columns.append(
                (
                    registry.title(method).replace("contributions ", "contrib.\n") + title,
                    read_attribution(store, names),
                )
            )
    chosen = np.linspace(0, len(names) - 1, count).round().astype(int)  # no choice by the result
    rows = rows_of(tiles["name"].values, names[chosen])
    mask = tiles["landcover"].values[rows] == EXPLAINED
    shown = [("Mask: forest", mask, "Greens", (0, 1.4))]
    if imagery:
        pixels = tiles["reflectance"].values[rows]
        shown += _images(folder, pixels)
    for title, values in columns:
        scale = tuple(np.percentile(values, (2, 98)))
        shown.append((title, values[chosen], "viridis", scale))
    _save(figure, shown, count)


def _images(folder: Path, stored: np.ndarray) -> list[tuple]:
    """X, and X+ and X- of both variants of the generators, as pictures."""
    import torch

    from wildlens.networks import weights

    images = torch.from_numpy(stored.astype(np.float32) / 10000)
    found = [("X", images)]
    for variant in ("default", "mixed"):
        pair = weights.load_generators(folder / f"generators-{variant}.safetensors")
        for title, network in zip(("X+", "X−"), pair, strict=True):
            with torch.no_grad():
                found.append((f"{title}\n{variant}", network(images)))
    return [
        (title, (each.permute(0, 2, 3, 1).numpy() / STRETCH).clip(0, 1), None, (0, 1))
        for title, each in found
    ]


def _save(path: Path, shown: list[tuple], count: int) -> None:
    figure = Figure(figsize=(1.15 * len(shown), 1.15 * count + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(count, len(shown), squeeze=False)
    for column, (title, values, colours, (low, high)) in enumerate(shown):
        for row in range(count):
            axis = axes[row, column]
            axis.imshow(values[row], cmap=colours, vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        axes[0, column].set_title(title, fontsize=7)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=110)


if __name__ == "__main__":
    main()
