"""Metrics of generators on validation tiles, by which settings of the method are chosen.

    python benchmarks/validation.py RESULTS [GENERATORS ...]

RESULTS is the folder of a run on simulated land, whose classifier, tiles and reference are
used; GENERATORS are models trained with that classifier, by default the run's own. Test tiles are
not read.
Prints one row per map: AUROC, average precision and the highest IoU of any threshold, against the
target group, number of tiles with a periodic map, and mean attribution by cover as a multiple of
the mean. The first row is the classifier's own map (`networks.activation_map`).
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from wildlens.evaluate.texture import count_periodic, periodic_peak
from wildlens.evaluate.thresholds import best_threshold, iou
from wildlens.legend import CORINE
from wildlens.methods.gan import GanDifference
from wildlens.methods.minimizer import MinimizerDifference
from wildlens.methods.minimizer_activation import MinimizerActivation
from wildlens.networks import weights
from wildlens.networks.activation_map import activation_map
from wildlens.networks.images import to_images
from wildlens.settings import Evaluation
from wildlens.tiles.store import open_tiles

COVERS = {412: "bog", 332: "rock", 324: "clear-cut", 331: "sand", 322: "heath", 312: "forest"}
MOST, BATCH = 80, 20  # tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("generators", type=Path, nargs="*")
    arguments = parser.parse_args()
    models = arguments.results / "models"
    classifier = weights.load_classifier(models / "classifier.safetensors")
    images, truth = validation_tiles(arguments.results / "tiles.zarr", classifier)
    own = in_batches(partial(activation_map, classifier), images).numpy()
    print(row("classifier", "its activation map", own, truth))
    for path in arguments.generators or [models / "generators.safetensors"]:
        pair = weights.load_generators(path)
        methods = {
            "X+ - X-": GanDifference(*pair),
            "X - X-": MinimizerDifference(pair[1]),
            "activation X - X-": MinimizerActivation(classifier, pair[1]),
        }
        for name, method in methods.items():
            print(row(path.stem, name, in_batches(method, images).numpy(), truth))


def validation_tiles(path: Path, classifier) -> tuple[Tensor, np.ndarray]:
    """Images of the first protected validation tiles, and their reference land cover (index)."""
    tiles = open_tiles(path)
    chosen = (tiles["split"].values == "val") & (tiles["label"].values == classifier.target_label)
    tiles = tiles.isel(tile=np.flatnonzero(chosen)[:MOST])
    images, _ = to_images(tiles["reflectance"].values, classifier.standardise.mean)
    return images, tiles["truth"].values


@torch.inference_mode()
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([function(batch) for batch in images.split(BATCH)])


def row(model: str, name: str, attribution: np.ndarray, truth: np.ndarray) -> str:
    """Metrics of a map (N, H, W) as one line."""
    known = truth > 0
    values, target = attribution[known], np.isin(truth, targets())[known]
    best = iou(values >= best_threshold(values, target), target)
    covers = ", ".join(
        f"{cover} {attribution[truth == CORINE.index_of(code)].mean() / values.mean():.2f}"
        for code, cover in COVERS.items()
    )
    periodic = count_periodic(np.array([periodic_peak(tile) for tile in attribution]))
    return (
        f"{model}, {name}: AUROC {roc_auc_score(target, values):.3f}, AP"
        f" {average_precision_score(target, values):.3f}, best IoU {best:.3f},"
        f" periodic {periodic} of {len(truth)}; {covers}"
    )


def targets() -> list[int]:
    return CORINE.indices_of(Evaluation().targets)


if __name__ == "__main__":
    main()
