"""Tables of complete runs: what each run gave, and how runs spread.

    python -m benchmarks.method FOLDER

Reads FOLDER/tables, which the Snakefile beside this makes. Writes to docs/results/method:

runs.csv         one row per run and method
methods.csv      one row per experiment and method: mean, standard deviation, lowest and highest
differences.csv  paired differences within runs, of each map of the generators to each rival
methods_corine.csv, differences_corine.csv
                 the same two against CORINE; all other tables are of the reference land cover
networks.csv     accuracy of the classifier, scores and sizes of the generated images
classifiers.csv  one row per run: presence and accuracy of the classifier, AUROC of the maps
covers.csv       mean attribution of single covers
texture.csv      tiles with a periodic texture, of maps and of images
faithfulness.csv insertion less deletion: does the score follow the map?
tuned.csv        each method as it comes, and with settings chosen on validation tiles (tuning.py)

Rows of experiments of which FOLDER has no run are kept. Of an experiment that it has runs of, the
rows of other seeds and threads in runs.csv and classifiers.csv are kept, and count in methods.csv
and differences.csv; the other tables are of the runs in FOLDER, as their column `runs` says.

An interval over runs holds land, tiles and split fixed, and asks how a new training would come out;
one over blocks holds the trained networks fixed, and asks how other tiles would.
"""

import argparse
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from wildlens.registry import methods as registry

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "method"
RUN = re.compile(r"seed-(?P<seed>\d+)-threads-(?P<threads>\d+)")
KEY = ["experiment", "seed", "threads"]  # of a run
METRICS = ["auroc", "average_precision", "iou", "iou_tiles"]
MAPS = ("gan", "minimizer", "minimizer_activation")  # the paper's, and two without X+
# of the reference land cover: bogs and rocks are the target, the next three are look-alikes
COVERS = {"412": "bog", "332": "rock", "324": "clear-cut", "331": "sand", "322": "heath",
          "312": "forest", "512": "water"}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the runs")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    tables = tables_of(read_runs(arguments.folder / "tables"), arguments.output)
    tables |= tuned_tables(arguments.folder / "tuned")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, new in tables.items():
        path = arguments.output / f"{name}.csv"
        table = with_kept(path, new)
        table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")
        print(f"{path}: {len(table)} rows")


def read_runs(tables: Path) -> dict[str, pd.DataFrame]:
    """All runs' tables of one name, one below the other, with experiment, seed and threads."""
    folders = sorted(folder for folder in tables.glob("*/*") if RUN.fullmatch(folder.name))
    if not folders:
        raise SystemExit(f"no finished run lies in {tables}")
    names = (
        *("run", "methods", "scores", "classes"),
        *("texture", "faithfulness", "accuracy", "evidence"),
    )
    return {
        name: pd.concat([_labelled(folder, name) for folder in folders], ignore_index=True)
        for name in names
    }


def _labelled(folder: Path, name: str) -> pd.DataFrame:
    match = RUN.fullmatch(folder.name)
    label = {"experiment": folder.parent.name} | {k: int(v) for k, v in match.groupdict().items()}
    return pd.read_csv(folder / f"{name}.csv").assign(**label)


def tables_of(found: dict[str, pd.DataFrame], earlier: Path) -> dict[str, pd.DataFrame]:
    """The tables that this writes, by name; `earlier`: folder of those of earlier runs."""
    truth, corine = (found["methods"].query(f"reference == '{r}'") for r in ("truth", "corine"))
    new = found["run"].merge(truth[[*KEY, "method", *METRICS, "iou_low", "iou_high"]], on=KEY)
    new = new[[*KEY, *(c for c in new.columns if c not in KEY)]]
    runs = with_kept(earlier / "runs.csv", new)
    runs = runs[runs["experiment"].isin(new["experiment"])].reset_index(drop=True)
    return {
        "runs": new,
        "methods": methods_table(runs),
        "differences": differences_table(runs),
        "methods_corine": methods_table(corine),
        "differences_corine": differences_table(corine),
        "networks": networks_table(found),
        "classifiers": classifiers_table(found, new),
        "covers": covers_table(found["classes"]),
        "texture": texture_table(found["texture"]),
        "faithfulness": faithfulness_table(found["faithfulness"]),
    }


