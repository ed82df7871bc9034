"""Does the method work? Runs the demo with several seeds and with each deviation taken back.

    python benchmarks/method.py --work FOLDER [--seeds 3] [--only seeds|ablations|families]

Runs the workflow in FOLDER up to its tables, with other seeds or other settings each time:
Snakemake makes anew just what they change. The tables of each run are kept in FOLDER/tables, so
that an interrupted benchmark resumes. Writes docs/method-results.md.

Ablations run on one thread, in FOLDER/one-thread, with the default beside them: another number of
threads rounds otherwise, and gives another classifier.
"""

import argparse
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
TABLES = ("methods.csv", "scores.csv", "classes.csv")
# what is taken back, as the `gan` settings say it; nothing, then the paper's own
ABLATIONS = {
    "default": {},
    "activation maximisation as in the paper: on the score, no margin, lambda 0.3": {
        "activation": "score",
        "activation_margin": None,
        "lambda_inactive": 0.0,
        "lambda_am": 0.3,
    },
    "on local logits, no margin": {"activation_margin": None, "lambda_inactive": 0.0},
    "on the score, margin -1": {"activation": "score"},
    "margin 0": {"activation_margin": 0.0},
    "no extra similarity weight where inactive": {"lambda_inactive": 0.0},
    "whole tiles, batches of 2": {"crop": None, "batch_size": 2},
    "adversarial loss as cross entropy": {"adversarial": "cross_entropy"},
    "similarity as a Frobenius norm": {"similarity": "frobenius"},
    "without adversarial loss": {"lambda_adv": 0.0},
    "two downsamplings": {"downsamplings": 2},
    "without total variation of the change": {"lambda_tv": 0.0},
    "total variation of weight 1": {"lambda_tv": 1.0},
    "running means as batch statistics": {"statistics_tiles": 0},
    "half of the batches mixed with tiles of any class": {"mixed": 0.5},
}
# the other family of classifiers, as sections of the configuration: it looks at whole tiles only,
# and has no local logits, so activation maximisation is the paper's; the methods explain another
# network, so they have a table of their own
FAMILY = "the paper's form of classifier (unet)"
UNET = {
    "classifier": {
        "architecture": "unet",
        "width": 8,
        "cutmix_cells": 0.5,
        "head_start": "mean",
        "head_rate": 0.1,
    },
    "gan": {
        "activation": "score",
        "activation_margin": None,
        "lambda_inactive": 0.0,
        "lambda_am": 0.3,
        "crop": None,
        "batch_size": 2,
    },
}
METHODS = {
    "gan": "WildLens: abs(X+ - X-)",
    "minimizer": "WildLens: abs(X - X-)",
    "minimizer_contributions": "WildLens: contributions from X- to X",
    "deeplift": "DeepLIFT",
    "occlusion": "Occlusion sensitivity",
    "gradcam": "GradCAM",
    "deeplift_randomised": "DeepLIFT, untrained classifier",
    "gradcam_randomised": "GradCAM, untrained classifier",
    "class_shares": "Class shares of CORINE",
    "brightness": "Brightness",
    "random": "Random",
}
EXPLAINERS = ("gan", "minimizer", "minimizer_contributions", "deeplift", "occlusion", "gradcam")
# of the reference land cover: bogs and rocks are the target; the others are look-alikes
COVERS = {412: "bog", 332: "rock", 324: "clear-cut", 331: "sand", 322: "heath"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["seeds", "ablations", "families"])
    arguments = parser.parse_args()
    tables = arguments.work / "tables"
    seeds = [tables / f"seed-{seed}" for seed in range(arguments.seeds)]
    ablations = {name: tables / f"ablation-{name.replace(' ', '-')}" for name in ABLATIONS}
    family = [tables / f"unet-{seed}" for seed in range(arguments.seeds)]
    run(arguments.work, seeds[0], {})
    if arguments.only in (None, "ablations"):
        for name, folder in ablations.items():
            run(arguments.work / "one-thread", folder, {"gan": ABLATIONS[name]}, threads=1)
    if arguments.only in (None, "families"):
        for seed, folder in enumerate(family):
            run(arguments.work, folder, of_seed(UNET, seed))
    if arguments.only in (None, "seeds"):
        for seed, folder in enumerate(seeds[1:], start=1):
            run(arguments.work, folder, of_seed({"classifier": {"seed": seed}}, seed))
    text = report(
        [folder for folder in seeds if folder.is_dir()],
        ablations,
        {"default (local)": seeds[:1], FAMILY: [f for f in family if f.is_dir()]},
        "python benchmarks/method.py --work FOLDER",
    )
    (ROOT / "docs" / "method-results.md").write_text(text, encoding="utf-8")


