"""Tables of the benchmark on real land: methods against masks, scores of the generated images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.real_land_tiles import Land
from wildlens.evaluate.metrics import choose_thresholds, compare
from wildlens.evaluate.samples import build_sample, open_attributions, read_attribution
from wildlens.evaluate.target_groups import TARGETS, TargetGroup
from wildlens.networks import weights
from wildlens.networks.images import to_images
from wildlens.registry import methods as registry
from wildlens.settings import Gan
from wildlens.tiles.store import open_tiles
from wildlens.train_gan.inference import image_batches, scores_at_inference
from wildlens.training.data import load_training_set

FOREST = TargetGroup("corine", TARGETS, [312], float("nan"))
METRICS = ("auroc", "average_precision", "iou", "positive_inside")
LAST = 50  # steps of the training curve that scores are averaged over
SCORED = 256  # training tiles that are scored at inference


@dataclass(frozen=True)
class Run:
    """The networks of a form, trained on a land with a seed."""

    land: Land
    form: str
    seed: int
    folder: Path

    @property
    def origin(self) -> Path:
        """The table that is written last: the run is finished if it exists."""
        return self.folder / "origin.csv"


def write(runs: Sequence[Run], output: Path) -> None:
    """Write all tables of finished runs."""
    if not runs:
        raise SystemExit("no run is finished")
    methods, generators, classifiers, origins = [], [], [], []
    for run in runs:
        key = {"form": run.form, "land": run.land.name, "seed": run.seed}
        origins.append(pd.read_csv(run.origin).assign(**key))
        accuracy = pd.read_csv(run.folder / "classifier" / "accuracy.csv")
        evidence = pd.read_csv(run.folder / "classifier" / "evidence.csv")
        presence = {"presence": evidence["presence"].item()}
        classifiers.append(accuracy.assign(**presence, **key))
        for name, tiles in run.land.explained.items():
            for row in compare_methods(run.land, run.folder, name, tiles):
                methods.append({"form": run.form, "set": name, "seed": run.seed, **row})
        for variant in run.land.generators:
            row = generator_scores(run.land, run.folder, variant)
            generators.append({**key, "generators": variant, **row})
    lands = {run.land.name: run.land for run in runs}
    found = {
        "runs": pd.DataFrame(methods),
        "methods": over_seeds(pd.DataFrame(methods)),
        "generators": pd.DataFrame(generators),
        "classifiers": pd.concat(classifiers, ignore_index=True),
        "origin": pd.concat(origins, ignore_index=True),
        "tiles": pd.DataFrame(sizes(lands.values())),
    }
    for name, table in found.items():
        path = output / f"{name}.csv"
        table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")
        print(f"{path}: {len(table)} rows")


def compare_methods(land, folder: Path, name: str, tiles: Path) -> Iterator[dict]:
    """One row per method of each variant of the generators, on the test tiles of a set."""
    paths = sorted((folder / name).glob("*.zarr"))
    for variant in (None, *land.generators):
        own = paths if variant is None else sorted((folder / f"{name}-{variant}").glob("*.zarr"))
        stores = open_attributions(own)
        samples = {split: build_sample(split, tiles, stores) for split in ("val", "test")}
        for method, store in stores.items():
            values = {key: read_attribution(store, s.names) for key, s in samples.items()}
            validation, test = (values[key].__getitem__ for key in ("val", "test"))
            thresholds = choose_thresholds([FOREST], samples["val"], validation)
            (found,) = compare(
                method, [FOREST], thresholds, test, samples["test"], {FOREST.reference: [0.5]}
            )
            known, target = FOREST.masks(samples["test"])
            yield {
                "generators": variant or "none",
                "method": method,
                "title": registry.title(method),
                "positive_inside": positive_inside(values["test"], known, target),
                **found.metrics,
            }


def positive_inside(values: np.ndarray, known: np.ndarray, target: np.ndarray) -> float:
    """Share of positive attribution inside the target, mean over tiles that have any.

    The grid pointing game (Boehle et al. 2021) on mosaics; a constant map has the target's share.

    Args:
        values: (tile, y, x) float32; known, target: (tile, y, x) bool.
    """
    positive = np.where(known, np.maximum(values, 0), 0).astype(np.float64)
    total, inside = positive.sum(axis=(1, 2)), (positive * target).sum(axis=(1, 2))
    some = total > 0
    return float((inside[some] / total[some]).mean()) if some.any() else float("nan")


def generator_scores(land, folder: Path, variant: str) -> dict[str, float]:
    """Mean scores of X, X+ and X- in training, at inference on the same tiles, and on test tiles.

    `change_*`: mean absolute change of the test tiles, reflectance x 10000; a step of the 8-bit
    pictures is 20. `in_order`: share of the test tiles whose X+ scores higher than X, and X- lower.
    """
    classifier = weights.load_classifier(folder / "classifier.safetensors")
    maximizer, minimizer = weights.load_generators(folder / f"generators-{variant}.safetensors")
    history = pd.read_csv(folder / f"generators-{variant}" / "training.csv")
    last = history.tail(LAST).mean(numeric_only=True)
    training = load_training_set(land.training).splits["train"].only(classifier.target_label)
    batches = image_batches(training, training, SCORED, Gan(crop=None), torch.device("cpu"))
    pair = {"maximizer": maximizer, "minimizer": minimizer}
    inference = scores_at_inference(classifier, pair, batches)
    tiles = open_tiles(next(iter(land.explained.values())))
    tiles = tiles.isel(tile=np.flatnonzero(tiles["split"].values == "test"))
    images, _ = to_images(tiles["reflectance"].values, classifier.standardise.mean)
    own, high, low = (_scores(classifier, images, network) for network in (None, *pair.values()))
    return {
        "lambda_am": history["lambda_am"].iloc[-1],
        "train_x": last["score"],
        "train_max": last["score_max"],
        "train_min": last["score_min"],
        "inference_max": inference["score_max"],
        "inference_min": inference["score_min"],
        "test_x": own.mean(),
        "test_max": high.mean(),
        "test_min": low.mean(),
        "change_max": _change(images, maximizer),
        "change_min": _change(images, minimizer),
        "raised": (high > own).mean(),
        "lowered": (low < own).mean(),
        "in_order": ((high > own) & (own > low)).mean(),
    }


@torch.no_grad()
def _scores(classifier, images: torch.Tensor, generator) -> np.ndarray:
    scores = [
        classifier(generator(part) if generator else part).sigmoid() for part in images.split(16)
    ]
    return torch.cat(scores).numpy().ravel()


@torch.no_grad()
def _change(images: torch.Tensor, generator) -> float:
    parts = images.split(16)
    return 10000 * np.mean([(generator(part) - part).abs().mean().item() for part in parts])


def over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, lowest and highest of each metric over the seeds, and intervals of the first seed."""
    rows = []
    names = ["form", "set", "generators", "method"]
    for key, group in runs.groupby(names, sort=False):
        row = dict(zip(names, key, strict=True))
        row |= {"title": group["title"].iloc[0], "runs": len(group)}
        for metric in METRICS:
            values = group[metric]
            row |= {metric: values.mean(), f"{metric}_min": values.min()}
            row |= {f"{metric}_max": values.max()}
        first = group.iloc[0]
        for metric in METRICS[:3]:
            row |= {f"{metric}_{end}": first[f"{metric}_{end}"] for end in ("low", "high")}
        row["inverted_runs"] = int((group["auroc"] < 0.5).sum())
        rows.append(row)
    table = pd.DataFrame(rows)
    order = {name: list(dict.fromkeys(table[name])) for name in ("set", "form")}
    keys = {f"_{name}": table[name].map(values.index) for name, values in order.items()}
    keys["_place"] = [registry.position(method)[0] for method in table["method"]]
    return table.assign(**keys).sort_values(list(keys), kind="stable").drop(columns=list(keys))


def sizes(lands) -> Iterator[dict]:
    """Number of tiles and scenes of each set and split, and of tiles of the explained group."""
    for land in lands:
        for name, path in {land.name: land.training, **land.explained}.items():
            tiles = open_tiles(path)
            for split in ("train", "val", "test"):
                own = tiles["split"].values == split
                if own.any():
                    yield {
                        "set": name,
                        "split": split,
                        "number": int(own.sum()),
                        "scenes": len(set(tiles["scene"].values[own].tolist())),
                        "explained": int((tiles["label"].values[own] == 1).sum()),
                    }