def with_kept(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """A table, and below it the rows of a file whose experiments, or single runs, it lacks."""
    if not path.exists():
        return table
    old, key = pd.read_csv(path), [name for name in KEY if name in table]
    have = set(table[key].itertuples(index=False, name=None))
    lacking = [row not in have for row in old[key].itertuples(index=False, name=None)]
    return pd.concat([table, old[lacking]], ignore_index=True) if any(lacking) else table


def tuned_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The table of tuned methods, if any run has one.

    `gain`: mean difference of the IoU on test tiles, tuned less as it comes, with its interval over
    runs; `chosen`: the settings that most runs chose, and `agreeing` in how many.
    """
    paths = sorted(folder.glob("*/*.csv"))
    if not paths:
        return {}
    runs = pd.concat([pd.read_csv(p).assign(experiment=p.parent.name) for p in paths])
    rows = []
    for (experiment, method), group in runs.groupby(["experiment", "method"], sort=False):
        row = {"experiment": experiment, "method": method, "title": registry.title(method)}
        row |= {"runs": len(group), "points": int(group["points"].iloc[0])}
        for metric in METRICS[:3]:
            for name in (metric, f"{metric}_tuned"):
                row |= {f"{name}_mean": group[name].mean(), f"{name}_sd": group[name].std()}
        gain = paired(group["iou_tuned"] - group["iou"])
        row |= {f"gain_{name}": gain[name] for name in ("mean", "low", "high")}
        chosen = group["settings"].value_counts()
        row |= {"chosen": _in_words(chosen.index[0]), "agreeing": int(chosen.iloc[0])}
        rows.append(row)
    return {"tuned": _in_order(pd.DataFrame(rows))}


def _in_words(settings: str) -> str:
    return ", ".join(f"{name} {value}" for name, value in json.loads(settings).items())


def methods_table(runs: pd.DataFrame) -> pd.DataFrame:
    """How the metrics of each method spread over the runs, and how often it is first.

    `first_*`: share of the runs in which no other explanation has a higher value; `block_*`: the
    95 % interval over blocks of tiles of the run with the median IoU.
    """
    rows = []
    for (experiment, method), group in runs.groupby(["experiment", "method"], sort=False):
        row = {"experiment": experiment, "method": method, "title": registry.title(method)}
        row["runs"] = len(group)
        for metric in METRICS:
            row |= {f"{metric}_{name}": value for name, value in spread(group[metric]).items()}
        for metric in METRICS[:3]:
            row[f"first_{metric}"] = _share_first(runs, group, metric)
        median = group.sort_values("iou").iloc[(len(group) - 1) // 2]
        rows.append(row | {"block_low": median["iou_low"], "block_high": median["iou_high"]})
    return _in_order(pd.DataFrame(rows))


def spread(values: pd.Series) -> dict[str, float]:
    """Mean, standard deviation (of one run: missing), lowest and highest."""
    return {"mean": values.mean(), "sd": values.std(), "low": values.min(), "high": values.max()}


def _share_first(runs: pd.DataFrame, group: pd.DataFrame, metric: str) -> float:
    if group["method"].iloc[0] in registry.names("control"):
        return float("nan")
    explanations = runs[~runs["method"].isin(registry.names("control"))]
    best = explanations.groupby(KEY)[metric].max()
    keys = pd.MultiIndex.from_frame(group[KEY])
    return float(np.mean(group[metric].to_numpy() >= best.loc[keys].to_numpy()))


def differences_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Each map of the generators less each rival, paired within runs.

    Of each metric, `low` and `high`: 95 % interval of the mean difference, Student's t over the
    `runs` that have both; `ahead`: share of these in which the map has the higher value.
    """
    rivals = [*registry.names("paper", "rival"), "brightness"]
    rows = []
    for experiment, of_experiment in runs.groupby("experiment", sort=False):
        wide = of_experiment.pivot(index=["seed", "threads"], columns="method", values=METRICS[:3])
        present = set(of_experiment["method"])
        for name, rival in itertools.product(MAPS, rivals):
            if rival == name or not {name, rival} <= present:
                continue
            both = wide[wide["iou"][[name, rival]].notna().all(axis=1)]
            if both.empty:
                continue
            row = {"experiment": experiment, "map": name, "rival": rival, "runs": len(both)}
            row["title"] = registry.title(rival)
            for metric in METRICS[:3]:
                found = paired(both[metric, name] - both[metric, rival])
                row |= {f"{metric}_{what}": value for what, value in found.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def paired(differences: pd.Series) -> dict[str, float]:
    """Mean of paired differences, its 95 % interval over runs, and the share above 0."""
    count, mean = len(differences), differences.mean()
    half = float("nan")
    if count > 1:
        half = student.ppf(0.975, count - 1) * differences.std() / np.sqrt(count)
    ahead = float((differences > 0).mean())
    return {"mean": mean, "low": mean - half, "high": mean + half, "ahead": ahead}


def networks_table(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How right the classifiers are, and what the generators do to the score; test tiles."""
    accuracy = found["accuracy"].query("split == 'test'")
    values = [
        ("accuracy", accuracy["experiment"], accuracy["accuracy"]),
        ("accuracy under a small adversarial step", accuracy["experiment"],
         accuracy["fgsm_accuracy"]),
        ("presence", found["evidence"]["experiment"], found["evidence"]["presence"]),
    ]  # fmt: skip
    scores = found["scores"].query("split == 'test'")
    for image in ("X", "X+", "X-"):
        own = scores[scores["image"] == image]
        values.append((f"score of {image}", own["experiment"], own["mean_score"]))
        if image != "X":
            values.append((f"L1 of {image}, reflectance", own["experiment"], own["l1_reflectance"]))
    first = scores[scores["image"] == "X"]
    values.append(("share of tiles in order", first["experiment"], first["share_in_order"]))
    rows = [
        {"experiment": experiment, "what": what, "runs": len(group)} | spread(group)
        for what, experiments, series in values
        for experiment, group in series.groupby(experiments)
    ]
    return pd.DataFrame(rows)


def classifiers_table(found: dict[str, pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
    """What is known of each run's classifier without land cover, and the AUROC of each method."""
    accuracy = found["accuracy"].query("split == 'test'")[[*KEY, "accuracy", "fgsm_accuracy"]]
    table = found["evidence"][[*KEY, "presence"]].merge(accuracy, on=KEY)
    aurocs = runs.pivot(index=KEY, columns="method", values="auroc")
    explanations = [name for name in registry.names("paper", "rival") if name in aurocs]
    return table.merge(aurocs[explanations].reset_index(), on=KEY)


def covers_table(classes: pd.DataFrame) -> pd.DataFrame:
    """Mean attribution of single covers on test tiles, as multiples of the mean over the tiles."""
    own = classes[
        (classes["reference"] == "truth")
        & (classes["scene"] == "test tiles")
        & classes["class_code"].astype(str).isin(list(COVERS))
        & ~classes["method"].isin(registry.names("control"))
    ]
    rows = []
    for (experiment, method, code), group in own.groupby(
        ["experiment", "method", "class_code"], sort=False
    ):
        row = {"experiment": experiment, "method": method, "title": registry.title(method),
               "cover": COVERS[str(code)], "runs": len(group)}  # fmt: skip
        shares = group["share_high"]
        rows.append(row | spread(group["relative_attribution"]) | {"share_high": shares.mean()})
    return _in_order(pd.DataFrame(rows))


def texture_table(texture: pd.DataFrame) -> pd.DataFrame:
    """Tiles with a periodic texture: of each method, and how many more than of the images."""
    images = texture[texture["method"] == "image"].set_index(KEY)["periodic_tiles"]
    rows = []
    for (experiment, method), group in texture.groupby(["experiment", "method"], sort=False):
        own = group.set_index(KEY)["periodic_tiles"]
        excess = own - images.reindex(own.index)
        rows.append(
            {"experiment": experiment, "method": method, "title": registry.title(method),
             "runs": len(group), "tiles": int(group["tiles"].iloc[0])}
            | spread(own) | {"most_above_images": excess.max()}
        )  # fmt: skip
    return _in_order(pd.DataFrame(rows))


def faithfulness_table(curves: pd.DataFrame) -> pd.DataFrame:
    """Insertion less deletion of each method, and the score of the blank tile that both use."""
    rows = []
    for (experiment, method), group in curves.groupby(["experiment", "method"], sort=False):
        row = {"experiment": experiment, "method": method, "title": registry.title(method)}
        row |= {"runs": len(group), "blank_score": group["blank_score"].mean()}
        rows.append(row | spread(group["insertion_minus_deletion"]))
    return _in_order(pd.DataFrame(rows))


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by experiment, then methods in the order of their records."""
    position = table["method"].map(registry.position)
    return (
        table.assign(_position=position)
        .sort_values(["experiment", "_position"], kind="stable")
        .drop(columns="_position")
        .reset_index(drop=True)
    )