def of_seed(settings: dict, seed: int) -> dict:
    """Settings with this seed of the generators."""
    return settings | {"gan": settings.get("gan", {}) | {"seed": seed}}


def run(folder: Path, tables: Path, settings: dict, threads: int | None = None) -> None:
    """Run the workflow in `folder` up to its tables, with these settings, and keep the tables."""
    if tables.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = ["snakemake", "--snakefile", ROOT / "workflow" / "Snakefile", "--directory", folder]
    command += ["--configfile", ROOT / "config.yaml", overlay.resolve()]
    command += ["--cores", str(threads or "all"), "--resources", "gpu=1", "--"]
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    subprocess.run(
        [*command, "results/evaluation/methods.csv"], check=True, cwd=ROOT, env=environment
    )
    part = tables.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in TABLES:
        shutil.copy(folder / "results" / "evaluation" / name, part)
    shutil.copy(folder / "results" / "metrics" / "classifier" / "accuracy.csv", part)
    part.rename(tables)


def report(
    folders: list[Path], ablations: dict[str, Path], families: dict[str, list[Path]], command: str
) -> str:
    """The page of tables, from the tables of each seed, each ablation and each family."""
    parts = [
        "# The method, measured",
        f"Made by `{command}`; the settings are those of `config.yaml`, the seeds those of"
        f" classifier and generators, {', '.join(map(str, range(len(folders))))}. All metrics are"
        " of the demo's test tiles, against the reference land cover; they are discussed in"
        " [the method](method.md). A cell is the mean over the seeds, and the lowest and highest.",
        "## Methods",
        markdown(methods_table(folders)),
        "IoU: one threshold for all test tiles, chosen on the validation tiles; pooled over all"
        " pixels, and as the mean over tiles. The interval is of the first seed, over blocks of"
        " tiles. The last five rows are controls: an explanation must do better.",
        "## Classifier and generators",
        markdown(scores_table(folders)),
        "## Mean attribution by land cover",
        markdown(covers_table(folders)),
        "Mean attribution of a cover as a multiple of the mean over the tiles, and the share of its"
        " pixels above the method's threshold.",
        "## Which classifier is explained",
        "One classifier of each family, of seed 0, explained by all methods alike. The paper's form"
        f" has the paper's own loss; its cells are over {len(families[FAMILY])} seeds of the"
        " generators. Differences are of each seed, with their 95 % interval over blocks of tiles.",
        markdown(families_table(families)),
        "## Ablations",
        "Each row differs from the first by the settings it names; seed 0, on one thread: this"
        " rounds otherwise, so that the classifier is another than above. Compare rows with the"
        " first one.",
        markdown(ablations_table(ablations)),
    ]
    return "\n\n".join(parts) + "\n"


def methods_table(folders: list[Path]) -> pd.DataFrame:
    """A row a method: figures over the seeds."""
    tables = [of_truth(folder, "methods.csv").set_index("method") for folder in folders]
    rows = []
    for method, title in METHODS.items():
        of_seeds = [table.loc[method] for table in tables]
        row = {"method": title}
        for column, name in (
            ("auroc", "AUROC"), ("average_precision", "AP"), ("iou", "IoU"),
            ("iou_tiles", "mean IoU of tiles"),
        ):  # fmt: skip
            row[name] = spread([seed[column] for seed in of_seeds])
        first = of_seeds[0]
        row["95 % of the IoU"] = f"{first['iou_low']:.2f} to {first['iou_high']:.2f}"
        row["IoU less that of abs(X+ - X-)"] = (
            "" if method == "gan" else spread([seed["iou_minus_gan"] for seed in of_seeds])
        )
        rows.append(row)
    return pd.DataFrame(rows)


def scores_table(folders: list[Path]) -> pd.DataFrame:
    """A row a figure of the classifier or the generators on the test tiles."""
    accuracy = [pd.read_csv(f / "accuracy.csv").set_index("split").loc["test"] for f in folders]
    scores = [pd.read_csv(f / "scores.csv").query("split == 'test'") for f in folders]
    by_image = [table.set_index("image") for table in scores]
    rows = [("accuracy", [row["accuracy"] for row in accuracy])]
    rows += [
        (f"score of {i}", [t.loc[i, "mean_score"] for t in by_image]) for i in by_image[0].index
    ]
    rows += [
        (f"L1 of {i}, reflectance", [t.loc[i, "l1_reflectance"] for t in by_image])
        for i in ("X+", "X-")
    ]
    rows += [("share of tiles in order", [t.loc["X", "share_in_order"] for t in by_image])]
    return pd.DataFrame(
        [{"on the test tiles": name, "value": spread(values, 4 if "L1" in name else 3)}
         for name, values in rows]
    )  # fmt: skip


