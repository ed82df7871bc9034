"""Realism of the simulated land: contrasts, textures and single-band baselines.

    python benchmarks/land.py [--real FOLDER] [--contrast 0.5] [--seeds 1 2]

Prints, for the simulated region and, with FOLDER (tiles of AnthroProtect and of BigEarthNet v2, and
the coast of Virginia, each in a folder of its own), for real tiles:

- distances between covers, for each pair and band, in standard deviations of the band,
- texture, for each cover and band: relative amplitude at periods of 2 to 20 px,
- single-band baselines: AUROC of a tile's mean for its label, and of a pixel's brightness for the
  covers of protected land only. For the simulation only, which has labels and reference data.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from wildlens.demo.covers import ANTHROPOGENIC_ONLY, COVERS, PROTECTED_ONLY
from wildlens.demo.landscape import simulate

BANDS = ("B02", "B03", "B04", "B08")
PERIODS = (2, 3, 5, 8, 13, 20)  # px; bounds of the octaves
HALF = 0.187  # standard deviation of the Gaussian that halves a wave of one pixel's period
DARKEST = 0.005  # reflectance; relative amplitudes of darker surfaces are noise
FEWEST = 500  # pixels of a cover, below which its median and texture are unreliable
SIDE, SIZE = 128, 2048  # px, of a tile and of a simulated scene
ANTHROPOGENIC_SHARE = 0.10  # smallest share of a tile that is labelled anthropogenic


@dataclass(frozen=True)
class Image:
    """Reflectance (4, H, W) and the cover of each pixel, int (H, W), with the covers' names."""

    source: str
    reflectance: np.ndarray
    cover: np.ndarray
    names: dict[int, str]

    def covers(self) -> Iterator[tuple[str, np.ndarray]]:
        """(name, mask) of each cover with enough pixels."""
        for number, name in self.names.items():
            mask = self.cover == number
            if mask.sum() >= FEWEST:
                yield name, mask


def distances(image: Image) -> pd.DataFrame:
    """Difference of medians in standard deviations of the image's bands; one row per pair."""
    sd = image.reflectance.std((1, 2))
    medians = {n: np.median(image.reflectance[:, mask], axis=1) for n, mask in image.covers()}
    rows = [
        (f"{first} - {second}", *((medians[first] - medians[second]) / sd).round(2))
        for first, second in itertools.combinations(medians, 2)
    ]
    return pd.DataFrame(rows, columns=[image.source, *BANDS]).set_index(image.source)


def texture(image: Image) -> pd.DataFrame:
    """Relative amplitude (half the 16-84 % range over the mean nearby) in octaves of periods."""
    smooth = np.maximum([gaussian_filter(b, HALF * 2 * PERIODS[-1]) for b in image.reflectance],
                        DARKEST)  # fmt: skip
    levels = [image.reflectance] + [
        np.stack([gaussian_filter(band, HALF * period) for band in image.reflectance])
        for period in PERIODS[1:]
    ]
    octaves = [(fine - coarse) / smooth for fine, coarse in itertools.pairwise(levels)]
    rows = []
    for name, mask in image.covers():
        low, high = np.percentile([o[:, mask] for o in octaves], [16, 84], axis=-1)
        rows.append((name, *(((high - low) / 2).mean(axis=1) * 100).round(1)))
    columns = [f"{a}-{b} px, %" for a, b in itertools.pairwise(PERIODS)]
    return pd.DataFrame(rows, columns=[image.source, *columns]).set_index(image.source)


