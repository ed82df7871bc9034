"""Maps of several members, from runs of other seeds: do they lead where single runs do not?

    python -m benchmarks.method.members FOLDER --experiment unet_multiple_instance

The runs of an experiment on one land differ by their seed alone, as the members of one run do
(`classifier.members`, `gan.members`). Of each set of N runs, the maps of the tiles are averaged and
evaluated by the rule of `evaluate`. Writes to docs/results/method:

members.csv       one row per experiment, number of members and method: mean, lowest and highest
                  over all sets, and the share of the sets in which the method is above all others
                  (`first`) and above those without generators (`above`)
disagreement.csv, calibration.csv, filtered.csv, class_index.csv
                  all runs as members of one run: what the step `confidence` gives

Sets of two and more runs overlap: how they spread says less than as many independent ones would.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.method.tables import METRICS, RESULTS, spread, with_kept
from wildlens.combine.attributions import combine_attributions
from wildlens.confidence.step import measure_confidence
from wildlens.doctor.step import read_configuration
from wildlens.evaluate.metrics import choose_thresholds, compare
from wildlens.evaluate.samples import (
    Sample,
    build_sample,
    open_attributions,
    read_attribution,
)
from wildlens.evaluate.target_groups import TARGETS, TargetGroup, build_groups
from wildlens.progress import track
from wildlens.registry import methods as registry
from wildlens.settings import Confidence, Evaluation

ROOT = Path(__file__).parents[2]
SIZES = range(1, 6)  # numbers of members
RIVALS = registry.names("rival")  # methods without generators
SHOWN = METRICS[:3]
CONFIDENCE = {
    "disagreement": "disagreement.csv",
    "calibration": "calibration.csv",
    "filtered": "filtered.csv",
    "class_index": "classes.csv",
}  # name of the table here -> that of the step
Maps = Mapping[str, np.ndarray]  # split -> (tile, y, x) float32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the runs")
    parser.add_argument("--experiment", default="unet_multiple_instance")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    runs = sorted((arguments.folder / "runs" / arguments.experiment).glob("seed-*-threads-1"))
    results = [run / "results" for run in runs if (run / "results/evaluation/methods.csv").exists()]
    if len(results) < 2:
        raise SystemExit(f"{arguments.folder}: holds fewer than two finished runs of that name")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, table in tables_of(results).items():
        path = arguments.output / f"{name}.csv"
        table.insert(0, "experiment", arguments.experiment)
        table = with_kept(path, table)
        table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")
        print(f"{path}: {len(table)} rows")


def tables_of(results: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """The tables that this writes, by name, of the runs with these results."""
    samples = samples_of(results[0])
    evaluation = read_configuration([ROOT / "config.yaml"]).evaluation
    (group,) = (
        group
        for group in build_groups(samples, evaluation)
        if group.name == TARGETS and group.reference == "truth"
    )
    sets = pd.DataFrame(rows_of_sets(results, group, samples))
    return {"members": summary(sets)} | confidence_of(results, evaluation)


def confidence_of(results: Sequence[Path], evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """Tables of the step `confidence`, with all runs as members of one run."""
    tiles = results[0] / "tiles.zarr"
    with tempfile.TemporaryDirectory() as folder:
        combined = [Path(folder, f"{method}.zarr") for method in methods_of(results[0])]
        for path in combined:
            stores = [run / "attributions" / path.name for run in results]
            combine_attributions(stores, tiles, path, Path(folder, "thresholds.csv"), evaluation)
        classifiers = [run / "models/classifier.safetensors" for run in results]
        output = Path(folder, "confidence")
        measure_confidence(
            tiles, classifiers, combined, output, Confidence(), evaluation, device="cpu"
        )
        return {
            name: pd.read_csv(output / file).assign(members=len(results))
            for name, file in CONFIDENCE.items()
        }


def rows_of_sets(
    results: Sequence[Path], group: TargetGroup, samples: Mapping[str, Sample]
) -> Iterator[dict]:
    """One row of metrics for each set of runs and method."""
    sets = [
        chosen for size in SIZES for chosen in itertools.combinations(range(len(results)), size)
    ]
    for method in methods_of(results[0]):
        members = [maps_of(run, method, samples) for run in results]
        for chosen in track(sets, method, total=len(sets), unit="set"):
            mean = {
                split: np.mean([members[run][split] for run in chosen], axis=0, dtype=np.float64)
                for split in samples
            }
            metrics = metrics_of(method, group, samples, mean)
            yield {"members": len(chosen), "set": chosen, "method": method} | metrics


def methods_of(results: Path) -> list[str]:
    """Explanations of a run, in the order of their records."""
    found = {path.stem for path in (results / "attributions").glob("*.zarr")}
    return [name for name in registry.names("paper", "rival") if name in found]


def samples_of(results: Path) -> dict[str, Sample]:
    stores = open_attributions(
        results / f"attributions/{method}.zarr" for method in methods_of(results)
    )
    return {split: build_sample(split, results / "tiles.zarr", stores) for split in ("val", "test")}


def maps_of(results: Path, method: str, samples: Mapping[str, Sample]) -> Maps:
    (store,) = open_attributions([results / f"attributions/{method}.zarr"]).values()
    return {split: read_attribution(store, sample.names) for split, sample in samples.items()}


def metrics_of(
    method: str, group: TargetGroup, samples: Mapping[str, Sample], maps: Maps
) -> dict[str, float]:
    """Metrics of the test tiles, at the threshold of the validation tiles."""
    validation, test = (maps[split].astype(np.float32).__getitem__ for split in ("val", "test"))
    thresholds = choose_thresholds([group], samples["val"], validation)
    (found,) = compare(method, [group], thresholds, test, samples["test"], {})
    return {name: found.metrics[name] for name in SHOWN}


def summary(sets: pd.DataFrame) -> pd.DataFrame:
    """How the metrics of each method spread over the sets of a size, and how often it is first."""
    metrics, key = list(SHOWN), ["members", "set"]
    best = sets.groupby(key)[metrics].max()
    of_rivals = sets[sets["method"].isin(RIVALS)].groupby(key)[metrics].max()
    rows = []
    for (members, method), group in sets.groupby(["members", "method"], sort=False):
        row = {"members": members, "sets": len(group), "method": method}
        row["title"] = registry.title(method)
        own = group.set_index(key)[metrics]
        first, above = own >= best.loc[own.index], own > of_rivals.loc[own.index]
        for metric in SHOWN:
            row |= {f"{metric}_{name}": value for name, value in spread(group[metric]).items()}
            row |= {
                f"first_{metric}": first[metric].mean(),
                f"above_{metric}": above[metric].mean(),
            }
        rows.append(row)
    table = pd.DataFrame(rows)
    order = table["method"].map(registry.position)
    return table.assign(_order=order).sort_values(["members", "_order"]).drop(columns="_order")


if __name__ == "__main__":
    main()