def covers_table(folders: list[Path]) -> pd.DataFrame:
    """A row a method of ours or of its rivals, a column a cover."""
    tables = [of_truth(f, "classes.csv").query("scene == 'test tiles'") for f in folders]
    rows = []
    for method in EXPLAINERS:
        row = {"method": METHODS[method]}
        for code, cover in COVERS.items():
            found = [of_cover(t, method, code) for t in tables]
            mean = spread([row["relative_attribution"] for row in found], 2)
            share = sum(row["share_high"] for row in found) / len(found)
            row[cover] = f"{mean}; {share:.0%}"
        rows.append(row)
    return pd.DataFrame(rows)


def families_table(families: dict[str, list[Path]]) -> pd.DataFrame:
    """A row a figure of the classifier or a method, a column a family."""
    found = {name: family_column(folders) for name, folders in families.items() if folders}
    not_run = dict.fromkeys(next(iter(found.values())), "not run")
    table = pd.DataFrame({name: found.get(name, not_run) for name in families})
    return table.rename_axis("on the test tiles").reset_index()


def family_column(folders: list[Path]) -> dict[str, str]:
    """How right a classifier is, how brittle, and how well each method explains it."""
    right = pd.read_csv(folders[0] / "accuracy.csv").set_index("split").loc["test"]
    column = {
        "accuracy": f"{right['accuracy']:.3f}",
        "accuracy under a small adversarial step": f"{right['fgsm_accuracy']:.3f}",
    }
    of_seeds = [of_truth(folder, "methods.csv").set_index("method") for folder in folders]
    for method, title in METHODS.items():
        own = [table.loc[method] for table in of_seeds]
        figures = ("auroc", "average_precision", "iou")
        column[f"{title}: AUROC, AP, IoU"] = ", ".join(
            spread([row[figure] for row in own]) for figure in figures
        )
        if method in EXPLAINERS[1:]:
            column[f"{title}: IoU less that of abs(X+ - X-)"] = "; ".join(
                f"{row['iou_minus_gan']:+.3f} ({row['iou_minus_gan_low']:+.3f} to"
                f" {row['iou_minus_gan_high']:+.3f})"
                for row in own
            )
    return column


def ablations_table(folders: dict[str, Path]) -> pd.DataFrame:
    """A row a setting: how both maps do, where the scores go, and what is lit."""
    rows = {name: ablation_row(folder) for name, folder in folders.items() if folder.is_dir()}
    columns = [
        "abs(X+ - X-): AUROC, AP, IoU", "abs(X - X-): AUROC, AP, IoU", "score of X, X+, X-",
        "high: bog, clear-cut",
    ]  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.reindex(list(folders)).fillna("not run").rename_axis("setting").reset_index()


def ablation_row(folder: Path) -> list[str]:
    """The cells of a setting."""
    methods = of_truth(folder, "methods.csv").set_index("method")
    scores = pd.read_csv(folder / "scores.csv").query("split == 'test'").set_index("image")
    classes = of_truth(folder, "classes.csv").query("scene == 'test tiles'")
    cut, bog = (of_cover(classes, "gan", code)["share_high"] for code in (324, 412))
    figures = ["auroc", "average_precision", "iou"]
    return [
        *(", ".join(f"{v:.3f}" for v in methods.loc[m, figures]) for m in ("gan", "minimizer")),
        ", ".join(f"{scores.loc[image, 'mean_score']:.2f}" for image in ("X", "X+", "X-")),
        f"{bog:.0%}, {cut:.0%}",
    ]


def of_cover(classes: pd.DataFrame, method: str, code: int) -> dict:
    """The row of a cover, in a column of codes where groups have names."""
    (row,) = classes[
        (classes["method"] == method) & (classes["class_code"].astype(str) == str(code))
    ].to_dict("records")
    return row


def of_truth(folder: Path, name: str) -> pd.DataFrame:
    """The rows of a table that were compared with the reference land cover."""
    return pd.read_csv(folder / name).query("reference == 'truth'")


def spread(values: list[float], digits: int = 3) -> str:
    """Mean, lowest and highest, where they differ."""
    mean = sum(values) / len(values)
    if min(values) == max(values):
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def markdown(table: pd.DataFrame) -> str:
    """A table of strings as Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main()