def single_bands(seeds: list[int], contrast: float) -> pd.DataFrame:
    """AUROC of means over tiles for the label, and of brightness for the target group."""
    means, labels, bright, target = [], [], [], []
    for seed in seeds:
        land = simulate(SIZE, SIZE, seed, BANDS, contrast)
        for row, column in itertools.product(range(0, SIZE, SIDE), repeat=2):
            window = slice(row, row + SIDE), slice(column, column + SIDE)
            zone, cover = land.zone[window], land.cover[window]
            protected = (zone == 1).mean() >= 0.98
            farmed = np.isin(cover, ANTHROPOGENIC_ONLY).mean() >= ANTHROPOGENIC_SHARE
            if not protected and (not farmed or (zone == 1).any()):
                continue
            tile = land.reflectance[:, *window]
            means.append(tile.mean((1, 2)))
            labels.append(protected)
            if protected:
                bright.append(tile[:, ::4, ::4].reshape(len(BANDS), -1))
                target.append(np.isin(cover[::4, ::4], PROTECTED_ONLY).ravel())
    means, bright, target = np.array(means), np.concatenate(bright, axis=1), np.concatenate(target)
    red, infrared = bright[2], bright[3]
    rows = [(f"mean of {b}, tiles", roc_auc_score(labels, m))
            for b, m in zip(BANDS, means.T, strict=True)]  # fmt: skip
    rows += [
        ("mean of all bands, tiles", roc_auc_score(labels, means.mean(1))),
        ("brightness in RGB, target group", roc_auc_score(target, bright[:3].mean(0))),
        ("brightness in all bands, target group", roc_auc_score(target, bright.mean(0))),
        ("-NDVI, target group", roc_auc_score(target, (red - infrared) / (red + infrared))),
    ]
    title = f"contrast {contrast:g}, {len(labels)} tiles"
    return pd.DataFrame(rows, columns=[title, "AUROC"]).set_index(title).round(3)


def simulated(seed: int, contrast: float) -> Image:
    """A scene of the simulated region."""
    land = simulate(SIZE, SIZE, seed, BANDS, contrast)
    names = {number: cover.name for number, cover in enumerate(COVERS)}
    return Image(f"simulated, contrast {contrast:g}", land.reflectance, land.cover, names)


def real(folder: Path) -> Iterator[Image]:
    """Real tiles with a class per pixel; farmland of BigEarthNet as a whole."""
    for path in sorted(folder.glob("anthroprotect-tile/anthroprotect/tiles/s2/*.tif")):
        cover = _read(path.parents[1] / "lcs" / path.name, 1)
        names = {322: "322 heath", 333: "333 sparse vegetation", 412: "412 peat bog"}
        yield Image(f"real, {path.stem}", _read(path, [1, 2, 3, 7]) / 1e4, cover, names)
    for blue in sorted(folder.glob("bigearthnet-v2/**/*_B02.tif")):
        image = np.stack([_read(blue.with_name(blue.name.replace("B02", b)), 1) for b in BANDS])
        whole = np.zeros(image.shape[1:], int)
        yield Image(f"real, {blue.stem[:-4]}", image / np.float32(1e4), whole, {0: "all"})
    coast = folder / "s2-virginia-coast"
    if coast.is_dir():  # top of the atmosphere: path radiance lowers relative amplitudes in blue
        image = np.stack([_read(coast / f"{band}.tif", 1) for band in BANDS]) / np.float32(1e4)
        names = dict(enumerate(("water", "marsh", "sand", "forest", "open land")))
        yield Image("real, coast of Virginia (L1C)", image, _read(coast / "cover.png", 1), names)


def _read(path: Path, bands) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(bands)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, help="folder of real tiles")
    parser.add_argument("--contrast", type=float, default=1.0, help="as the setting demo.contrast")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    images = [simulated(arguments.seeds[0], arguments.contrast)]
    images += real(arguments.real) if arguments.real else []
    for title, table in (("Distances, standard deviations", distances), ("Texture", texture)):
        print(f"\n# {title}")
        for image in images:
            rows = table(image)
            if len(rows):
                print(f"\n{rows.to_string()}")
    print("\n# Single-band baselines (0.5: chance)\n")
    print(single_bands(arguments.seeds, arguments.contrast).to_string())


if __name__ == "__main__":
    main()
